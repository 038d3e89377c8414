"""The sections `probes`, `localisation`, `vectors`, `evaluation`, `judging` and `report`."""

from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from evenkeel.params.fields import (
    Action,
    Axis,
    Baseline,
    Concept,
    EraserMethod,
    GateKind,
    Layers,
    LearnedMethod,
    Section,
    VectorMethod,
    distinct,
)
from evenkeel.params.sampling import SamplingParams


class ProbesParams(Section):
    regularization: Annotated[list[PositiveFloat], Field(min_length=1), AfterValidator(distinct)]
    """Values of C (inverse L2 strength) to choose from on validation."""
    control_draws: PositiveInt
    """Random labelings of the terms that the control task averages over."""
    resamples: Annotated[int, Field(ge=100)]
    """Bootstrap resamples of items behind each interval."""


class LocalisationParams(Section):
    pairs: Annotated[int, Field(ge=2)]
    """Pairs of items of opposite association whose activations are exchanged, at most."""
    templates: PositiveInt
    """Templates that each pair is compared in, at most."""
    resamples: Annotated[int, Field(ge=100)]
    """Bootstrap resamples of pairs behind each interval, and sign flips behind each p."""


class JudgingParams(Section):
    backend: Literal["none", "offline", "openai"]
    """The judge of sampled texts. none: off; offline: the lexicon's words; openai: the server of
    interpretation.openai, each axis within its budget."""
    calibration_per_item: PositiveInt
    """Prompts of each validation item. Each makes three labelled texts, on which the judge's
    accuracy is measured first; for each there is one statement more."""
    resamples: Annotated[int, Field(ge=100)]
    """Bootstrap resamples of items behind each interval."""


class TextPairParams(Section):
    positive: Annotated[str, Field(min_length=1)]
    """Text whose activation is added."""
    negative: Annotated[str, Field(min_length=1)]
    """Text whose activation is subtracted."""


class ActAddParams(Section):
    pairs: dict[Axis, TextPairParams] | None
    """The two texts of an axis. An axis that is not named, or all with null, has its first group's
    and its second group's first continuation, each behind the same few neutral words."""


class FeatureVectorsParams(Section):
    max_q: Annotated[float, Field(gt=0, lt=1)]
    """A feature of the SAE belongs to an axis below this q-value."""
    top_features: NonNegativeInt
    """Features taken for each axis, the strongest associations first."""
    features: Annotated[list[NonNegativeInt], AfterValidator(distinct)]
    """Features taken besides, for every axis."""


class PreferenceParams(Section):
    layers: Layers
    """Layers at which vectors of methods bipo and reps are trained; all is each of those whose
    activations are stored."""
    steps: PositiveInt
    """Of the optimizer, for each vector."""
    batch_rows: PositiveInt
    """Prompts in a step."""
    beta: PositiveFloat
    """Of the loss of bipo: the smaller, the further the vector goes."""
    shuffles: NonNegativeInt
    """Null vectors trained beside each on shuffled items; each takes a training."""


class VectorsParams(Section):
    methods: Annotated[list[VectorMethod], Field(min_length=1), AfterValidator(distinct)]
    """caa: neutral - biased means; group: group - group means; term: the same at the group's term
    itself; pca: of group differences; probe: normal of the linear probe; actadd: one pair of texts;
    sae: decoder rows of features, at the SAE's own layer and site; bipo, reps: trained on the train
    prompts to prefer what goes against the stereotype."""
    actadd: ActAddParams
    preference: PreferenceParams
    erasers: Annotated[list[Concept], AfterValidator(distinct)]
    """What erasers are fitted to erase: the group that a statement is about, its label."""
    eraser_methods: Annotated[list[EraserMethod], AfterValidator(distinct)]
    """leace: the smallest affine change after which no linear probe reads the concept; inlp: the
    normals of linear probes, each trained on what those before it leave, projected out;
    sentence_debias: principal components of matched statements' differences, projected out."""
    eraser_rank: PositiveInt
    """Dimensions that inlp and sentence_debias take out, at most."""
    sae: FeatureVectorsParams
    shuffles: Annotated[int, Field(ge=1)]
    """Vectors of shuffled labels beside each, for the null-direction baselines of evaluate."""
    resamples: Annotated[int, Field(ge=100)]
    """Bootstrap resamples of items behind each interval."""


