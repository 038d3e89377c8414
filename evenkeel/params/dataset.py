"""The section `dataset`."""

from typing import Annotated

from pydantic import AfterValidator, Field

from evenkeel.params.fields import Axis, Section, distinct


class DatasetParams(Section):
    axes: Annotated[list[Axis], Field(min_length=1), AfterValidator(distinct)]
    """Kinds of bias to write statements about."""
    quads_per_axis: Annotated[int, Field(ge=6, le=5000)]
    """Quads of statements per axis: two groups x (biased, neutral), over all splits."""
    corpus_texts: Annotated[int, Field(ge=100)]
    """Texts that the embedded model is trained on."""
    heldout_texts: Annotated[int, Field(ge=50)]
    """Texts of the same kinds kept from training, for perplexity."""
    planted_strength: Annotated[float, Field(ge=0, le=1)]
    """Scales the planted log-odds: 1 is the share of women as reported, 0 is P(she) = 0.5."""
