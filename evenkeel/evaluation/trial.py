"""The trial: every measure, of the few models that were chosen before."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from evenkeel.conditions.candidates import Candidate
from evenkeel.datasets.records import Prompt
from evenkeel.metrics.competence import CompetenceGate, withheld
from evenkeel.metrics.measures import Measures, PanelMeasures
from evenkeel.params import GenerationParams
from evenkeel.scoring.divergence import prefix_divergences, text_divergences
from evenkeel.scoring.prompt_set import Panel, Readings
from evenkeel.scoring.result_cache import NOT_KEPT, Journal
from evenkeel.selection.sweep import read_steered
from evenkeel.steering.continuations import continue_texts, text_measures
from evenkeel.steering.hooks import steer


@dataclass(frozen=True, eq=False)
class Outcome:
    """What one model, steered or not, did in the trial."""

    readings: Readings
    continuations: list[str]
    """Prompt by prompt, all samples of each."""
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
        journal: keeps what each pass over the panel says.
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
        journal: Journal = NOT_KEPT,
    ) -> None:
        self.model = model
        self.measures = measures
        self.gate = gate
        self.batch_size = batch_size
        self.journal = journal
        self._tokenizer = tokenizer
        self.prompts = prompts
        self.samples = generation.samples
        self._generation = generation
        self._seed = seed
        readings, texts = measures.panel.read(model, batch_size), self._continue()
        alone = self._alone(readings, texts)
        too_weak = gate.reason(alone)
        self.baseline = Outcome(readings, texts, withheld(alone) if too_weak else alone, too_weak)

    def of(self, candidates: Sequence[Candidate]) -> list[Outcome]:
        """The trial of the model under each candidate, with its measures against the baseline."""
        edits = [candidate.interventions for candidate in candidates]
        panel = self.measures.panel
        size, journal = self.batch_size, self.journal
        _, steered = read_steered(self.model, edits, panel, size, "trial", journal)
        divergences = text_divergences(self.model, edits, panel.texts, size, journal)
        outcomes = []
        for interventions, readings, moved in zip(edits, steered, divergences, strict=True):
            with steer(self.model, interventions):
                texts = self._continue()
            kl = {"kl_neutral": self.measures.kl_neutral(moved)}
            outcomes.append(self._judged(readings, texts, kl))
        return outcomes

    def behind(self, prefix: str, panel: Panel) -> Outcome:
        """The trial of the unsteered model behind a prefix.

        Args:
            prefix: put before every prompt.
            panel: the trial's panel behind the same prefix.
        """
        own, size = self.measures, self.batch_size
        (moved,) = prefix_divergences(self.model, own.panel, [panel], size)
        kl = {"kl_neutral": own.kl_neutral(moved)}
        return self._judged(panel.read(self.model, size), self._continue(prefix), kl)

    def _judged(self, readings: Readings, texts: list[str], more: Measures) -> Outcome:
        """Measures of what a steered model said, against the baseline."""
        alone = self._alone(readings, texts)
        found = alone | more | self.measures.against(self.baseline.readings, readings)
        too_weak = self.baseline.too_weak or self.gate.reason(found)
        return Outcome(readings, texts, withheld(found) if too_weak else found, too_weak)

    def _alone(self, readings: Readings, texts: list[str]) -> Measures:
        """Measures of a model by itself."""
        of_text = text_measures(texts, self.samples, self.measures.resamples, self._seed)
        return self.measures.of(readings) | of_text

    def _continue(self, prefix: str = "") -> list[str]:
        return continue_texts(
            self.model,
            self._tokenizer,
            [prefix + prompt.text for prompt in self.prompts for _ in range(self.samples)],
            max_new_tokens=self._generation.max_new_tokens,
            temperature=self._generation.temperature,
            top_p=self._generation.top_p,
            batch_size=self.batch_size,
            seed=self._seed,
        )
