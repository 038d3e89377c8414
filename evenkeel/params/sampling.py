"""How texts are drawn from a model."""

from typing import Annotated, Self

from pydantic import Field, NonNegativeFloat, PositiveInt, model_validator

from evenkeel.params.fields import Section


class SamplingParams(Section):
    max_new_tokens: PositiveInt
    """Length of a continuation in tokens."""
    temperature: NonNegativeFloat
    """0 is greedy."""
    top_p: Annotated[float, Field(gt=0, le=1)]
    """Nucleus of the sampling distribution."""
    samples: PositiveInt
    """Continuations of each prompt, each from random numbers of its own, as from so many seeds."""

    @model_validator(mode="after")
    def _samples_differ(self) -> Self:
        if self.samples > 1 and self.temperature == 0:
            raise ValueError("greedy samples are all alike; raise temperature or set samples to 1")
        return self
