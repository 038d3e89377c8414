"""Every benchmark can be read by a program."""

import importlib
import json
from pathlib import Path

import pytest

from benchmarks.figures import Figure, show

FOLDER = Path(__file__).parents[1] / "benchmarks"
SCRIPTS = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "figures")


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_script_offers_rows_of_json(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script = importlib.import_module(f"benchmarks.{name}")
    monkeypatch.setattr("sys.argv", [name, "--help"])
    with pytest.raises(SystemExit) as ended:
        script.main()
    assert ended.value.code == 0
    assert "--json" in capsys.readouterr().out


def test_a_row_holds_name_value_goal_and_what_is_better(capsys: pytest.CaptureFixture[str]) -> None:
    show("hooks", [Figure("add", 1.02, 1.05), Figure("hits", 0.9, 0.95, "higher")], as_json=True)
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert rows == [
        {"title": "hooks", "name": "add", "value": 1.02, "goal": 1.05, "better": "lower"},
        {"title": "hooks", "name": "hits", "value": 0.9, "goal": 0.95, "better": "higher"},
    ]
