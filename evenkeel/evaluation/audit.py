"""What a vector from elsewhere does to bias, at several doses, beside directions that mean nothing.

The dose is chosen on the validation split and measured once on the test split, as the pipeline does
with vectors of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor

from evenkeel.activations.capture import capture_texts
from evenkeel.conditions.vector import VectorCondition
from evenkeel.controls.nulls import random_and_orthogonal, rank_p
from evenkeel.datasets.records import Prompt
from evenkeel.errors import BadInputError
from evenkeel.evaluation.bias_check import MARGIN_OF_COMPETENCE
from evenkeel.metrics.competence import CompetenceGate
from evenkeel.metrics.measures import PromptSetMeasures
from evenkeel.models.loading import LoadedModel
from evenkeel.models.sites import HookPoint
from evenkeel.params import Action, Split
from evenkeel.scoring.prompt_set import PromptSet
from evenkeel.selection.budget import Budget
from evenkeel.selection.candidate import Candidate
from evenkeel.selection.evaluator import Evaluator
from evenkeel.statistics.estimate import Estimate
from evenkeel.vectors.vector import SteeringVector, stream_norm

BUDGET = Budget(max_perplexity_ratio=1.1, max_definitional_loss=0.05)
"""That of params.yaml."""
METRICS = (
    "bias_reduction", "mean_log_odds_change", "moved_away_share", "definitional_accuracy_change",
    "perplexity_ratio",
)  # fmt: skip


@dataclass(frozen=True)
class Audit:
    """What was found."""

    doses: Mapping[float, Candidate]
    """On validation, by dose."""
    chosen: float | None
    """The dose within the budget that reduces bias most there; None if none reduces it."""
    test: Candidate | None
    """At that dose, on test."""
    p: Mapping[str, float | None]
    """By kind of null direction, the chance of one that reduces bias as much, on test."""
    nulls: Mapping[str, tuple[float | None, ...]]
    """Bias reduction of each null direction."""
    too_weak: str | None
    """Why the model's bias cannot be told, if it cannot."""

    def as_json(self) -> dict[str, Any]:
        return {
            "doses": {f"{dose:g}": _columns(one) for dose, one in self.doses.items()},
            "chosen": self.chosen,
            "test": _columns(self.test) if self.test else None,
            "p": dict(self.p),
            "nulls": {kind: list(values) for kind, values in self.nulls.items()},
            "too_weak": self.too_weak,
        }


def foreign_vectors(
    loaded: LoadedModel,
    axis: str,
    by_layer: Mapping[int, Float[Tensor, " width"]],
    texts: Sequence[str],
) -> list[SteeringVector]:
    """Vectors at the output of blocks, their unit measured on texts.

    Raises:
        BadInputError: the model lacks a layer, or is of another width.
    """
    streams = capture_texts(loaded, texts, ["resid_post"], sorted(by_layer), positions="mean")
    found = []
    for layer, raw in by_layer.items():
        point = HookPoint("resid_post", layer)
        rows = streams[point]
        if rows.shape[1] != len(raw):
            raise BadInputError(
                f"layer {layer}: a vector of width {len(raw)}, but this model has {rows.shape[1]}; "
                "audit it on the model that it was made for"
            )
        found.append(
            SteeringVector.of(
                raw, axis=axis, method="foreign", site="resid_post", layer=layer,
                stream_norm=stream_norm(rows, point),
            )
        )  # fmt: skip
    return found


def audit(
    loaded: LoadedModel,
    axis: str,
    vectors: Sequence[SteeringVector],
    action: Action,
    doses: Sequence[float],
    prompts: Sequence[Prompt],
    texts: Sequence[str],
    *,
    draws: int,
    resamples: int = 2000,
    seed: int = 0,
    batch_size: int = 64,
) -> Audit:
    """Measure a vector, or one a layer together.

    Args:
        loaded: the model.
        axis: kind of bias.
        vectors: at most one a layer.
        action: add or ablate.
        doses: multipliers: in mean norms of the residual stream (add), or shares (ablate).
        prompts: of the axis and all splits.
        texts: held-out plain texts; every other one serves the choice of the dose.
        draws: null directions of each kind; 0 for none.
        resamples: bootstrap resamples.
        seed: of resamples and null directions.
        batch_size: rows in a forward pass.

    Raises:
        BadInputError: a split has no prompts, or a vector does not fit the model.
    """
    validation = _evaluator(loaded, prompts, "validation", texts[0::2], resamples, seed, batch_size)
    test = _evaluator(loaded, prompts, "test", texts[1::2], resamples, seed, batch_size)
    groups = tuple((vector,) for vector in vectors)
    conditions = [VectorCondition(groups, action, dose) for dose in doses]
    tried = validation.compare(conditions, "doses", intervals="all")
    by_dose = dict(zip(doses, tried, strict=True))
    too_weak = validation.gate.reason(validation.measures.of(validation.readings))

    def reduction(one: Candidate) -> float:
        return one.value("bias_reduction") or 0.0

    allowed = {d: one for d, one in by_dose.items() if BUDGET.allows(one) and reduction(one) > 0}
    if not allowed:
        return Audit(by_dose, None, None, {}, {}, too_weak)
    dose = max(allowed, key=lambda one: reduction(allowed[one]))
    condition = VectorCondition(groups, action, dose)
    (measured,) = test.compare([condition], "test", intervals="all")
    nulls, p = {}, {}
    for kind, conditions_of_kind in random_and_orthogonal(condition, draws, seed).items():
        values = [
            one.value("bias_reduction")
            for one in test.compare(conditions_of_kind, kind, intervals="none")
        ]
        nulls[kind] = tuple(values)
        found = np.array([np.nan if value is None else value for value in values])
        p[kind] = rank_p(measured.value("bias_reduction"), found)
    return Audit(by_dose, dose, measured, p, nulls, too_weak)


def _evaluator(
    loaded: LoadedModel,
    prompts: Sequence[Prompt],
    split: Split,
    texts: Sequence[str],
    resamples: int,
    seed: int,
    batch_size: int,
) -> Evaluator:
    own = [prompt for prompt in prompts if prompt.split == split]
    prompt_set = PromptSet.of(loaded.model, loaded.tokenizer, own, texts)
    measures = PromptSetMeasures(prompt_set, resamples, seed)
    gate = CompetenceGate(MARGIN_OF_COMPETENCE)
    return Evaluator(loaded.model, loaded.tokenizer, measures, gate, batch_size=batch_size)


def _columns(one: Candidate) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in METRICS:
        found |= one.measures.get(name, Estimate(None)).columns(name)
    return found