class GenerationParams(SamplingParams):
    prompts: PositiveInt
    """Test prompts that are continued, steered and unsteered."""
    per_item: NonNegativeInt
    """Continuations sampled of each item of the test split, unsteered and with the selected
    intervention, of which the groups that they name are counted; 0 for none."""


class ReftParams(Section):
    ranks: Annotated[list[PositiveInt], Field(min_length=1), AfterValidator(distinct)]
    """Dimensions of the residual stream that an edit writes to at each layer."""
    layers: Annotated[
        list[Annotated[list[NonNegativeInt], Field(min_length=1), AfterValidator(distinct)]],
        Field(min_length=1),
    ]
    """Sets of layers; those of one set are edited at once, and trained together."""
    multipliers: Annotated[list[PositiveFloat], Field(min_length=1), AfterValidator(distinct)]
    """Multiples of a trained edit that are tried; 1 is what was trained."""
    max_kl: PositiveFloat
    """Limit of training, in nats: how far the next token may move from the unsteered model, after
    definitional prompts, along plain text, and after stereotypical prompts apart from the groups.
    """
    steps: PositiveInt
    """Of the optimizer."""
    batch_rows: PositiveInt
    """Prompts of each kind in a step; beside them a quarter as many plain texts."""
    texts: PositiveInt
    """Plain texts of the training corpus that the edit has to leave alone."""
    open_at_known: Annotated[float, Field(ge=0, le=1)]
    """Largest share of the tokens from a definitional item on, in validation, at which a gate may
    open."""
    further_items: bool
    """Train on items without a known share, too, that nothing is measured on (gender)."""
    shuffles: NonNegativeInt
    """Null edits that are trained in the place of a selected one, at most null_draws."""


class LoraParams(Section):
    rank: PositiveInt
    """Of the adapter of each linear map."""
    steps: PositiveInt
    """Of the optimizer."""
    rate: PositiveFloat
    """Of the optimizer."""
    batch_rows: PositiveInt
    """Prompts of each kind in a step; beside them a quarter as many plain texts (cda_lora)."""
    beta: PositiveFloat
    """Of the loss of dpo_lora: the smaller, the further the adapter goes."""
    texts: PositiveInt
    """Plain texts of the training corpus that counterfactuals stand among."""
    multipliers: Annotated[list[PositiveFloat], Field(min_length=1), AfterValidator(distinct)]
    """Multiples of the trained adapter of which validation chooses one."""
    shuffles: NonNegativeInt
    """Null adapters that are trained, at most compared_null_draws."""


class SelfDebiasParams(Section):
    diagnosis: Annotated[str, Field(min_length=1)]
    """What is said of a text before it, its last space included; {axis} stands for the axis."""
    decays: Annotated[list[PositiveFloat], Field(min_length=1), AfterValidator(distinct)]
    """How sharply tokens that it makes likelier are discounted; validation chooses one."""


