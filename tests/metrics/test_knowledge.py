"""AUROC between groups agrees with scikit-learn, and does not see how common their words are."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from evenkeel.datasets.records import Prompt
from evenkeel.metrics import bias
from evenkeel.metrics.knowledge import Knowledge
from evenkeel.scoring.prompt_set import PromptSet, Readings
from evenkeel.statistics.bootstrap import ClusterBootstrap
from evenkeel.statistics.estimate import Estimate

GROUPS = ("Black", "white", "Asian")
TEMPLATES = ("I think that {} is", "surely {} is")


def definitional(items: Mapping[str, Sequence[str]]) -> PromptSet:
    """Prompts about the items of each group, one a template."""
    prompts = tuple(
        Prompt(
            id=f"{item}-{template}",
            axis="race",
            kind="definitional",
            template=template,
            item=item,
            split="test",
            text=template.format(item),
            continuations={group: (f" {group}",) for group in GROUPS},
            expected=group,
        )
        for group, names in items.items()
        for item in names
        for template in TEMPLATES
    )
    return PromptSet(GROUPS, (), prompts, (), (), ())


def readings(prompt_set: PromptSet, seed: int, signal: float = 1.0) -> Readings:
    drawn = np.random.default_rng(seed).normal(size=(len(prompt_set.definitional), len(GROUPS)))
    log_probs = drawn + signal * np.eye(len(GROUPS))[prompt_set.expected]
    return Readings(np.zeros((0, len(GROUPS))), log_probs, np.zeros(0))


def ends(estimate: Estimate) -> tuple[float, float]:
    assert estimate.low is not None
    assert estimate.high is not None
    return estimate.low, estimate.high


@pytest.fixture
def prompts() -> PromptSet:
    return definitional({"Black": ("a", "b", "c"), "white": ("d", "e"), "Asian": ("f", "g", "h")})


def test_auroc_is_that_of_scikit_learn(prompts: PromptSet) -> None:
    read = readings(prompts, 0)
    scores, templates = bias.centred(read.definitional), [p.template for p in prompts.definitional]
    each, pairs = [], []
    for group in range(len(GROUPS)):
        for template in TEMPLATES:
            rows = np.array(templates) == template
            own = prompts.expected[rows] == group
            each.append(roc_auc_score(own, scores[rows, group]))
            pairs.append(own.sum() * (~own).sum())
    found = Knowledge(prompts, 500, 0).of(read)["definitional_auroc"]
    assert found.value == pytest.approx(np.average(each, weights=pairs))
    low, high = ends(found)
    assert low < np.average(each, weights=pairs) < high


def test_base_rates_of_the_words_change_accuracy_and_not_auroc(prompts: PromptSet) -> None:
    rare = np.array([[0.0, 0.0, -9.0], [-9.0, 0.0, 0.0]])
    template = [TEMPLATES.index(prompt.template) for prompt in prompts.definitional]
    read = readings(prompts, 1, signal=4)
    shifted = Readings(read.stereotypical, read.definitional + rare[template], read.losses)
    knowledge = Knowledge(prompts, 0, 0)
    before, after = knowledge.of(read), knowledge.of(shifted)
    assert after["definitional_auroc"].value == pytest.approx(before["definitional_auroc"].value)
    assert after["definitional_accuracy"].value < before["definitional_accuracy"].value


def test_knowing_everything_is_not_known_for_sure(prompts: PromptSet) -> None:
    perfect = readings(prompts, 2, signal=100)
    found = Knowledge(prompts, 500, 0)
    low, high = ends(found.of(perfect)["definitional_auroc"])
    assert 0.6 < low < 0.7  # eight of eight, exact binomial
    assert high == 1
    low, high = ends(found.change(perfect, perfect)["definitional_auroc_change"])
    assert -0.4 < low < -0.3
    assert high == 0


def test_the_change_is_the_difference_of_both(prompts: PromptSet) -> None:
    knowledge = Knowledge(prompts, 500, 0)
    before, after = readings(prompts, 3, signal=3), readings(prompts, 4, signal=0)
    values = [knowledge.of(each)["definitional_auroc"].value for each in (before, after)]
    change = knowledge.change(before, after)["definitional_auroc_change"]
    assert change.value == pytest.approx(values[1] - values[0])
    assert ends(change)[1] < 0


def test_an_item_that_is_drawn_twice_counts_twice(prompts: PromptSet) -> None:
    """As the same prompts written out twice."""
    items = np.array([0, 0, 1, 3, 4, 4, 4, 7])
    names = [prompt.item for prompt in prompts.definitional[:: len(TEMPLATES)]]
    expected = [prompt.expected for prompt in prompts.definitional[:: len(TEMPLATES)]]
    copies = definitional(
        {
            group: [f"{turn}{names[item]}" for turn, item in enumerate(items)
                    if expected[item] == group]
            for group in GROUPS
        }
    )  # fmt: skip
    read = readings(prompts, 5)
    row = {(p.item, p.template): place for place, p in enumerate(prompts.definitional)}
    rows = [row[p.item[1:], p.template] for p in copies.definitional]
    copied = Readings(read.stereotypical, read.definitional[rows], read.losses)
    drawn: list[float] = []

    class Fixed(ClusterBootstrap):
        def estimate(self, statistic: Any, *columns: Any) -> Estimate:
            drawn.append(float(statistic(items)))
            return super().estimate(statistic, *columns)

    knowledge = Knowledge(prompts, 0, 0)
    knowledge._bootstrap = Fixed(len(names), 0, 0)
    knowledge.competence(read)
    written = Knowledge(copies, 0, 0).of(copied)["definitional_auroc"].value
    assert drawn[0] == pytest.approx(written)


def test_one_group_alone_cannot_be_told_from_another() -> None:
    alone = definitional({"Black": ("a", "b")})
    assert Knowledge(alone, 100, 0).of(readings(alone, 6))["definitional_auroc"].value is None
