"""The stage writes one row a latent with all columns, and contexts, the same bytes each time."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result

from evenkeel.axes import same_strength
from evenkeel.datasets.prompts import make_prompts
from evenkeel.datasets.records import Statement
from evenkeel.files import read_jsonl, write_jsonl
from evenkeel.models.loading import load_model
from evenkeel.sae.results import LEADING, Context, read_table
from evenkeel.sae.saving import save_module
from evenkeel.sae.table import strongest
from stages.extract_features import main
from tests.probes.planted import planted_statements
from tests.sae.conftest import trained_module, write_corpus
from tests.stages.conftest import set_params

ARGUMENTS = ["--statements", "statements.jsonl", "--activations", "corpus.h5", "--model", "model"]
ARGUMENTS += ["--prompts", "prompts.jsonl"]
ARGUMENTS += ["--sae", "sae", "--output", "features.parquet", "--contexts", "contexts.jsonl"]
ARGUMENTS += ["--top-words", "top_words.json"]
ARGUMENTS += ["--metrics", "features.json"]


@pytest.fixture
def features(workspace: Path) -> Path:
    """The workspace with corpus.h5, sae/, statements.jsonl and prompts.jsonl."""
    write_corpus(workspace / "corpus.h5", load_model(workspace / "model", "cpu"))
    save_module(workspace / "sae", trained_module(), torch.ones(24))
    planted = planted_statements(("age", "gender"), terms=4, quads=8).to_dict("records")
    rows = [{**row, "terms": tuple(row["terms"].split("|"))} for row in planted]
    write_jsonl(workspace / "statements.jsonl", [Statement.model_validate(row) for row in rows])
    write_jsonl(
        workspace / "prompts.jsonl", make_prompts(["gender"], same_strength(1.0), 0, lead_ins=True)
    )
    return workspace


def run() -> Result:
    return CliRunner().invoke(main, ARGUMENTS)


def test_it_measures_every_latent_and_writes_the_same_bytes_again(features: Path) -> None:
    result = run()
    assert result.exit_code == 0, result.output
    assert "top_activated_words" in result.output.replace("\n", "")
    table = read_table(features / "features.parquet")
    assert list(table.columns[:7]) == LEADING
    assert table["feature"].tolist() == list(range(24))
    assert {"coherence", "q99", "gender_bias_q_test", "age_top40_unique"} < set(table.columns)
    alive = table[table["frequency"] > 0]
    np.testing.assert_allclose(10 ** alive["sparsity"], alive["frequency"], rtol=1e-4)
    assert all(len(words) == 10 for words in table["top_activated_words"])
    words = json.loads((features / "top_words.json").read_text())
    assert len(words) == 24
    assert words["feature_7"] == {
        "top_words": " ".join(word.strip() for word in table["top_activated_words"][7])
    }
    contexts = read_jsonl(features / "contexts.jsonl", Context)
    assert {row.feature for row in contexts if row.kind == "top"} == set(alive["feature"])
    summary = json.loads((features / "features.json").read_text())
    best = summary["strongest"]["gender_group"]
    assert best["feature"] == strongest(table, "gender", "group")[0]
    assert best["auroc_test"] == table["gender_group_auroc_test"][best["feature"]]
    defined = summary["strongest"]["gender_definition"]
    assert defined["feature"] == strongest(table, "gender", "definition")[0]
    assert defined["separation_test"] in (defined["auroc_test"], 1 - defined["auroc_test"])
    assert "age_definition" not in summary["strongest"]

    names = ("features.parquet", "contexts.jsonl", "top_words.json", "features.json")
    first = [(features / name).read_bytes() for name in names]
    assert run().exit_code == 0
    assert [(features / name).read_bytes() for name in names] == first


def test_an_sae_of_another_place_is_refused(features: Path) -> None:
    module = trained_module()
    module.cfg.metadata.hook_name = "blocks.2.hook_resid_pre"
    save_module(features / "sae", module, torch.ones(24))
    result = run()
    assert result.exit_code == 2
    assert "set activations.corpus.sites to [resid_pre] and activations.corpus.layers to [2]" in (
        result.stderr
    )
    assert not (features / "features.parquet").exists()


def test_more_tokens_than_the_vocabulary_is_refused(features: Path) -> None:
    set_params(features, "features.tokens", 101)
    result = run()
    assert result.exit_code == 2
    assert "features.tokens" in result.stderr


def test_a_damaged_table_is_refused(features: Path) -> None:
    (features / "features.parquet").write_bytes(b"PAR1 no more")
    with pytest.raises(ValueError, match="damaged or no Parquet file"):
        read_table(features / "features.parquet")
    with pytest.raises(ValueError, match="run extract_features"):
        read_table(features / "other.parquet")
