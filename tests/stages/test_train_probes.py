import json
from pathlib import Path

import pandas as pd
import pytest
import torch
from click.testing import CliRunner, Result

from evenkeel.activations.store import ActivationStore
from evenkeel.execution import choosing
from evenkeel.execution.local import InProcess
from evenkeel.probes.probe_set import ProbeSet
from evenkeel.probes.statements import text_activations
from stages.train_probes import main
from tests.execution.elsewhere import Elsewhere
from tests.stages.conftest import write_activations


def run(activations: str = "statements.h5") -> Result:
    options = (
        f"--activations {activations} --output probes --metrics probes.json --plots probes.csv "
        "--projections projections.csv"
    )
    return CliRunner().invoke(main, options.split())


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_probes_metrics_and_table_say_the_same(workspace: Path) -> None:
    result = run()
    assert result.exit_code == 0, result.output
    assert "Best of 4 probes" in result.output
    probes = ProbeSet.load(workspace / "probes")
    metrics = json.loads((workspace / "probes.json").read_text())["axes"]
    table = pd.read_csv(workspace / "probes.csv")
    assert list(metrics) == ["age", "gender"]
    assert len(table) == len(probes) == 4
    for probe, (_, row) in zip(probes, table.iterrows(), strict=True):
        assert (row["axis"], row["site"], row["layer"]) == probe.key
        assert row["auroc"] == probe.metrics.auroc
        assert (row["auroc_low"], row["auroc_high"]) == probe.metrics.auroc_ci95
    for axis, entry in metrics.items():
        assert [layer["layer"] for layer in entry["layers"]] == [0, 2]
        for layer in entry["layers"]:
            probe = probes.get(axis, layer["site"], layer["layer"])
            assert layer["selectivity"] == layer["accuracy"] - layer["control_accuracy"]
            assert layer["auroc_ci95"] == list(probe.metrics.auroc_ci95)
            assert layer["C"] == probe.c
            assert layer["n_test"] == 32
        assert entry["best"]["layer"] == probes.best(axis).layer
        importance = [layer["importance"] for layer in entry["layers"]]
        assert importance == list(probes.detector(axis).weights)
        assert table.importance[table.axis == axis].tolist() == importance


def test_whoever_trains_them_the_bytes_are_the_same(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs = ("probes", "probes.json", "probes.csv", "projections.csv")
    written = []
    for executor in (InProcess(), Elsewhere()):
        monkeypatch.setattr(choosing, "executor_of", lambda *_, executor=executor: executor)
        assert run().exit_code == 0
        files = [workspace / name for name in outputs]
        written.append([contents(file) or file.read_bytes() for file in files])

    assert written[0] == written[1]


def test_saved_probes_reproduce_the_reported_accuracy(workspace: Path) -> None:
    run()
    with ActivationStore.open(workspace / "statements.h5") as store:
        for probe in ProbeSet.load(workspace / "probes"):
            x = torch.from_numpy(text_activations(store, probe.site, probe.layer))
            texts = store.texts
            mine = ((texts["axis"] == probe.axis) & (texts["split"] == "test")).to_numpy(copy=True)
            positive = (texts["label"] == "biased").to_numpy(copy=True)[mine]
            right = (probe.scores(x[torch.from_numpy(mine)]) > 0).numpy() == positive
            assert right.mean() == pytest.approx(probe.metrics.accuracy)


def test_a_second_run_writes_the_same_bytes(workspace: Path) -> None:
    run()
    before = contents(workspace)
    run()
    assert contents(workspace) == before


def test_bad_input_is_refused_and_earlier_outputs_stay(workspace: Path) -> None:
    run()
    before = contents(workspace)
    missing = run(activations="none.h5")
    assert missing.exit_code == 2
    assert "none.h5" in missing.stderr
    params = workspace / "params.yaml"
    params.write_text(params.read_text().replace("control_draws: ", "control_drawz: "))
    misspelt = run()
    assert misspelt.exit_code == 2
    assert "probes.control_drawz: unknown key" in misspelt.stderr
    changed = {name for name, content in contents(workspace).items() if before[name] != content}
    assert changed == {str(params)}


def test_texts_that_are_no_statements_are_refused(workspace: Path) -> None:
    write_activations(workspace, "plain.h5", [{"text": "hello"}])
    result = run(activations="plain.h5")
    assert result.exit_code == 2
    assert "its texts have no axis, group, label" in result.stderr
