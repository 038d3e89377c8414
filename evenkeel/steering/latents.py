"""Interventions on the latents of a sparse autoencoder; what it does not explain of a stream stays.

Each adds what the decoder makes of the latents' change to the stream, so that a latent that is not
changed changes nothing, bit for bit.
"""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import torch
from jaxtyping import Float
from torch import Tensor

from evenkeel.errors import BadInputError
from evenkeel.sae.loading import LoadedSae
from evenkeel.sae.part import part_of
from evenkeel.steering.intervention import Edit, Intervention
from evenkeel.steering.subspace import check_number


@dataclass(frozen=True, eq=False)
class EditLatents(Intervention):
    """stream + decode(edited latents) - decode(latents).

    It acts at the SAE's own place, and leaves the first tokens of a text alone if the SAE was not
    trained on them.
    """

    sae: LoadedSae
    """Held whole in a spec, and not by a path: what is deployed must not change when a pipeline
    runs again. `of` cuts it to the features, unless its latents compete, so that it stays small."""
    features: tuple[int, ...]
    """Which latents, by their numbers in the SAE."""

    def __post_init__(self) -> None:
        super().__post_init__()
        place = self.sae.place
        if self.point != place:
            raise BadInputError(
                f"{type(self).__name__} at layer {self.layer}, {self.site}: its SAE belongs at "
                f"layer {place.layer}, {place.site}"
            )
        self.sae.columns(self.features)

    @classmethod
    def of(cls, sae: LoadedSae, features: Sequence[int], **fields: Any) -> Self:
        """At the SAE's place; `fields` are the other fields.

        Raises:
            BadInputError: a feature is not in the SAE, or a field is invalid.
        """
        layer, site = sae.place.layer, sae.place.site
        return cls(part_of(sae, features), tuple(features), layer=layer, site=site, **fields)

    @abstractmethod
    def edited(self, latents: Float[Tensor, "*batch latents"]) -> Float[Tensor, "*batch latents"]:
        """What the listed latents become."""

    def on(self, device: torch.device, dtype: torch.dtype) -> Edit:
        sae = self.sae.on(device)
        columns = torch.tensor(sae.columns(self.features), device=device)
        return sae.editing(columns, self.edited)

    @property
    def width(self) -> int:
        return self.sae.d_in

    @property
    def first_position(self) -> int:
        return max(self.sae.first_position, super().first_position)


@dataclass(frozen=True, eq=False)
class Clamp(EditLatents):
    """Latents held at a value wherever it acts, whether they fire there or not; 0 ablates them.

    Templeton et al. 2024, "Scaling Monosemanticity", feature steering.
    """

    value: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("Clamp: value", self.value)

    def edited(self, latents: Float[Tensor, "*batch latents"]) -> Float[Tensor, "*batch latents"]:
        return torch.full_like(latents, self.value)


@dataclass(frozen=True, eq=False)
class Scale(EditLatents):
    """Latents multiplied by a factor where they fire: 0.125 is an eighth, 0 ablates, 1 changes
    nothing."""

    factor: float

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("Scale: factor", self.factor)

    def edited(self, latents: Float[Tensor, "*batch latents"]) -> Float[Tensor, "*batch latents"]:
        return latents * self.factor
