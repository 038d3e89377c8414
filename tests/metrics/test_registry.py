"""Every metric that needs competence is withheld of a model without it, and no other."""

from evenkeel.metrics.competence import withheld
from evenkeel.metrics.registry import METRICS, OTHER_DIRECTION, metric
from evenkeel.statistics.estimate import Estimate

OF_BIAS = {
    "item_spread", "bias_reduction", "mean_log_odds", "mean_log_odds_change",
    "reference_correlation", "reference_slope", "stereotype_gap", "sampled_slope", "sampled_gap",
    "split_half",
    "direction_agreement", "moved_away_share", "crossed_away_share",
}  # fmt: skip


def test_what_is_withheld_is_bias_in_both_directions_and_nothing_else() -> None:
    names = [*METRICS, *(name + OTHER_DIRECTION for name in OF_BIAS)]
    left = withheld({name: Estimate(1.0, 0.5, 1.5) for name in names})
    unknown = {name for name, estimate in left.items() if estimate.value is None}
    assert unknown == OF_BIAS | {name + OTHER_DIRECTION for name in OF_BIAS}


def test_a_metric_of_the_other_direction_is_the_same_metric() -> None:
    assert metric("item_spread" + OTHER_DIRECTION) is METRICS["item_spread"]
    assert {name for name, each in METRICS.items() if each.kind == "bias"} == OF_BIAS
