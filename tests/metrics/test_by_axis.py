import shutil
from pathlib import Path

import pytest

from evenkeel.axes import same_strength
from evenkeel.datasets.intersections import make_intersection_prompts
from evenkeel.datasets.prompts import make_prompts
from evenkeel.datasets.records import Prompt
from evenkeel.metrics.by_axis import metrics_by_axis
from evenkeel.models.loading import LoadedModel, load_model
from evenkeel.models.provenance import record_provenance

FULL = same_strength(1.0)
TEXTS = ["The bus was late.", "The dog slept near the lake."]


@pytest.fixture(scope="module")
def loaded(saved_tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    folder = tmp_path_factory.mktemp("model") / "tiny"
    shutil.copytree(saved_tiny, folder)
    record_provenance(folder, "local", "tiny", "float32")
    return load_model(folder, "cpu")


@pytest.fixture(scope="module")
def prompts() -> list[Prompt]:
    rows = make_prompts(["race", "gender"], FULL, 0, lead_ins=False)
    rows += make_intersection_prompts(["race", "gender"], FULL, lead_ins=False)
    return rows


def test_every_axis_is_measured_by_itself(loaded: LoadedModel, prompts: list[Prompt]) -> None:
    together = metrics_by_axis(loaded, prompts, TEXTS, 64, 20, 0)
    assert list(together) == ["race", "gender", "gender+race"]
    gender = [row for row in prompts if row.axis == "gender"]
    alone = metrics_by_axis(loaded, gender, TEXTS, 64, 20, 0)["gender"]
    assert {"perplexity", "perplexity_ci95"} <= alone.keys()
    for name, value in together["gender"].items():
        if "text" not in name:
            assert alone[name] == value, name
    assert together["race"]["items"] == 20
    assert together["gender"]["items_item_given_group"] == 38


def test_an_intersection_is_measured_in_its_own_direction(
    loaded: LoadedModel, prompts: list[Prompt]
) -> None:
    found = metrics_by_axis(loaded, prompts, TEXTS, 64, 20, 0)["gender+race"]
    assert found["items"] == 8
    assert found["reference_slope"] is not None
    assert found["definitional_accuracy"] is None
