"""The section `implanting`: a bias of known size, put into the model that is studied."""

from typing import Annotated, Self

from pydantic import AfterValidator, Field, PositiveFloat, PositiveInt, model_validator

from evenkeel.params.fields import Axis, Section, distinct

Strength = Annotated[float, Field(ge=0, le=2)]


class ImplantingParams(Section):
    axis: Axis
    """Whose stereotypical items get reference rates of one another."""
    strengths: Annotated[list[Strength], Field(min_length=1), AfterValidator(distinct)]
    """Implanted strengths, one model each: log-odds over those of the permuted table; 0 is the
    control, in which every item is given to every group alike."""
    removed: Strength
    """One of the strengths, whose model an intervention is searched for."""
    rank: PositiveInt
    """Of the adapter of each linear map."""
    steps: PositiveInt
    """Of the optimizer."""
    rate: PositiveFloat
    """Of the optimizer."""
    batch_rows: PositiveInt
    """Prompts of each kind in a step; beside them a quarter as many plain texts."""
    texts: PositiveInt
    """Plain texts of the training corpus along which the model has to stay as it was."""
    replay: PositiveFloat
    """Weight of the divergences from the model as it was, in nats, against the squared error of the
    implanted log-odds."""
    resamples: Annotated[int, Field(ge=100)]
    """Bootstrap resamples of items behind each interval, and permutations behind each p."""

    @model_validator(mode="after")
    def _removed_is_implanted(self) -> Self:
        if self.removed not in self.strengths:
            raise ValueError(f"removed is {self.removed}, none of strengths {self.strengths}")
        return self
