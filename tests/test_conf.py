"""conf/: what DVC's Hydra support composes into params.yaml."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from evenkeel.params import Params

ROOT = Path(__file__).parents[1]
EXPERIMENTS = sorted(path.stem for path in (ROOT / "conf" / "experiment").glob("*.yaml"))
ELSEWHERE = {"organism-baselines", "organism-findings", "smollm2-135m", "smollm2-findings"}
"""Experiments that are on no published system's model, and run by other commands."""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with params.yaml, and conf/ as it stands beside it."""
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    return tmp_path


def test_no_link_is_needed() -> None:
    # A clone on a system without links has a text file in the place of each.
    tracked = subprocess.run(["git", "ls-files", "-s"], cwd=ROOT, capture_output=True, check=True)
    assert not [line for line in tracked.stdout.splitlines() if line.startswith(b"120000")]


def test_every_checkout_has_the_same_bytes() -> None:
    told = ["git", "check-attr", "text", "eol", "--", "params.yaml", "evenkeel/__init__.py"]
    found = subprocess.run(told, cwd=ROOT, capture_output=True, check=True, text=True).stdout
    assert [line.rpartition(": ")[2] for line in found.splitlines()] == ["auto", "lf"] * 2


def composed(project: Path, *overrides: str) -> dict[str, Any]:
    """params.yaml after DVC has composed it, as `dvc exp run -S ...` does first."""
    from dvc.utils.hydra import compose_and_dump

    compose_and_dump(
        project / "params.yaml", str(project / "conf"), None, "config", str(project), [*overrides]
    )
    values: dict[str, Any] = yaml.safe_load((project / "params.yaml").read_text())
    return values


def test_without_an_experiment_params_yaml_keeps_every_value(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")  # from wherever DVC is started
    before = yaml.safe_load((project / "params.yaml").read_text())
    assert composed(project) == before
    changed = composed(project, "probes.resamples=123")
    before["probes"]["resamples"] = 123
    assert changed == before
    assert composed(project) == before  # what was set stays, as without Hydra


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_composes_to_valid_parameters(project: Path, name: str) -> None:
    values = composed(project, f"experiment={name}")
    assert Params.model_validate(values).model.source in ("hub", "organism", "gguf")


def test_ci_runs_every_published_system_with_valid_parameters(project: Path) -> None:
    ci = (ROOT / ".ci" / "run").read_text()
    smaller = {f"${name}": given for name, given in re.findall(r'^(\w+)="(-S [^"]+)"', ci, re.M)}
    runs = re.findall(r"^dvc exp run --temp -S experiment=(\S+) (.*)$", ci, re.M)
    assert {name for name, _ in runs} == set(EXPERIMENTS) - ELSEWHERE
    reduced = (ROOT / "tests" / "reduced_params.yaml").read_bytes()
    for name, words in runs:
        (project / "params.yaml").write_bytes(reduced)
        given = " ".join(smaller[word] for word in words.split()).replace("-S", "").split()
        Params.model_validate(composed(project, f"experiment={name}", *given))


def leaves(values: dict[str, Any], path: str = "") -> set[str]:
    """Dotted paths of what is no section."""
    found = set()
    for key, value in values.items():
        inner = f"{path}.{key}"
        found |= leaves(value, inner) if isinstance(value, dict) else {inner}
    return found


def test_what_one_experiment_changes_every_other_one_sets_again() -> None:
    # Composition starts from params.yaml as the last run left it.
    set_by = {
        name: leaves(yaml.safe_load((ROOT / "conf" / "experiment" / f"{name}.yaml").read_text()))
        for name in EXPERIMENTS
    }
    # Texts of ActAdd are set as a whole: null, or those of one axis.
    whole = "vectors.actadd.pairs"
    set_by = {
        name: {key[: key.index(whole) + len(whole)] if whole in key else key for key in keys}
        for name, keys in set_by.items()
    }
    everything = set.union(*set_by.values())
    assert not [
        (name, path)
        for name, own in set_by.items()
        for path in everything
        if not any(_replaces(leaf, path) for leaf in own)
    ]


def _replaces(leaf: str, path: str) -> bool:
    """Whether setting one leaf decides another: itself, or one above it or below a null."""
    return path == leaf or path.startswith(f"{leaf}.") or leaf.startswith(f"{path}.")
