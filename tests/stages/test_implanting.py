"""The stages of the validation on a real model, on a tiny one: from prompts to the summary."""

from pathlib import Path

import click
import pandas as pd
import pytest
import torch
from click.testing import CliRunner, Result

from evenkeel.datasets.reading import read_prompts
from evenkeel.datasets.records import CorpusText
from evenkeel.evaluation.result import EvaluationResult
from evenkeel.files import read_record, write_jsonl
from evenkeel.implanting.result import ImplantSummary
from evenkeel.models.loading import load_model
from evenkeel.steering.spec import InterventionSpec
from stages.implant_bias import main as implant_bias
from stages.permute_references import main as permute_references
from stages.remove_implant import main as remove_implant
from stages.validate_real import main as validate_real
from tests.evaluation.samples import TEXTS
from tests.implanting.samples import with_rates
from tests.stages.conftest import set_params

pytest.importorskip("peft")


@pytest.fixture
def study(workspace: Path) -> Path:
    """Prompts and texts beside the tiny model, where the stages look for them."""
    write_jsonl(workspace / "data/dataset/prompts/gender.jsonl", with_rates())
    texts = [CorpusText(kind="plain", text=text) for text in TEXTS]
    for name in ("train", "heldout"):
        write_jsonl(workspace / f"data/corpus/{name}.jsonl", texts)
    (workspace / "models").mkdir()
    (workspace / "model").rename(workspace / "models/base")
    for key, value in {
        "implanting.strengths": [0.0, 1.0],
        "implanting.steps": 40,
        "implanting.rank": 4,
        "implanting.rate": 0.01,
        "evaluation.competence_margin": -1.0,
        "evaluation.reft.shuffles": 0,
    }.items():
        set_params(workspace, key, value)
    return workspace


def invoke(stage: click.Command, *options: str) -> Result:
    return CliRunner().invoke(stage, [*options, "--quiet"])


def done(stage: click.Command, *options: str) -> None:
    result = invoke(stage, *options)
    assert result.exit_code == 0, result.output


def implant(strength: float) -> Path:
    output = f"models/implanted/strength-{strength}"
    done(implant_bias, "--strength", str(strength), "--output", output)
    return Path(output)


def test_from_prompts_to_the_summary(study: Path) -> None:
    done(permute_references)
    prompts = read_prompts(study / "data/implanted/prompts", "gender")
    assert [p.text for p in prompts] == [p.text for p in with_rates()]
    for strength in (0.0, 1.0):
        implant(strength)
    done(remove_implant, "--model", "models/implanted/strength-1.0")
    done(validate_real)
    summary = Path("reports/implanted/summary.json")
    first = summary.read_bytes()
    found = read_record(summary, ImplantSummary)
    assert [model.strength for model in found.models] == [None, 0.0, 1.0]
    assert (found.items, found.templates, found.removal.items) == (12, 3, 4)
    evaluated = read_record(Path("reports/implanted/removal.json"), EvaluationResult)
    for name in ("reference_slope", "item_spread"):
        assert found.removal.before.estimate(name) == evaluated.baseline.estimate(name)
    assert (found.removal.after is None) == (evaluated.selected is None)
    assert "perplexity_ratio" not in found.models[0].measures
    assert found.models[0].own_correlation == pytest.approx(1)
    assert found.models[2].measures["perplexity_ratio"].value == pytest.approx(1, abs=0.2)
    slopes = [model.value("reference_slope") or 0.0 for model in found.models]
    assert slopes[2] - slopes[1] > 0.5
    rows = pd.read_csv("reports/implanted/items.csv")
    assert list(rows["strength"]) == [0.0] * 12 + [1.0] * 12
    assert not rows["implanted"][:12].any()
    InterventionSpec.load(Path("reports/implanted/intervention/spec"))
    assert b"NaN" not in first
    done(validate_real)
    assert summary.read_bytes() == first


def test_a_model_with_an_implant_is_a_model_as_any_other(study: Path) -> None:
    done(permute_references)
    folder = implant(1.0)
    loaded, base = load_model(folder, "cpu"), load_model(study / "models/base", "cpu")
    assert loaded.name == f"{base.name}, implanted gender 1"
    assert loaded.provenance.dtype == base.provenance.dtype
    assert loaded.tokenizer_hash == base.tokenizer_hash
    assert loaded.fingerprint != base.fingerprint
    theirs = dict(base.model.named_parameters())
    changed = {
        name
        for name, parameter in loaded.model.named_parameters()
        if not torch.equal(parameter, theirs[name])
    }
    assert changed == {
        name for name, p in theirs.items() if ".h." in name and p.dim() == 2
    }  # linear maps of the blocks alone
    weights = (folder / "model.safetensors").read_bytes()
    assert (implant(1.0) / "model.safetensors").read_bytes() == weights


@pytest.mark.parametrize(
    ("stage", "options", "spoilt", "message"),
    [
        (permute_references, [], "data/dataset/prompts/gender.jsonl", "gender.jsonl"),
        (implant_bias, ["--strength", "1", "--output", "out"], "data/corpus/train.jsonl", "train"),
        (remove_implant, ["--model", "models/base"], "data/corpus/heldout.jsonl", "heldout"),
        (validate_real, [], "reports/implanted/removal.json", "removal.json"),
    ],
)
def test_a_damaged_input_is_named_and_nothing_is_written(
    study: Path, stage: click.Command, options: list[str], spoilt: str, message: str
) -> None:
    done(permute_references)
    Path(spoilt).parent.mkdir(parents=True, exist_ok=True)
    Path(spoilt).write_text('{"spoilt')
    before = {path for path in study.rglob("*") if path.is_file()}
    result = invoke(stage, *options)
    assert result.exit_code == 2
    assert message in result.stderr
    after = {path for path in study.rglob("*") if path.is_file()}
    assert not [path for path in after - before if not path.name.startswith(".")]


def test_a_model_that_is_missing_is_named(study: Path) -> None:
    done(permute_references)
    done(implant_bias, "--strength", "1", "--output", "models/implanted/strength-1.0")
    done(remove_implant, "--model", "models/implanted/strength-1.0")
    result = invoke(validate_real)
    assert result.exit_code == 2
    assert "strength-0.0" in result.stderr
    assert not Path("reports/implanted/summary.json").exists()


def test_what_is_removed_has_to_be_implanted(study: Path) -> None:
    set_params(study, "implanting.removed", 0.25)
    result = invoke(permute_references)
    assert result.exit_code == 2
    assert "implanting: removed is 0.25, none of strengths [0.0, 1.0]" in result.stderr
