"""The summary over organisms says what was found of what was planted."""

from pathlib import Path

import pytest

from evenkeel.axes import same_strength
from evenkeel.datasets.prompts import make_prompts
from evenkeel.evaluation.ground_truth import AxisRecovery, measure_organism, summarize
from evenkeel.metrics.association import Association
from evenkeel.models.loading import load_model
from evenkeel.models.provenance import record_provenance
from evenkeel.statistics.estimate import Estimate


def recovery(
    organism: str,
    strength: float,
    measured: float,
    p: float,
    *,
    axis: str = "gender",
    accuracy: float | None = 1.0,
    alone: bool = False,
) -> AxisRecovery:
    return AxisRecovery(
        organism=organism,
        axis=axis,
        strength=strength,
        slope=Estimate(measured, measured - 0.1, measured + 0.1),
        association=Association(0.5, p),
        spread=Estimate(1.0),
        definitional_accuracy=Estimate(accuracy),
        alone=alone,
    )


def test_false_positives_are_counted_among_the_twins_and_detections_among_the_others() -> None:
    twins = [recovery(f"twin-{p}", 0, 0.0, p) for p in (0.5, 0.04, 0.9, 0.3)]
    planted = [(0.5, 0.001), (1.0, 0.001), (0.25, 0.2)]
    biased = [recovery(f"strength-{strength}", strength, strength, p) for strength, p in planted]
    found = summarize([*twins, *biased], level=0.05, min_definitional_accuracy=0.9)
    assert (found.organisms, found.tests, found.too_weak) == (7, 7, 0)
    assert (found.false_positives.found, found.false_positives.of) == (1, 4)
    assert (found.detected.found, found.detected.of) == (2, 3)
    assert found.false_positives.share == 0.25
    # Clopper-Pearson of 1 in 4
    assert found.false_positives.share_ci95 == pytest.approx((0.0063, 0.8059), abs=1e-4)
    # 1 - 0.95**4: at least one in four at the level
    assert found.false_positives.p_against_level == pytest.approx(0.1855, abs=1e-4)


def test_axes_without_bias_of_a_biased_organism_are_no_false_positives_but_found_elsewhere() -> (
    None
):
    axes = {"race": 0.001, "gender": 0.02, "age": 0.6, "religion": 0.7}
    biased = [
        recovery("alone-race", float(axis == "race"), 0.0, p, axis=axis, alone=True)
        for axis, p in axes.items()
    ]
    found = summarize([*biased, recovery("twin-1", 0, 0.0, 0.5)], 0.05, 0.9)
    assert (found.organisms, found.tests) == (2, 5)
    assert (found.false_positives.found, found.false_positives.of) == (0, 1)
    assert (found.alone_detected.found, found.alone_detected.of) == (1, 1)
    assert (found.alone_elsewhere.found, found.alone_elsewhere.of) == (1, 3)
    assert (found.detected.found, found.detected.of) == (1, 1)


def test_the_line_is_that_of_measured_on_planted_strength_by_axis_and_over_all() -> None:
    strengths = (0.0, 0.25, 0.5, 1.0)
    exact = [
        recovery(f"strength-{s}", s, start + slope * s, 0.01, axis=axis)
        for s in strengths
        for axis, start, slope in (("gender", 0.1, 0.9), ("race", -0.1, 0.5))
    ]
    # Organisms biased on one axis are no part of the lines.
    alone = recovery("alone-race", 1.0, 9.0, 0.01, axis="race", alone=True)
    lines = summarize([*exact, alone], 0.05, 0.9).recovery
    assert list(lines) == ["gender", "race", "all"]
    assert (lines["gender"].slope, lines["gender"].intercept) == pytest.approx((0.9, 0.1))
    assert lines["gender"].slope_ci95 == pytest.approx((0.9, 0.9))
    assert (lines["race"].slope, lines["race"].intercept) == pytest.approx((0.5, -0.1))
    assert (lines["all"].slope, lines["all"].intercept) == pytest.approx((0.7, 0.0), abs=1e-9)
    assert lines["all"].slope_ci95 is not None
    low, high = lines["all"].slope_ci95
    assert low < 0.7 < high


@pytest.mark.parametrize("accuracy", [0.5, None])
def test_an_organism_that_cannot_use_the_groups_says_nothing(accuracy: float | None) -> None:
    weak = recovery("twin-1", 0, 5.0, 0.0, accuracy=accuracy)
    found = summarize([weak, recovery("twin-2", 0, 0.0, 0.5)], 0.05, 0.9)
    assert (found.organisms, found.tests, found.too_weak) == (2, 2, 1)
    assert (found.false_positives.found, found.false_positives.of) == (0, 1)
    assert found.detected.model_dump() == {
        "of": 0,
        "found": 0,
        "share": None,
        "share_ci95": None,
        "p_against_level": None,
    }
    assert found.recovery["all"].slope is None


def test_a_random_model_has_no_slope_that_could_be_told_from_none(tiny_folder: Path) -> None:
    record_provenance(tiny_folder, "local", "tiny", "float32")
    (measured,) = measure_organism(
        "random",
        {"gender": 0.0},
        load_model(tiny_folder, "cpu"),
        make_prompts(["gender"], same_strength(1.0), 0, lead_ins=True),
        permutations=199,
        seed=0,
    )
    assert (measured.organism, measured.axis, measured.alone) == ("random", "gender", False)
    assert measured.association is not None
    assert not measured.association.found(0.01)
    assert measured.slope.low is not None
    assert measured.slope.high is not None
    assert measured.slope.low <= 0 <= measured.slope.high
    assert measured.row["planted"] == 0
    assert measured.row["p"] == pytest.approx(measured.association.p_value, rel=1e-5)
