"""What goes into each shard of a store."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import islice

import numpy as np
from jaxtyping import Int

from evenkeel.activations.columns import Row, texts_of
from evenkeel.activations.dtypes import STORED, Dtype
from evenkeel.activations.positions import Positions, refuse_only_sinks
from evenkeel.activations.sinks import RULE
from evenkeel.models.encoding import TokenIds
from evenkeel.models.loading import LoadedModel
from evenkeel.params import Sinks

SCHEMA = 4
_ENCODED_TOGETHER = 1000
SHARD_TEXTS = 2**18
"""Most texts of a shard: they are held in memory."""


@dataclass(frozen=True)
class Header:
    """What all shards of a store have in common."""

    model: str
    revision: str
    fingerprint: str
    tokenizer_hash: str
    positions: Positions
    sinks: Sinks
    """Whether attention sinks are left out of means, and of what is made from the rows."""
    dtype: Dtype
    compute_dtype: str
    """Type of the model's matrix products."""
    batch_tokens: int
    points: tuple[tuple[str, int, int], ...]
    """Site, layer and width of each array, in the order of /checksums."""

    @property
    def row_bytes(self) -> int:
        """Bytes on disk that one row costs at all points together."""
        item = STORED[self.dtype].itemsize
        return sum(width * item + 4 for _, _, width in self.points)


@dataclass(frozen=True)
class ShardContent:
    """The texts of one shard, before anything is computed."""

    header: Header
    first_text: int
    texts: Sequence[Row]
    ids: Sequence[TokenIds]

    @cached_property
    def identity(self) -> str:
        """SHA-256 of all that decides a shard's content: equal identities, equal bytes."""
        lengths = [len(ids) for ids in self.ids]
        described = [SCHEMA, RULE, asdict(self.header), self.first_text, lengths, self.texts]
        digest = hashlib.sha256(json.dumps(described, sort_keys=True, default=str).encode())
        digest.update(np.concatenate(self.ids).tobytes())
        return digest.hexdigest()

    @property
    def tokens(self) -> int:
        return sum(map(len, self.ids))

    @property
    def rows(self) -> int:
        """Rows of each array."""
        return self.tokens if self.header.positions == "all" else len(self.ids)

    def offsets(self) -> Int[np.ndarray, " texts_and_end"]:
        """Text i is tokens offsets[i] to offsets[i + 1]."""
        return np.cumsum([0, *map(len, self.ids)], dtype=np.int64)


def cut_into_shards(
    loaded: LoadedModel, texts: Iterable[Row], header: Header, shard_bytes: int
) -> Iterator[ShardContent]:
    """Encode a stream of texts and cut it into shards.

    Args:
        loaded: the model whose tokenizer encodes.
        texts: rows with a field `text`; read once, a shard at a time.
        header: what is kept of each row.
        shard_bytes: most bytes of activations in a shard, unless a single text has more.

    Raises:
        BadInputError: a row has no text, or one that is empty, too long, or nothing but an
            attention sink.
    """
    rows: list[Row] = []
    ids: list[TokenIds] = []
    size, first, number = 0, 0, 0
    row_bytes = header.row_bytes
    stream = iter(texts)
    while some := list(islice(stream, _ENCODED_TOGETHER)):
        encoded = loaded.encoder.encode_all(texts_of(some, number), number)
        refuse_only_sinks([*map(len, encoded)], header.positions, header.sinks, number)
        for row, row_ids in zip(some, encoded, strict=True):
            added = (len(row_ids) if header.positions == "all" else 1) * row_bytes
            full = size + added > shard_bytes or len(rows) == SHARD_TEXTS
            if rows and full:
                yield ShardContent(header, first, rows, ids)
                first, rows, ids, size = first + len(rows), [], [], 0
            rows.append(row)
            ids.append(row_ids)
            size += added
        number += len(some)
    if rows:
        yield ShardContent(header, first, rows, ids)
