"""The graph of stages is that of dvc.yaml."""

from pathlib import Path

import pytest
import yaml

from evenkeel.errors import BadInputError
from evenkeel.reporting.lineage import read_lineage
from tests.pipeline.recording import ROOT, declared_stages, within
from tests.reporting.samples import PIPELINE


def test_stages_follow_what_they_wait_for(tmp_path: Path) -> None:
    path = tmp_path / "dvc.yaml"
    path.write_text(PIPELINE)
    nodes = {node.name: node for node in read_lineage(path, {})}
    assert list(nodes) == ["write", "train", "report", "cache", "look"]
    assert nodes["cache"].writes == ("data/a.h5",)
    parents = {name: node.parents for name, node in nodes.items()}
    assert parents == {
        "write": (), "train": ("write",), "report": ("train",), "cache": ("train",),
        "look": ("cache",),
    }  # fmt: skip
    assert [node.level for node in nodes.values()] == [0, 1, 2, 2, 3]


def test_a_stage_is_repeated_for_what_params_name(tmp_path: Path) -> None:
    path = tmp_path / "dvc.yaml"
    path.write_text(
        "stages: {a: {outs: [x]}, "
        "b: {foreach: '${chosen.run}', do: {deps: [x], outs: ['${item}']}}, "
        "c: {matrix: {axis: '${axes}'}, deps: [x], metrics: ['m/${item.axis}.json']}}"
    )
    params = {"chosen": {"run": {}}, "axes": ["age", "race"]}
    nodes = {node.name: node for node in read_lineage(path, params)}
    assert set(nodes) == {"a", "c"}
    assert nodes["c"].writes == ("m/age.json", "m/race.json")
    assert nodes["c"].parents == ("a",)


def test_the_pipeline_of_the_project_is_read_as_dvc_reads_it() -> None:
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    nodes = {node.name: node for node in read_lineage(ROOT / "dvc.yaml", params)}
    runs = declared_stages()
    assert set(nodes) == {run.name.split("@")[0] for run in runs}
    for run in runs:
        assert run.declared_writes <= set(nodes[run.name.split("@")[0]].writes)

    def waits_for(name: str) -> set[str]:
        parents = nodes[name].parents
        return {name}.union(*(waits_for(parent) for parent in parents))

    for run in runs:
        feeding = {
            other.name.split("@")[0]
            for other in runs
            if any(within(read, other.declared_writes) for read in run.declared_reads)
        }
        assert feeding <= waits_for(run.name.split("@")[0])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stages: {a: {deps: [y], outs: [x]}, b: {deps: [x], outs: [y]}}", "wait for one another"),
        ("stages: [", "line 1: not YAML"),
        ("", "not a pipeline of DVC"),
        ("stages: {a: {foreach: '${no.such}', do: {}}}", "not a pipeline of DVC"),
    ],
)
def test_what_is_no_pipeline_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "dvc.yaml").write_text(text)
    with pytest.raises(BadInputError, match=message):
        read_lineage(tmp_path / "dvc.yaml", {})
    with pytest.raises(BadInputError, match="no such file"):
        read_lineage(tmp_path / "other.yaml", {})
