"""One spec, multiplier and switch for each row of a batch."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeGuard

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from evenkeel.errors import BadInputError
from evenkeel.steering.spec import Steering
from evenkeel.steering.subspace import exact


@dataclass(frozen=True, eq=False)
class RowSpec:
    """What is done to one row of a batch."""

    spec: Steering | None
    """None leaves the row unsteered."""
    multiplier: float = 1.0
    """Of the change that each intervention makes: stream + multiplier * (edited - stream). 1 is the
    spec as it stands and 0 the unsteered model, both bit for bit; 2 twice the change, -1 its
    opposite."""
    enabled: bool = True
    """False leaves the row unsteered."""

    def __post_init__(self) -> None:
        if not math.isfinite(self.multiplier):
            raise BadInputError(f"multiplier is {self.multiplier}; it must be a finite number")

    @property
    def share(self) -> float:
        """The multiplier; 0 where nothing is done."""
        return self.multiplier if self.enabled and self.spec is not None else 0.0


def are_rows(spec: Steering | Sequence[RowSpec]) -> TypeGuard[Sequence[RowSpec]]:
    """Whether `spec` says something for each row, and not the same for all."""
    return isinstance(spec, Sequence) and any(isinstance(item, RowSpec) for item in spec)


@dataclass
class RowShares:
    """The multiplier that one spec has in each row of the batch; it may change between passes."""

    shares: tuple[float, ...] = ()
    """One a text; beams and samples of a text share it. Empty, no row is edited."""
    _found: dict[tuple[int, torch.device], tuple[Tensor, Tensor]] = field(default_factory=dict)

    def assign(self, shares: Sequence[float]) -> None:
        """Take these from the next forward pass on."""
        if tuple(shares) != self.shares:
            self.shares = tuple(shares)
            self._found.clear()

    @property
    def nowhere(self) -> bool:
        return not any(self.shares)

    @property
    def everywhere(self) -> bool:
        """Whether every row gets the spec as it stands."""
        return all(share == 1 for share in self.shares)

    @property
    def as_it_stands(self) -> bool:
        """Whether no row gets another multiplier than 0 and 1."""
        return all(share in (0, 1) for share in self.shares)

    def edited_rows(self, stream: Float[Tensor, "row position width"]) -> Bool[Tensor, "row 1"]:
        """Which rows are edited.

        Raises:
            BadInputError: the batch has not as many texts as there are rows.
        """
        return self._on(stream)[0]

    def blend(
        self,
        stream: Float[Tensor, "row position width"],
        edited: Float[Tensor, "row position width"],
    ) -> Float[Tensor, "row position width"]:
        """The stream on its way to `edited`, each row as far as its multiplier says."""
        if self.as_it_stands:
            return edited
        share = self._on(stream)[1]
        computed = exact(stream.dtype)
        change = edited.to(computed) - stream.to(computed)
        moved = (stream.to(computed) + share.to(computed) * change).to(stream.dtype)
        return torch.where(share == 1, edited, moved)

    def _on(self, stream: Tensor) -> tuple[Tensor, Tensor]:
        rows, texts = len(stream), len(self.shares)
        key = (rows, stream.device)
        if key not in self._found:
            if rows % texts:
                raise BadInputError(
                    f"steering is given for {texts} rows, but the batch has {rows}; "
                    "give one for each text"
                )
            share = torch.tensor(self.shares, dtype=torch.float64, device=stream.device)
            share = share.repeat_interleave(rows // texts).reshape(rows, 1, 1)
            self._found[key] = (share[:, :, 0] != 0, share)
        return self._found[key]
