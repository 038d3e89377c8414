"""The section `demonstration`."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, NonNegativeInt, PositiveInt, model_validator

from evenkeel.params.fields import Axis, Section, Sinks, Site, VectorMethod, distinct
from evenkeel.params.sampling import SamplingParams

Text = Annotated[str, Field(min_length=1)]
Texts = Annotated[list[Text], AfterValidator(distinct)]
NO_CLASS, SEVERAL_CLASSES = "none", "several"
"""What an answer is called that names no class, or more than one."""
Backend = Literal["hooks", "wrapper", "bias_edit", "transformer_lens", "nnsight", "baukit"]


class RecipeParams(Section):
    name: Text
    """What results call it."""
    multipliers: Annotated[list[float], Field(min_length=1), AfterValidator(distinct)]
    """Forces, each tried by itself; their meaning is the action's."""
    positions: Literal["all", "prompt", "generated", "last"]
    """Where in the text it acts; prompt: not while decoding, as an edit of the first step does."""
    sinks: Sinks
    """Whether it leaves attention sinks alone (exclude); weights (bias_edit) cannot."""
    backends: Annotated[list[Backend], Field(min_length=1), AfterValidator(distinct)]
    """How it gets into the forward pass. The first one writes the texts; every other one has to
    write the same."""


class _Directional(RecipeParams):
    layers: Annotated[list[NonNegativeInt], Field(min_length=1), AfterValidator(distinct)]
    """Blocks, each tried by itself."""
    site: Site
    """Place in the block."""
    action: Literal["add", "ablate"]
    """add: multiplier x unit vector; ablate: the multiplier is the share taken out."""
    relative: bool
    """add in units of the stream's mean norm there; if false, of the stream itself."""


class TextsRecipeParams(_Directional):
    kind: Literal["texts"]
    """Stream of one text's last token - another's (activation addition)."""
    positive: Text
    negative: Text


class VectorRecipeParams(_Directional):
    kind: Literal["vector"]
    """One of models/vectors."""
    axis: Axis
    method: VectorMethod


class FeatureRecipeParams(RecipeParams):
    kind: Literal["feature"]
    """A latent of the SAE, at the SAE's place."""
    feature: NonNegativeInt | Literal["common"]
    """Its number; common: all latents together that the positive prompts of `compared` share."""
    action: Literal["add", "scale"]
    """add: multiplier x its unit decoder row; scale: its activation times the multiplier, so that
    0 ablates it."""

    @model_validator(mode="after")
    def _one_row_is_added(self) -> Self:
        if self.feature == "common" and self.action == "add":
            raise ValueError("action add takes one feature; scale the common ones, or name one")
        return self


Recipe = Annotated[
    TextsRecipeParams | VectorRecipeParams | FeatureRecipeParams, Field(discriminator="kind")
]


class DemonstrationSamplingParams(SamplingParams):
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)]
    """Taken off a token's logit each time that the text holds it already."""
    chat_template: bool
    """Ask each prompt as a user's message, in the tokenizer's chat template."""


class WordsParams(Section):
    positive: Annotated[Texts, Field(min_length=1)]
    """Words, leading space included, that steering should make likelier after a prompt."""
    negative: Annotated[Texts, Field(min_length=1)]
    """Words that it should make less likely."""


class ComparedPromptsParams(Section):
    positive: Texts
    """Prompts that share what a feature is sought for; empty: none is sought."""
    negative: Texts
    """Prompts like them that lack it."""
    top: PositiveInt
    """Latents of each prompt, by activation summed over its tokens, that are compared."""


def _named(classes: dict[str, list[str]] | None) -> dict[str, list[str]] | None:
    for name in (NO_CLASS, SEVERAL_CLASSES):
        if name in (classes or {}):
            raise ValueError(
                f"a class cannot be called {name!r}: so are answers that name none or several; "
                "give it another name"
            )
    return classes


class DemonstrationParams(Section):
    prompts: Annotated[Texts, Field(min_length=1)]
    """Texts to score and to continue."""
    axes: Annotated[list[Axis], AfterValidator(distinct)]
    """Axes whose probes score the prompts."""
    compared: ComparedPromptsParams
    words: WordsParams | None
    """What the shift of a recipe is measured by; null: by nothing."""
    answers: Annotated[
        dict[Text, Annotated[Texts, Field(min_length=1)]] | None, AfterValidator(_named)
    ]
    """Words that tell of which class a continuation is, by class (female: [female, woman]); null:
    continuations are not classified."""
    recipes: list[Recipe]
    """What the prompts are continued under, besides the model as it is."""
    sampling: DemonstrationSamplingParams
    resamples: Annotated[int, Field(ge=100)]
    """Bootstrap resamples of prompts behind each interval."""

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        distinct([recipe.name for recipe in self.recipes])
        return self
