"""What each case did, next to the model as it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from evenkeel.case_studies.asking import Questions
from evenkeel.case_studies.cases import Case
from evenkeel.metrics.measures import as_json
from evenkeel.progress import Progress
from evenkeel.statistics.bootstrap import ClusterBootstrap, mean, ratio_of_sums, share
from evenkeel.statistics.estimate import Measures
from evenkeel.steering.backends import steered
from evenkeel.steering.continuations import text_measures
from evenkeel.steering.hooks import steer


@dataclass(frozen=True, eq=False)
class Effect:
    """What one case did; of no case: what the model does as it is."""

    case: Case | None
    continuations: list[str]
    log_odds: Float[ndarray, " prompts"] | None
    measures: Measures
    agreement: dict[str, float]
    """Of every further backend: share of the texts in which it writes the same as the first."""

    def recipe(self) -> dict[str, Any]:
        """What the case is, as JSON values; nothing of a model as it is."""
        if self.case is None:
            return {"recipe": None, "layer": None, "multiplier": None}
        case = self.case
        return {"recipe": case.recipe.name, "layer": case.layer, "multiplier": case.multiplier}

    def record(self) -> dict[str, Any]:
        """The case and its measures, as JSON values."""
        return self.recipe() | as_json(self.measures)

    def row(self) -> dict[str, Any]:
        """The case and its measures, flat: intervals as `_low` and `_high`."""
        row = self.recipe()
        for name, estimate in self.measures.items():
            row |= estimate.cells(name)
        return row


def measure_effects(
    model: Any, questions: Questions, cases: Sequence[Case], resamples: int
) -> list[Effect]:
    """The model as it is, and then under each case.

    Measures: those of `text_measures`; `perplexity` of the texts to the model as it is; `log_odds`
    of the words after a prompt, and `shift`, by how much steering raised them, in nats;
    `changed_share`, the texts that differ from unsteered ones drawn from the same random numbers.

    Raises:
        BadInputError: a case does not fit the model, or a backend cannot do it.
    """
    measurer = _Measurer(model, questions, resamples)
    baseline = measurer.unsteered()
    progress = Progress(cases, "demonstrate", unit="case")
    return [baseline, *(measurer.under(case, baseline) for case in progress)]


class _Measurer:
    def __init__(self, model: Any, questions: Questions, resamples: int) -> None:
        self._model = model
        self._questions = questions
        self._resamples = resamples
        self._prompts = ClusterBootstrap(len(questions.prompts), resamples, questions.seed)

    def unsteered(self) -> Effect:
        texts = self._questions.continuations(self._model)
        odds = self._questions.log_odds(self._model)
        return Effect(None, texts, odds, self._measures(texts, odds), {})

    def under(self, case: Case, baseline: Effect) -> Effect:
        first, *others = case.recipe.backends
        texts = self._continuations(case, first)
        with steer(self._model, case.intervention):
            odds = self._questions.log_odds(self._model)
        measures = self._measures(texts, odds)
        changed = [float(a != b) for a, b in zip(texts, baseline.continuations, strict=True)]
        by_prompt = np.array(changed).reshape(len(self._questions.prompts), -1)
        counts = np.full(len(by_prompt), float(by_prompt.shape[1]))
        measures["changed_share"] = share(self._prompts, by_prompt.sum(1), counts)
        if odds is not None and baseline.log_odds is not None:
            measures["shift"] = self._prompts.estimate(mean, odds - baseline.log_odds)
        agreement: dict[str, float] = {}
        for backend in others:
            again = self._continuations(case, backend)
            agreement[backend] = float(np.mean([a == b for a, b in zip(texts, again, strict=True)]))
        return Effect(case, texts, odds, measures, agreement)

    def _continuations(self, case: Case, backend: str) -> list[str]:
        tokenizer = self._questions.tokenizer
        with steered(backend, self._model, tokenizer, case.intervention) as generating:
            return self._questions.continuations(generating)

    def _measures(self, texts: list[str], odds: Float[ndarray, " prompts"] | None) -> Measures:
        questions = self._questions
        samples = questions.sampling.samples
        measures = text_measures(texts, samples, self._resamples, questions.seed)
        losses, tokens = questions.losses(self._model, texts)
        by_prompt = (len(questions.prompts), samples)
        measures["perplexity"] = self._prompts.estimate(
            lambda loss, count: np.exp(ratio_of_sums(loss, count)),
            losses.reshape(by_prompt).sum(1),
            tokens.reshape(by_prompt).sum(1),
        )
        if odds is not None:
            measures["log_odds"] = self._prompts.estimate(mean, odds)
        return measures
