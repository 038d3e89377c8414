"""The command `evenkeel`, on a tiny model and what belongs to it."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from click.testing import CliRunner, Result

from evenkeel.axes import same_strength
from evenkeel.cli import group
from evenkeel.cli.options import intervention_path
from evenkeel.datasets.prompts import make_prompts
from evenkeel.errors import BadInputError
from evenkeel.files import write_jsonl
from evenkeel.models.provenance import record_provenance
from evenkeel.probes.probe_set import ProbeSet
from evenkeel.sae.parquet import write_parquet
from evenkeel.sae.results import LEADING
from evenkeel.sae.saving import save_module
from evenkeel.steering.gates import ProbeGate
from evenkeel.steering.intervention import Ablate, Add
from evenkeel.steering.latents import Scale
from evenkeel.steering.spec import InterventionSpec, with_sinks
from evenkeel.vectors.vector import SteeringVector
from tests.probes.test_probe_set import probe
from tests.steering.saes import random_sae


@pytest.fixture
def model(tiny_folder: Path) -> Path:
    record_provenance(tiny_folder, "local", "tiny", "float32")
    return tiny_folder


@pytest.fixture
def vector(tmp_path: Path) -> Path:
    path = tmp_path / "vector.safetensors"
    SteeringVector.of(
        torch.randn(32), axis="gender", method="caa", site="resid_post", layer=1, stream_norm=3.0
    ).save(path)
    return path


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "spec"
    push = Add(torch.randn(32), 9.0, layer=0, site="resid_post")
    InterventionSpec((push,), {"why": "a test"}).save(path)
    return path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(group, [str(argument) for argument in arguments])


def rows(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.exception
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_generate_sets_steered_text_beside_unsteered(model: Path, spec: Path) -> None:
    arguments = ("generate", "The nurse said", "--model", model, "--spec", spec, "--json")
    (row,) = rows(run(*arguments))
    assert row["prompt"] == "The nurse said"
    assert row["unsteered"] != row["steered"]
    assert rows(run(*arguments)) == [row], "the same seed gives the same text"


def test_generate_writes_the_same_by_every_backend(model: Path, spec: Path) -> None:
    with_sinks(InterventionSpec.load(spec), "include").save(spec)
    arguments = ("generate", "The nurse", "--model", model, "--spec", spec, "--json", "--backend")
    expected = rows(run(*arguments, "hooks"))
    for backend in ("wrapper", "bias_edit", "transformer_lens", "nnsight"):
        pytest.importorskip(backend) if backend in ("transformer_lens", "nnsight") else None
        assert rows(run(*arguments, backend)) == expected


def test_generate_with_a_vector_of_no_force_changes_nothing(model: Path, vector: Path) -> None:
    still = ("generate", "My", "--model", model, "--vector", vector, "--json", "--multiplier")
    (row,) = rows(run(*still, 0))
    assert row["unsteered"] == row["steered"]
    (row,) = rows(run(*still, 5))
    assert row["unsteered"] != row["steered"]


def test_generate_takes_files_and_samples(model: Path, vector: Path, tmp_path: Path) -> None:
    file = tmp_path / "prompts.txt"
    file.write_text("The nurse\n\nMy father\n")
    found = rows(
        run("generate", "--file", file, "--model", model, "--vector", vector, "--json",
            "--samples", 2, "--temperature", 1)
    )  # fmt: skip
    assert [(row["prompt"], row["sample"]) for row in found] == [
        ("The nurse", 0), ("My father", 0), ("The nurse", 1), ("My father", 1)
    ]  # fmt: skip
    assert found[0]["unsteered"] != found[2]["unsteered"]


def test_markup_in_a_text_is_text(model: Path, vector: Path) -> None:
    result = run("generate", "[red]The[/red] [/nurse]", "--model", model, "--vector", vector)
    assert result.exit_code == 0, result.exception
    assert "[red]The[/red] [/nurse]" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "give either a text or --file"),
        (("a", "--file", "b"), "give either a text or --file"),
        (("a", "--samples", "2"), "greedy samples are all alike"),
        (("--file", "none.txt"), "none.txt: no such file"),
        (("a", "--vector", "none.safetensors"), "none.safetensors: no such file"),
        (("a", "--temperature", "nan"), "nan is not a finite number"),
        (("a", "--multiplier", "inf"), "inf is not a finite number"),
        (("a", "--top-p", "nan"), "nan is not a finite number"),
        (("a", "--seed", 2**64), "18446744073709551616 is not in the range"),
    ],
)
def test_generate_says_what_is_wrong(arguments: tuple[str, ...], message: str) -> None:
    result = run("generate", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_temperature_too_small_to_divide_by_is_greedy(model: Path, spec: Path) -> None:
    options = ("generate", "The nurse", "--model", model, "--spec", spec, "--json")
    assert rows(run(*options, "--temperature", "1e-300")) == rows(run(*options))


def test_bytes_of_a_command_line_that_are_no_text_are_refused(model: Path, spec: Path) -> None:
    result = run("generate", "\udcff nurse", "--model", model, "--spec", spec)
    assert result.exit_code == 2, result.exception
    assert r"'\udcff nurse' is half a surrogate pair" in result.stderr


def test_an_empty_text_is_neither_biased_nor_neutral() -> None:
    result = run("detect", " ")
    assert (result.exit_code, result.stderr) == (
        2,
        "error: the text is empty; give it some words\n",
    )


def test_export_bakes_the_steered_model(model: Path, spec: Path, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    from evenkeel.models.loading import load_model
    from evenkeel.steering.hooks import steer

    export = ("export", tmp_path / "baked", "--model", model, "--spec", spec)
    refused = run(*export)
    assert refused.exit_code == 2
    assert "--include-sinks" in refused.stderr
    result = run(*export, "--include-sinks")
    assert result.exit_code == 0, result.exception
    baked = AutoModelForCausalLM.from_pretrained(tmp_path / "baked").eval()
    loaded = load_model(model, device="cpu").model
    ids = torch.tensor([[3, 4, 5]])
    everywhere = with_sinks(InterventionSpec.load(spec), "include")
    with torch.no_grad(), steer(loaded, everywhere):
        torch.testing.assert_close(baked(ids).logits, loaded(ids).logits, rtol=1e-4, atol=1e-4)


def test_export_refuses_what_a_format_cannot_hold(model: Path, spec: Path, tmp_path: Path) -> None:
    path = tmp_path / "v.gguf"
    export = ("export", "--format", "gguf", path, "--model", model, "--spec", spec)
    result = run(*export, "--include-sinks")
    assert result.exit_code == 2
    assert "resid_post of layers 1 to 2 only" in result.stderr
    assert not path.exists()


def test_export_writes_a_file_for_the_harness(model: Path, spec: Path, tmp_path: Path) -> None:
    path = tmp_path / "steered.pt"
    result = run(
        "export", "--format", "lm-eval", path, "--model", model, "--spec", spec, "--include-sinks"
    )
    assert result.exit_code == 0, result.exception
    assert list(torch.load(path, weights_only=True)) == ["h.0"]


def test_inspect_names_what_a_file_is(model: Path, vector: Path, spec: Path) -> None:
    (found,) = rows(run("inspect", model, "--json"))
    assert (found["kind"], found["name"]) == ("model", "tiny")
    (found,) = rows(run("inspect", vector, "--json"))
    assert found["kind"] == "steering vector"
    assert found["record"]["layer"] == 1
    assert found["tensors"]["direction"]["norm"] == pytest.approx(1)
    (found,) = rows(run("inspect", spec, "--json"))
    assert found["kind"] == "intervention spec"
    assert found["record"]["metadata"] == {"why": "a test"}
    assert "not_finite" in run("inspect", spec).stdout


def test_inspect_says_what_each_of_several_interventions_does(tmp_path: Path) -> None:
    gate = ProbeGate(torch.ones(32), bias=0.5)
    items = (
        Ablate(torch.eye(32)[:3], 1.05, layer=2, site="resid_post", gates=(gate,)),
        Scale.of(random_sae("resid_post", 1), [4, 7], factor=0.125, positions="prompt"),
    )
    joint = {"axis": "all", "selected_for": ["race", "age"]}
    InterventionSpec(items, joint).save(tmp_path / "joint")
    (found,) = rows(run("inspect", tmp_path / "joint", "--json"))
    where = {"site": "resid_post"}
    first, second = found["acts"]
    assert (
        first.items()
        >= (
            {"axis": "race", "does": "ablate", "layer": 2, "positions": "all", "gates": "probe"}
            | where
        ).items()
    )
    assert "multiplier 1.05" in first["with"]
    assert (
        second.items()
        >= (
            {"axis": "age", "does": "scale", "layer": 1, "positions": "prompt", "gates": "none"}
            | where
        ).items()
    )
    assert "features [4, 7]" in second["with"]
    assert "factor 0.125" in second["with"]
    shown = run("inspect", tmp_path / "joint").stdout
    assert "2 interventions" in shown
    assert "multiplier 1.05" in shown
    InterventionSpec(items, {"axis": "gender"}).save(tmp_path / "own")
    (found,) = rows(run("inspect", tmp_path / "own", "--json"))
    assert [act["axis"] for act in found["acts"]] == ["gender", "gender"]
    InterventionSpec(items).save(tmp_path / "bare")
    (found,) = rows(run("inspect", tmp_path / "bare", "--json"))
    assert [act["axis"] for act in found["acts"]] == ["unknown", "unknown"]


def save_spec(path: Path, scale: float) -> InterventionSpec:
    push = Add(torch.arange(32.0).cos(), scale, layer=0, site="resid_post")
    InterventionSpec((push,)).save(path)
    return InterventionSpec.load(path)


def test_the_intervention_is_that_of_the_axis_or_the_joint_one_unless_a_spec_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    other = tmp_path / "other"
    with pytest.raises(BadInputError, match=r"--axis all .* nor for any other; run the stage eval"):
        intervention_path(None, "all")
    assert intervention_path(other, "all") == other
    race = Path("reports/evaluation/race/intervention")
    save_spec(race, 1.0)
    assert intervention_path(None, "all") == race, "the only one that there is"
    assert intervention_path(None, "race") == race
    age = Path("reports/evaluation/age/intervention")
    save_spec(age, 2.0)
    with pytest.raises(BadInputError, match=r"--axis all .*; there are: age, race; choose one"):
        intervention_path(None, "all")
    with pytest.raises(BadInputError, match=r"--axis gender .*; there are: age, race; choose one"):
        intervention_path(None, "gender")
    joint = Path("reports/evaluation_joint/intervention")
    save_spec(joint, 3.0)
    assert intervention_path(None, "all") == joint
    assert intervention_path(None, "age") == age
    assert intervention_path(other, "age") == other
    with pytest.raises(BadInputError, match=r"there are: age, race, all; choose one"):
        intervention_path(None, "gender")


def test_generate_and_export_take_the_intervention_of_an_axis(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    save_spec(Path("reports/evaluation/race/intervention"), 0.0)
    save_spec(Path("reports/evaluation_joint/intervention"), 9.0)
    given = ("generate", "My", "--model", model, "--json")
    (row,) = rows(run(*given, "--axis", "race"))
    assert row["unsteered"] == row["steered"]
    (row,) = rows(run(*given))
    assert row["unsteered"] != row["steered"]
    export = ("export", "--format", "lm-eval", "--model", model, "--include-sinks")
    for axis in ("race", "all"):
        assert run(*export, "--axis", axis, tmp_path / f"{axis}.pt").exit_code == 0
    race, joint = (
        torch.load(tmp_path / f"{axis}.pt", weights_only=True)["h.0"] for axis in ("race", "all")
    )
    assert str(race) != str(joint)


def test_inspect_refuses_what_it_does_not_know(tmp_path: Path) -> None:
    for path, message in ((tmp_path / "none", "no such file"), (tmp_path, "not an artifact of")):
        result = run("inspect", path)
        assert result.exit_code == 2
        assert message in result.stderr


def test_a_mistake_is_one_line_and_status_2(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from evenkeel.cli import main; main()", "inspect", "none"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "error: none: no such file or folder\n"


@pytest.mark.parametrize("command", [[], ["detect"], ["export"], ["generate"], ["inspect"]])
def test_help_loads_nothing_heavy(command: list[str]) -> None:
    code = (
        "import sys; from evenkeel.cli import group\n"
        f"try: group({[*command, '--help']})\n"
        "except SystemExit: pass\n"
        "assert not {'torch', 'transformers', 'pandas', 'h5py'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Usage" in done.stdout


def test_receptivity_finds_features_by_number_and_by_word(model: Path, tmp_path: Path) -> None:
    table = pd.DataFrame({name: range(12) for name in LEADING} | {"max_active": 1.0})
    table["top_activated_words"] = [[" tired"]] * 2 + [[" he", " The"]] * 10
    write_parquet(tmp_path / "features.parquet", table)
    save_module(tmp_path / "sae", random_sae("resid_post", 1).module, torch.ones(12))
    (tmp_path / "texts").write_text("The nurse said\nMy father\n")
    given = ("--model", model, "--sae", tmp_path / "sae", "--file", tmp_path / "texts")
    given += ("--features", tmp_path / "features.parquet", "--max-new-tokens", 3, "--json")
    found = rows(run("receptivity", "--feature", 5, "--keyword", "TIRED", *given))
    assert [row["feature"] for row in found] == [0, 1, 5]
    assert [row["coefficient"] for row in found] == [2.0] * 3
    assert rows(run("receptivity", "--feature", 5, "--keyword", "TIRED", *given)) == found
    for axis in ("age", "race"):  # both hold the same neutral prompts
        prompts = make_prompts([axis], same_strength(1.0), 0, lead_ins=True)
        own = [row for row in prompts if row.kind == "neutral" and row.split == "test"][:4]
        write_jsonl(tmp_path / "prompts" / f"{axis}.jsonl", own)
    texts = ["--prompts" if each == "--file" else each for each in given[:-1]]
    texts = [tmp_path / "prompts" if each == tmp_path / "texts" else each for each in texts]
    shown = run("receptivity", "--feature", 5, *texts)
    assert "on 4 prompts" in " ".join(shown.stdout.split()), shown.exception
    none = run("receptivity", "--keyword", "queen", *given)
    assert none.exit_code == 2
    assert "no feature to test" in none.stderr


def test_plan(model: Path, tmp_path: Path) -> None:
    sample = tmp_path / "sample.txt"
    sample.write_text("The nurse said that she was tired.\n" * 30)
    given = ["--model", model, "--sample", sample, "--at", tmp_path, "--shard-mib", 64]

    (found,) = rows(run("plan", "--texts", "10_000_000", "--workers", 40, *given, "--json"))

    tokens = found["tokens"]
    assert tokens % 10_000_000 == 0
    assert found["bytes"] > tokens * 32 * 4
    assert found["shards"] == pytest.approx(found["bytes"] / (64 * 2**20), rel=0.3)
    ideal = tokens / found["tokens per second of a worker"] / 40 / 3600
    assert found["hours"] > 0.99 * ideal
    assert found["first limit"] in ("shards", "disk", "planning", "dispatch")
    assert [file.name for file in tmp_path.glob("tmp*")] == []

    result = run("plan", "--texts", 0, *given)
    assert (result.exit_code, "--texts 0: give 1 or more" in result.stderr) == (2, True)
    sample.write_text("")
    result = run("plan", "--texts", 10, *given)
    assert (result.exit_code, f"{sample}: no texts" in " ".join(result.stderr.split())) == (2, True)


def test_a_text_that_cannot_be_read_is_named_with_its_file(
    model: Path, spec: Path, tmp_path: Path
) -> None:
    path, probes = tmp_path / "texts.txt", tmp_path / "probes"
    ProbeSet.of([probe(weight=torch.randn(32))]).save(probes)
    path.write_text("The nurse said that she was tired.\n" + 400 * "word " + "\n")
    for command in (
        ["plan", "--texts", 10, "--model", model, "--sample", path, "--at", tmp_path],
        ["detect", "--file", path, "--model", model, "--probes", probes],
        ["generate", "--file", path, "--model", model, "--spec", spec],
    ):
        result = run(*command)
        assert result.exit_code == 2
        said = " ".join(result.stderr.split())
        assert re.search(rf"{path}: (text|prompt) 1 \(from 0, 'word word", said)


def test_probes_of_another_model_are_refused(model: Path, spec: Path, tmp_path: Path) -> None:
    other = {"model": {"name": "other", "fingerprint": "0" * 64}}
    ProbeSet.of([probe(weight=torch.randn(32))], metadata=other).save(tmp_path / "probes")
    for command in (
        ["detect", "The nurse left."],
        ["serve", "--port", 0, "--spec", f"own={spec}"],
    ):
        result = run(*command, "--model", model, "--probes", tmp_path / "probes")
        assert result.exit_code == 2
        assert "probes: computed on other (000000000000)" in " ".join(result.stderr.split())


@pytest.mark.parametrize("text", ["[]", "{}"])
def test_inspect_refuses_a_record_that_is_none(model: Path, spec: Path, text: str) -> None:
    for record in (model / "evenkeel.json", spec / "record.json"):
        record.write_text(text)
        result = run("inspect", record.parent)
        assert result.exit_code == 2
        assert str(record.parent) in result.stderr
