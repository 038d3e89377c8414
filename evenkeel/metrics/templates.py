"""Which templates ask what they mean to ask: does a group follow at all, and is it the right one?

A template after which the model says something else reads the bias of unlikely words, and one on
which it misses definitions is misread. Both are told apart by two figures a template, and what is
little is fixed on the validation split, whose templates are others than those of test.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

from evenkeel.metrics import bias
from evenkeel.metrics.competence import chance
from evenkeel.scoring.prompt_set import PromptSet, Readings

LEAST_MASS = 0.25
"""Of the validation templates' median."""


@dataclass(frozen=True)
class TemplateFigures:
    """One template that asks for the group, with one model."""

    template: str
    prompts: int
    continuation_mass: float
    """Probability that one of the scored continuations follows, the mean over its prompts."""
    definitional_accuracy: float | None
    """Share of its definitional prompts on which the right group wins; None where it has none."""


@dataclass(frozen=True)
class TemplateRule:
    """What is too little of either."""

    least_mass: float
    least_accuracy: float

    @classmethod
    def of(cls, validation: Sequence[TemplateFigures], chance_level: float) -> Self:
        """A quarter of the median mass, and half of what the median accuracy has above chance."""
        accuracies = [
            each.definitional_accuracy
            for each in validation
            if each.definitional_accuracy is not None
        ]
        typical = float(np.median(accuracies)) if accuracies else 1.0
        mass = float(np.median([each.continuation_mass for each in validation]))
        return cls(LEAST_MASS * mass, chance_level + max(0.0, typical - chance_level) / 2)

    def flag(self, figures: TemplateFigures) -> str | None:
        """What a template has too little of; None if of nothing."""
        if figures.continuation_mass < self.least_mass:
            return "little continuation mass"
        accuracy = figures.definitional_accuracy
        if accuracy is not None and accuracy < self.least_accuracy:
            return "little competence"
        return None


def template_figures(prompt_set: PromptSet, readings: Readings) -> list[TemplateFigures]:
    """Figures of every template that asks group given item, in the order of the prompts."""
    asked = [*prompt_set.stereotypical, *prompt_set.definitional]
    mass = np.exp(np.concatenate([readings.stereotypical, readings.definitional])).sum(axis=1)
    margins = bias.margins(bias.centred(readings.definitional), prompt_set.expected)
    right = np.concatenate([np.full(len(prompt_set.stereotypical), np.nan), margins > 0])
    rows = [row for row, prompt in enumerate(asked) if prompt.direction == "group_given_item"]
    figures = []
    for template in dict.fromkeys(asked[row].template for row in rows):
        own = [row for row in rows if asked[row].template == template]
        known = right[own][np.isfinite(right[own])]
        figures.append(
            TemplateFigures(
                template,
                len(own),
                float(mass[own].mean()),
                float(known.mean()) if known.size else None,
            )
        )
    return figures


def judged(
    validation: tuple[PromptSet, Readings], test: tuple[PromptSet, Readings]
) -> list[dict[str, Any]]:
    """Every template of both splits with its figures, and what the rule says of it."""
    level = chance(validation[0].definitional, len(validation[0].groups))
    by_split = {"validation": template_figures(*validation), "test": template_figures(*test)}
    if not by_split["validation"]:
        return []
    rule = TemplateRule.of(by_split["validation"], level)
    return [
        {"split": split, **_rounded(each), "flag": rule.flag(each)}
        for split, figures in by_split.items()
        for each in figures
    ]


def _rounded(figures: TemplateFigures) -> dict[str, Any]:
    return {
        name: round(value, 6) if isinstance(value, float) else value
        for name, value in asdict(figures).items()
    }
