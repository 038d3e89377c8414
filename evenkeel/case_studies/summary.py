"""What is reported of the cases."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from evenkeel.case_studies.asking import Questions
from evenkeel.case_studies.effects import Effect

MAX_DEGENERATE = 0.1
MAX_PERPLEXITY_RATIO = 10.0
"""A case has collapsed if more of its texts than the first are degenerate, or if they surprise the
model as it is this many times more than its own texts do. How far it shifts is then no merit."""


def sweet_spots(effects: Sequence[Effect]) -> dict[str, dict[str, Any]]:
    """Of each recipe the case that shifts the words most without collapse.

    A recipe has no entry where every case collapsed, or where no words are read.
    """
    best: dict[str, Effect] = {}
    baseline, *cases = effects
    for effect in cases:
        if "shift" not in effect.measures or has_collapsed(effect, baseline):
            continue
        assert effect.case is not None
        name = effect.case.recipe.name
        if name not in best or _shift(effect) > _shift(best[name]):
            best[name] = effect
    return {name: effect.record() for name, effect in best.items()}


def has_collapsed(effect: Effect, baseline: Effect) -> bool:
    """Whether a case breaks the text; see MAX_DEGENERATE and MAX_PERPLEXITY_RATIO."""
    degenerate = effect.measures["degenerate_share"].value or 0
    own, before = (e.measures["perplexity"].value for e in (effect, baseline))
    surprising = own is not None and before is not None and own > MAX_PERPLEXITY_RATIO * before
    return degenerate > MAX_DEGENERATE or surprising


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


def continuation_rows(
    questions: Questions, effects: Sequence[Effect], classify: Callable[[str], str] | None
) -> Iterator[dict[str, Any]]:
    """One row a case, prompt and sample; the model as it is comes first.

    Args:
        questions: that were put.
        effects: the model as it is, and then the cases.
        classify: names the class of an answer; None: answers have none.
    """
    samples = questions.sampling.samples
    for effect in effects:
        for index, text in enumerate(effect.continuations):
            yield effect.recipe() | {
                "prompt": questions.prompts[index // samples],
                "sample": index % samples,
                "continuation": text,
                **({"answer": classify(text)} if classify else {}),
            }
