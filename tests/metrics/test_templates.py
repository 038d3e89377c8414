"""Figures of a template are sums over its own prompts; the rule is fixed on other templates."""

import numpy as np
import pytest

from evenkeel.metrics.templates import TemplateFigures, TemplateRule, judged, template_figures
from evenkeel.scoring.prompt_set import PromptSet, Readings


def readings_of(prompt_set: PromptSet, right: float, mass: float) -> Readings:
    """Readings in which each prompt's groups share `mass`, the expected one with odds `right`."""
    groups = len(prompt_set.groups)
    even = np.full((len(prompt_set.stereotypical), groups), np.log(mass / groups))
    shares = np.ones((len(prompt_set.definitional), groups))
    shares[np.arange(len(shares)), prompt_set.expected] = right
    shares = mass * shares / shares.sum(axis=1, keepdims=True)
    return Readings(even, np.log(shares), np.zeros(0))


def test_mass_and_accuracy_are_those_of_the_prompts(prompt_set: PromptSet) -> None:
    figures = template_figures(prompt_set, readings_of(prompt_set, right=3, mass=0.4))
    asked = [*prompt_set.stereotypical, *prompt_set.definitional]
    asked = [prompt for prompt in asked if prompt.direction == "group_given_item"]
    assert {each.template for each in figures} == {prompt.template for prompt in asked}
    assert sum(each.prompts for each in figures) == len(asked)
    assert [each.continuation_mass for each in figures] == pytest.approx([0.4] * len(figures))
    assert {each.definitional_accuracy for each in figures} <= {1.0, None}
    wrong = template_figures(prompt_set, readings_of(prompt_set, right=1 / 3, mass=0.4))
    assert {each.definitional_accuracy for each in wrong} <= {0.0, None}


def test_the_rule_is_fixed_on_validation(prompt_set: PromptSet) -> None:
    good = readings_of(prompt_set, right=3, mass=0.4)
    for other, flag in (
        (readings_of(prompt_set, right=3, mass=0.09), "little continuation mass"),
        (readings_of(prompt_set, right=3, mass=0.11), None),
        (readings_of(prompt_set, right=0.5, mass=0.4), "little competence"),
    ):
        rows = judged((prompt_set, good), (prompt_set, other))
        assert not any(row["flag"] for row in rows if row["split"] == "validation")
        found = {
            row["flag"]
            for row in rows
            if row["split"] == "test" and row["definitional_accuracy"] is not None
        }
        assert found == {flag}


def test_a_template_without_definitions_is_judged_by_its_mass_alone() -> None:
    figures = [TemplateFigures("a", 1, 0.4, 1.0), TemplateFigures("b", 1, 0.4, 0.9)]
    rule = TemplateRule.of(figures, 0.5)
    assert (rule.least_mass, rule.least_accuracy) == pytest.approx((0.1, 0.725))
    assert rule.flag(TemplateFigures("c", 1, 0.2, None)) is None
    assert rule.flag(TemplateFigures("c", 1, 0.05, None)) == "little continuation mass"
