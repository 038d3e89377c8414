"""Staged search: many candidates on a small part of the validation set, few on the whole of it.

Of candidates that differ in nothing but the multiplier one is measured, and the others follow from
what it did. Of ablations at many layers a first-order estimate, from one backward pass, leaves the
better half. Successive halving (Jamieson & Talwalkar 2016) with a race: after each stage a
candidate is dropped where its interval says that it cannot win or surely breaks the budget, and of
the rest only the best go on. The best of each method, action and gate goes on to the last part, so
that methods can be compared. On the whole set, multipliers between those of the finalists are
confirmed by a pass of their own until none promises more. Of the exhaustive sweep the whole set is
all there is.
"""

import math
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from evenkeel.conditions.condition import Condition, DosedCondition
from evenkeel.datasets.records import Prompt
from evenkeel.selection.budget import Budget
from evenkeel.selection.candidate import Candidate
from evenkeel.selection.choice import best_of, gain
from evenkeel.selection.evaluator import Evaluator
from evenkeel.selection.first_order import PASSES
from evenkeel.statistics.estimate import Estimate

PartEvaluator = Callable[[float], Evaluator]
"""The evaluator of a share of the validation set."""
Found = dict[int, Candidate]
"""By the number of the condition."""


@dataclass(frozen=True)
class Stage:
    """One stage of the search."""

    share: float
    """Of the validation set that is read."""
    kept: int
    """Candidates that may go on."""


ESTIMATED, LEAST = 0.5, 8
"""Share of the ablations of one method and gate that go on by their estimates, and fewest of them:
layers, most of all. Additions are ranked poorly by estimates, and all measured."""
STAGES = (Stage(1 / 12, 48), Stage(1 / 3, 12))
"""Before the whole set."""
SURELY = 1.5
"""How much wider an interval of a cost is taken on a part: of hundreds that hold 95 % some miss,
and the best candidates are often close to a limit."""
CONFIRMED = 12
"""Candidates that are measured on the whole set for what the finalists let expect, at most."""


@dataclass(frozen=True)
class SearchResult:
    """Every candidate with the measurement of the last stage that it came to."""

    candidates: list[Candidate]
    """In the order of the conditions."""
    passes: float
    """Measured candidates times share of the validation set, summed over stages."""


def search(
    conditions: Sequence[Condition],
    part: PartEvaluator,
    budget: Budget,
    *,
    stages: Sequence[Stage] = STAGES,
    with_kl: bool = False,
) -> SearchResult:
    """Find the best candidates on the validation set; deterministic.

    Args:
        conditions: what to try.
        part: evaluator of a share of the validation set; the same share gives the same part.
        budget: what a candidate may cost.
        stages: before the whole set; none for the exhaustive sweep.
        with_kl: measure kl_neutral as well.
    """
    sweep = _Sweep(conditions, part, with_kl)
    remaining: Sequence[int] = range(len(conditions))
    latest: Found = {}
    if stages:
        remaining, latest = sweep.estimated(remaining, stages[0].share)
    for stage in stages:
        found = sweep.on_part(remaining, stage.share)
        latest |= found
        able, named = _promoted(found, budget, stage.kept), _best_of_names(found, budget)
        last = stage is stages[-1] and able
        remaining = sorted(able if last else {*able, *named})
    whole = sweep.measured(remaining, 1.0)
    if stages:
        whole = _refined(whole, sweep, budget)
    latest |= whole
    return SearchResult([latest[index] for index in range(len(conditions))], sweep.passes)


