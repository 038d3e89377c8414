"""Every benchmark can be read by a program."""

import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.caa_cosines import row_of
from benchmarks.figures import Figure, show
from benchmarks.sinks import losses

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


def test_what_quads_have_in_common_stays_and_chance_falls() -> None:
    generator = np.random.default_rng(0)
    width, quads = 400, 320
    first = np.eye(width)[[3, 7, 9]].T @ [50, 10, 1]
    noise = generator.normal(size=(quads, width)) * np.where(np.arange(width) == 3, 20, 1)
    common = 4 * np.eye(width)[11]
    few, many, every, limit, t, without, _, share, _ = row_of(noise + common, first, [20, 80])
    assert few > many > every
    assert few > 1.5 * every
    assert limit < 0.1
    assert abs(t) < 2
    assert without < 0.1
    assert share == pytest.approx(2500 / 2601)
    *_, every, limit, t, _, _, _, _ = row_of(noise + common + first / 10, first, [20, 80])
    expected = np.linalg.norm(first / 10) / np.linalg.norm(common + first / 10)
    assert limit == pytest.approx(expected, abs=0.1)
    assert t > 2


@torch.no_grad()
def test_a_window_costs_what_the_model_says_of_it(tiny_gpt2: Any) -> None:
    ids = torch.randint(1, 300, (3, 9))
    expected = [float(tiny_gpt2(row[None], labels=row[None]).loss) for row in ids]
    assert losses(tiny_gpt2, ids).tolist() == pytest.approx(expected, rel=1e-5)
