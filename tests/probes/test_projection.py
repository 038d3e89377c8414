"""The plane shows what is in the activations, on statements that had no part in choosing it."""

from evenkeel.models.sites import HookPoint
from evenkeel.params import ProbesParams
from evenkeel.probes.projection import projections
from evenkeel.probes.training import train_probes
from tests.probes.planted import FakeStore, planted_activations, planted_statements


def test_planted_clouds_part_without_labels() -> None:
    statements = planted_statements(("age", "gender"))
    x = planted_activations(statements, bias=8.0, group=4.0)
    store = FakeStore(statements, {HookPoint("resid_post", 0): x})
    params = ProbesParams(regularization=[0.1], control_draws=1, resamples=100)
    plane = projections(store, train_probes(store, params, 0))
    assert len(plane) == (statements["split"] == "test").sum()
    assert (plane["pc1_variance"] > plane["pc2_variance"]).all()
    for _, of_axis in plane.groupby("axis"):
        biased = of_axis["label"] == "biased"
        one, other = of_axis["pc1"][biased], of_axis["pc1"][~biased]
        assert one.min() > other.max() or one.max() < other.min()
        men = of_axis["group"] == "men"
        assert abs(of_axis["pc2"][men].mean() - of_axis["pc2"][~men].mean()) > 2
