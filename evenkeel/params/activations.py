"""The section `activations`."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, PositiveInt

from evenkeel.params.fields import Dtype, Layers, Section, Sinks, Site, distinct


class CaptureParams(Section):
    sites: Annotated[list[Site], Field(min_length=1), AfterValidator(distinct)]
    """Places in a block whose activations are kept."""
    layers: Layers
    """Blocks, from 0, or all."""
    positions: Literal["all", "last", "mean"]
    """Keep every token, each text's last, or each text's mean."""
    sinks: Sinks
    """exclude: attention sinks are no part of means, norms and what an SAE is trained on, and
    vectors that are made from these activations leave them alone; include: they count."""
    dtype: Dtype
    """Type on disk; a value too large for float16 is an error."""
    compute_dtype: Literal["bfloat16", "float16"] | None
    """Type of the matrix products, the stream keeping the model's; null is the model's own."""
    batch_tokens: Annotated[int, Field(ge=16)]
    """Tokens in a forward pass, padding included. On a processor a small model is fastest at 1 to 2
    thousand, where its activations stay in the cache."""
    max_texts: PositiveInt | None
    """Use the first so many texts; null is all."""


class ActivationsParams(Section):
    statements: CaptureParams
    corpus: CaptureParams
