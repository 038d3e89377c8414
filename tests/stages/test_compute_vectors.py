import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner, Result

from evenkeel.activations.capture import capture_texts
from evenkeel.activations.store import ActivationStore
from evenkeel.axes import AXES
from evenkeel.files import write_jsonl
from evenkeel.models.loading import load_model
from evenkeel.models.provenance import record_provenance
from evenkeel.models.sites import HookPoint
from evenkeel.probes.probe_set import ProbeSet
from evenkeel.probes.statements import text_activations
from evenkeel.sae.parquet import write_parquet
from evenkeel.sae.results import LEADING
from evenkeel.sae.saving import save_module
from evenkeel.vectors.actadd import LEAD
from evenkeel.vectors.shuffled import ShuffledVectors
from evenkeel.vectors.vector_set import load_axes
from stages.compute_vectors import main
from stages.train_probes import main as train_probes
from tests.evaluation.samples import make_prompts
from tests.learning.test_preference import held
from tests.stages.conftest import set_params
from tests.steering.saes import random_sae

# What features 5, 8 and 9 go with is significant: 8 the most with gender, 9 with age alone.
STRENGTH = {"gender": {5: 0.2, 8: 0.9, 9: 0.5}, "age": {9: 0.8}}


def feature_table() -> pd.DataFrame:
    table = pd.DataFrame({name: range(12) for name in LEADING})
    for axis, strength in STRENGTH.items():
        found = table["feature"].map(strength)
        for contrast in ("bias", "group"):
            table[f"{axis}_{contrast}_auroc_selection"] = found.fillna(0.99)
            table[f"{axis}_{contrast}_q_selection"] = found.notna().map({True: 0.01, False: 0.5})
    return table


@pytest.fixture
def probed(workspace: Path) -> Path:
    set_params(workspace, "vectors.resamples", 100)
    set_params(workspace, "vectors.sae", {"max_q": 0.05, "top_features": 2, "features": [3, 8]})
    set_params(workspace, "vectors.preference.layers", [2])
    save_module(workspace / "sae", random_sae("resid_post", 2).module, torch.ones(12))
    for axis in ("age", "gender"):
        rows = [p.model_copy(update={"axis": axis}).model_dump() for p in held(make_prompts())]
        write_jsonl(workspace / "prompts" / f"{axis}.jsonl", rows)
    write_parquet(workspace / "features.parquet", feature_table())
    options = "--activations statements.h5 --output probes --metrics p.json --plots p.csv"
    assert CliRunner().invoke(train_probes, options.split()).exit_code == 0
    return workspace


def run() -> Result:
    options = (
        "--activations statements.h5 --probes probes --model model --output vectors "
        "--metrics vectors.json --sae sae --features features.parquet --prompts prompts"
    )
    return CliRunner().invoke(main, options.split())


def test_vectors_of_every_axis_method_and_layer_with_their_metrics(probed: Path) -> None:
    result = run()
    assert result.exit_code == 0, result.output
    vectors = load_axes(probed / "vectors")
    metrics = json.loads((probed / "vectors.json").read_text())
    keys = [
        (axis, method, "resid_post", layer, feature)
        for axis, features in (("age", (3, 8, 9)), ("gender", (3, 5, 8)))
        for method in ("actadd", "bipo", "caa", "group", "pca", "probe", "reps", "sae", "term")
        for layer in (0, 2)
        for feature in (features if method == "sae" else (None,))
        if (method, layer) not in (("sae", 0), ("bipo", 0), ("reps", 0))
    ]
    made = [(v.axis, v.method, v.site, v.layer, v.feature) for v in vectors]
    rows = metrics["vectors"]
    assert [
        tuple(r[n] for n in ("axis", "method", "site", "layer", "feature")) for r in rows
    ] == made
    assert made == keys
    for vector, row in zip(vectors, rows, strict=True):
        assert vector.separation is not None
        assert row["separation_auroc"] == vector.separation.auroc
        assert vector.metadata["model"]["name"] == "tiny"
        best = metrics["best"][vector.axis][vector.method]
        assert best["separation_auroc"] >= row["separation_auroc"]


