"""The steering vector: a direction, where it belongs, and how it was made."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from evenkeel.errors import BadInputError
from evenkeel.files.fields import made_of
from evenkeel.models.sites import HookPoint
from evenkeel.params import Sinks
from evenkeel.tensor_files import read_tensors, write_tensors

KIND = "steering vector"
VERSION = 2
"""Version 1 had no `sinks`: its vectors were computed and act with attention sinks."""
Key = tuple[str | int, ...]
"""Axis, method, site, layer, and the feature or the group if there is one."""


def vector_key(
    axis: str,
    method: str,
    site: str,
    layer: int,
    feature: int | None = None,
    group: str | None = None,
) -> Key:
    """What tells a vector from all others of its model."""
    return (axis, method, site, layer, *(part for part in (feature, group) if part is not None))


def _with_sinks(record: Any) -> Any:
    return record | {"sinks": "include"} if isinstance(record, dict) else record


UPGRADES = {1: _with_sinks}


@dataclass(frozen=True)
class Separation:
    """How well the projection on a vector tells its contrast apart, on validation statements."""

    contrast: str
    """What is told from what, in the vector's sense: neutral - biased, female - male."""
    auroc: float
    """Probability that a random statement of the first kind projects further than one of the
    second; 0.5 is chance, under 0.5 the vector points the wrong way there."""
    auroc_ci95: tuple[float, float]
    """95% bootstrap interval, terms resampled."""
    statements: int
    """Statements compared."""


@dataclass(frozen=True, eq=False)
class SteeringVector:
    """A unit direction in the stream of one layer at one site.

    Raises:
        BadInputError: the direction is no finite float32 vector of norm 1, the stream's norm is not
            positive, or the layer is negative. `SteeringVector.of` normalizes for you.
    """

    direction: Float[Tensor, " d_model"]
    """Unit norm, float32, on the processor wherever it was made."""
    axis: str
    """Kind of bias: gender, race, ..."""
    method: str
    """caa, group, pca, probe, actadd, sae, or whatever made it."""
    site: str
    """Place in the block, a `Site`."""
    layer: int
    """Block, from 0."""
    stream_norm: float
    """Mean norm of the stream at that site and layer: the unit of a relative multiplier."""
    separation: Separation | None = None
    feature: int | None = None
    """Latent of the SAE whose decoder row it is (method sae)."""
    group: str | None = None
    """On an axis of more than two groups, the one that it tells from the others."""
    sinks: Sinks = "exclude"
    """Whether attention sinks were left out when it was made; interventions made of it do alike."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """Where it comes from: model name, revision and fingerprint, seed, number of statements, and
    `tokens_read`."""

    @property
    def point(self) -> HookPoint:
        return HookPoint.of(self.site, self.layer)

    @property
    def tokens_read(self) -> int | None:
        """By the model, for this vector: tokens of statements, or of its training as
        `models.token_count` counts them; None where that was not recorded."""
        return self.metadata.get("tokens_read")

    def __post_init__(self) -> None:
        where = f"vector {self.axis}/{self.method}/{self.site}/{self.layer}"
        direction = self.direction.detach().cpu()
        object.__setattr__(self, "direction", direction)
        if direction.ndim != 1 or direction.dtype != torch.float32:
            raise BadInputError(
                f"{where}: direction has shape {tuple(direction.shape)} and type "
                f"{direction.dtype}; it must be one float32 vector [d_model]"
            )
        if not bool(direction.isfinite().all()):
            raise BadInputError(f"{where}: direction has a NaN or an infinity; compute it again")
        norm = float(direction.double().norm())
        if abs(norm - 1) > 1e-4:
            raise BadInputError(
                f"{where}: direction has norm {norm:.4g}, not 1; make it with SteeringVector.of"
            )
        if not (math.isfinite(self.stream_norm) and self.stream_norm > 0):
            raise BadInputError(f"{where}: stream_norm is {self.stream_norm}; it must be positive")
        if self.layer < 0:
            raise BadInputError(f"{where}: layers count from 0")

    @classmethod
    def of(cls, raw: Float[Tensor, " d_model"], **fields: Any) -> Self:
        """Normalize `raw` and make a vector of it; `fields` are the other fields.

        Raises:
            BadInputError: `raw` is zero or not finite, or a field is invalid.
        """
        raw = raw.detach().cpu().double()
        norm = raw.norm()
        if float(norm) == 0:
            raise BadInputError(
                f"vector {fields.get('axis')}/{fields.get('method')}/{fields.get('site')}/"
                f"{fields.get('layer')}: the difference is zero, which has no direction; "
                "the two sides are the same there, choose another layer, site or contrast"
            )
        return cls(direction=(raw / norm).float(), **fields)

    @property
    def key(self) -> Key:
        """Unique in a VectorSet."""
        return vector_key(self.axis, self.method, self.site, self.layer, self.feature, self.group)

    def project(self, x: Float[Tensor, "*batch d_model"]) -> Float[Tensor, "*batch"]:
        """Coordinate of `x` along the vector, in units of the activations."""
        return x @ self.direction.to(x)

    def record(self) -> dict[str, Any]:
        """Every field but the direction, as JSON values."""
        return {
            "axis": self.axis,
            "feature": self.feature,
            "group": self.group,
            "layer": self.layer,
            "metadata": dict(self.metadata),
            "method": self.method,
            "separation": asdict(self.separation) if self.separation else None,
            "sinks": self.sinks,
            "site": self.site,
            "stream_norm": self.stream_norm,
        }

    @classmethod
    def from_record(cls, direction: Float[Tensor, " d_model"], record: Any, source: Path) -> Self:
        """Undo `record`; `source` is the file that messages name.

        Raises:
            BadInputError: a field is missing, unknown or invalid.
        """
        return made_of(
            cls, record, f"{source}: vector", "compute the vectors again", direction=direction
        )

    def save(self, path: Path) -> None:
        """Write one safetensors file; the fields are JSON in its header."""
        write_tensors(
            path, {"direction": self.direction}, self.record(), kind=KIND, version=VERSION
        )

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a file that `save` wrote.

        Raises:
            BadInputError: the file is missing, truncated, foreign or holds an invalid vector.
        """
        tensors, record = read_tensors(path, kind=KIND, version=VERSION, upgrades=UPGRADES)
        if set(tensors) != {"direction"}:
            raise BadInputError(
                f"{path}: holds tensors {sorted(tensors)}, not one direction; write it again"
            )
        return cls.from_record(tensors["direction"], record, path)


def replaced(vector: SteeringVector, raw: Float[Tensor, " d_model"], method: str) -> SteeringVector:
    """Another direction in the place of a vector: its axis, hook point, group and unit of force."""
    return SteeringVector.of(
        raw,
        axis=vector.axis,
        method=method,
        site=vector.site,
        layer=vector.layer,
        stream_norm=vector.stream_norm,
        group=vector.group,
        sinks=vector.sinks,
        metadata={"tokens_read": 0},
    )


def stream_norm(rows: Float[np.ndarray, "rows d_model"], point: HookPoint) -> float:
    """Mean norm of activations at one hook point: the unit of a relative multiplier there.

    Args:
        rows: activations, attention sinks not among them.
        point: where they are from, for the message.

    Raises:
        BadInputError: all are zero.
    """
    norm = float(np.linalg.norm(rows.astype(np.float64), axis=1).mean())
    if norm == 0:
        raise BadInputError(
            f"activations {point.site}/{point.layer}: all are zero, so a multiplier has no unit; "
            "capture another site or layer"
        )
    return norm
