"""Gates: the positions at which an intervention acts, read off the stream or the tokens there.

A gate is asked anew in every forward pass, for each position of each batch row, and looks at that
position only; so it decides alike with and without a KV cache, batched or single.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from evenkeel.errors import BadInputError
from evenkeel.steering.subspace import check_number, check_vector, exact, unit

OpenAt = Callable[[Tensor, Tensor | None], Tensor]
"""(stream [batch, position, width], input_ids [batch, position]) -> Bool [batch, position]"""


@dataclass(frozen=True, eq=False)
class Gate(ABC):
    """Where an intervention may act."""

    reads_tokens: ClassVar[bool] = False
    """Whether the gate looks at token ids, which a backend then has to keep."""

    @abstractmethod
    def on(self, device: torch.device, dtype: torch.dtype) -> OpenAt:
        """The gate as a function, its constants moved to where the stream lives."""

    def __call__(
        self,
        stream: Float[Tensor, "batch position width"],
        input_ids: Int[Tensor, "batch position"] | None = None,
    ) -> Bool[Tensor, "batch position"]:
        """Where the gate is open."""
        return self.on(stream.device, stream.dtype)(stream, input_ids)

    @property
    def width(self) -> int | None:
        """Width of the stream that the gate reads; None if it reads none."""
        return None


@dataclass(frozen=True, eq=False)
class ProbeGate(Gate):
    """Open where a linear probe's logit, stream @ weight + bias, is above a threshold."""

    weight: Float[Tensor, " width"]
    bias: float
    threshold: float = 0.0

    def __post_init__(self) -> None:
        check_vector("ProbeGate: weight", self.weight)
        check_number("ProbeGate: bias", self.bias)
        check_number("ProbeGate: threshold", self.threshold)

    def on(self, device: torch.device, dtype: torch.dtype) -> OpenAt:
        weight = self.weight.detach().to(device, exact(dtype))
        least = self.least
        return lambda stream, _: _along(stream, weight) > least

    @property
    def least(self) -> float:
        """What stream @ weight has to be above."""
        return self.threshold - self.bias

    @property
    def width(self) -> int:
        return len(self.weight)


def read_together(
    gates: Sequence[ProbeGate], device: torch.device, dtype: torch.dtype
) -> Callable[[Float[Tensor, "row 1 width"]], Bool[Tensor, "row gate"]]:
    """Where each gate is open in a stream of one position a row, as it says alone, bit for bit."""
    weights = torch.stack([gate.weight.detach() for gate in gates]).to(device, exact(dtype))
    least = torch.tensor([gate.least for gate in gates], device=device, dtype=exact(dtype))
    return lambda stream: _along(stream, weights) > least


@dataclass(frozen=True, eq=False)
class BandGate(Gate):
    """Open where |stream @ direction - centre| < bound, the direction at unit norm.

    Definitional gender projects far from the centre of a gender direction, stereotypical gender
    near to it: a bound fitted on validation lets an intervention take the second and leave the
    first.
    """

    direction: Float[Tensor, " width"]
    centre: float
    bound: float

    def __post_init__(self) -> None:
        _ = self._unit  # whether there is one
        check_number("BandGate: centre", self.centre)
        check_number("BandGate: bound", self.bound)
        if self.bound <= 0:
            raise BadInputError(f"BandGate: bound is {self.bound}; it must be positive")

    def on(self, device: torch.device, dtype: torch.dtype) -> OpenAt:
        direction = self._unit.to(device, exact(dtype))
        centre, bound = self.centre, self.bound
        return lambda stream, _: (_along(stream, direction) - centre).abs() < bound

    @cached_property
    def _unit(self) -> Float[Tensor, " width"]:
        return unit("BandGate: direction", self.direction)

    @property
    def width(self) -> int:
        return len(self.direction)


@dataclass(frozen=True, eq=False)
class TokenGate(Gate):
    """Open where the token is one of `token_ids`, such as the tokens of a lexicon."""

    reads_tokens: ClassVar[bool] = True

    token_ids: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.token_ids:
            raise BadInputError("TokenGate: token_ids is empty; name at least one token")

    def on(self, device: torch.device, dtype: torch.dtype) -> OpenAt:
        wanted = torch.tensor(self.token_ids, device=device)

        def open_at(stream: Tensor, input_ids: Tensor | None) -> Tensor:
            if input_ids is None:
                raise BadInputError(
                    "TokenGate: the model was called without input_ids; "
                    "pass token ids in place of inputs_embeds, or use another gate"
                )
            # A model on several devices keeps its token ids on the first of them.
            return torch.isin(input_ids.to(device), wanted)

        return open_at


def _along(
    stream: Float[Tensor, "batch position width"], direction: Float[Tensor, "*count width"]
) -> Float[Tensor, "batch position"]:
    """stream @ direction, multiplied and summed, because autocast rounds every matrix product."""
    return (stream.to(direction.dtype) * direction).sum(-1)
