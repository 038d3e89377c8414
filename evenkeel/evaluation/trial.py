"""The trial: every measure, of the few models that were chosen before."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from evenkeel.evaluation.candidates import Candidate
from evenkeel.evaluation.competence import CompetenceGate, withheld
from evenkeel.evaluation.continuations import continue_texts, text_measures
from evenkeel.evaluation.divergence import text_divergences
from evenkeel.evaluation.measures import Measures, PanelMeasures
from evenkeel.evaluation.panel import Panel, Readings
from evenkeel.params import GenerationParams
from evenkeel.steering.hooks import steer
from evenkeel.synthesis.records import Prompt


@dataclass(frozen=True, eq=False)
class Outcome:
    """What one model, steered or not, did in the trial."""

    readings: Readings
    continuations: list[str]
    measures: Measures
    too_weak: str | None
    """Why its measures of bias are unknown, if they are withheld."""


class Trial:
    """Puts models through a panel and has them continue the same prompts.

    Args:
        model: the unsteered model; it is the same object, unhooked, afterwards.
        tokenizer: of the model.
        measures: of the panel.
        gate: withholds the bias of a model that cannot do the task.
        prompts: to be continued.
        generation: how they are continued.
        batch_size: rows in a forward pass.
        seed: of sampling and of the resamples.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        measures: PanelMeasures,
        gate: CompetenceGate,
        prompts: Sequence[Prompt],
        generation: GenerationParams,
        *,
        batch_size: int,
        seed: int,
    ) -> None:
        self.model = model
        self.measures = measures
        self.gate = gate
        self.batch_size = batch_size
        self._tokenizer = tokenizer
        self.prompts = prompts
        self._generation = generation
        self._seed = seed
        readings, texts, alone = self._ask(measures.panel)
        too_weak = gate.reason(alone)
        self.baseline = Outcome(readings, texts, withheld(alone) if too_weak else alone, too_weak)

    def of(self, candidate: Candidate) -> Outcome:
        """The trial of the model under a candidate, with its measures against the baseline."""
        interventions = candidate.interventions
        with steer(self.model, interventions):
            readings, texts, alone = self._ask(self.measures.panel)
        divergences = text_divergences(
            self.model, interventions, self.measures.panel.texts, self.batch_size
        )
        kl = {"kl_neutral": self.measures.kl_neutral(divergences)}
        return self._against_baseline(readings, texts, alone | kl)

    def behind(self, prefix: str, panel: Panel) -> Outcome:
        """The trial of the unsteered model behind a prefix.

        Args:
            prefix: put before every prompt.
            panel: the trial's panel behind the same prefix.
        """
        return self._against_baseline(*self._ask(panel, prefix))

    def _against_baseline(self, readings: Readings, texts: list[str], alone: Measures) -> Outcome:
        found = alone | self.measures.against(self.baseline.readings, readings)
        too_weak = self.baseline.too_weak or self.gate.reason(found)
        return Outcome(readings, texts, withheld(found) if too_weak else found, too_weak)

    def _ask(self, panel: Panel, prefix: str = "") -> tuple[Readings, list[str], Measures]:
        readings = panel.read(self.model, self.batch_size)
        texts = continue_texts(
            self.model,
            self._tokenizer,
            [prefix + prompt.text for prompt in self.prompts],
            max_new_tokens=self._generation.max_new_tokens,
            temperature=self._generation.temperature,
            top_p=self._generation.top_p,
            batch_size=self.batch_size,
            seed=self._seed,
        )
        alone = self.measures.of(readings)
        alone |= text_measures(texts, self.measures.resamples, self._seed)
        return readings, texts, alone
