"""Controls of the selected intervention, on the test set: would anything else have done it?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evenkeel.conditions.condition import Condition, DosedCondition
from evenkeel.controls.nulls import hardest_nulls, null_conditions, rank_p
from evenkeel.controls.reprobing import Reprobed, reprobe
from evenkeel.datasets.records import Prompt
from evenkeel.models.loading import LoadedModel
from evenkeel.selection.candidate import Candidate
from evenkeel.selection.evaluator import Evaluator
from evenkeel.statistics.estimate import Estimate
from evenkeel.vectors.shuffled import ShuffledVectors

SHOWN = ("bias_reduction", "definitional_accuracy_change", "perplexity_ratio")


@dataclass(frozen=True, eq=False)
class Controls:
    """What other directions do in the selected one's place, and what is still there after it."""

    selected: Candidate
    nulls: Mapping[str, Sequence[Candidate]]
    """Null-direction baselines, by kind."""
    reprobed: Sequence[Reprobed]
    advantages: Mapping[str, Estimate]
    """By how much the selected bias reduction exceeds the largest of each kind's draws, with an
    interval over items: what few draws can say, whose rank cannot."""

    def drawn(self, kind: str, name: str) -> np.ndarray:
        """A metric of each draw of a kind; NaN where it is unknown."""
        return np.array([each.value(name) for each in self.nulls[kind]], dtype=float)

    @property
    def p_nulls(self) -> dict[str, float | None]:
        """Rank of the selected bias reduction among the draws of each kind."""
        value = self.selected.value("bias_reduction")
        return {kind: rank_p(value, self.drawn(kind, "bias_reduction")) for kind in self.nulls}


def run_controls(
    loaded: LoadedModel,
    selected: Candidate,
    test: Evaluator,
    shuffled: ShuffledVectors,
    prompts: Sequence[Prompt],
    draws: int,
    seed: int,
) -> Controls:
    """Put null directions in the selected one's place, and probe anew.

    Args:
        loaded: the unsteered model.
        selected: what was selected, measured on test.
        test: the test set, as far as null directions are read on it.
        shuffled: vectors of shuffled labels.
        prompts: of its axis and all splits.
        draws: null directions of each kind.
        seed: of the draws and resamples.
    """
    condition = selected.condition
    assert isinstance(condition, DosedCondition)
    nulls = null_conditions(condition, shuffled, draws, seed)
    tried = [condition, *(each for kind in nulls.values() for each in kind)]
    chosen, *others = test.compare(tried, "controls", intervals="none")
    candidates = iter(others)
    measured = {kind: [next(candidates) for _ in drawn] for kind, drawn in nulls.items()}
    return Controls(
        selected,
        measured,
        reprobe(
            loaded.model,
            loaded.tokenizer,
            prompts,
            condition.interventions,
            batch_size=test.batch_size,
            resamples=test.measures.resamples,
            seed=seed,
        ),
        {kind: _advantage(chosen, drawn, test) for kind, drawn in measured.items()},
    )


def _advantage(chosen: Candidate, drawn: Sequence[Candidate], test: Evaluator) -> Estimate:
    """Over the largest bias reduction of the draws; unknown if one of theirs is."""
    reductions = [each.value("bias_reduction") for each in drawn]
    known = [value for value in reductions if value is not None]
    if not known or len(known) < len(reductions) or chosen.value("bias_reduction") is None:
        return Estimate(None)
    hardest = drawn[int(np.argmax(known))]
    return test.measures.items.advantage(
        test.readings, chosen.measurement.readings, hardest.measurement.readings
    )


def rank_all(
    conditions: Sequence[Condition],
    test: Evaluator,
    shuffled: ShuffledVectors,
    draws: int,
    seed: int,
) -> dict[Condition, dict[str, float | None]]:
    """Rank of each condition's bias reduction among its hardest null directions, by their kind.

    Condition and null directions are read on the same prompts. Conditions that have no null
    directions are left out.

    Args:
        conditions: to be ranked.
        test: what they are read on.
        shuffled: vectors of shuffled labels.
        draws: null directions of each; 0 for none at all.
        seed: of the draws.
    """
    nulls = {
        condition: found
        for condition in conditions
        if draws and (found := hardest_nulls(condition, shuffled, draws, seed))
    }
    tried = [each for condition, (_, drawn) in nulls.items() for each in (condition, *drawn)]
    measured = iter(test.compare(tried, "null directions", intervals="none") if tried else ())
    ranks: dict[Condition, dict[str, float | None]] = {}
    for condition, (kind, drawn) in nulls.items():
        value = next(measured).value("bias_reduction")
        others = [next(measured).value("bias_reduction") for _ in drawn]
        ranks[condition] = {kind: rank_p(value, np.array(others, dtype=float))}
    return ranks


def null_rows(controls: Controls | None) -> list[dict[str, Any]]:
    """One row a draw, the selected intervention first; a row of unknowns if nothing was selected,
    so that the table has its columns."""
    rows: list[tuple[str, int, Candidate | None]] = [
        ("selected", 0, controls.selected if controls else None)
    ]
    for kind, candidates in controls.nulls.items() if controls else ():
        rows += [(kind, draw, candidate) for draw, candidate in enumerate(candidates)]
    return [
        {
            "kind": kind,
            "draw": draw,
            **{name: candidate.value(name) if candidate else None for name in SHOWN},
        }
        for kind, draw, candidate in rows
    ]
