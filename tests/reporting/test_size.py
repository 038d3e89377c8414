"""A page of six axes on a real model stays small."""

import dataclasses

import pytest

from evenkeel.reporting.cards import make_cards
from evenkeel.reporting.page import Page, make_page
from evenkeel.reporting.results import Results
from tests.reporting.evaluations import GROUPS
from tests.reporting.samples import contexts, feature_table, interpretations, make_results

pytestmark = pytest.mark.xdist_group("browser")  # where the page is opened, too

CANDIDATES = 400
CARDS = 60


def large_results() -> Results:
    """Six axes, each as large as race: more candidates, items, texts and features than one has."""
    results = make_results(axes=tuple(GROUPS))
    race = results.axes["race"]
    copied = [
        row.model_copy(update={"multiplier": index / 100, "bias_reduction": index / CANDIDATES})
        for index in range(CANDIDATES)
        for row in race.sweep[:1]
    ]
    fronts = [
        row.model_copy(update={"cost": index / 40}) for index in range(60) for row in race.pareto
    ]
    items = [
        row.model_copy(update={"item": f"thing {index}"})
        for index in range(24)
        for row in race.items[:4]
    ]
    texts = [
        row.model_copy(update={"id": str(index), "steered": " she was tired" * 12})
        for index in range(24)
        for row in race.continuations
    ]
    nulls = [row.model_copy(update={"draw": draw}) for draw in range(20) for row in race.nulls]
    full = dataclasses.replace(
        race, sweep=copied, pareto=fronts, items=items, continuations=texts, nulls=nulls
    )
    evaluations = {
        name: dataclasses.replace(
            full, evaluation=full.evaluation.model_copy(update={"axis": name})
        )
        for name in GROUPS
    }
    long = [
        context.model_copy(
            update={"tokens": context.tokens * 6, "activations": context.activations * 6}
        )
        for context in contexts()
        for _ in range(4)
    ]
    cards = make_cards(feature_table(), long, interpretations())
    many = [dataclasses.replace(cards[0], feature=number) for number in range(CARDS)]
    projections = [
        row.model_copy(update={"pc1": index / 7.3}) for index in range(40)
        for row in results.projections
    ]  # fmt: skip
    return dataclasses.replace(results, axes=evaluations, cards=many, projections=projections)


@pytest.fixture(scope="session")
def large_page() -> Page:
    return make_page(large_results(), "A report", {})


def test_six_axes_fit_one_page(large_page: Page) -> None:
    assert len(large_page.html.encode()) < 6e6
