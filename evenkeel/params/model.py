"""The section `model`."""

from typing import Annotated, Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from evenkeel.params.fields import Dtype, Section


class OrganismParams(Section):
    layers: Annotated[int, Field(ge=1, le=48)]
    """Transformer blocks."""
    d_model: Annotated[int, Field(ge=8)]
    """Width of the residual stream."""
    heads: PositiveInt
    """Attention heads; must divide d_model."""
    vocab_size: Annotated[int, Field(ge=300)]
    """Byte-level BPE vocabulary, the 256 bytes and the end-of-text token included."""
    context: Annotated[int, Field(ge=16)]
    """Longest text in tokens."""
    steps: PositiveInt
    """Optimizer steps."""
    batch_rows: PositiveInt
    """Rows in a step; each is packed with as many texts as the context holds."""
    learning_rate: PositiveFloat
    """Peak of the schedule, for embeddings; matrices of the blocks move at five times it (Muon)."""

    @model_validator(mode="after")
    def _heads_divide_width(self) -> Self:
        if self.d_model % self.heads:
            raise ValueError(f"d_model {self.d_model} is not a multiple of heads {self.heads}")
        return self


class ModelParams(Section):
    source: Literal["organism", "hub", "local"]
    """organism: train the embedded model; hub: a causal LM by id; local: a folder of its format."""
    id: str | None
    """Hub repository, as in openai-community/gpt2 (source: hub)."""
    revision: str | None
    """Branch, tag or commit of it; resolved to a commit, which is recorded (source: hub)."""
    path: str | None
    """Folder with config.json, safetensors weights and tokenizer (source: local)."""
    dtype: Dtype
    """Type in which weights are kept and computed with."""
    device_map: Literal["auto", "balanced", "balanced_low_0", "sequential"] | None
    """Spread the blocks over all GPUs, in accelerate's words; null: keep them on one device."""
    attn_implementation: Literal["eager", "sdpa", "flash_attention_2"] | None
    """How attention is computed; null is the family's own choice."""
    trust_remote_code: bool
    """Run Python code that a hub repository brings. Leave off unless you have read it."""
    blocks: str | None
    """Where a model of an unknown family keeps its list of blocks, as in transformer.h."""
    organism: OrganismParams

    @model_validator(mode="after")
    def _source_is_complete(self) -> Self:
        if self.source == "hub" and not self.id:
            raise ValueError(
                "source is hub but id is null; name a repository such as openai-community/gpt2"
            )
        if self.source == "local" and not self.path:
            raise ValueError("source is local but path is null; name the model's folder")
        if self.source != "hub" and self.trust_remote_code:
            raise ValueError(
                f"trust_remote_code has no meaning with source {self.source}; set it to false"
            )
        return self
