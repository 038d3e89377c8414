"""The evaluate stage on a tiny model: files in, files out, the same bytes twice."""

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from click.testing import CliRunner, Result

from evenkeel.activations.writer import write_store
from evenkeel.datasets.records import CorpusText
from evenkeel.files import write_jsonl
from evenkeel.models.loading import load_model, record_provenance
from evenkeel.params import load_params
from evenkeel.sae.saving import save_module
from evenkeel.scoring import token_reads
from evenkeel.steering.continuations import continue_texts
from evenkeel.steering.spec import InterventionSpec
from evenkeel.vectors.vector_set import VectorSet
from stages.evaluate import main
from tests.evaluation.samples import (
    TEXTS,
    make_dictionary,
    make_feature_vectors,
    make_prompts,
    make_vectors,
)
from tests.probes.planted import planted_statements

SMALL = {
    "methods": ["caa", "pca"],
    "add_multipliers": [-0.5, 0.5],
    "ablate_multipliers": [1.0],
    "max_perplexity_ratio": 3.0,
    "max_definitional_loss": 1.0,
    "max_parity_shift": None,
    "competence_margin": -1.0,
    "prefixes": ["Be fair. ", "It rained. "],
    "null_draws": 3,
    "doses": [4.0, 1.0],
    "heldout_texts": 20,
    "resamples": 100,
    "generation": {
        "prompts": 5,
        "max_new_tokens": 6,
        "temperature": 0.7,
        "top_p": 0.95,
        "samples": 2,
    },
}


@pytest.fixture
def inputs(tiny_folder: Path, tmp_path: Path) -> dict[str, Path]:
    """Every option of the stage, its inputs in place."""
    record_provenance(tiny_folder, "local", "tiny", "float32")
    own = make_vectors(("caa", "pca"))
    other = [replace(vector, axis="age", direction=-vector.direction) for vector in own]
    dictionary = make_dictionary()
    features = make_feature_vectors(dictionary, (3, 7))
    VectorSet.of([*own, *other, *features]).save(tmp_path / "vectors")
    save_module(tmp_path / "sae", dictionary.sae.module, dictionary.frequency)
    (capture,) = load_params(Path("tests/reduced_params.yaml"), "activations.statements")
    statements = planted_statements(terms=4, quads=8).to_dict("records")
    write_store(tmp_path / "statements.h5", load_model(tiny_folder, "cpu"), statements, capture)
    write_jsonl(tmp_path / "prompts.jsonl", make_prompts())
    texts = [CorpusText(kind="plain", text=text) for text in TEXTS]
    write_jsonl(
        tmp_path / "heldout.jsonl", [*texts, CorpusText(kind="question", text="Who is it?")]
    )
    options = {
        "model": tiny_folder,
        "vectors": tmp_path / "vectors",
        "sae": tmp_path / "sae",
        "activations": tmp_path / "statements.h5",
        "prompts": tmp_path / "prompts.jsonl",
        "heldout": tmp_path / "heldout.jsonl",
        "output": tmp_path / "evaluation",
        "metrics": tmp_path / "evaluation.json",
        "plots": tmp_path / "plots",
        "params": tmp_path / "params.yaml",
    }
    change_params(options)
    return options


def change_params(inputs: dict[str, Path], **changed: Any) -> None:
    params = yaml.safe_load(Path("params.yaml").read_text())
    params["evaluation"] |= SMALL | changed
    inputs["params"].write_text(yaml.safe_dump(params))


def run(options: dict[str, Path]) -> Result:
    return CliRunner().invoke(main, arguments(options))


def arguments(options: dict[str, Path]) -> list[str]:
    return [part for name, path in options.items() for part in (f"--{name}", str(path))]


def contents(options: dict[str, Path]) -> dict[str, bytes]:
    files = [options["metrics"]]
    for folder in ("output", "plots"):
        files += [path for path in options[folder].rglob("*") if path.is_file()]
    return {str(path): path.read_bytes() for path in files if path.is_file()}


