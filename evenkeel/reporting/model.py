"""What prepare_model measured, as the report shows it."""

from collections.abc import Mapping, Sequence

from pydantic import ConfigDict

from evenkeel.evaluation.result import Measured
from evenkeel.reporting.reading import Interval, Row


class Template(Row):
    """A template of the prompts, with the unsteered model."""

    split: str
    template: str
    prompts: int
    continuation_mass: float
    """Probability that one of the scored words follows."""
    definitional_accuracy: float | None
    flag: str | None
    """What it has too little of, by a rule that was fixed on validation."""


class LeadIns(Row):
    """Whether a neutral sentence before prompts suits the model."""

    used: str
    suited: str
    kinds: Mapping[str, Mapping[str, float]]
    """Definitional accuracy and margin on train prompts of all axes, by kind."""


class ModelAxis(Measured):
    """One axis of the unsteered model over all splits."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    templates: Sequence[Template] = ()
    """Of one axis; intersections have none."""


class ModelInfo(Row):
    """model.json, as far as the report shows it."""

    source: str
    name: str
    revision: str
    family: str
    layers: int
    d_model: int
    chat_template: bool
    parameters: int
    lead_ins: LeadIns | None
    axes: Mapping[str, ModelAxis]
    heldout_perplexity: float | None
    heldout_perplexity_ci95: Interval | None
    dequantized: str | None
    """Type of the quantized weights that were loaded at full precision."""
