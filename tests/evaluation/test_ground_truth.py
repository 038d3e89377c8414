"""The summary over organisms says what was found of what was planted."""

from pathlib import Path

import pytest

from evenkeel.axes import same_strength
from evenkeel.datasets.prompts import make_prompts
from evenkeel.evaluation.ground_truth import Organism, measure_organism, summarize
from evenkeel.metrics.association import Association
from evenkeel.models.loading import load_model
from evenkeel.models.provenance import record_provenance
from evenkeel.statistics.estimate import Estimate


def organism(strength: float, measured: float, p: float, accuracy: float = 1.0) -> Organism:
    return Organism(
        name=f"planted-{strength}",
        strength=strength,
        slope=Estimate(measured, measured - 0.1, measured + 0.1),
        association=Association(0.5, p),
        spread=Estimate(1.0),
        definitional_accuracy=Estimate(accuracy),
    )


def test_false_positives_are_counted_among_the_twins_and_detections_among_the_others() -> None:
    twins = [organism(0, 0.0, p) for p in (0.5, 0.04, 0.9, 0.3)]
    biased = [organism(0.5, 0.5, 0.001), organism(1.0, 1.0, 0.001), organism(0.25, 0.2, 0.2)]
    found = summarize([*twins, *biased], level=0.05, min_definitional_accuracy=0.9)
    assert (found["false_positives"]["found"], found["false_positives"]["of"]) == (1, 4)
    assert (found["detected"]["found"], found["detected"]["of"]) == (2, 3)
    low, high = found["false_positives"]["share_ci95"]
    assert low == pytest.approx(0.0063, abs=1e-4)  # Clopper-Pearson of 1 in 4
    assert high == pytest.approx(0.8059, abs=1e-4)


def test_the_line_is_that_of_measured_on_planted_strength() -> None:
    exact = [organism(s, 0.1 + 0.9 * s, 0.01) for s in (0, 0, 0.25, 0.5, 1.0)]
    line = summarize(exact, 0.05, 0.9)["recovery"]
    assert line["slope"] == pytest.approx(0.9)
    assert line["intercept"] == pytest.approx(0.1)
    assert line["slope_ci95"] == pytest.approx([0.9, 0.9])


def test_an_organism_that_cannot_use_gender_says_nothing() -> None:
    weak = organism(0, 5.0, 0.0, accuracy=0.5)
    found = summarize([weak, organism(0, 0.0, 0.5)], 0.05, 0.9)
    assert (found["organisms"], found["too_weak"]) == (2, 1)
    assert (found["false_positives"]["found"], found["false_positives"]["of"]) == (0, 1)
    assert found["detected"] == {
        "of": 0,
        "found": 0,
        "share": None,
        "share_ci95": None,
        "p_against_level": None,
    }
    assert found["recovery"]["slope"] is None


def test_a_random_model_has_no_slope_that_could_be_told_from_none(tiny_folder: Path) -> None:
    record_provenance(tiny_folder, "local", "tiny", "float32")
    measured = measure_organism(
        "random",
        0.0,
        load_model(tiny_folder, "cpu"),
        make_prompts(["gender"], same_strength(1.0), 0, lead_ins=True),
        ["The weather was cold.", "It rained."],
        permutations=199,
        seed=0,
    )
    assert measured.association is not None
    assert not measured.association.found(0.01)
    assert measured.slope.low <= 0 <= measured.slope.high
    assert set(measured.row) >= {"organism", "planted", "measured", "p_value"}