def test_the_stage_writes_what_it_says(inputs: dict[str, Path]) -> None:
    result = run(inputs)
    assert result.exit_code == 0, result.output
    assert "bias_reduction" in result.output
    assert "p_among_shuffled" in result.output
    metrics = json.loads(inputs["metrics"].read_text())
    assert {entry["name"] for entry in metrics["interventions"]} == {
        f"{method}_{action}"
        for method in ("caa", "pca")
        for action in ("add", "ablate", "ablate_probe", "mean_ablate_probe")
    } | {"random_add", "random_ablate"}
    assert metrics["selection"]["candidates"] == 2 * 4 * 5
    selected = metrics["selected"]
    assert selected in metrics["interventions"]
    for name in ("occupation_spread", "definitional_accuracy", "perplexity", "distinct_2"):
        assert {name, f"{name}_ci95"} <= metrics["baseline"].keys() & selected.keys()
    for name in ("bias_reduction", "perplexity_ratio", "definitional_margin_ratio", "kl_neutral"):
        assert {name, f"{name}_ci95"} <= selected.keys()
    assert metrics["sample"]["test"]["occupations"] == 4
    assert metrics["sample"]["test"]["texts"] + metrics["sample"]["validation"]["texts"] == 6

    sweep = pd.read_csv(inputs["plots"] / "evaluation_sweep.csv")
    assert len(sweep) == 40 + 4 * 3
    affordable = sweep[(sweep.perplexity_ratio <= 3) & (sweep.method != "random")]
    best = affordable.loc[affordable.bias_reduction.idxmax()]
    assert [best.method, best.layer, best.action, best.multiplier, best.gate] == [
        selected["method"], str(selected["layer"]), selected["action"], selected["multiplier"],
        selected["gate"],
    ]  # fmt: skip

    occupations = pd.read_csv(inputs["plots"] / "evaluation_occupations.csv")
    assert occupations.occupation.tolist() == ["teacher", "cook", "judge", "pilot"]
    spread = occupations.baseline.std()
    assert spread == pytest.approx(metrics["baseline"]["occupation_spread"], rel=1e-4)
    assert 1 - occupations.steered.std() / spread == pytest.approx(
        selected["bias_reduction"], abs=1e-3
    )

    lines = (inputs["output"] / "continuations.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    assert [row["sample"] for row in rows] == [0, 1] * 5
    assert [row["prompt"] for row in rows[0::2]] == [row["prompt"] for row in rows[1::2]]
    unsteered = [row["unsteered"] for row in rows]
    assert unsteered[0::2] != unsteered[1::2]
    assert {"prompt", "unsteered", "steered"} <= rows[0].keys()
    spec = InterventionSpec.load(inputs["output"] / "intervention")
    assert spec.metadata["action"] == selected["action"]
    assert spec.metadata["method"] == selected["method"]
    assert spec.metadata["gate"] == selected["gate"]
    assert len(spec.interventions) == (3 if selected["layer"] == "all" else 1)


def test_a_sceptic_finds_the_controls(inputs: dict[str, Path]) -> None:
    change_params(inputs, max_kl=100.0)
    assert run(inputs).exit_code == 0
    metrics = json.loads(inputs["metrics"].read_text())
    selected = metrics["selected"]

    nulls = pd.read_csv(inputs["plots"] / "evaluation_nulls.csv")
    assert nulls.kind.value_counts().to_dict() == {
        "random": 3, "orthogonal": 3, "shuffled": 3, "selected": 1
    }  # fmt: skip
    for entry in metrics["nulls"]:
        drawn = nulls.bias_reduction[nulls.kind == entry["kind"]]
        larger = (drawn >= selected["bias_reduction"]).sum()
        assert entry["p"] == pytest.approx((1 + larger) / 4)
        assert entry["bias_reduction"]["median"] == pytest.approx(drawn.median(), rel=1e-4)

    (transfer,) = metrics["transfer"]
    assert (transfer["axis"], transfer["cosine"]) == ("age", pytest.approx(-1))
    assert {row["target"] for row in metrics["reprobing"]} == {"stereotypical", "definitional"}

    dose = pd.read_csv(inputs["plots"] / "evaluation_dose.csv")
    assert dose.dose.tolist() == [0, 1, 4]
    sweep = pd.read_csv(inputs["plots"] / "evaluation_sweep.csv")
    best = sweep[sweep.within_budget & (sweep.method != "random")].bias_reduction.max()
    assert dose.bias_reduction[1] == pytest.approx(best, rel=1e-4)

    frontier = pd.read_csv(inputs["plots"] / "evaluation_frontier.csv")
    undefeated = frontier[frontier.on_frontier == 1].sort_values("damage")
    assert undefeated.bias_reduction.is_monotonic_increasing
    assert (frontier.test_bias_reduction_low <= frontier.test_bias_reduction_high).all()
    assert {row["damage_at_most"] for row in metrics["equal_damage"]} <= {0.5, 1, 2}

    (prompting,) = metrics["prompting"]
    assert prompting["prefix"] in ("Be fair. ", "It rained. ")
    assert prompting["within_budget"]  # its divergence on validation is known, and held against it
    assert prompting["kl_neutral"] > 0
    assert prompting["kl_neutral_ci95"][0] <= prompting["kl_neutral"]
    for entry in [prompting, *metrics["interventions"]]:
        assert entry["spread_p"] <= entry["spread_p_holm"] <= 1
        assert entry["definitional_choices"].keys() == {"lost", "won", "p"}
        assert entry["minimum_detectable"]["bias_reduction"] > 0
    assert (
        metrics["bias_test"]["verdict"] == "too few occupations with a known share, or no "
        "difference between them"
    )


def test_a_model_too_weak_is_not_judged(inputs: dict[str, Path]) -> None:
    change_params(inputs, competence_margin=0.5)
    result = run(inputs)
    assert result.exit_code == 0, result.output
    metrics = json.loads(inputs["metrics"].read_text())
    assert metrics["selected"] is None
    for entry in [metrics["baseline"], *metrics["interventions"], *metrics["prompting"]]:
        assert entry["too_weak"].startswith("too weak to tell: right on")
        assert entry["occupation_spread"] is None
        assert entry["perplexity"] is not None
    assert metrics["competence"]["chance"] == 0.5
    assert metrics["bias_test"]["verdict"] == metrics["baseline"]["too_weak"]
    assert metrics["nulls"] == metrics["transfer"] == metrics["reprobing"] == []
    assert pd.read_csv(inputs["plots"] / "evaluation_sweep.csv").bias_reduction.isna().all()
    assert pd.read_csv(inputs["plots"] / "evaluation_nulls.csv").kind.tolist() == ["selected"]
    assert pd.read_csv(inputs["plots"] / "evaluation_dose.csv").dose.tolist() == [0]


def test_twice_the_same_bytes_though_killed_on_the_way(
    inputs: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = 0

    def read_batch(*args: Any) -> Any:
        nonlocal ran
        ran += 1
        return token_reads.read_batch(*args)

    monkeypatch.setattr("evenkeel.selection.sweep.read_batch", read_batch)
    assert run(inputs).exit_code == 0
    first, total = contents(inputs), ran
    assert len(first) == 9
    work = inputs["output"].with_name(".evaluation.part")
    with subprocess.Popen([sys.executable, "-m", "stages.evaluate", *arguments(inputs)]) as process:
        while process.poll() is None and len(list(work.glob("*"))) < 2:
            time.sleep(0.01)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert work.is_dir()
    assert contents(inputs) == first
    ran = 0
    assert run(inputs).exit_code == 0
    assert 0 < ran < total
    assert contents(inputs) == first
    assert not work.exists()


def test_nothing_within_the_budget_is_said_and_not_selected(
    inputs: dict[str, Path], tiny_gpt2: Any, tokenizer: Any
) -> None:
    asked = [prompt.text for prompt in make_prompts() if prompt.split != "train"]
    own_words = continue_texts(
        tiny_gpt2, tokenizer, asked,
        max_new_tokens=20, temperature=0, top_p=1, batch_size=8, seed=0,
    )  # fmt: skip
    write_jsonl(inputs["heldout"], [CorpusText(kind="plain", text=text) for text in own_words])
    change_params(inputs, add_multipliers=[20.0], actions=["add"], max_perplexity_ratio=1.0)
    result = run(inputs)
    assert result.exit_code == 0, result.output
    metrics = json.loads(inputs["metrics"].read_text())
    assert metrics["selected"] is None
    assert "none of the 8 candidates" in metrics["selection"]["reason"]
    assert not any(entry["within_budget"] for entry in metrics["interventions"])
    assert InterventionSpec.load(inputs["output"] / "intervention").interventions == ()
    assert pd.read_csv(inputs["plots"] / "evaluation_occupations.csv").steered.isna().all()


def test_a_model_with_no_bias_has_no_reduction(inputs: dict[str, Path]) -> None:
    same = [
        prompt.model_copy(update={"text": "The person said that"})
        if prompt.kind == "stereotypical"
        else prompt
        for prompt in make_prompts()
    ]
    write_jsonl(inputs["prompts"], same)
    change_params(inputs, gates=["none"], actions=["add", "ablate"])
    result = run(inputs)
    assert result.exit_code == 0, result.output
    metrics = json.loads(inputs["metrics"].read_text())
    assert metrics["baseline"]["occupation_spread"] == 0
    assert all(entry["bias_reduction"] is None for entry in metrics["interventions"])
    assert metrics["selected"] is None


def missing_split(inputs: dict[str, Path]) -> None:
    rows = [prompt for prompt in make_prompts() if prompt.split != "validation"]
    write_jsonl(inputs["prompts"], rows)


def missing_texts(inputs: dict[str, Path]) -> None:
    write_jsonl(inputs["heldout"], [CorpusText(kind="question", text="Who?")])


def missing_knowledge(inputs: dict[str, Path]) -> None:
    rows = [row for row in make_prompts() if (row.split, row.kind) != ("train", "definitional")]
    write_jsonl(inputs["prompts"], rows)


def missing_layer(inputs: dict[str, Path]) -> None:
    change_params(inputs, layers=[9])


def wrong_model(inputs: dict[str, Path]) -> None:
    vectors = [
        type(vector).of(
            vector.direction[:16],
            **{
                name: getattr(vector, name)
                for name in ("axis", "method", "site", "layer", "stream_norm")
            },
        )
        for vector in make_vectors(("caa", "pca"))
    ]
    VectorSet.of(vectors).save(inputs["vectors"])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (missing_split, "validation split of axis 'gender': no stereotypical prompts"),
        (missing_knowledge, "the train split lacks stereotypical prompts, or definitional ones"),
        (missing_texts, "has 0 texts of kind 'plain'"),
        (missing_layer, "layers names layer 9, but there is a vector only for layers [0, 1, 2]"),
        (wrong_model, "made for a width of 16, but this model has 32"),
    ],
)
def test_bad_input_leaves_earlier_outputs_alone(
    inputs: dict[str, Path], spoil: Any, message: str
) -> None:
    inputs["metrics"].write_text("earlier")
    spoil(inputs)
    result = run(inputs)
    assert result.exit_code == 2
    assert message in result.output
    assert inputs["metrics"].read_text() == "earlier"
    assert not inputs["output"].exists()


