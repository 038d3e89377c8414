"""Weaker multipliers of what would win but for its cost.

The grid of multipliers is coarse, and the cost of a strong intervention may be a few prompts: then
a little less of it is within the budget and still ahead of everything else.
"""

from collections.abc import Sequence

from evenkeel.conditions.condition import DosedCondition
from evenkeel.selection.budget import Budget
from evenkeel.selection.candidate import Candidate
from evenkeel.selection.choice import gain
from evenkeel.selection.evaluator import Evaluator

TRIED = 3
"""Candidates, those that reduce the bias most."""
STEPS = 3
"""Multipliers that are tried of each: an interval of them is halved as often."""


def back_off(
    candidates: Sequence[Candidate],
    evaluator: Evaluator,
    budget: Budget,
    *,
    with_kl: bool = False,
) -> list[Candidate]:
    """Measure smaller doses of candidates that are over the budget and ahead of all within it.

    Of each the share of its multiplier is bisected, from half of it on: up where the budget is
    kept, down where it is not.

    Args:
        candidates: with their measurements; those on part of the prompt set are passed over.
        evaluator: of the whole prompt set.
        budget: what a candidate may cost.
        with_kl: measure kl_neutral as well.

    Returns:
        What was measured, in order; nothing where nothing over the budget is ahead.
    """
    whole = [each for each in candidates if each.is_whole]
    most = max([0.0, *(gain(each) for each in whole if budget.allows(each))])
    ahead = [each for each in whole if not budget.allows(each) and gain(each) > most]
    # What has no effect to halve (latents clamped to zero) has no weaker form.
    dosed = [
        condition
        for each in sorted(ahead, key=gain, reverse=True)
        if isinstance(condition := each.condition, DosedCondition) and condition.effect
    ]
    measured: list[Candidate] = []
    for condition in dosed[:TRIED]:
        dose = 0.5
        for step in range(1, STEPS + 1):
            weaker = condition.at(dose)
            (found,) = evaluator.compare([weaker], "less of the best", with_kl=with_kl)
            measured.append(found)
            dose += 0.5 ** (step + 1) * (1 if budget.allows(found) else -1)
    return measured
