"""The stage that measures every condition on a benchmark: files in, files out, twice alike."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from click.testing import CliRunner, Result

from evenkeel.conditions.condition import Condition
from evenkeel.conditions.kept import keep_conditions
from evenkeel.conditions.prompt import PromptCondition
from evenkeel.conditions.spec import SpecCondition
from evenkeel.models.loading import load_model
from evenkeel.models.provenance import record_provenance
from evenkeel.steering.intervention import Ablate
from stages.benchmark import main as benchmark
from stages.benchmark_conditions import main
from tests.public_benchmarks.samples import write_stereoset, write_winogender
from tests.stages.conftest import set_params


@pytest.fixture
def inputs(workspace: Path) -> dict[str, str]:
    """Every option of the stage, its inputs in place."""
    set_params(workspace, "benchmarks.resamples", 100)
    data = workspace / "data"
    data.mkdir()
    with_a_longer_context(workspace / "model")
    ablate = Ablate(torch.linspace(-1, 1, 32), layer=1, site="resid_post")
    conditions: list[Condition] = [
        SpecCondition("ablated", (ablate,)),
        PromptCondition("Be fair. "),
    ]
    loaded = load_model(workspace / "model")
    keep_conditions(workspace / "evaluation" / "gender" / "conditions", loaded, conditions)
    return {
        "name": "winogender",
        "data": str(write_winogender(data)),
        "axis": "gender",
        "model": "model",
        "evaluation": "evaluation",
        "metrics": "conditions.json",
        "plot": "conditions.csv",
    }


def with_a_longer_context(model: Path) -> None:
    """Benchmark items behind a lead-in are longer than the tiny model can read."""
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.from_pretrained(model, n_positions=256)
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config).save_pretrained(model)
    record_provenance(model, "local", "tiny", "float32")


def run(options: dict[str, str], stage: Any = main) -> Result:
    arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
    return CliRunner().invoke(stage, arguments)


def figures(options: dict[str, str]) -> dict[str, Any]:
    record = json.loads(Path(options["metrics"]).read_text())
    assert record["axis"] == "gender"
    return {each["name"]: each["figures"] for each in record["conditions"]}


def test_each_condition_is_what_the_benchmark_says_of_it_alone(inputs: dict[str, str]) -> None:
    result = run(inputs)
    assert result.exit_code == 0, result.output
    assert "unsteered" in result.output
    found = figures(inputs)
    assert list(found) == ["ablated", "prompt"]
    before = [Path(inputs[name]).read_bytes() for name in ("metrics", "plot")]
    assert run(inputs).exit_code == 0
    assert [Path(inputs[name]).read_bytes() for name in ("metrics", "plot")] == before
    table = pd.read_csv(inputs["plot"])
    assert set(table.condition) == {"ablated", "prompt"}
    assert set(table.group) == {"all"}

    alone = {name: inputs[name] for name in ("name", "data", "model")} | {
        "intervention": "evaluation/gender/conditions/ablated/intervention",
        "metrics": "alone.json", "plot": "alone.csv",
    }  # fmt: skip
    assert run(alone, benchmark).exit_code == 0
    expected = json.loads(Path("alone.json").read_text())["figures"]
    assert found["ablated"].keys() == {"pronoun", "lead_in_pronoun"} < expected.keys()
    for rule, by_group in found["ablated"].items():
        for name, figure in by_group["all"].items():
            for model in ("baseline", "steered"):
                own = expected[rule]["all"][name][model]
                assert figure[model] == pytest.approx(own, rel=1e-3, abs=1e-5)
    # The prefix stands before what is asked, and nothing else changes.
    spread = found["prompt"]["lead_in_pronoun"]["all"]["item_spread"]
    assert (
        spread["baseline"] == found["ablated"]["lead_in_pronoun"]["all"]["item_spread"]["baseline"]
    )
    assert spread["steered"] != spread["baseline"]


def test_of_stereoset_the_triples_of_the_axis_alone_are_asked(
    inputs: dict[str, str], workspace: Path
) -> None:
    inputs |= {"name": "stereoset", "data": str(write_stereoset(workspace / "data"))}
    result = run(inputs)
    assert result.exit_code == 0, result.output
    record = json.loads(Path(inputs["metrics"]).read_text())
    whole = {name: inputs[name] for name in ("name", "data", "model")} | {
        "intervention": "evaluation/gender/conditions/ablated/intervention",
        "metrics": "alone.json", "plot": "alone.csv",
    }  # fmt: skip
    assert run(whole, benchmark).exit_code == 0
    alone = json.loads(Path("alone.json").read_text())
    assert record["size"]["triples"] < alone["size"]["triples"]
    assert record["size"]["intersentence_triples"] == 0
    found = figures(inputs)["ablated"]
    assert found.keys() == {"lead_in_mean", "lead_in_sum"}
    expected = alone["figures"]["lead_in_mean"]["gender"]["ss"]["steered"]
    assert found["lead_in_mean"]["all"]["ss"]["steered"] == pytest.approx(expected)


def test_an_axis_that_was_not_evaluated_is_refused(inputs: dict[str, str]) -> None:
    result = run(inputs | {"axis": "race"})
    assert result.exit_code == 2
    assert "evaluation/race/conditions" in result.output
