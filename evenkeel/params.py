"""The typed view of params.yaml: what every knob means and which values it takes.

The whole file is checked whenever any of it is read, so that a typo stops the first stage and not
the last; a stage is handed only the sections that it names, which are those that dvc.yaml declares.
"""

import sys
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    model_validator,
)

from evenkeel.errors import BadInputError

Axis = Literal["gender", "race", "religion", "age", "disability", "socioeconomic"]
Site = Literal["resid_pre", "resid_post", "attn_out", "mlp_out", "head_z"]
Dtype = Literal["float32", "float16", "bfloat16"]
VectorMethod = Literal["caa", "group", "pca", "probe", "actadd"]
Action = Literal["add", "ablate"]


def _distinct(values: list[Any]) -> list[Any]:
    if len(set(values)) != len(values):
        raise ValueError("lists a value twice; name each once")
    return values


Layers = (
    Literal["all"] | Annotated[list[NonNegativeInt], Field(min_length=1), AfterValidator(_distinct)]
)


class Section(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


class DatasetParams(Section):
    axes: Annotated[list[Axis], Field(min_length=1), AfterValidator(_distinct)]
    """Kinds of bias to write statements about."""
    quads_per_axis: Annotated[int, Field(ge=6, le=5000)]
    """Quads of statements per axis: two groups x (biased, neutral), over all splits."""
    corpus_texts: Annotated[int, Field(ge=100)]
    """Texts that the embedded model is trained on."""
    heldout_texts: Annotated[int, Field(ge=50)]
    """Texts of the same kinds kept from training, for perplexity."""
    planted_strength: Annotated[float, Field(ge=0, le=1)]
    """Scales the planted log-odds: 1 is the share of women as reported, 0 is P(she) = 0.5."""


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
    """Peak of the one-cycle schedule."""

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


class CaptureParams(Section):
    sites: Annotated[list[Site], Field(min_length=1), AfterValidator(_distinct)]
    """Places in a block whose activations are kept."""
    layers: Layers
    """Blocks, from 0, or all."""
    positions: Literal["all", "last", "mean"]
    """Keep every token, each text's last, or each text's mean."""
    dtype: Dtype
    """Type on disk; a value too large for float16 is an error."""
    batch_tokens: Annotated[int, Field(ge=16)]
    """Tokens in a forward pass, padding included."""
    max_texts: PositiveInt | None
    """Use the first so many texts; null is all."""


class ActivationsParams(Section):
    statements: CaptureParams
    corpus: CaptureParams


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
    skip_first_token: bool
    """Leave out the first token of each text, whose stream is often a hundred times larger."""

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


def _without_credentials(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must start with http:// or https:// and name a host")
    if parts.username or parts.password or parts.query:
        raise ValueError(
            "must hold no credentials and no query; a key belongs in OPENAI_API_KEY, not in a file"
        )
    return url.rstrip("/")


class PriceParams(Section):
    input: NonNegativeFloat
    """US dollars for a million tokens of a request."""
    output: NonNegativeFloat
    """US dollars for a million tokens of an answer."""
    batch_factor: Annotated[float, Field(gt=0, le=1)]
    """What a batched token costs, as a share of the above."""


class ChatParams(Section):
    model: Annotated[str, Field(min_length=1)]
    """Name of a model of the server that can answer in a JSON schema."""
    base_url: Annotated[str, AfterValidator(_without_credentials)]
    """Root of an OpenAI-compatible API, as in https://api.openai.com/v1."""
    temperature: Annotated[float, Field(ge=0, le=2)] | None
    """Sampling temperature; null leaves it out, as models that reason require."""
    max_output_tokens: PositiveInt
    """Longest answer; a longer one is cut off, which fails that feature."""
    concurrency: Annotated[int, Field(ge=1, le=256)]
    """Requests under way at once."""
    timeout_seconds: PositiveFloat
    """How long an answer is waited for."""
    max_retries: Annotated[int, Field(ge=0, le=20)]
    """Further attempts after 408, 409, 429, 5xx, a timeout or a lost connection."""
    budget_usd: NonNegativeFloat
    """Most that one run may spend; requests that could pass it are not made."""
    usd_per_million_tokens: PriceParams
    batch: bool
    """Send requests through the Batch API: cheaper, answered within a day."""
    poll_seconds: PositiveFloat
    """How often a batch is asked whether it is done."""


class InterpretationParams(Section):
    backend: Literal["offline", "openai"]
    """offline: name features by the lexicon's words; openai: ask a language model."""
    max_q: Annotated[float, Field(gt=0, lt=1)]
    """A feature belongs to an axis, and a word category to a feature, below this q-value."""
    top_features: NonNegativeInt
    """Features taken for each axis, the strongest associations first."""
    features: Annotated[list[NonNegativeInt], AfterValidator(_distinct)]
    """Features that are interpreted whatever their associations."""
    shown_contexts: PositiveInt
    """Top contexts, at most, that an explanation may rest on."""
    heldout_contexts: PositiveInt
    """Other contexts of each kind, at most, by which the explanation is tested."""
    resamples: Annotated[int, Field(ge=100)]
    """Bootstrap resamples of features behind the interval of the mean."""
    openai: ChatParams


class ProbesParams(Section):
    regularization: Annotated[list[PositiveFloat], Field(min_length=1), AfterValidator(_distinct)]
    """Values of C (inverse L2 strength) to choose from on validation."""
    control_draws: PositiveInt
    """Random labelings of the terms that the control task averages over."""
    resamples: Annotated[int, Field(ge=100)]
    """Bootstrap resamples of terms behind each interval."""


class ActAddParams(Section):
    positive: Annotated[str, Field(min_length=1)]
    """Text whose activation is added."""
    negative: Annotated[str, Field(min_length=1)]
    """Text whose activation is subtracted."""


class VectorsParams(Section):
    methods: Annotated[list[VectorMethod], Field(min_length=1), AfterValidator(_distinct)]
    """caa: neutral - biased means; group: group - group means; pca: of group differences;
    probe: normal of the linear probe; actadd: one pair of texts."""
    actadd: ActAddParams
    resamples: Annotated[int, Field(ge=100)]
    """Bootstrap resamples of terms behind each interval."""


class GenerationParams(Section):
    prompts: PositiveInt
    """Test prompts that are continued, steered and unsteered."""
    max_new_tokens: PositiveInt
    """Length of a continuation in tokens."""
    temperature: Annotated[float, Field(ge=0)]
    """Sampling temperature; 0 is greedy."""
    top_p: Annotated[float, Field(gt=0, le=1)]
    """Nucleus of the sampling distribution."""


class EvaluationParams(Section):
    axis: Axis
    """The axis whose vectors are tried."""
    methods: Annotated[list[VectorMethod], Field(min_length=1), AfterValidator(_distinct)]
    """Vectors to try; each must be among vectors.methods."""
    actions: Annotated[list[Action], Field(min_length=1), AfterValidator(_distinct)]
    """What is done with a vector: add it, or project it out."""
    layers: Layers
    """Layers at which each vector is tried; all also tries every layer at once."""
    add_multipliers: Annotated[list[float], Field(min_length=1), AfterValidator(_distinct)]
    """Force of an added vector, in units of the stream's mean norm at its site."""
    ablate_multipliers: Annotated[
        list[Annotated[float, Field(gt=0, le=2)]], Field(min_length=1), AfterValidator(_distinct)
    ]
    """Share of the projection that is taken out; 1 removes it whole."""
    max_perplexity_ratio: Annotated[float, Field(ge=1)]
    """Budget: an intervention that costs more on validation text cannot be selected."""
    heldout_texts: Annotated[int, Field(ge=20)]
    """Plain held-out texts behind perplexity and KL, half for selection and half for the report."""
    batch_size: PositiveInt
    """Texts in a forward pass."""
    resamples: Annotated[int, Field(ge=100)]
    """Bootstrap resamples of terms behind each interval."""
    generation: GenerationParams


class ReportParams(Section):
    title: Annotated[str, Field(min_length=1)]
    """Heading of the page."""


class Params(Section):
    seed: NonNegativeInt
    """Of every random generator."""
    dataset: DatasetParams
    model: ModelParams
    activations: ActivationsParams
    sae: SaeParams
    features: FeaturesParams
    interpretation: InterpretationParams
    probes: ProbesParams
    vectors: VectorsParams
    evaluation: EvaluationParams
    report: ReportParams

    @model_validator(mode="after")
    def _sections_fit(self) -> Self:
        missing = sorted(set(self.evaluation.methods) - set(self.vectors.methods))
        if missing:
            raise ValueError(
                f"evaluation.methods names {missing}, which vectors.methods does not compute; "
                "add them there or drop them here"
            )
        if self.evaluation.axis not in self.dataset.axes:
            raise ValueError(
                f"evaluation.axis {self.evaluation.axis!r} is not among dataset.axes "
                f"{self.dataset.axes}"
            )
        return self


def load_params(path: Path, *sections: str) -> tuple[Any, ...]:
    """Check params.yaml whole and return the named sections, in the order asked for.

    Args:
        path: the YAML file.
        sections: dotted paths, such as "seed" or "activations.corpus".

    Raises:
        BadInputError: the file is missing, is not YAML, or holds an unknown key, a wrong type or a
            value out of range; the message lists each by its path.
    """
    params = _validated(path)
    values = []
    for section in sections:
        sys.audit("evenkeel.params", section)  # lets a test compare what is read with dvc.yaml
        value: Any = params
        for name in section.split("."):
            value = getattr(value, name)
        values.append(value)
    return tuple(values)


def _validated(path: Path) -> Params:
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BadInputError(
            f"{path}: no such file; run from the project's root or pass --params"
        ) from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadInputError(f"{path}: not YAML: {error}") from error
    try:
        return Params.model_validate(raw)
    except ValidationError as error:
        problems = "\n".join(f"  {_explain(problem)}" for problem in error.errors())
        raise BadInputError(f"{path} cannot be used:\n{problems}") from None


def _explain(problem: Any) -> str:
    """One line: the key's path, what is wrong, what it was given."""
    loc = [part for part in problem["loc"] if not _is_union_tag(part)]
    where = ".".join(map(str, loc)) or "params"
    if problem["type"] == "extra_forbidden":
        known = ", ".join(sorted(_fields_at(loc[:-1])))
        return f"{where}: unknown key; known here: {known}"
    if problem["type"] == "missing":
        return f"{where}: missing"
    message = problem["msg"].removeprefix("Value error, ")
    if isinstance(problem["input"], dict):  # a check of a whole section names its own values
        return f"{where}: {message}"
    return f"{where}: {message} (given: {problem['input']!r})"


def _is_union_tag(part: Any) -> bool:
    """pydantic names the branch of a union in the path: literal['all'], list[...]."""
    return isinstance(part, str) and "[" in part


def _fields_at(loc: list[Any]) -> list[str]:
    model: type[BaseModel] = Params
    for name in loc:
        annotation = model.model_fields[name].annotation
        assert isinstance(annotation, type)
        assert issubclass(annotation, BaseModel)
        model = annotation
    return list(model.model_fields)
