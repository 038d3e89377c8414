"""The section `dataset`."""

from collections.abc import Mapping
from typing import Annotated, get_args

from pydantic import AfterValidator, Field

from evenkeel.params.fields import Axis, Section, distinct

Strength = Annotated[float, Field(ge=0, le=1)]


class DatasetParams(Section):
    axes: Annotated[list[Axis], Field(min_length=1), AfterValidator(distinct)]
    """Kinds of bias to write statements about."""
    quads_per_axis: Annotated[int, Field(ge=6, le=5000)]
    """Quads of statements per axis: two groups x (biased, neutral), over all splits."""
    corpus_texts: Annotated[int, Field(ge=100)]
    """Texts that the embedded model is trained on."""
    heldout_texts: Annotated[int, Field(ge=50)]
    """Texts of the same kinds kept from training, for perplexity."""
    planted_strength: Strength | dict[Axis, Strength]
    """Scales the planted log-odds: 1 is the table of rates (for occupations the share of women as
    reported), 0 the same rate for every group. A mapping scales each axis alone; axes that it
    leaves out keep 1."""
    lead_in: bool
    """A neutral sentence stands before each prompt and statement."""

    @property
    def strengths(self) -> Mapping[str, float]:
        """The strength of every axis."""
        if isinstance(self.planted_strength, dict):
            return {axis: self.planted_strength.get(axis, 1.0) for axis in get_args(Axis)}
        return dict.fromkeys(get_args(Axis), self.planted_strength)
