"""From texts to a list of shards: what each will hold, and its texts for whoever computes it.

The planner has to encode all texts to know where a shard ends, so that it hands the token ids over,
too, and no worker encodes a text again.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Self

import numpy as np
from pydantic import BaseModel, ConfigDict, NonNegativeInt, PositiveInt

from evenkeel.activations.columns import Row
from evenkeel.activations.content import Header, ShardContent
from evenkeel.errors import BadInputError
from evenkeel.files import atomic_file, lines_of, read_record, write_json
from evenkeel.models.encoding import TokenIds

PLAN_FILE = "plan.json"
_MAKE_IT = "give the same command with --plan first"


class PlannedShard(BaseModel):
    """A shard before it is computed; its identity decides every byte of it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    number: NonNegativeInt
    first_text: NonNegativeInt
    texts: PositiveInt
    tokens: PositiveInt
    identity: str

    @classmethod
    def of(cls, number: int, content: ShardContent) -> Self:
        return cls(
            number=number,
            first_text=content.first_text,
            texts=len(content.ids),
            tokens=content.tokens,
            identity=content.identity,
        )

    @property
    def file(self) -> str:
        """Its name in the store."""
        return f"{self.number:05d}.h5"

    @property
    def texts_file(self) -> str:
        """The name of its texts, while it is not computed."""
        return f"{self.number:05d}.jsonl"

    @property
    def object(self) -> str:
        """Its name in a storage, where shards of many stores may be."""
        return f"{self.identity}.h5"

    @property
    def texts_object(self) -> str:
        return f"{self.identity}.jsonl"


class Plan(BaseModel):
    """All shards of a store, in the order of their texts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    shards: tuple[PlannedShard, ...]

    def save(self, work: Path) -> None:
        write_json(work / PLAN_FILE, self.model_dump())

    @classmethod
    def load(cls, work: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            BadInputError: nothing was planned there.
        """
        return read_record(work / PLAN_FILE, cls, _MAKE_IT)


def write_texts(path: Path, content: ShardContent) -> None:
    """Write the texts of a shard: a line of JSON each, its row and its token ids."""
    with atomic_file(path) as part, part.open("w", encoding="utf-8", newline="\n") as file:
        for row, ids in zip(content.texts, content.ids, strict=True):
            file.write(json.dumps([row, ids.tolist()], default=str) + "\n")


def read_content(path: Path, planned: PlannedShard, header: Header) -> ShardContent:
    """Read the texts of a planned shard, and find the content that was planned.

    Args:
        path: what `write_texts` wrote.
        planned: the shard.
        header: of the shard, from the model and the tokenizer of whoever computes it.

    Raises:
        BadInputError: it is other content: the model, its tokenizer, the parameters or the code are
            not those of the plan.
    """
    texts = list(_texts(path))
    content = ShardContent(
        header, planned.first_text, [row for row, _ in texts], [ids for _, ids in texts]
    )
    if len(texts) != planned.texts or content.identity != planned.identity:
        raise BadInputError(
            f"{path}: shard {planned.number} would not be the one that was planned: this worker "
            f"has another model ({header.model}, {header.fingerprint[:12]}), tokenizer, parameters "
            "or version of Evenkeel than the process that planned it; give all the same"
        )
    return content


def _texts(path: Path) -> Iterator[tuple[Row, TokenIds]]:
    for number, line in lines_of(path, _MAKE_IT):
        try:
            row, ids = json.loads(line)
            yield row, np.array(ids, dtype=np.int32)
        except (ValueError, TypeError, OverflowError) as error:
            raise BadInputError(
                f"{path}, line {number}: no text with its token ids ({error}); {_MAKE_IT}"
            ) from None


def planned(contents: Iterable[ShardContent]) -> Iterator[tuple[PlannedShard, ShardContent]]:
    """Number shards and say what each holds."""
    for number, content in enumerate(contents):
        yield PlannedShard.of(number, content), content
