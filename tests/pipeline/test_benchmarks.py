"""Stages that are there only when params.yaml names a benchmark declare what they do, too."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from evenkeel.conditions.kept import keep_conditions
from evenkeel.conditions.spec import SpecCondition
from evenkeel.models.loading import load_model
from evenkeel.models.provenance import record_provenance
from evenkeel.public_benchmarks import sources
from evenkeel.steering.intervention import Ablate
from evenkeel.steering.spec import InterventionSpec
from tests.pipeline.imports import check_code
from tests.pipeline.recording import (
    FILES,
    ROOT,
    Recorder,
    Run,
    copy,
    declared_stages,
    files_in,
    invoke,
    reads_of,
    within,
)
from tests.public_benchmarks.samples import write_crows_pairs, write_winogender
from tests.public_benchmarks.test_harness import tasks
from tests.public_benchmarks.test_sources import Host, host, serve
from tests.reporting.samples import write_inputs
from tests.stages.test_benchmark_conditions import with_a_longer_context

__all__ = ["host", "tasks"]  # fixtures


OPTIONAL = {"download_benchmark", "benchmark", "benchmark_conditions", "harness"}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, tasks: Path) -> Path:
    """A project whose params.yaml names benchmarks."""
    from dvc.repo import Repo

    folder = tmp_path_factory.mktemp("project")
    for file in FILES:
        copy(ROOT / file, folder / file)
    params = yaml.safe_load((ROOT / "tests" / "reduced_params.yaml").read_text())
    params["benchmarks"] |= {
        "download": {"stereoset": {}},
        "run": {"crows_pairs": "my pairs.csv", "stereoset": "data/benchmarks/stereoset"},
        "conditions": {
            "of_gender": {"benchmark": "winogender", "axis": "gender", "data": "winogender"}
        },
        "harness": {"tasks": ["evenkeel_choose"], "include_path": str(tasks), "limit": 2},
    }
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    Repo.init(str(folder), no_scm=True).close()
    return folder


@pytest.fixture(scope="module")
def chosen(project: Path) -> dict[str, Run]:
    """Its stages by name; each runs in one test at most."""
    return {run.name: run for run in declared_stages(project)}


@pytest.fixture(scope="module")
def recorder() -> Iterator[Recorder]:
    recorder = Recorder()
    yield recorder
    recorder.run = None


def listen(run: Run, folder: Path, project: Path, recorder: Recorder) -> None:
    """Run a stage in a folder of what it declares, and compare what it did with that."""
    run.folder = folder
    copy(project / "params.yaml", folder / "params.yaml")
    before = files_in(folder)
    invoke(run, recorder)
    writes = {within(f, run.declared_writes) or f for f in files_in(folder) - before}
    assert reads_of(run) - run.declared_writes == run.declared_reads
    assert writes == run.declared_writes
    assert run.params == run.declared_params
    check_code(run)


def test_by_default_no_benchmark_is_in_the_pipeline() -> None:
    assert not [run.name for run in declared_stages() if run.name.partition("@")[0] in OPTIONAL]


def test_a_benchmark_waits_for_its_download(chosen: dict[str, Run]) -> None:
    order = list(chosen)
    assert order.index("download_benchmark@stereoset") < order.index("benchmark@stereoset")
    assert "data/benchmarks/stereoset" in chosen["benchmark@stereoset"].declared_reads


def test_the_report_waits_for_what_was_chosen_and_for_nothing_else(project: Path) -> None:
    from dvc.repo import Repo

    waits = {}
    for root in (ROOT, project):
        with Repo(str(root)) as repo:
            (report,) = (
                stage for stage in repo.index.stages if stage.addressing.endswith("report")
            )
            found = {each.addressing for each in repo.index.graph.successors(report)}
        names = {name.rpartition(":")[2] for name in found}
        waits[root] = {
            name for name in names if not name.startswith(("evaluate@", "judge@", "localise@"))
        }
    chosen = {"benchmark@crows_pairs", "benchmark@stereoset", "harness@evenkeel_choose"}
    assert waits[project] == waits[ROOT] | chosen
    assert not waits[ROOT] & chosen


def test_the_report_reads_what_was_chosen(
    chosen: dict[str, Run], project: Path, tmp_path: Path, recorder: Recorder
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    axes = yaml.safe_load((project / "params.yaml").read_text())["evaluation"]["axes"]
    metrics = write_inputs(folder, axes)["metrics"] / "benchmarks"
    # One result stands for all: here only which files are read matters.
    (metrics / "crows_pairs.json").rename(metrics / "stereoset.json")
    copy(metrics / "stereoset.json", metrics / "crows_pairs.json")
    (metrics / "harness" / "choose.json").rename(metrics / "harness" / "evenkeel_choose.json")
    listen(chosen["report"], folder, project, recorder)
    assert {f"reports/metrics/benchmarks/{name}.json" for name in ("crows_pairs", "stereoset")} | {
        "reports/metrics/benchmarks/harness/evenkeel_choose.json"
    } == {path for path in chosen["report"].reads if path.startswith("reports/metrics/benchmarks")}


@pytest.fixture
def folder(tmp_path: Path, tiny_folder: Path) -> Path:
    """A model and an intervention, where the pipeline keeps them."""
    folder = tmp_path / "run"
    record_provenance(tiny_folder, "local", "tiny", "float32")
    copy(tiny_folder, folder / "models" / "base")
    direction = torch.linspace(-1, 1, 32)
    spec = InterventionSpec((Ablate(direction, layer=0, site="resid_post"),))
    spec.save(folder / "reports" / "evaluation_joint" / "intervention")
    return folder


def test_a_benchmark_does_what_it_declares(
    chosen: dict[str, Run], project: Path, folder: Path, recorder: Recorder
) -> None:
    write_crows_pairs(folder).rename(folder / "my pairs.csv")
    listen(chosen["benchmark@crows_pairs"], folder, project, recorder)


def test_conditions_on_a_benchmark_do_what_they_declare(
    chosen: dict[str, Run], project: Path, folder: Path, recorder: Recorder
) -> None:
    with_a_longer_context(folder / "models" / "base")
    loaded = load_model(folder / "models" / "base")
    edit = Ablate(torch.linspace(-1, 1, 32), layer=0, site="resid_post")
    conditions = folder / "reports" / "evaluation" / "gender" / "conditions"
    keep_conditions(conditions, loaded, [SpecCondition("ablated", (edit,))])
    (folder / "winogender").mkdir()
    write_winogender(folder / "winogender")
    listen(chosen["benchmark_conditions@of_gender"], folder, project, recorder)


def test_a_task_of_the_harness_does_what_it_declares(
    chosen: dict[str, Run], project: Path, folder: Path, recorder: Recorder
) -> None:
    listen(chosen["harness@evenkeel_choose"], folder, project, recorder)
    record = json.loads(
        (folder / "reports/metrics/benchmarks/harness/evenkeel_choose.json").read_text()
    )
    assert record["tasks"]["evenkeel_choose"]["items"] == 2


def test_a_download_does_what_it_declares(
    chosen: dict[str, Run],
    project: Path,
    tmp_path: Path,
    host: Host,
    recorder: Recorder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    serve(host, "stereoset", b"{}")
    defaults: dict[str, Any] = sources.download.__kwdefaults__
    monkeypatch.setitem(defaults, "host", host.url)
    folder = tmp_path / "run"
    folder.mkdir()
    listen(chosen["download_benchmark@stereoset"], folder, project, recorder)
    assert (folder / "data" / "benchmarks" / "stereoset" / "dev.json").read_bytes() == b"{}"
