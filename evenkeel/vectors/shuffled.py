"""Vectors of shuffled labels: mean differences that know nothing of the axis.

They are made from the very statements that the vectors are made from, and so lie where the model's
activations vary, which a random direction does not.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self, get_args

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from evenkeel.errors import BadInputError
from evenkeel.models.sites import HookPoint
from evenkeel.params import PreferenceMethod
from evenkeel.tensor_files import read_tensors, write_tensors
from evenkeel.vectors.contrasts import Contrast
from evenkeel.vectors.vector import SteeringVector, replaced

KIND = "vectors of shuffled labels"
VERSION = 1
_SOURCE = {"caa": "labels", "probe": "labels", "term": "terms", "bipo": "bipo", "reps": "reps"}
"""Of vectors of a method; of all others it is the groups."""
SOURCES = ("labels", "groups", "terms")
"""What is shuffled, and where the residual stream is read: the labels of statements (methods caa
and probe), their groups, their groups at the group term (method term). Methods that are trained
have shuffles of their own."""


@dataclass(frozen=True, eq=False)
class ShuffledVectors:
    """Of each source, hook point and group: one direction a shuffle, of any norm."""

    directions: Mapping[str, Float[Tensor, "draws d_model"]]
    """By source/site/layer, and group where there are more than two."""

    def in_place_of(self, vector: SteeringVector, draw: int) -> SteeringVector:
        """The shuffle of a number in a vector's place.

        Raises:
            BadInputError: there is none.
        """
        key = _key_of(vector)
        # A feature of an axis of many groups is of none of them: any contrast's shuffle will do.
        keys = [key, *sorted(name for name in self.directions if name.startswith(f"{key}/"))]
        directions = next((self.directions[k] for k in keys if k in self.directions), None)
        if directions is None or draw >= len(directions):
            raise BadInputError(
                f"no shuffle {draw} of {key} among the vectors of shuffled labels; raise "
                "vectors.shuffles to evaluation.null_draws, and run compute_vectors again"
            )
        return replaced(vector, directions[draw].double(), "shuffled")

    def most(self, vector: SteeringVector, draws: int) -> int:
        """How many of so many shuffles there are: of a trained vector only those trained."""
        if vector.method not in get_args(PreferenceMethod):
            return draws
        return min(draws, len(self.directions.get(_key_of(vector), ())))

    def span(self, point: HookPoint, rank: int, draw: int) -> Float[Tensor, "rank d_model"]:
        """As many shuffles of the groups at a hook point, from a number on; the first follows the
        last.

        Raises:
            BadInputError: there are fewer.
        """
        key = shuffle_key("groups", point.site, point.layer, None)
        names = [
            name for name in sorted(self.directions) if name == key or name.startswith(f"{key}/")
        ]
        rows = torch.cat([self.directions[name] for name in names]) if names else torch.empty(0, 0)
        if rank > len(rows):
            raise BadInputError(
                f"{len(rows)} shuffles of {key} among the vectors of shuffled labels, but an "
                f"eraser takes out {rank} dimensions; raise vectors.shuffles, and run "
                "compute_vectors again"
            )
        return rows[(torch.arange(rank) + draw) % len(rows)]

    def save(self, path: Path) -> None:
        """Write one safetensors file."""
        write_tensors(path, dict(self.directions), {}, kind=KIND, version=VERSION)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a file that `save` wrote.

        Raises:
            BadInputError: the file is missing, truncated or foreign.
        """
        tensors, _ = read_tensors(path, kind=KIND, version=VERSION)
        return cls(tensors)


class ShuffledFitter:
    """Makes vectors of shuffled labels hook point by hook point; all of them share the shuffles.

    Args:
        labels: the contrast of labels.
        groups: the contrasts of groups.
        statements: how many there are in all.
        shuffles: how many.
        seed: of the shuffles.
    """

    def __init__(
        self,
        labels: Contrast,
        groups: tuple[Contrast, ...],
        statements: int,
        shuffles: int,
        seed: int,
    ) -> None:
        generator = np.random.default_rng([seed, 3])
        self._labels, *of_groups = (
            np.stack([_weights(each.shuffled(generator), statements) for _ in range(shuffles)])
            for each in (labels, *groups)
        )
        self._groups = {
            each.group: weights for each, weights in zip(groups, of_groups, strict=True)
        }
        self._directions: dict[str, Float[Tensor, "draws d_model"]] = {}

    def update(
        self,
        site: str,
        layer: int,
        x: Float[np.ndarray, "statements d_model"],
        group_terms: Float[np.ndarray, "statements d_model"] | None,
    ) -> None:
        """Add a hook point: activations of the statements, and at their group terms if known."""

        def add(source: str, group: str | None, weights: np.ndarray, rows: np.ndarray) -> None:
            key = shuffle_key(source, site, layer, group)
            self._directions[key] = torch.from_numpy(weights @ rows).float()

        add("labels", None, self._labels, x)
        for group, weights in self._groups.items():
            add("groups", group, weights, x)
            if group_terms is not None:
                add("terms", group, weights, group_terms)

    @property
    def result(self) -> ShuffledVectors:
        return ShuffledVectors(self._directions)


def _key_of(vector: SteeringVector) -> str:
    source = _SOURCE.get(vector.method, "groups")
    return shuffle_key(source, vector.site, vector.layer, vector.group)


def _weights(contrast: Contrast, statements: int) -> Float[np.ndarray, " statements"]:
    """Weight of each statement in the mean difference of a contrast."""
    first, second = (
        np.bincount(rows.ravel(), minlength=statements) / rows.size
        for rows in (contrast.first, contrast.second)
    )
    difference: np.ndarray = first - second
    return difference


def shuffle_key(source: str, site: str, layer: int, group: str | None) -> str:
    """What tells the shuffles of one contrast at one hook point from all others of an axis."""
    return "/".join(str(part) for part in (source, site, layer, group) if part is not None)
