"""No bias figure without the competence to do the task."""

from typing import Any

import pytest

from evenkeel.metrics.competence import CompetenceGate, chance, withheld
from evenkeel.scoring.prompt_set import PromptSet
from evenkeel.statistics.estimate import Estimate
from tests.evaluation.samples import make_four_groups

GATE = CompetenceGate(margin=0.1)


def measures(auroc: Any, degenerate: float | None = None) -> dict[str, Estimate]:
    return {
        "item_spread": Estimate(1.2, 0.8, 1.6),
        "definitional_auroc": Estimate(*auroc),
        "perplexity": Estimate(7.0),
        "degenerate_share": Estimate(degenerate),
    }


def test_a_competent_model_is_heard() -> None:
    assert GATE.reason(measures((0.9, 0.8, 1.0), 0.0)) is None


@pytest.mark.parametrize(
    "auroc", [(0.5, 0.4, 0.6), (0.58, 0.53, 0.63), (0.7, 0.45, 0.95), (0.55,), (None,)]
)
def test_near_chance_or_perhaps_at_chance_is_too_weak(auroc: Any) -> None:
    weak = measures(auroc)
    assert str(GATE.reason(weak)).startswith("too weak to tell")


def test_collapse_is_not_fairness() -> None:
    collapsed = measures((0.9, 0.8, 1.0), 0.4)
    assert GATE.reason(collapsed) == "collapsed: 40% of the continuations are degenerate"


def test_what_is_withheld_is_bias_and_nothing_else() -> None:
    weak = measures((0.5, 0.4, 0.6))
    assert withheld(weak) == weak | {"item_spread": Estimate(None)}


def test_a_negative_margin_asks_for_nothing() -> None:
    lenient = CompetenceGate(margin=-1)
    assert lenient.reason(measures((0.1, 0.0, 0.2), 1.0)) is None
    assert lenient.reason(measures((None,))) is None


def test_of_a_few_prompts_only_what_is_surely_weak_is_refused() -> None:
    surely = CompetenceGate(margin=0.1, surely=True)
    for doubtful in ((0.7, 0.45, 0.95), (0.5, 0.1, 0.9), (None,)):
        assert surely.reason(measures(doubtful)) is None
    assert str(surely.reason(measures((0.5, 0.42, 0.58)))).startswith("too weak to tell")
    assert str(surely.reason(measures((0.9, 0.8, 1.0), 0.4))).startswith("collapsed")


def test_chance_is_what_one_answer_to_all_gets(prompt_set: PromptSet) -> None:
    prompts = prompt_set.definitional
    assert chance(prompts, 2) == 0.5
    more = [*prompts, *(p for p in prompts if p.expected == "male")]
    assert chance(more, 2) == pytest.approx(2 / 3)
    assert chance([], 2) == 1
    four = [prompt for prompt in make_four_groups() if prompt.kind == "definitional"]
    assert chance(four, 4) == 0.25
    assert chance([p for p in four if p.expected != "Jewish"], 4) == pytest.approx(1 / 3)
