"""The material of a study, split by split: panels, the competence asked, trials."""

from collections.abc import Sequence
from functools import cache

from evenkeel.conditions.prompting import Prefixed, try_prefixes
from evenkeel.datasets.records import Prompt, Split
from evenkeel.errors import BadInputError
from evenkeel.evaluation.trial import Outcome, Trial
from evenkeel.metrics.competence import CompetenceGate, chance
from evenkeel.metrics.measures import PanelMeasures
from evenkeel.models.loading import LoadedModel
from evenkeel.params import EvaluationParams
from evenkeel.scoring.prompt_set import Panel
from evenkeel.scoring.result_cache import NOT_KEPT, Journal
from evenkeel.selection.judging import Judge
from evenkeel.selection.selection import Budget, best_of
from evenkeel.steering.continuations import spread_over_kinds


class Splits:
    """Panels, measures and trials of each split of one axis.

    Args:
        loaded: the model to steer.
        prompts: of one axis and all splits.
        texts: held-out plain texts; of the first `params.heldout_texts`, every other one belongs to
            validation and the rest to test.
        params: what is asked.
        seed: of sampling and resampling.
        journal: keeps what the passes of the trials say.

    Raises:
        BadInputError: there are too few texts.
    """

    def __init__(
        self,
        loaded: LoadedModel,
        prompts: Sequence[Prompt],
        texts: Sequence[str],
        params: EvaluationParams,
        seed: int,
        journal: Journal = NOT_KEPT,
    ) -> None:
        texts = texts[: params.heldout_texts]
        if len(texts) < 2:
            raise BadInputError(
                f"the held-out file has {len(texts)} texts of kind 'plain'; perplexity needs at "
                "least one for selection and one for the report, so give it more "
                "(dataset.heldout_texts)"
            )
        self._loaded, self._prompts, self._params, self._seed = loaded, prompts, params, seed
        self._journal = journal
        self._texts = {"validation": texts[0::2], "test": texts[1::2]}
        self.measures = cache(self._measures)

    def panel(self, split: Split, prefix: str = "") -> Panel:
        """What is asked in a split, behind a prefix.

        Raises:
            BadInputError: the split lacks prompts, or does not fit the model's context.
        """
        own = [prompt for prompt in self._prompts if prompt.split == split]
        model, tokenizer = self._loaded.model, self._loaded.tokenizer
        try:
            return Panel.of(model, tokenizer, own, self._texts[split], prefix)
        except BadInputError as error:
            behind = f", behind the prefix {prefix!r}" if prefix else ""
            where = f"{split} split of axis {self._params.axis!r}{behind}"
            raise BadInputError(f"{where}: {error}") from error

    def _measures(self, split: Split) -> PanelMeasures:
        return PanelMeasures(self.panel(split), self._params.resamples, self._seed)

    def gate(self, split: Split) -> CompetenceGate:
        """What a model must be able to do for its bias to be told in a split."""
        asked = self.measures(split).panel.definitional
        return CompetenceGate(chance(asked), self._params.competence_margin)

    def trial(self, split: Split) -> Trial:
        """The trial of a split; the unsteered model has gone through it."""
        prompts = [prompt for prompt in self._prompts if prompt.split == split]
        return Trial(
            self._loaded.model,
            self._loaded.tokenizer,
            self.measures(split),
            self.gate(split),
            spread_over_kinds(prompts, self._params.generation.prompts),
            self._params.generation,
            batch_size=self._params.batch_size,
            seed=self._seed,
            journal=self._journal,
        )

    def prompting(self, budget: Budget, trial: Trial) -> tuple[Prefixed, Outcome] | None:
        """The best prefix on validation, and its trial on test; None if there is none to try."""
        prefixes = self._params.prefixes
        if not prefixes:
            return None
        validation, model = self.measures("validation"), self._loaded.model
        baseline = validation.panel.read(model, self._params.batch_size)
        judge = Judge(validation, self.gate("validation"), baseline)
        panels = [self.panel("validation", prefix) for prefix in prefixes]
        size, with_kl = self._params.batch_size, self._params.max_kl is not None
        tried = try_prefixes(model, prefixes, panels, judge, size, with_kl)
        best = best_of(tried, budget)
        return best, trial.behind(best.prefix, self.panel("test", best.prefix))
