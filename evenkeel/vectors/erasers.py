"""Erasers: affine projections after which a concept is no longer read, fitted to activations."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

from jaxtyping import Float
from torch import Tensor

from evenkeel.errors import BadInputError
from evenkeel.models.sites import HookPoint
from evenkeel.params import EraserMethod, Sinks
from evenkeel.tensor_files import read_tensor_folder, write_tensor_folder

KIND = "set of erasers"
VERSION = 1
_PARTS = ("bias", "proj_left", "proj_right")


@dataclass(frozen=True, eq=False)
class Eraser:
    """x - proj_left @ proj_right @ (x - bias), at one layer and site.

    Of LEACE an oblique projection (Belrose et al. 2023, "LEACE: Perfect linear concept erasure in
    closed form", theorem 4.3); of the other methods an orthogonal one, of bias 0.

    Raises:
        BadInputError: the shapes do not fit, or a value is not finite.
    """

    proj_left: Float[Tensor, "d_model rank"]
    proj_right: Float[Tensor, "rank d_model"]
    bias: Float[Tensor, " d_model"]
    """What erasure keeps as it is: of LEACE the mean of the activations."""
    axis: str
    """Kind of bias: gender, race, ..."""
    concept: str
    """What is erased: label (biased or neutral) or group."""
    site: str
    layer: int
    method: EraserMethod = "leace"
    """How it was made."""
    sinks: Sinks = "exclude"
    """Whether attention sinks were left out when it was fitted; erasure leaves them alone then."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """Where it comes from: model name, revision and fingerprint, number of rows, `tokens_read`."""

    @property
    def tokens_read(self) -> int | None:
        """By the model, of the statements that it was fitted to; None where not recorded."""
        return self.metadata.get("tokens_read")

    def __post_init__(self) -> None:
        where = f"eraser {_name(self)}"
        left, right, bias = self.proj_left, self.proj_right, self.bias
        if left.ndim != 2 or left.shape != right.mT.shape or bias.shape != left.shape[:1]:
            raise BadInputError(
                f"{where}: proj_left {tuple(left.shape)}, proj_right {tuple(right.shape)} and bias "
                f"{tuple(bias.shape)} must be [d_model, rank], [rank, d_model] and [d_model]"
            )
        if not all(bool(tensor.isfinite().all()) for tensor in (left, right, bias)):
            raise BadInputError(f"{where}: a NaN or an infinity; fit it again")

    @property
    def point(self) -> HookPoint:
        return HookPoint.of(self.site, self.layer)

    @property
    def key(self) -> tuple[str, str, str, str, int]:
        """Unique in an EraserSet."""
        return (self.axis, self.method, self.concept, self.site, self.layer)

    def tensors(self) -> dict[str, Tensor]:
        """Its tensors by name."""
        return {"bias": self.bias, "proj_left": self.proj_left, "proj_right": self.proj_right}

    def record(self) -> dict[str, Any]:
        """Every other field, as JSON values."""
        return {
            "axis": self.axis,
            "concept": self.concept,
            "layer": self.layer,
            "metadata": dict(self.metadata),
            "method": self.method,
            "sinks": self.sinks,
            "site": self.site,
        }


@dataclass(frozen=True)
class EraserSet:
    """Erasers in the order of axis, method, concept, site and layer; at most one for each."""

    erasers: tuple[Eraser, ...]

    @classmethod
    def of(cls, erasers: Iterable[Eraser]) -> Self:
        """Sort and check.

        Raises:
            BadInputError: two of the same axis, method, concept, site and layer.
        """
        ordered = tuple(sorted(erasers, key=lambda eraser: eraser.key))
        for left, right in pairwise(ordered):
            if left.key == right.key:
                raise BadInputError(f"two erasers for {_name(left)}")
        return cls(ordered)

    def __iter__(self) -> Iterator[Eraser]:
        return iter(self.erasers)

    def __len__(self) -> int:
        return len(self.erasers)

    def select(
        self,
        *,
        axis: str | None = None,
        method: str | None = None,
        concept: str | None = None,
        site: str | None = None,
        layer: int | None = None,
    ) -> tuple[Eraser, ...]:
        """The erasers that have all of what is named, in the order of the set; it may be none."""
        wanted = {
            "axis": axis, "method": method, "concept": concept, "site": site, "layer": layer
        }  # fmt: skip
        named = {name: value for name, value in wanted.items() if value is not None}
        return tuple(
            eraser
            for eraser in self.erasers
            if all(getattr(eraser, name) == value for name, value in named.items())
        )

    def save(self, path: Path) -> None:
        """Write a folder: tensors.safetensors and record.json."""
        tensors = {
            f"{_name(eraser)}/{name}": tensor
            for eraser in self.erasers
            for name, tensor in eraser.tensors().items()
        }
        records = {_name(eraser): eraser.record() for eraser in self.erasers}
        write_tensor_folder(path, tensors, records, kind=KIND, version=VERSION)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a folder that `save` wrote.

        Raises:
            BadInputError: a file is missing, truncated or foreign, or holds an invalid eraser.
        """
        tensors, records = read_tensor_folder(path, kind=KIND, version=VERSION)
        again = "compute the vectors again"
        if not isinstance(records, dict):
            raise BadInputError(f"{path}: lists no erasers; {again}")
        erasers = []
        for name, record in records.items():
            try:
                parts: dict[str, Any] = {part: tensors[f"{name}/{part}"] for part in _PARTS}
                erasers.append(Eraser(**parts, **record))
            except BadInputError as error:
                raise BadInputError(f"{path}: {error}") from error
            except (KeyError, TypeError) as error:
                raise BadInputError(f"{path}: {name}: wrong fields ({error}); {again}") from error
        return cls.of(erasers)


def _name(eraser: Eraser) -> str:
    return "/".join(map(str, eraser.key))
