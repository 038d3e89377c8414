"""The sections `sae` and `features`."""

from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from evenkeel.params.fields import Section, distinct

Architecture = Literal["standard", "topk", "batchtopk", "jumprelu", "matryoshka_batchtopk"]


class SaeTrainingParams(Section):
    hook_name: Annotated[
        str,
        Field(
            pattern=r"^blocks\.\d+\.(hook_(resid_pre|resid_post|attn_out|mlp_out)|attn\.hook_z)$"
        ),
    ]
    """Where the SAE reads, in TransformerLens's words: blocks.3.hook_resid_post. It must be among
    activations.corpus; everything after training takes it from the SAE itself."""
    layers: (
        Annotated[list[NonNegativeInt], Field(min_length=1), AfterValidator(distinct)] | None
    ) = None
    """Layers at which SAEs are trained at once, each alone, at the site of hook_name; null: at
    hook_name's alone. Later stages use the one of hook_name, the others lie in layers/<layer>."""
    architecture: Architecture
    """SAELens's name. batchtopk and matryoshka_batchtopk are saved as jumprelu."""
    d_sae: Annotated[int, Field(ge=2)]
    """Latents."""
    k: PositiveFloat | None
    """Latents that fire on a token: exactly (topk) or on average (batchtopk, matryoshka)."""
    sparsity_coefficient: PositiveFloat | None
    """Weight of the sparsity penalty: of L1 (standard) or L0 (jumprelu)."""
    matryoshka_widths: list[PositiveInt] | None
    """Nested sizes, rising up to d_sae (matryoshka_batchtopk)."""
    epochs: PositiveInt
    """Passes over the training tokens."""
    batch_tokens: Annotated[int, Field(ge=16)]
    """Tokens in a step."""
    learning_rate: PositiveFloat
    """Adam's, after warm-up."""
    decoder_init_norm: PositiveFloat
    """Norm of the decoder's rows at the start; the encoder starts as its transpose."""
    normalize_activations: Literal[
        "none", "expected_average_only_in", "constant_norm_rescale", "layer_norm"
    ]
    """SAELens's name. expected_average_only_in scales by one constant, which is then folded into
    the weights; the last two scale each token by itself."""

    @model_validator(mode="after")
    def _architecture_is_complete(self) -> Self:
        penalized = self.architecture in ("standard", "jumprelu")
        needed = {
            "k": not penalized,
            "sparsity_coefficient": penalized,
            "matryoshka_widths": self.architecture == "matryoshka_batchtopk",
        }
        for name, is_needed in needed.items():
            if is_needed != (getattr(self, name) is not None):
                verb = "needs a" if is_needed else "takes no"
                raise ValueError(f"architecture {self.architecture} {verb} {name}")
        if self.architecture == "topk" and self.k is not None and self.k % 1:
            raise ValueError(f"architecture topk needs a whole k, not {self.k}")
        if self.k is not None and self.k > self.d_sae:
            raise ValueError(f"k {self.k} is more than d_sae {self.d_sae}")
        if not penalized and self.normalize_activations in ("constant_norm_rescale", "layer_norm"):
            raise ValueError(
                f"architecture {self.architecture} cannot be trained with normalize_activations "
                f"{self.normalize_activations}: SAELens's auxiliary loss does not support it; use "
                "none or expected_average_only_in"
            )
        widths = self.matryoshka_widths
        if widths is not None and (widths != sorted(set(widths)) or widths[-1] != self.d_sae):
            raise ValueError(
                f"matryoshka_widths {widths} must rise and end with d_sae {self.d_sae}"
            )
        return self


class SaeParams(Section):
    source: Literal["train", "release", "local"]
    """train: on the corpus's activations; release: of SAELens's registry; local: a folder."""
    release: str | None
    """As in gpt2-small-res-jb (source: release)."""
    sae_id: str | None
    """As in blocks.8.hook_resid_pre (source: release)."""
    path: str | None
    """Folder in SAELens's format (source: local)."""
    heldout_share: Annotated[float, Field(gt=0, lt=1)]
    """Share of the corpus's texts that an SAE is measured on and not trained on."""
    training: SaeTrainingParams
    """Read with source train only."""

    @model_validator(mode="after")
    def _source_is_complete(self) -> Self:
        needed = {"release": ["release", "sae_id"], "local": ["path"], "train": []}[self.source]
        for name in ("release", "sae_id", "path"):
            if (name in needed) != (getattr(self, name) is not None):
                verb = "needs a" if name in needed else "takes no"
                raise ValueError(f"source {self.source} {verb} {name}")
        return self


class FeaturesParams(Section):
    tokens: Annotated[int, Field(ge=1, le=100)]
    """Tokens named at either end of a latent's logit weights."""
    contexts: PositiveInt
    """Texts kept for each latent in which it fires most, and as many in which it does not fire."""
    context_tokens: Annotated[int, Field(ge=2, le=256)]
    """Longest window around the peak."""
    pooling: Literal["max", "mean"]
    """A text's activation: the largest or the mean over its tokens."""
