"""All steering vectors of one model, saved together."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

from evenkeel.errors import BadInputError
from evenkeel.tensor_files import read_tensor_folder, write_tensor_folder
from evenkeel.vectors.vector import UPGRADES, Key, SteeringVector, vector_key

KIND = "set of steering vectors"
VERSION = 2


@dataclass(frozen=True)
class VectorSet:
    """Vectors in the order of axis, method, site, layer, feature, group; at most one for each."""

    vectors: tuple[SteeringVector, ...]

    @classmethod
    def of(cls, vectors: Iterable[SteeringVector]) -> Self:
        """Sort and check.

        Raises:
            BadInputError: no vector, or two of the same key.
        """
        ordered = tuple(sorted(vectors, key=lambda vector: vector.key))
        if not ordered:
            raise BadInputError("a set of steering vectors needs at least one vector")
        for left, right in pairwise(ordered):
            if left.key == right.key:
                raise BadInputError(f"two steering vectors for {_name(left.key)}")
        return cls(ordered)

    def __iter__(self) -> Iterator[SteeringVector]:
        return iter(self.vectors)

    def __len__(self) -> int:
        return len(self.vectors)

    def get(
        self,
        axis: str,
        method: str,
        site: str,
        layer: int,
        feature: int | None = None,
        group: str | None = None,
    ) -> SteeringVector:
        """The vector of this axis, method, site and layer, and of this feature or group.

        Raises:
            BadInputError: there is none; the message lists what there is for the axis.
        """
        key = vector_key(axis, method, site, layer, feature, group)
        for vector in self.vectors:
            if vector.key == key:
                return vector
        there = [_name(vector.key) for vector in self.select(axis=axis)]
        raise BadInputError(
            f"no steering vector {_name(key)}; "
            f"for this axis there are: {', '.join(there) or 'none'}"
        )

    def select(
        self,
        *,
        axis: str | None = None,
        method: str | None = None,
        site: str | None = None,
        layer: int | None = None,
    ) -> tuple[SteeringVector, ...]:
        """The vectors that have all of what is named, in the order of the set; it may be none."""
        wanted = {"axis": axis, "method": method, "site": site, "layer": layer}
        named = {name: value for name, value in wanted.items() if value is not None}
        return tuple(
            vector
            for vector in self.vectors
            if all(getattr(vector, name) == value for name, value in named.items())
        )

    @property
    def by_axis(self) -> dict[str, "VectorSet"]:
        """The vectors of each axis."""
        axes = dict.fromkeys(vector.axis for vector in self.vectors)
        return {axis: VectorSet(self.select(axis=axis)) for axis in axes}

    def save(self, path: Path) -> None:
        """Write a folder: tensors.safetensors and record.json."""
        write_tensor_folder(
            path,
            {_name(vector.key): vector.direction for vector in self.vectors},
            {_name(vector.key): vector.record() for vector in self.vectors},
            kind=KIND,
            version=VERSION,
        )

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a folder that `save` wrote.

        Raises:
            BadInputError: a file is missing, truncated or foreign, or holds an invalid vector.
        """
        tensors, records = read_tensor_folder(path, kind=KIND, version=VERSION, upgrades=_UPGRADES)
        if not isinstance(records, dict) or set(tensors) != set(records):
            raise BadInputError(
                f"{path}: tensors.safetensors and record.json list different vectors; "
                "compute the vectors again"
            )
        vectors = {
            name: SteeringVector.from_record(tensors[name], records[name], path) for name in records
        }
        for name, vector in vectors.items():
            if _name(vector.key) != name:
                raise BadInputError(
                    f"{path}: what is kept as {name} is {_name(vector.key)}; "
                    "compute the vectors again"
                )
        return cls.of(vectors.values())


def _with_sinks(records: Any) -> Any:
    """The records of a set of version 1 as those of version 2."""
    if not isinstance(records, dict):
        return records
    return {name: UPGRADES[1](record) for name, record in records.items()}


_UPGRADES = {1: _with_sinks}


def load_axes(path: Path) -> VectorSet:
    """The vectors of all axes that compute_vectors wrote, a folder an axis.

    Raises:
        BadInputError: there are none, or as of `VectorSet.load`.
    """
    folders = sorted(folder.parent for folder in path.glob("*/vectors"))
    if not folders:
        raise BadInputError(f"{path}: no axis with vectors in it; run compute_vectors")
    return VectorSet.of(
        vector for folder in folders for vector in VectorSet.load(folder / "vectors")
    )


def _name(key: Key) -> str:
    return "/".join(map(str, key))
