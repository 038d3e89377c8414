"""What is reported of the cases."""

from collections.abc import Iterator, Sequence
from typing import Any

from evenkeel.demonstration.asking import Questions
from evenkeel.demonstration.effects import Effect

MAX_DEGENERATE = 0.1
"""A case in which more texts than this collapsed is out of the question, however far it shifts."""


def sweet_spots(effects: Sequence[Effect]) -> dict[str, dict[str, Any]]:
    """Of each recipe the case that shifts the words most without collapse.

    A case is left out if more than MAX_DEGENERATE of its texts are degenerate. A recipe has no
    entry where every case is, or where no words are read.
    """
    best: dict[str, Effect] = {}
    for effect in effects:
        if effect.case is None or "shift" not in effect.measures:
            continue
        collapsed = effect.measures["degenerate_share"].value or 0
        if collapsed > MAX_DEGENERATE:
            continue
        name = effect.case.recipe.name
        if name not in best or _shift(effect) > _shift(best[name]):
            best[name] = effect
    return {name: effect.record() for name, effect in best.items()}


def _shift(effect: Effect) -> float:
    return abs(effect.measures["shift"].value or 0)


def agreement(effects: Sequence[Effect]) -> dict[str, dict[str, float]]:
    """Of each recipe and further backend the least share of texts that agree with the first's."""
    least: dict[str, dict[str, float]] = {}
    for effect in effects:
        if effect.case is not None and effect.agreement:
            held = least.setdefault(effect.case.recipe.name, dict(effect.agreement))
            for backend, found in effect.agreement.items():
                held[backend] = min(held[backend], found)
    return least


def continuation_rows(questions: Questions, effects: Sequence[Effect]) -> Iterator[dict[str, Any]]:
    """One row a case, prompt and sample; the model as it is comes first."""
    samples = questions.sampling.samples
    for effect in effects:
        for index, text in enumerate(effect.continuations):
            yield effect.recipe() | {
                "prompt": questions.prompts[index // samples],
                "sample": index % samples,
                "continuation": text,
            }