def test_directions_are_those_of_the_activations(probed: Path) -> None:
    run()
    vectors = load_axes(probed / "vectors")
    probes = ProbeSet.load(probed / "probes")
    with ActivationStore.open(probed / "statements.h5") as store:
        x = text_activations(store, "resid_post", 2).astype(np.float64)
        texts = store.texts
    train = (texts["axis"] == "gender") & (texts["split"] == "train")

    def mean(column: str, value: str) -> np.ndarray:
        return x[(train & (texts[column] == value)).to_numpy()].mean(axis=0)

    female, male = (group.continuations[0] for group in AXES["gender"].groups)
    captured = capture_texts(
        load_model(probed / "model", "cpu"), [LEAD + female, LEAD + male], ["resid_post"], [2]
    )
    she, he = captured[HookPoint("resid_post", 2)]
    for method, raw in {
        "caa": mean("label", "neutral") - mean("label", "biased"),
        "group": mean("group", "men") - mean("group", "women"),
        "probe": -probes.get("gender", "resid_post", 2).weight.numpy(),
        "actadd": she - he,
    }.items():
        direction = vectors.get("gender", method, "resid_post", 2).direction
        unit = torch.from_numpy(raw / np.linalg.norm(raw)).float()
        assert torch.allclose(direction, unit, atol=1e-5), method
    decoder = random_sae("resid_post", 2).decoder
    for feature in (3, 5, 8):
        vector = vectors.get("gender", "sae", "resid_post", 2, feature)
        cosine = torch.nn.functional.cosine_similarity(vector.direction, decoder[feature], dim=0)
        assert float(cosine) == pytest.approx(1)
        norm = vectors.get("gender", "group", "resid_post", 2).stream_norm
        assert vector.stream_norm == norm


def test_a_second_run_writes_the_same_bytes(probed: Path) -> None:
    run()
    before = {p: p.read_bytes() for p in probed.rglob("*") if p.is_file()}
    run()
    assert {p: p.read_bytes() for p in probed.rglob("*") if p.is_file()} == before


def test_probes_and_autoencoder_are_only_read_for_the_methods_that_need_them(
    probed: Path,
) -> None:
    (probed / "probes" / "tensors.safetensors").unlink()
    (probed / "sae" / "cfg.json").unlink()
    set_params(probed, "evaluation.methods", ["caa"])
    set_params(probed, "vectors.methods", ["caa", "pca"])
    result = run()
    assert result.exit_code == 0, result.output
    assert {vector.method for vector in load_axes(probed / "vectors")} == {"caa", "pca"}


def test_trained_vectors_have_nulls_of_their_own(probed: Path) -> None:
    set_params(probed, "vectors.preference.shuffles", 2)
    assert run().exit_code == 0
    vector = load_axes(probed / "vectors").get("gender", "bipo", "resid_post", 2)
    shuffled = ShuffledVectors.load(probed / "vectors" / "gender" / "shuffled.safetensors")
    assert shuffled.most(vector, 19) == 2
    nulls = [shuffled.in_place_of(vector, draw).direction for draw in range(2)]
    assert not torch.equal(*nulls)
    group = load_axes(probed / "vectors").get("gender", "group", "resid_post", 2)
    assert shuffled.most(group, 19) == 19
    assert group.tokens_read
    assert vector.tokens_read
    assert vector.tokens_read != group.tokens_read  # its training, and not the statements


def test_a_layer_that_is_not_stored_cannot_be_trained_at(probed: Path) -> None:
    set_params(probed, "vectors.preference.layers", [1])
    result = run()
    assert result.exit_code == 2
    assert "vectors.preference.layers names layer 1, but" in result.stderr
    assert not (probed / "vectors").exists()


def test_another_model_is_refused(probed: Path) -> None:
    config = probed / "model" / "config.json"
    config.write_text(config.read_text() + "\n")  # enough for another fingerprint
    record_provenance(probed / "model", "local", "other", "float32")
    result = run()
    assert result.exit_code == 2
    assert "but the model in use is" in result.stderr
    assert not (probed / "vectors").exists()


def test_probes_of_another_model_are_refused(probed: Path) -> None:
    probes = ProbeSet.load(probed / "probes")
    ProbeSet.of(probes.probes, metadata={"model": {"name": "other"}}).save(probed / "probes")
    result = run()
    assert result.exit_code == 2
    assert "the probes are of model {'name': 'other'}" in result.stderr
    assert "run train_probes again" in result.stderr


def test_missing_inputs_are_refused(probed: Path) -> None:
    (probed / "probes" / "record.json").unlink()
    result = run()
    assert result.exit_code == 2
    assert "record.json: no such file" in result.stderr


def spoil_store(folder: Path) -> None:
    save_module(folder / "sae", random_sae("resid_post", 1).module, torch.ones(12))


def spoil_table(folder: Path) -> None:
    write_parquet(folder / "features.parquet", feature_table().head(11))


def spoil_listed(folder: Path) -> None:
    set_params(folder, "vectors.sae.features", [12])


def spoil_associations(folder: Path) -> None:
    table = feature_table().drop(columns="age_group_q_selection")
    write_parquet(folder / "features.parquet", table)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (spoil_store, "keeps no resid_post of layer 1, where the SAE reads: add it to"),
        (spoil_table, "the table has 11 features, the SAE 12; run extract_features"),
        (spoil_listed, "vectors.sae.features lists [12], but the dictionary's features go from 0"),
        (spoil_associations, "no age_group_q_selection column; run extract_features"),
    ],
)
def test_features_that_do_not_fit_are_refused(
    probed: Path, spoil: Callable[[Path], None], message: str
) -> None:
    spoil(probed)
    result = run()
    assert result.exit_code == 2
    assert message in result.stderr
    assert not (probed / "vectors").exists()