class EvaluationParams(Section):
    axes: Annotated[list[Axis], Field(min_length=1), AfterValidator(distinct)]
    """Kinds of bias to evaluate, each by itself and then all together."""
    direction: Literal["group_given_item", "item_given_group"]
    """Of the prompts that an intervention is chosen on; the other one is reported as well."""
    search: Literal["staged", "exhaustive"]
    """staged: read growing parts of the validation set, and drop what cannot win; exhaustive: read
    every candidate on the whole set."""
    methods: Annotated[
        list[VectorMethod | EraserMethod | LearnedMethod],
        Field(min_length=1),
        AfterValidator(distinct),
    ]
    """Vectors to try, each of which must be among vectors.methods; erasers of the group, each among
    vectors.eraser_methods; reft trains edits of the frozen model on the train split (LoReFT)."""
    actions: Annotated[list[Action], Field(min_length=1), AfterValidator(distinct)]
    """What is done with a vector: add it; ablate: project it out; mean_ablate: put the projection
    midway between the groups in its place, where a gate of kind probe is open; rotate: turn the
    residual stream away from it, its norm kept. What is done with the latents of the axis's
    features, all at once (method sae): clamp them to a value; scale them.
    """
    layers: Layers
    """Layers at which each vector or eraser is tried; all is each of them. Where there is more than
    one, every layer that has a vector is tried at once as well."""
    add_multipliers: Annotated[list[float], Field(min_length=1), AfterValidator(distinct)]
    """Of an added vector, in units of the mean norm of the residual stream at its site."""
    ablate_multipliers: Annotated[
        list[Annotated[float, Field(gt=0, le=2)]], Field(min_length=1), AfterValidator(distinct)
    ]
    """Share of the projection that is taken out or moved, or of the angle; 1 removes it whole."""
    clamp_values: Annotated[list[float], Field(min_length=1), AfterValidator(distinct)]
    """Values that latents are held at, in units of their activations; 0 ablates them."""
    scale_factors: Annotated[list[float], Field(min_length=1), AfterValidator(distinct)]
    """What latents are multiplied by."""
    gates: Annotated[list[GateKind], Field(min_length=1), AfterValidator(distinct)]
    """Where an ablation acts. none: everywhere; probe: at words that a linear probe takes for items
    of stereotypical prompts, as occupations are; band: where the projection on its direction is as
    near to that of stereotypical prompts as that of definitional ones is not."""
    reft: ReftParams
    max_perplexity_ratio: Annotated[float, Field(ge=1)]
    """Budget: an intervention that costs more on validation text cannot be selected."""
    max_definitional_loss: Annotated[float, Field(ge=0, le=1)]
    """Budget: nor can one that lowers definitional accuracy or AUROC on validation by more than
    this."""
    max_kl: PositiveFloat | None
    """Budget: nor one that moves the next token of plain text by more than this, on average, in
    nats of KL(unsteered || steered); null sets no limit and saves the time of measuring it."""
    max_mean_log_odds_change: PositiveFloat | None
    """Budget: nor one that moves the mean log-odds of all items further from zero by more than
    this, in nats; null sets no limit. The spread is also zero if every item gets the same group."""
    competence_margin: Annotated[float, Field(ge=-1, le=0.5)]
    """By how much definitional AUROC must be above 0.5 before a model's bias is reportable; a
    negative one asks for nothing, not even for text that has not collapsed."""
    prefixes: Annotated[list[Annotated[str, Field(min_length=1)]], AfterValidator(distinct)]
    """Prompting, as one more method: texts put before every prompt, their last space included."""
    few_shot: NonNegativeInt
    """Examples from the train split, completed against the stereotype, in one more prefix; 0 for
    none."""
    baselines: Annotated[list[Baseline], AfterValidator(distinct)]
    """What is compared at the same budgets and cannot be selected. cda_lora: fine-tuned on
    sentences with every group; dpo_lora: on preferences against the stereotype; self_debias:
    decoding that discounts what the model says more readily of a biased text."""
    lora: LoraParams
    self_debias: SelfDebiasParams
    null_draws: Annotated[int, Field(ge=1)]
    """Null-direction baselines of each kind in the place of the selected one, at most
    vectors.shuffles; p is at best 1 / (draws + 1)."""
    compared_null_draws: NonNegativeInt
    """Null-direction baselines in the place of the best of every other method, at most
    vectors.shuffles, of its hardest kind and on one test prompt of each item; 0 for none."""
    doses: Annotated[list[PositiveFloat], Field(min_length=1), AfterValidator(distinct)]
    """Multipliers of the selected intervention at which its effect and cost are drawn, in units of
    the selected one."""
    heldout_texts: Annotated[int, Field(ge=20)]
    """Plain held-out texts behind perplexity and KL, half for selection and half for the report."""
    batch_size: PositiveInt
    """Texts in a forward pass."""
    chat: bool
    """The selected intervention is measured once more on the test prompts, asked through the
    model's chat template."""
    resamples: Annotated[int, Field(ge=100)]
    """Bootstrap resamples of items behind each interval."""
    generation: GenerationParams

    @model_validator(mode="after")
    def _middle_is_known(self) -> Self:
        if "mean_ablate" in self.actions and "probe" not in self.gates:
            raise ValueError(
                "actions has mean_ablate, which needs the gate probe; add it to gates or drop "
                "mean_ablate"
            )
        return self


class ReportParams(Section):
    title: Annotated[str, Field(min_length=1)]
    """Heading of the page."""
