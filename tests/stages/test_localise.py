"""The localise stage on a tiny model: prompts in, one record out, the same bytes twice."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from evenkeel.files import read_record, write_jsonl
from evenkeel.localisation.result import Localisation
from evenkeel.models.loading import load_model
from stages.localise import main
from tests.localisation.conftest import held_as_found


@pytest.fixture
def options(workspace: Path) -> dict[str, str]:
    loaded = load_model(workspace / "model", "cpu")
    prompts = held_as_found(loaded.model, loaded.tokenizer)
    write_jsonl(workspace / "prompts" / "gender.jsonl", prompts)
    return {"axis": "gender", "model": "model", "prompts": "prompts", "metrics": "localisation"}


def run(options: dict[str, Any], *flags: str) -> Result:
    arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
    return CliRunner().invoke(main, [*arguments, *flags])


def test_record_and_table_say_the_same_twice(workspace: Path, options: dict[str, str]) -> None:
    result = run(options)
    assert result.exit_code == 0, result.output
    path = workspace / "localisation" / "gender.json"
    found = read_record(path, Localisation)
    assert (found.axis, found.pairs) == ("gender", 4)
    assert f"whose log-odds are {found.gap} nats apart" in " ".join(result.output.split())
    first = path.read_bytes()
    assert run(options, "--quiet").exit_code == 0
    assert path.read_bytes() == first


def test_bad_input_is_refused_and_the_earlier_record_stays(
    workspace: Path, options: dict[str, str]
) -> None:
    run(options)
    path = workspace / "localisation" / "gender.json"
    first = path.read_bytes()
    prompts = workspace / "prompts" / "gender.jsonl"
    absent = run(options | {"axis": "race"})
    assert absent.exit_code == 2
    assert "race.jsonl" in absent.stderr
    written = prompts.read_text()
    prompts.write_text(written.replace("{", "[", 1))
    result = run(options)
    assert result.exit_code == 2
    assert "gender.jsonl" in result.stderr
    assert path.read_bytes() == first


def test_where_nothing_can_be_compared_the_record_says_so(
    workspace: Path, options: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    """It is no reason for the whole pipeline to stop."""
    prompts = workspace / "prompts" / "gender.jsonl"
    prompts.write_text(
        prompts.read_text().replace('"held_against": "male"', '"held_against": null')
    )
    result = run(options)
    assert result.exit_code == 0
    assert "no two stereotypical items" in caplog.text
    found = Localisation.model_validate_json(
        (workspace / "localisation" / "gender.json").read_text()
    )
    assert found == Localisation.of_nothing("gender")
