"""The demonstrate stage on a tiny model: what was asked for is what is shown."""

import json
import math
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
import yaml
from click.testing import CliRunner, Result

from evenkeel.activations.store import ActivationStore
from evenkeel.models.loading import LoadedModel, load_model
from evenkeel.models.sites import HookPoint
from evenkeel.params import load_params
from evenkeel.probes.training import train_probes
from evenkeel.sae.loading import open_sae
from evenkeel.sae.prompted import common_features, read_prompts
from evenkeel.sae.saving import save_module
from evenkeel.steering.continuations import continue_texts
from evenkeel.steering.hooks import steer
from evenkeel.steering.intervention import Add
from evenkeel.steering.latents import Scale
from evenkeel.vectors.actadd import text_differences
from evenkeel.vectors.vector_set import VectorSet
from stages.demonstrate import main
from tests.evaluation.samples import make_vectors
from tests.steering.saes import random_sae

PROMPTS = ["The nurse said that", "The train left"]
TEXTS = {
    "name": "texts",
    "kind": "texts",
    "positive": "My mother",
    "negative": "My father",
    "layers": [0, 2],
    "site": "resid_post",
    "action": "add",
    "relative": False,
    "multipliers": [1.0, 40.0],
    "positions": "all",
    "sinks": "include",
    "backends": ["hooks", "wrapper", "bias_edit"],
}
FEATURE = {
    "name": "feature",
    "kind": "feature",
    "feature": 5,
    "action": "scale",
    "multipliers": [0.0],
    "positions": "prompt",
    "sinks": "exclude",
    "backends": ["hooks"],
}
VECTOR = TEXTS | {"name": "vector", "kind": "vector", "axis": "gender", "method": "caa"}
VECTOR = {key: value for key, value in VECTOR.items() if key not in ("positive", "negative")}
DIGITS = 6
"""Significant digits of a figure in a file."""
OUTPUTS = ("demonstration", "demonstration.json", "demonstration.csv")


@pytest.fixture
def inputs(workspace: Path) -> Path:
    """All that the stage reads, and parameters of one recipe of each kind."""
    (probes,) = load_params(workspace / "params.yaml", "probes")
    with ActivationStore.open(workspace / "statements.h5") as store:
        train_probes(store, probes, seed=0).save(workspace / "probes")
    VectorSet.of(make_vectors(("caa",))).save(workspace / "vectors" / "gender" / "vectors")
    save_module(workspace / "sae", random_sae("resid_post", 1).module, torch.ones(12))
    change(
        workspace,
        prompts=PROMPTS,
        axes=["age", "gender"],
        words={"positive": [" she"], "negative": [" he"]},
        compared={"positive": PROMPTS, "negative": ["Hello there."], "top": 5},
        recipes=[TEXTS, VECTOR | {"action": "ablate", "backends": ["hooks"]}, FEATURE],
        sampling={
            "max_new_tokens": 6,
            "temperature": 1.0,
            "top_p": 0.9,
            "frequency_penalty": 1.0,
            "samples": 2,
            "chat_template": False,
        },
    )
    return workspace


def change(workspace: Path, **changed: Any) -> None:
    params = yaml.safe_load((workspace / "params.yaml").read_text())
    params["demonstration"] |= changed
    (workspace / "params.yaml").write_text(yaml.safe_dump(params))


def run(workspace: Path) -> Result:
    options = {name: name for name in ("model", "probes", "vectors", "sae")}
    options |= dict(zip(("output", "metrics", "plot"), OUTPUTS, strict=True))
    return CliRunner().invoke(main, [f"--{k}={workspace / v}" for k, v in options.items()])