def test_features_are_ablated_among_random_sets_and_may_be_selected(
    inputs: dict[str, Path],
) -> None:
    change_params(
        inputs,
        methods=["sae"],
        actions=["clamp", "scale"],
        clamp_values=[0.0],
        scale_factors=[0.0, 3.0],
        null_draws=4,
        max_perplexity_ratio=100.0,
    )
    result = run(inputs)
    assert result.exit_code == 0, result.output
    assert "features 3, 7 ablated: bias reduction" in result.output
    metrics = json.loads(inputs["metrics"].read_text())
    found = metrics["feature_ablation"]
    assert (found["features"], found["layer"], found["random"]["draws"]) == ([3, 7], 1, 4)
    assert found["firings_per_token"] == pytest.approx(0.04 + 0.08)
    assert found["p"] in (0.2, 0.4, 0.6, 0.8, 1.0)
    by_name = {entry["name"]: entry for entry in metrics["interventions"]}
    assert {"sae_clamp", "sae_clamp_probe", "sae_scale", "sae_scale_probe"} <= by_name.keys()
    (ablated,) = [row for row in metrics["interventions"] if row["name"] == "sae_clamp"]
    assert found["bias_reduction"] == ablated["bias_reduction"]
    assert found["occupation_spread"] == ablated["occupation_spread"]
    assert metrics["selected"]["features"] == "3 7"
    (null,) = metrics["nulls"]
    assert (null["kind"], null["draws"]) == ("random_features", 4)
    spec = InterventionSpec.load(inputs["output"] / "intervention")
    assert spec.interventions[0].features == (3, 7)  # type: ignore[attr-defined]
