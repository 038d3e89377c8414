"""Staged search: many candidates on a small part of the validation set, few on the whole of it.

Successive halving (Jamieson & Talwalkar 2016) with a race: after each stage a candidate is dropped
where its interval says that it cannot win or surely breaks the budget, and of the rest only the
best share goes on. The best of each method, action and gate always goes on, so that methods can be
compared on the whole set. Of the exhaustive sweep the last stage is all there is.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from evenkeel.conditions.condition import Condition
from evenkeel.datasets.records import Prompt
from evenkeel.selection.budget import Budget
from evenkeel.selection.choice import best_of
from evenkeel.selection.evaluator import Candidate, Evaluator

PartEvaluator = Callable[[float], Evaluator]
"""The evaluator of a share of the validation set."""


@dataclass(frozen=True)
class Stage:
    """One stage of the search."""

    share: float
    """Of the validation set that is read."""
    kept: float
    """Of the candidates that may go on."""


STAGES = (Stage(1 / 12, 1 / 10), Stage(1 / 3, 1 / 4))
"""Before the whole set. The first alone is a twelfth of the exhaustive sweep's passes."""


@dataclass(frozen=True)
class SearchResult:
    """Every candidate with the measurement of the last stage that it came to."""

    candidates: list[Candidate]
    """In the order of the conditions."""
    passes: float
    """Candidates times share of the validation set, summed over stages."""


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
    latest: dict[int, Candidate] = {}
    remaining = list(range(len(conditions)))
    passes = 0.0
    for stage in (*stages, Stage(1.0, 1.0)):
        measured = part(stage.share).compare(
            [conditions[index] for index in remaining],
            f"search, {stage.share:.0%} of validation",
            with_kl=with_kl,
        )
        passes += stage.share * len(remaining)
        for index, candidate in zip(remaining, measured, strict=True):
            latest[index] = replace(candidate, share=stage.share)
        if stage.share < 1:
            chosen = set(_promoted([latest[index] for index in remaining], budget, stage.kept))
            remaining = [index for index in remaining if latest[index] in chosen]
    return SearchResult([latest[index] for index in range(len(conditions))], passes)


def _promoted(candidates: Sequence[Candidate], budget: Budget, kept: float) -> list[Candidate]:
    """Candidates that go on to the next stage."""
    by_name: dict[str, list[Candidate]] = {}
    for candidate in candidates:
        by_name.setdefault(candidate.condition.name, []).append(candidate)
    promoted = [best_of(named, budget) for named in by_name.values()]
    racing = [candidate for candidate in candidates if not _breaks(candidate, budget)]
    lows = [_end(candidate, "low") for candidate in racing if budget.allows(candidate)]
    least = max((low for low in lows if low is not None), default=float("-inf"))
    able = [
        candidate
        for candidate in racing
        if (high := _end(candidate, "high")) is not None and high >= least
    ]
    # Within the budget first: what breaks it here may keep it on the whole set, but seldom does.
    able.sort(key=lambda each: (not budget.allows(each), -(each.value("bias_reduction") or 0.0)))
    return promoted + able[: max(1, round(kept * len(candidates)))]


def _breaks(candidate: Candidate, budget: Budget) -> bool:
    """Whether the interval of a cost lies beyond its limit."""
    limits = {
        "perplexity_ratio": budget.max_perplexity_ratio,
        "mean_log_odds_change": budget.max_mean_log_odds_change,
    }
    for name, limit in limits.items():
        low = candidate.measures[name].low if name in candidate.measures else None
        if limit is not None and low is not None and low > limit:
            return True
    change = candidate.measures["definitional_accuracy_change"].high
    return change is not None and change < -budget.max_definitional_loss


def _end(candidate: Candidate, end: str) -> float | None:
    estimate = candidate.measures["bias_reduction"]
    limit: float | None = getattr(estimate, end)
    return estimate.value if limit is None else limit


def part_of_prompts(prompts: Sequence[Prompt], share: float, seed: int) -> list[Prompt]:
    """A share of the prompts of one split: some templates of each item, or of some items one.

    Templates take turns over the items, in an order drawn from the seed, so that every template
    and every group is as frequent as in the whole.

    Args:
        prompts: of one axis and split.
        share: over 0, at most 1.
        seed: of the draws.
    """
    if share >= 1:
        return list(prompts)
    kinds: dict[tuple[str, str, str | None], dict[str, list[Prompt]]] = {}
    for prompt in prompts:
        kind = (prompt.kind, prompt.direction, prompt.expected or prompt.held_against)
        kinds.setdefault(kind, {}).setdefault(prompt.item, []).append(prompt)
    chosen: set[str] = set()
    for name_of_kind, items in sorted((str(kind), items) for kind, items in kinds.items()):
        rng = random.Random(f"{seed}/part/{name_of_kind}")
        names = rng.sample(sorted(items), len(items))
        offset = rng.randrange(1 << 16)
        quota = 0.0
        for place, name in enumerate(names):
            of_item = items[name]
            quota += share * len(of_item)
            start = (offset + place) % len(of_item)
            while quota >= 1 - 1e-9:
                chosen.add(of_item[start % len(of_item)].id)
                start, quota = start + 1, quota - 1
    return [prompt for prompt in prompts if prompt.id in chosen]
