"""conf/: what DVC's Hydra support composes into params.yaml."""

from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
EXPERIMENTS = sorted(path.stem for path in (ROOT / "conf" / "experiment").glob("*.yaml"))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with params.yaml, and conf/ as it stands beside it."""
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    (tmp_path / "conf").mkdir()
    for path in (ROOT / "conf").iterdir():
        (tmp_path / "conf" / path.name).symlink_to(
            path.readlink() if path.is_symlink() else path.absolute()
        )
    return tmp_path


def composed(project: Path, *overrides: str) -> dict[str, Any]:
    """params.yaml after DVC has composed it, as `dvc exp run -S ...` does first."""
    from dvc.utils.hydra import compose_and_dump

    compose_and_dump(
        project / "params.yaml", str(project / "conf"), None, "config", str(project), [*overrides]
    )
    values: dict[str, Any] = yaml.safe_load((project / "params.yaml").read_text())
    return values


def test_without_an_experiment_params_yaml_keeps_every_value(project: Path) -> None:
    before = yaml.safe_load((project / "params.yaml").read_text())
    assert composed(project) == before
    changed = composed(project, "probes.resamples=123")
    before["probes"]["resamples"] = 123
    assert changed == before
    assert composed(project) == before  # what was set stays, as without Hydra
