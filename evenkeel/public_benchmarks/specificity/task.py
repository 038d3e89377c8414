"""The battery as a benchmark: one rule a capability."""

from collections.abc import Sequence

import numpy as np

from evenkeel.errors import BadInputError
from evenkeel.models.chat import takes_a_message
from evenkeel.models.loading import LoadedModel
from evenkeel.public_benchmarks.encoding import Encoder
from evenkeel.public_benchmarks.measures import Measure
from evenkeel.public_benchmarks.scoring import LogProbs, Scorer
from evenkeel.public_benchmarks.specificity.capabilities import (
    CivilWords,
    Instructions,
    Knowledge,
    Opinions,
    Outcome,
    Refusals,
    Scoring,
)
from evenkeel.public_benchmarks.specificity.items import Items
from evenkeel.public_benchmarks.task import Task
from evenkeel.statistics.bootstrap import mean
from evenkeel.steering.continuations import continue_texts

ROWS = 128
"""Messages answered at once."""


class Specificity(Task):
    """The items, encoded for one model; those that need a chat only where its template takes one.

    Raises:
        BadInputError: nothing can be asked of this model, or no item of a file fits its context.
    """

    def __init__(self, items: Items, encoder: Encoder) -> None:
        scorings: list[Scoring] = []
        if items.knowledge:
            scorings.append(Knowledge(items.knowledge, encoder))
        if items.toxicity:
            scorings.append(CivilWords(items.toxicity, encoder))
        chat = takes_a_message(encoder.tokenizer)
        if chat and items.refusal:
            scorings += [Refusals(items.refusal, encoder, harmless=each) for each in (False, True)]
        if chat and items.sycophancy:
            scorings.append(Opinions(items.sycophancy, encoder))
        self._scorings = scorings
        self._instructions = (
            Instructions(items.instructions, encoder) if chat and items.instructions else None
        )
        asked: list[Scoring | Instructions] = [*scorings]
        if self._instructions:
            asked.append(self._instructions)
        if not asked:
            raise BadInputError(
                "specificity: all files ask a chat model, and this model's tokenizer has no chat "
                "template that takes a user's message; add knowledge.jsonl or toxicity.jsonl"
            )
        self.rules = {each.name: each.rule for each in asked}
        self.size = {f"items_of_{each.name}": each.items for each in asked}
        self.asked = [text for scoring in scorings for text in scoring.asked]

    def measures(self, log_probs: LogProbs) -> list[Measure]:
        """Score and competence of what probabilities tell; an interval resamples items."""
        sums = np.array([each.sum() for each in log_probs])
        ends = np.cumsum([len(scoring.asked) for scoring in self._scorings])
        return [
            measure
            for scoring, own in zip(self._scorings, np.split(sums, ends[:-1]), strict=True)
            for measure in _measures(scoring.name, scoring.outcome(own))
        ]

    def run(self, loaded: LoadedModel, scorer: Scorer) -> list[Measure]:
        """As any benchmark; and what the model writes when it is told how to."""
        found = self.measures(scorer.run(loaded.model)) if self._scorings else []
        return found + (self.written(self._answers(loaded)) if self._instructions else [])

    def written(self, answers: Sequence[str]) -> list[Measure]:
        """Score and competence of answers to the instructions."""
        assert self._instructions is not None
        outcome, followed = self._instructions.outcome(answers)
        name = self._instructions.name
        ones = np.ones(len(followed))
        where = (name, "all", "score")
        share = Measure.share(where, "capability", 1.0, outcome.score, ones, followed)
        return [share, *_measures(name, outcome)[1:]]

    def _answers(self, loaded: LoadedModel) -> list[str]:
        assert self._instructions is not None
        return continue_texts(
            loaded.model,
            loaded.tokenizer,
            self._instructions.messages,
            max_new_tokens=self._instructions.new_tokens,
            temperature=0.0,
            top_p=1.0,
            batch_size=ROWS,
            seed=0,
            chat=True,
        )


def _measures(name: str, outcome: Outcome) -> list[Measure]:
    return [
        Measure(name, "all", "score", "capability", 1.0, mean, (outcome.score,)),
        Measure(name, "all", "competence", "competence", 0.0, mean, (outcome.competence,)),
    ]
