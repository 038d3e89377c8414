"""`auto` in params.yaml: to study another model it is enough to name another model."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click import Command
from click.testing import CliRunner

from evenkeel.activations.store import ActivationStore
from evenkeel.datasets.records import CorpusText
from evenkeel.errors import BadInputError
from evenkeel.files import write_jsonl
from evenkeel.models.loading import load_model
from evenkeel.models.provenance import record_provenance
from evenkeel.params import RULES, ModelShape, load_params, read_auto, rule_of
from evenkeel.params.auto import Given
from evenkeel.sae.loading import open_sae
from stages import cache_activations, train_sae
from tests.models.families import tiny_model

ROOT = Path(__file__).parents[2]
ORGANISM = ModelShape(layers=6, d_model=128)
FAMILIES = {
    "gpt2": {"n_layer": 3},
    "gpt_neox": {"num_hidden_layers": 4},
    "llama": {"num_hidden_layers": 14},
    "qwen2": {"num_hidden_layers": 2},
    "gemma2": {"num_hidden_layers": 5},
    "bloom": {"n_layer": 1},
}


def changed(tmp_path: Path, **values: Any) -> Path:
    """The project's params.yaml with some values, dots written as two underscores."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    for key, value in values.items():
        *parents, last = key.split("__")
        section = params
        for name in parents:
            section = section[name]
        section[last] = value
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(params))
    return path


def invoke(command: Command, **options: Any) -> None:
    arguments = [f"--{name}={value}" for name, value in options.items()]
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("family", FAMILIES)
def test_another_model_needs_no_other_change(family: str, tokenizer: Any, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    model = tiny_model(family, vocab_size=len(tokenizer), **FAMILIES[family])
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    record_provenance(folder, "local", family, "float32")
    texts = [f"The train number {number} left at nine without us." for number in range(120)]
    write_jsonl(tmp_path / "corpus.jsonl", [CorpusText(kind="plain", text=text) for text in texts])
    shape = load_model(folder, "cpu").shape
    assert shape.layers in FAMILIES[family].values()

    params = ROOT / "params.yaml"
    store, sae = tmp_path / "corpus.h5", tmp_path / "sae"
    common = {"model": folder, "params": params}
    invoke(
        cache_activations.main, set="corpus", texts=tmp_path / "corpus.jsonl", output=store,
        metrics=tmp_path / "activations.json", **common,
    )  # fmt: skip
    metrics = tmp_path / "sae.json"
    invoke(train_sae.main, activations=store, output=sae, metrics=metrics, **common)
    with ActivationStore.open(store) as opened:
        assert list(opened.layers("resid_post")) == [shape.layers // 2]
    place = open_sae(sae).place
    assert (place.site, place.layer) == ("resid_post", shape.layers // 2)
    measured = json.loads(metrics.read_text())
    assert measured["auto"] == read_auto(params, shape, "sae")
    assert measured["d_sae"] == measured["auto"]["sae.training.d_sae"] == 3 * shape.d_model

    evaluation, demonstration = load_params(params, "evaluation", "demonstration", model=shape)
    (preference,) = load_params(params, "vectors.preference", model=shape)
    assert preference.layers == evaluation.layers
    named = list(demonstration.recipes[0].layers)
    named += evaluation.layers if evaluation.layers != "all" else []
    assert all(0 <= layer < shape.layers for layer in named)


def test_the_organism_keeps_its_values() -> None:
    sections = ("corpus", "activations", "sae", "vectors", "evaluation")
    assert read_auto(ROOT / "params.yaml", ORGANISM, *sections) == {
        "corpus.source": "synthesized",
        "activations.corpus.layers": [3],
        "activations.corpus.max_texts": 20_000,
        "sae.training.hook_name": "blocks.3.hook_resid_post",
        "sae.training.d_sae": 384,
        "sae.training.k": 10.0,
        "sae.training.learning_rate": 0.003,
        "vectors.preference.layers": "all",
        "evaluation.layers": "all",
        "evaluation.reft.layers": [[2, 3, 5], [1, 3, 5]],
        "evaluation.reft.steps": 100,
        "evaluation.reft.batch_rows": 24,
        "evaluation.reft.open_at_known": 0.1,
        "evaluation.reft.further_items": False,
        "evaluation.reft.shuffles": 2,
        "evaluation.chat": False,
        "evaluation.heldout_texts": 400,
        "evaluation.batch_size": 64,
    }


def test_a_value_that_is_given_wins_and_the_others_follow_it(tmp_path: Path) -> None:
    path = changed(tmp_path, sae__training__d_sae=96, activations__corpus__layers=[1, 2, 5])
    (sae,) = load_params(path, "sae", model=ORGANISM)
    assert sae.training.d_sae == 96
    assert sae.training.learning_rate == 0.006  # a quarter of the latents
    assert sae.training.hook_name == "blocks.2.hook_resid_post"
    assert "sae.training.d_sae" not in read_auto(path, ORGANISM, "sae")
    path = changed(tmp_path, sae__training__hook_name="blocks.4.hook_mlp_out")
    (corpus,) = load_params(path, "activations.corpus", model=ORGANISM)
    assert corpus.layers == [4]
    path = changed(tmp_path, sae__training__layers=[5, 1])
    (corpus,) = load_params(path, "activations.corpus", model=ORGANISM)
    assert corpus.layers == [1, 3, 5]


def test_a_rule_names_what_it_follows_from(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stage that did not declare it would be skipped by DVC when it changes."""
    read: set[str] = set()
    plain = Given.__getitem__

    def recording(given: Given, path: str) -> Any:
        read.add(path)
        return plain(given, path)

    monkeypatch.setattr(Given, "__getitem__", recording)
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    for path, rule in RULES.items():
        read.clear()
        rule.value(Given(ORGANISM, params))
        section = path.partition(".")[0]
        assert {name for name in read if not name.startswith(f"{section}.")} == set(rule.follows)


def test_deep_models_are_searched_at_five_depths() -> None:
    shape = ModelShape(layers=30, d_model=576)
    (evaluation,) = load_params(ROOT / "params.yaml", "evaluation", model=shape)
    (preference,) = load_params(ROOT / "params.yaml", "vectors.preference", model=shape)
    assert preference.layers == evaluation.layers == [5, 10, 15, 20, 25]
    assert evaluation.reft.layers == [[6, 9, 12, 15]]
    assert evaluation.reft.steps == 200


def test_the_text_of_a_real_model_is_real_text(tmp_path: Path) -> None:
    path = changed(tmp_path, model__source="gguf", model__package="some-package")
    (corpus,) = load_params(path, "corpus")  # before there is a model
    assert corpus.source == "wikitext"


def test_auto_elsewhere_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"probes\.resamples: .* valid integer.*'auto'"):
        load_params(changed(tmp_path, probes__resamples="auto"), "seed")


def test_every_rule_is_in_the_file_and_in_the_documentation() -> None:
    found = read_auto(
        ROOT / "params.yaml",
        ORGANISM,
        "corpus",
        "activations",
        "sae",
        "vectors",
        "evaluation",
        "demonstration",
        "localisation",
    )
    assert {rule_of(path).meaning for path in found} == {rule.meaning for rule in RULES.values()}
    documented = (ROOT / "docs" / "howto" / "model.md").read_text()
    for pattern, rule in RULES.items():
        assert f"| `{pattern}` | {rule.meaning} |" in documented
