"""The trial on the test split: every measure, once, of the models that were chosen before."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from evenkeel.evaluation.candidates import Candidate
from evenkeel.evaluation.continuations import continue_texts, text_measures
from evenkeel.evaluation.divergence import text_divergences
from evenkeel.evaluation.measures import Measures, PanelMeasures
from evenkeel.evaluation.panel import Readings
from evenkeel.params import GenerationParams
from evenkeel.steering.hooks import steer
from evenkeel.synthesis.records import Prompt


@dataclass(frozen=True, eq=False)
class Outcome:
    """What one model, steered or not, did in the trial."""

    readings: Readings
    continuations: list[str]
    measures: Measures


class Trial:
    """Puts models through the test panel and has them continue the same prompts.

    Args:
        model: the unsteered model; it is the same object, unhooked, afterwards.
        tokenizer: of the model.
        measures: of the test panel.
        prompts: to be continued.
        generation: how they are continued.
        batch_size: rows in a forward pass.
        resamples: bootstrap resamples of the measures of text.
        seed: of sampling and of the resamples.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        measures: PanelMeasures,
        prompts: Sequence[Prompt],
        generation: GenerationParams,
        *,
        batch_size: int,
        resamples: int,
        seed: int,
    ) -> None:
        self.model = model
        self.measures = measures
        self.batch_size = batch_size
        self._tokenizer = tokenizer
        self.prompts = prompts
        self._generation = generation
        self._resamples = resamples
        self._seed = seed
        readings, texts, alone = self._ask()
        self.baseline = Outcome(readings, texts, alone)

    def of(self, candidate: Candidate) -> Outcome:
        """The trial of the model under a candidate, with its measures against the baseline."""
        interventions = candidate.interventions
        with steer(self.model, interventions):
            readings, texts, alone = self._ask()
        relative = self.measures.against(self.baseline.readings, readings)
        divergences = text_divergences(
            self.model, interventions, self.measures.panel.texts, self.batch_size
        )
        relative["kl_neutral"] = self.measures.kl_neutral(divergences)
        return Outcome(readings, texts, alone | relative)

    def _ask(self) -> tuple[Readings, list[str], Measures]:
        readings = self.measures.panel.read(self.model, self.batch_size)
        texts = continue_texts(
            self.model,
            self._tokenizer,
            [prompt.text for prompt in self.prompts],
            max_new_tokens=self._generation.max_new_tokens,
            temperature=self._generation.temperature,
            top_p=self._generation.top_p,
            batch_size=self.batch_size,
            seed=self._seed,
        )
        alone = self.measures.of(readings)
        alone |= text_measures(texts, self._resamples, self._seed)
        return readings, texts, alone
