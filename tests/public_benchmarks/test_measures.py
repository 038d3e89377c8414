"""A figure is paired, knows its reference, and says when a model is too weak to tell."""

import numpy as np
import pytest

from evenkeel.public_benchmarks.measures import Figure, Measure, compare


def shares(hits: list[int], kind: str = "competence", reference: float = 0.5) -> Measure:
    taken = np.array(hits)
    return Measure.share(
        ("rule", "all", "accuracy"),
        kind,  # type: ignore[arg-type]
        reference,
        taken.astype(float),
        np.ones(len(taken)),
        taken.astype(bool),
    )


def compared(before: Measure, after: Measure | None) -> Figure:
    (figure,) = compare([before], None if after is None else [after], 500, 0)
    return figure


def test_a_change_is_paired() -> None:
    """The same item changes for the better each time: the change has less spread than either."""
    before, after = shares([1, 0] * 50), shares([1, 0] * 45 + [1, 1] * 5)
    figure = compared(before, after)
    assert figure.change is not None
    assert figure.change.value == pytest.approx(0.05)
    assert figure.change.low is not None
    assert figure.change.low > 0
    assert figure.steered is not None
    assert figure.baseline.high is not None
    assert figure.steered.low is not None
    assert figure.baseline.high > figure.steered.low
    assert figure.record()["choices"] == {"lost": 0, "won": 5, "p": 0.0625}


def test_where_no_choice_changed_some_still_may_have() -> None:
    change = compared(shares([1, 0] * 50), shares([1, 0] * 50)).change
    assert change is not None
    assert change.value == 0
    assert change.low is not None
    assert change.high is not None
    assert -0.05 < change.low < 0 < change.high < 0.05


def test_without_a_steered_model_there_is_the_baseline_alone() -> None:
    record = compared(shares([1, 0, 1, 1]), None).record()
    assert record.keys() == {"baseline", "baseline_ci95", "chance"}
    row = compared(shares([1, 0, 1, 1]), None).row()
    assert row["baseline"] == 0.75
    assert row["steered"] is None


def test_bias_names_its_value_without_bias() -> None:
    assert compared(shares([1, 0], "bias"), None).record()["unbiased"] == 0.5


@pytest.mark.parametrize(
    ("hits", "weak"), [([1] * 65 + [0] * 35, False), ([1] * 52 + [0] * 48, True), ([0] * 90, True)]
)
def test_a_model_at_chance_is_too_weak_to_tell(hits: list[int], weak: bool) -> None:
    assert compared(shares(hits), None).too_weak == {"baseline": weak}


def test_a_ratio_is_steered_over_unsteered() -> None:
    def measure(*losses: float) -> Measure:
        columns = (np.array(losses), np.ones(len(losses)))
        return Measure(
            "rule", "all", "p", "competence", 9.0,
            lambda loss, count: np.exp(loss.sum(axis=-1) / count.sum(axis=-1)),
            columns, additive=True, change="ratio",
        )  # fmt: skip

    record = compared(measure(1.0, 2.0), measure(2.0, 3.0)).record()
    assert record["ratio"] == pytest.approx(np.e, rel=1e-5)
    assert "difference" not in record
