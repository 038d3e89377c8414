"""What the pipeline's measures say of models with an implant, held against what was implanted."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from evenkeel.datasets.records import Prompt
from evenkeel.evaluation.result import EvaluationResult, Measured
from evenkeel.implanting.result import ImplantedLine, ImplantedModel, Removal
from evenkeel.implanting.tables import TEMPLATES, crossed
from evenkeel.metrics.association import association
from evenkeel.metrics.bias import correlation
from evenkeel.metrics.measures import PromptSetMeasures
from evenkeel.models.loading import LoadedModel
from evenkeel.scoring.prompt_set import PromptSet, Readings
from evenkeel.statistics.bootstrap import ClusterBootstrap
from evenkeel.statistics.estimate import rounded

BATCH_SIZE = 32
KEPT = (
    "reference_slope", "reference_correlation", "item_spread", "mean_log_odds",
    "definitional_accuracy", "definitional_auroc", "perplexity", "perplexity_ratio",
    "bias_reduction", "definitional_accuracy_change",
)  # fmt: skip
"""Metrics that are reported of each model."""
Row = dict[str, str | float | None]


class Implants:
    """Measures one model after the other on the same prompts, and keeps the score of every item.

    All items of the table are asked about, in templates of the test split, which no implant was
    trained in.

    Args:
        base: the model without an implant; the others have its tokenizer.
        prompts: of one axis and all splits, whose references are the table.
        texts: held-out plain texts.
        resamples: bootstrap resamples of items, and permutations behind each p.
        seed: of both.

    Raises:
        BadInputError: as of `crossed`.
    """

    def __init__(
        self,
        base: LoadedModel,
        prompts: Sequence[Prompt],
        texts: Sequence[str],
        resamples: int,
        seed: int,
    ) -> None:
        known = [p for p in prompts if (p.kind, p.split) == ("definitional", "test")]
        prompt_set = partial(PromptSet.of, base.model, base.tokenizer)
        heldout = prompt_set([*crossed(prompts, ["test"]), *known], texts)
        self._heldout = PromptSetMeasures(heldout, resamples, seed)
        trained_in = prompt_set(crossed(prompts, TEMPLATES), ())
        self._trained_in = PromptSetMeasures(trained_in, resamples, seed)
        self._bootstrap = ClusterBootstrap(len(self.items), resamples, seed)
        self._resamples, self._seed = resamples, seed
        self._baseline = heldout.read(base.model, BATCH_SIZE)
        self._scores: dict[float, Float[ndarray, "items groups"]] = {}
        self.base = self._measured(base, self._baseline, None)

    @property
    def items(self) -> tuple[str, ...]:
        return self._heldout.items.items.names

    @property
    def templates(self) -> int:
        """How many the measures are of."""
        return self._heldout.sample["stereotypical_templates"]

    def measure(self, loaded: LoadedModel, strength: float) -> ImplantedModel:
        """What is measured of a model with an implant of this strength."""
        readings = self._heldout.prompt_set.read(loaded.model, BATCH_SIZE)
        self._scores[strength] = self._heldout.items.scores(readings)
        return self._measured(loaded, readings, strength)

    def _measured(
        self, loaded: LoadedModel, readings: Readings, strength: float | None
    ) -> ImplantedModel:
        items = self._heldout.items
        scores, own = items.scores(readings), items.scores(self._baseline)
        found = self._heldout.of(readings)
        if strength is not None:
            found |= self._heldout.against(self._baseline, readings)
        fit = self._trained_in.prompt_set.read(loaded.model, BATCH_SIZE)
        trained_in = self._trained_in.items.of(fit)["reference_slope"]
        test = association(items.reference, scores, self._resamples, self._seed)
        fields = {
            "strength": strength,
            "p": rounded(test.p_value) if test else None,
            "measures": {name: found[name] for name in KEPT if name in found},
            **trained_in.columns("trained_templates_slope"),
            **self._bootstrap.estimate(correlation, own, scores).columns("own_correlation"),
        }
        return ImplantedModel.model_validate(fields)

    def line(self) -> ImplantedLine:
        """Measured on implanted log-odds, over all items of all models with an implant."""
        implanted, measured = self._log_odds()
        statistics = {"slope": _slope, "intercept": _intercept, "correlation": _correlation}
        fields: dict[str, Any] = {}
        for name, statistic in statistics.items():
            fields |= self._bootstrap.estimate(statistic, implanted, measured).columns(name)
        return ImplantedLine.model_validate(fields)

    def rows(self) -> list[Row]:
        """Log-odds of the first group against the others of every item: implanted, and measured."""
        implanted, measured = self._log_odds()
        return [
            {
                "item": item,
                "strength": strength,
                "implanted": rounded(float(implanted[row, column])),
                "measured": rounded(float(measured[row, column])),
            }
            for column, strength in enumerate(self._scores)
            for row, item in enumerate(self.items)
        ]

    def _log_odds(self) -> tuple[Float[ndarray, "items models"], Float[ndarray, "items models"]]:
        """Of the first group against the others: implanted, and measured."""
        groups = self._heldout.items.reference.shape[1]
        scale = groups / (groups - 1)  # from a centred score
        table = self._heldout.items.reference[:, 0]
        implanted = [scale * strength * table for strength in self._scores]
        measured = [scale * scores[:, 0] for scores in self._scores.values()]
        return np.stack(implanted, axis=1), np.stack(measured, axis=1)


def removal(evaluation: EvaluationResult, strength: float) -> Removal:
    """What an evaluation of a model with an implant found and removed, on items of the test split.

    Args:
        evaluation: whose references are the table.
        strength: of the implant.
    """
    selected = evaluation.selected
    return Removal(
        strength=strength,
        intervention=selected.name if selected else None,
        items=evaluation.sample["test"]["items"],
        before=_kept(evaluation.baseline),
        after=_kept(selected) if selected else None,
    )


def _kept(measured: Measured) -> Measured:
    return Measured(measures={n: measured.measures[n] for n in KEPT if n in measured.measures})


def _slope(
    x: Float[ndarray, "... items models"], y: Float[ndarray, "... items models"]
) -> Float[ndarray, "..."]:
    x = x - x.mean(axis=(-2, -1), keepdims=True)
    return (x * y).mean(axis=(-2, -1)) / (x**2).mean(axis=(-2, -1))


def _intercept(
    x: Float[ndarray, "... items models"], y: Float[ndarray, "... items models"]
) -> Float[ndarray, "..."]:
    return y.mean(axis=(-2, -1)) - _slope(x, y) * x.mean(axis=(-2, -1))


def _correlation(
    x: Float[ndarray, "... items models"], y: Float[ndarray, "... items models"]
) -> Float[ndarray, "..."]:
    return _slope(x, y) * x.std(axis=(-2, -1)) / y.std(axis=(-2, -1))
