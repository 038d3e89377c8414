"""The stage trains or takes an SAE, measures it, and writes it as SAELens reads it."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner, Result
from sae_lens import SAE

from evenkeel.execution import choosing
from evenkeel.execution.local import InProcess
from evenkeel.files.markers import MARKER
from evenkeel.models.loading import load_model
from evenkeel.models.provenance import record_provenance
from evenkeel.sae.loading import open_sae
from stages.train_sae import main
from tests.execution.elsewhere import Elsewhere
from tests.sae.conftest import write_corpus
from tests.stages.conftest import set_params

ARGUMENTS = ["--activations", "corpus.h5", "--model", "model", "--output", "sae"]


@pytest.fixture
def corpus(workspace: Path) -> Path:
    """The workspace with corpus.h5, and parameters that fit it."""
    write_corpus(workspace / "corpus.h5", load_model(workspace / "model", "cpu"))
    set_params(workspace, "sae.heldout_share", 0.2)
    return workspace


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, [*ARGUMENTS, "--metrics", "sae.json", *arguments])


def written(folder: Path) -> dict[str, bytes]:
    files = [*(folder / "sae").iterdir(), folder / "sae.json"]
    return {file.name: file.read_bytes() for file in files}


def test_it_trains_measures_and_writes_the_same_bytes_again(corpus: Path) -> None:
    result = run()
    assert result.exit_code == 0, result.output
    measures = json.loads((corpus / "sae.json").read_text())
    assert measures["hook_name"] == "blocks.1.hook_resid_post"
    assert (measures["architecture"], measures["d_sae"], measures["d_in"]) == ("jumprelu", 64, 32)
    assert {"explained_variance", "l0", "dead_fraction", "ce_loss_recovered"} < set(measures)
    module = SAE.load_from_disk(corpus / "sae")
    assert module.cfg.metadata.model_name == "tiny"
    first = written(corpus)
    assert set(first) == {
        ".evenkeel",
        "cfg.json",
        "sae_weights.safetensors",
        "sparsity.safetensors",
        "sae.json",
    }
    assert run().exit_code == 0
    assert written(corpus) == first


def tree(folder: Path) -> dict[str, bytes]:
    files = [file for file in (folder / "sae").rglob("*") if file.is_file()]
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


def test_several_layers_and_whoever_trains_them_the_bytes_are_the_same(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run().exit_code == 0
    alone, measured = tree(corpus), json.loads((corpus / "sae.json").read_text())
    model = load_model(corpus / "model", "cpu")
    write_corpus(corpus / "corpus.h5", model, layers=[0, 1, 2])
    set_params(corpus, "sae.training.layers", [2, 1, 0])
    made = []
    for executor in (InProcess(), Elsewhere()):
        monkeypatch.setattr(choosing, "executor_of", lambda *_, executor=executor: executor)
        result = run()
        assert result.exit_code == 0, result.output
        made.append(tree(corpus) | {"sae.json": (corpus / "sae.json").read_bytes()})
    assert made[0] == made[1]
    assert {name: content for name, content in made[0].items() if name in alone} | {
        "sae/.evenkeel": alone["sae/.evenkeel"]
    } == alone  # the SAE of hook_name is the one that is trained without others
    record = json.loads(made[0]["sae.json"])
    further = record.pop("layers")
    assert record | {"warnings": measured["warnings"]} == measured
    assert list(further) == ["0", "2"]
    for layer in (0, 2):
        assert open_sae(corpus / "sae" / "layers" / str(layer)).place.layer == layer
        assert further[str(layer)]["hook_name"] == f"blocks.{layer}.hook_resid_post"


def test_layers_that_the_store_lacks_are_named_before_one_is_trained(corpus: Path) -> None:
    set_params(corpus, "sae.training.layers", [0, 2])
    result = run()
    assert result.exit_code == 2
    assert "corpus.h5 keeps no resid_post of layers [0, 2]; set activations.corpus.layers to " in (
        result.stderr
    )
    assert "[0, 1, 2]" in result.stderr


def test_a_local_sae_is_measured_and_its_scale_folded(corpus: Path) -> None:
    assert run().exit_code == 0
    trained = json.loads((corpus / "sae.json").read_text())
    (corpus / "sae").rename(corpus / "mine")
    set_params(corpus, "sae.source", "local")
    set_params(corpus, "sae.path", "mine")
    assert run().exit_code == 0
    loaded = json.loads((corpus / "sae.json").read_text())
    assert loaded == trained | {"source": "local"}

    config = json.loads((corpus / "mine" / "cfg.json").read_text())
    unfolded = config | {"normalize_activations": "expected_average_only_in"}
    (corpus / "mine" / "cfg.json").write_text(json.dumps(unfolded))
    assert run().exit_code == 2  # changed after it was written
    (corpus / "mine" / MARKER).unlink()  # as from another program
    assert run().exit_code == 0
    assert SAE.load_from_disk(corpus / "sae").cfg.normalize_activations == "none"
    assert json.loads((corpus / "sae.json").read_text())["l0"] != trained["l0"]


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("sae.training.hook_name", "blocks.7.hook_resid_post", r"set activations.corpus.sites to"),
        ("sae.training.hook_name", "blocks.1.hook_q", "sae.training.hook_name: String should"),
        ("sae.training.batch_tokens", 100_000, "sae.training.batch_tokens: 100000 tokens in a"),
        ("sae.training.k", None, "architecture batchtopk needs a k"),
        ("sae.training.matryoshka_widths", [64], "batchtopk takes no matryoshka_widths"),
        ("sae.training.normalize_activations", "layer_norm", "auxiliary loss does not support"),
        ("sae.release", "gpt2-small-res-jb", "source train takes no release"),
        ("sae.heldout_share", 0.001, "at least one text is needed on either side"),
    ],
)
def test_bad_input_is_one_clear_message(corpus: Path, key: str, value: Any, message: str) -> None:
    set_params(corpus, key, value)
    result = run()
    assert result.exit_code == 2
    assert message in result.stderr
    assert not (corpus / "sae").exists()


def test_activations_of_another_model_are_refused(corpus: Path) -> None:
    model = load_model(corpus / "model", "cpu").model
    with torch.no_grad():
        model.lm_head.weight += 1
    model.save_pretrained(corpus / "model")
    record_provenance(corpus / "model", "local", "tiny", "float32")
    result = run()
    assert result.exit_code == 2
    assert "run cache_activations again" in result.stderr