class _Sweep:
    """Measures conditions on parts of the validation set, and counts the passes."""

    def __init__(self, conditions: Sequence[Condition], part: PartEvaluator, kl: bool) -> None:
        self._conditions, self._part, self._kl = conditions, part, kl
        self.passes = 0.0
        self._families: dict[tuple[str, bool], list[int]] = {}
        self._family_of: dict[int, list[int]] = {}
        for index, condition in enumerate(conditions):
            effect = condition.effect if isinstance(condition, DosedCondition) else None
            family = [index]
            if effect:
                recipe = condition.recipe.model_copy(update={"multiplier": None})
                family = self._families.setdefault((recipe.model_dump_json(), effect > 0), [])
                family.append(index)
            self._family_of[index] = family

    def measured(self, indices: Sequence[int], share: float) -> Found:
        """Each of these, measured."""
        self.passes += share * len(indices)
        candidates = self._part(share).compare(
            [self._conditions[index] for index in indices],
            f"search, {share:.0%} of validation",
            with_kl=self._kl,
        )
        return {
            index: replace(candidate, share=share)
            for index, candidate in zip(indices, candidates, strict=True)
        }

    def estimated(self, indices: Sequence[int], share: float) -> tuple[list[int], Found]:
        """Those that may win by their first-order estimates, and the estimates of the others.

        Only like edits are compared, and those that differ in the multiplier only go on together.
        """
        by_name: dict[str, list[int]] = {}
        families = self._middles(indices)
        for index in families:
            if self._conditions[index].recipe.action in ("ablate", "mean_ablate"):
                by_name.setdefault(self._conditions[index].name, []).append(index)
        many = [named for named in by_name.values() if len(named) > LEAST]
        asked = [each for named in many for index in named for each in families[index]]
        dropped: Found = {}
        if asked:
            self.passes += PASSES * share
            estimates = self._part(share).estimate([self._conditions[index] for index in asked])
            known = {i: found for i, found in zip(asked, estimates, strict=True) if found}
            for named in many:
                ranked = sorted(set(named) & known.keys(), key=lambda index: -gain(known[index]))
                for index in ranked[max(LEAST, math.ceil(ESTIMATED * len(ranked))) :]:
                    dropped |= {alike: known[alike] for alike in families[index]}
        return [index for index in indices if index not in dropped], dropped

    def on_part(self, indices: Sequence[int], share: float) -> Found:
        """One of those that differ in the multiplier only, measured; the others from it."""
        middle = self._middles(indices)
        found = self.measured(list(middle), share)
        for index, alike in middle.items():
            others = [other for other in alike if other != index]
            found |= self._interpolated(others, {index: found[index]}, share)
        return found

    def _middles(self, indices: Iterable[int]) -> dict[int, list[int]]:
        """By the middle one of those that differ in the multiplier only, all of these."""
        members: dict[int, list[int]] = {}
        for index in indices:
            members.setdefault(self._family_of[index][0], []).append(index)
        return {
            sorted(alike, key=self._effect)[(len(alike) - 1) // 2]: alike
            for alike in members.values()
        }

    def neighbours(self, measured: Found) -> Found:
        """On the whole set: what those measured let expect of other multipliers."""
        found: Found = {}
        for family in {id(self._family_of[i]): self._family_of[i] for i in measured}.values():
            known = {index: measured[index] for index in family if index in measured}
            others = [index for index in family if index not in measured]
            found |= self._interpolated(others, known, 1.0)
        return found

    def _interpolated(self, indices: Iterable[int], known: Found, share: float) -> Found:
        found: Found = {}
        for index in indices:
            nearest = min(known, key=lambda other: abs(self._effect(other) - self._effect(index)))
            condition = self._conditions[index]
            assert isinstance(condition, DosedCondition)
            found[index] = self._part(share).interpolate(
                condition, known[nearest], intervals="none" if share == 1 else "headline"
            )
        return found

    def _effect(self, index: int) -> float:
        condition = self._conditions[index]
        return (condition.effect or 0.0) if isinstance(condition, DosedCondition) else 0.0


def _refined(measured: Found, sweep: _Sweep, budget: Budget) -> Found:
    """What was measured on the whole set, and with it what that lets expect more of."""
    for _ in range(CONFIRMED):
        expected = sweep.neighbours(measured)
        within = [gain(each) for each in measured.values() if budget.allows(each)]
        best = max(within, default=0.0)
        better = {
            index: gain(candidate)
            for index, candidate in expected.items()
            if budget.allows(candidate) and gain(candidate) > best
        }
        if not better:
            break
        measured = measured | sweep.measured([max(better, key=better.__getitem__)], 1.0)
    return sweep.neighbours(measured) | measured


def _best_of_names(found: Found, budget: Budget) -> list[int]:
    """The best candidate of each method, action and gate."""
    by_name: dict[str, list[int]] = {}
    for index, candidate in found.items():
        by_name.setdefault(candidate.condition.name, []).append(index)
    number = {found[index]: index for index in found}
    return [
        number[best_of([found[index] for index in named], budget)] for named in by_name.values()
    ]


def _promoted(found: Found, budget: Budget, kept: int) -> list[int]:
    """Candidates that may win: half of them the best within the budget, half the best that may be.

    A part tells a cost roughly, and the best are often those that use the budget up.
    """
    racing = {index: each for index, each in found.items() if not _breaks(each, budget)}
    within = [index for index, each in racing.items() if budget.allows(each)]
    lows = [_end(racing[index], "low") for index in within]
    least = max((low for low in lows if low is not None), default=float("-inf"))
    able = [
        index
        for index, each in racing.items()
        if (high := _end(each, "high")) is not None and high >= least
    ]
    able.sort(key=lambda index: -gain(racing[index]))
    surely = [index for index in able if budget.allows(racing[index])][: -(-kept // 2)]
    return surely + [index for index in able if index not in surely][: kept - len(surely)]


def _breaks(candidate: Candidate, budget: Budget) -> bool:
    """Whether the interval of a cost, `SURELY` times as wide, lies beyond its limit."""
    limits = {
        "perplexity_ratio": budget.max_perplexity_ratio,
        "mean_log_odds_change": budget.max_mean_log_odds_change,
    }
    for name, limit in limits.items():
        cost = candidate.measures.get(name, Estimate(None))
        least = _stretched(cost.value, cost.low)
        if limit is not None and least is not None and least > limit:
            return True
    change = candidate.measures["definitional_accuracy_change"]
    most = _stretched(change.value, change.high)
    return most is not None and most < -budget.max_definitional_loss


def _stretched(value: float | None, end: float | None) -> float | None:
    """The end of an interval that is `SURELY` times as wide."""
    return None if value is None or end is None else value + SURELY * (end - value)


def _end(candidate: Candidate, end: str) -> float | None:
    estimate = candidate.measures["bias_reduction"]
    limit: float | None = getattr(estimate, end)
    return estimate.value if limit is None else limit


def part_of_prompts(prompts: Sequence[Prompt], share: float, seed: int) -> list[Prompt]:
    """A share of the prompts of one split: some templates of each item, or of some items one.

    Templates take turns over the items, which are in an order drawn from the seed, so that every
    template and every group is as frequent as in the whole. Groups that are told apart by prompts
    of one template have the same templates.

    Args:
        prompts: of one axis and split.
        share: over 0, at most 1.
        seed: of the draws.
    """
    if share >= 1:
        return list(prompts)
    kinds: dict[tuple[str, str, str, str], dict[str, list[Prompt]]] = {}
    for prompt in prompts:
        group = prompt.expected or "", prompt.held_against or ""
        items = kinds.setdefault((prompt.kind, prompt.direction, *group), {})
        items.setdefault(prompt.item, []).append(prompt)
    first = random.Random(f"{seed}/part").randrange(1 << 16)
    turns: dict[tuple[str, str, str], int] = {}
    chosen: set[str] = set()
    for kind, items in sorted(kinds.items()):
        turn = turns.get(kind[:3], first)
        quota = 0.0
        for item in random.Random(f"{seed}/part/{kind}").sample(sorted(items), len(items)):
            of_item = items[item]
            quota += share * len(of_item)
            while quota >= 1 - 1e-9:
                chosen.add(of_item[turn % len(of_item)].id)
                turn, quota = turn + 1, quota - 1
        turns[kind[:3]] = turn
    return [prompt for prompt in prompts if prompt.id in chosen]