def unit(figure: float) -> float:
    """What the last digit of a figure in a file counts."""
    return float(10.0 ** (math.floor(math.log10(abs(figure))) + 1 - DIGITS)) if figure else 0.0


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_every_case_is_shown_and_measured(inputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A random model writes half characters, which count as collapse.
    monkeypatch.setattr("evenkeel.case_studies.summary.MAX_DEGENERATE", 1.0)
    monkeypatch.setattr("evenkeel.case_studies.summary.MAX_PERPLEXITY_RATIO", 1e9)
    result = run(inputs)
    assert result.exit_code == 0, result.output
    table = pd.read_csv(inputs / "demonstration.csv", keep_default_na=False, na_values=[""])
    assert table.recipe.fillna("-").tolist() == ["-", *["texts"] * 4, *["vector"] * 4, "feature"]
    assert table.layer.tolist()[1:] == [0, 0, 2, 2, 0, 0, 2, 2, 1]
    steered = table[1:]
    assert (steered.shift_low <= steered["shift"]).all()
    assert (steered.perplexity > 1).all()
    # The difference of two rounded figures is known as well as they are, and no better.
    shift = steered.log_odds - table.log_odds[0]
    rounding = unit(table.log_odds[0]) + steered.log_odds.map(unit) + steered["shift"].map(unit)
    assert ((steered["shift"] - shift).abs() <= rounding / 2 * 1.001).all()

    metrics = json.loads((inputs / "demonstration.json").read_text())
    assert metrics["agreement"]["texts"] == {"wrapper": 1, "bias_edit": 1}
    largest = steered["shift"].abs().groupby(steered.recipe).max().to_dict()
    shifts = {name: abs(row["shift"]) for name, row in metrics["best"].items()}
    assert shifts == pytest.approx(largest, rel=2 * 10 ** (1 - DIGITS))

    rows = lines(inputs / "demonstration" / "continuations.jsonl")
    assert len(rows) == 10 * len(PROMPTS) * 2
    loaded = load_model(inputs / "model")
    assert [row["continuation"] for row in rows[:4]] == sampled(loaded)
    last = [row["continuation"] for row in rows if row["recipe"] == "feature"]
    scaled = Scale.of(open_sae(inputs / "sae"), [5], factor=0.0, positions="prompt")
    with steer(loaded.model, scaled):
        assert last == sampled(loaded)
    point = HookPoint("resid_post", 2)
    raw = torch.from_numpy(text_differences(loaded, [point], "My mother", "My father")[point])
    strong = [r["continuation"] for r in rows if (r["layer"], r["multiplier"]) == (2, 40.0)][:4]
    with steer(loaded.model, Add(raw / raw.norm(), 40.0, layer=2, site="resid_post")):
        assert strong == sampled(loaded)


def sampled(loaded: LoadedModel) -> list[str]:
    return continue_texts(
        loaded.model,
        loaded.tokenizer,
        [text for text in PROMPTS for _ in range(2)],
        max_new_tokens=6,
        temperature=1.0,
        top_p=0.9,
        frequency_penalty=1.0,
        batch_size=8,
        seed=0,
    )


def test_prompts_are_scored_and_compared(inputs: Path) -> None:
    assert run(inputs).exit_code == 0
    scores = lines(inputs / "demonstration" / "scores.jsonl")
    known = {row["axis"] for row in scores}
    assert len(scores) == len(known) * len(PROMPTS)
    assert {"score", "biased", "confidence", "layers", "tokens"} <= scores[0].keys()
    assert [layer["layer"] for layer in scores[0]["layers"]] == [0, 2]

    loaded, sae = load_model(inputs / "model"), open_sae(inputs / "sae")
    positive, negative = (read_prompts(loaded, sae, t) for t in (PROMPTS, ["Hello there."]))
    found = json.loads((inputs / "demonstration" / "features.json").read_text())
    assert found["common"] == common_features(positive, negative, 5).tolist()
    assert [prompt["side"] for prompt in found["prompts"]] == ["positive", "positive", "negative"]
    for prompt, read in zip(found["prompts"], positive + negative, strict=True):
        assert "".join(prompt["tokens"]) == prompt["text"]
        assert prompt["activations"]["5"] == pytest.approx(read.latents[:, 5], rel=1e-4)
    assert (inputs / "demonstration" / "features.png").read_bytes().startswith(b"\x89PNG")


def test_twice_the_same_bytes(inputs: Path) -> None:
    def written() -> dict[str, bytes]:
        assert run(inputs).exit_code == 0
        files = [path for name in OUTPUTS for path in [inputs / name, *inputs.glob(f"{name}/*")]]
        return {str(path): path.read_bytes() for path in files if path.is_file()}

    assert written() == written()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"recipes": [FEATURE | {"feature": 12}]}, r"'feature': feature 12 .* features 0 to 11"),
        ({"recipes": [TEXTS | {"layers": [3]}]}, "layer 3 does not exist"),
        ({"recipes": [VECTOR | {"method": "pca"}]}, "no steering vector gender/pca/resid_post/0"),
        ({"recipes": [TEXTS | {"negative": "My mother"}]}, "the difference is zero"),
        ({"recipes": [TEXTS, TEXTS]}, "lists a value twice"),
        ({"words": {"positive": [" she"], "negative": []}}, r"words\.negative: .* at least 1 item"),
        ({"axes": ["race"]}, "no probe for axis 'race'"),
    ],
)
def test_bad_input_leaves_earlier_outputs_alone(
    inputs: Path, changed: dict[str, Any], message: str
) -> None:
    (inputs / "demonstration.json").write_text("earlier")
    change(inputs, **changed)
    result = run(inputs)
    assert result.exit_code == 2, result.output
    assert re.search(message, " ".join(result.output.split()))
    assert (inputs / "demonstration.json").read_text() == "earlier"
    assert not (inputs / "demonstration").exists()


def test_answers_are_classified_before_and_under_every_case(inputs: Path) -> None:
    change(inputs, answers={"e": ["e"], "others": ["a", "i", "o"]})
    assert run(inputs).exit_code == 0
    record = json.loads((inputs / "demonstration.json").read_text())
    plot = pd.read_csv(inputs / "demonstration.csv")
    assert len(record["answers"]) == len(plot)
    lines = (inputs / "demonstration" / "continuations.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    unsteered = [row["answer"] for row in rows if row["recipe"] is None]
    for name, found in record["answers"][0]["classes"].items():
        assert found["share"] == pytest.approx(unsteered.count(name) / len(unsteered), rel=1e-5)
    change(inputs, answers={"none": ["e"]})
    refused = run(inputs)
    assert refused.exit_code == 2
    assert "a class cannot be called 'none'" in " ".join(refused.output.split())


def test_a_chat_needs_a_template(inputs: Path) -> None:
    sampling = yaml.safe_load((inputs / "params.yaml").read_text())["demonstration"]["sampling"]
    change(inputs, sampling=sampling | {"chat_template": True})
    result = run(inputs)
    assert result.exit_code == 2
    assert "tokenizer has no chat template" in result.output
