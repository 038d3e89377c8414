"""The stage writes one row a latent with all columns, and contexts, the same bytes each time."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result

from evenkeel.axes import same_strength
from evenkeel.datasets.prompts import make_prompts
from evenkeel.datasets.records import Prompt, Statement
from evenkeel.execution import choosing
from evenkeel.execution.local import InProcess
from evenkeel.files import read_jsonl, write_jsonl
from evenkeel.models.loading import load_model
from evenkeel.sae import contexts, feature_job, histogram, logit_weights, pooling
from evenkeel.sae.association import definitions
from evenkeel.sae.loading import open_sae
from evenkeel.sae.pooling import pooled_activations
from evenkeel.sae.results import LEADING, Context, read_table
from evenkeel.sae.saving import save_module
from evenkeel.sae.table import strongest
from stages.extract_features import main
from tests.execution.elsewhere import Elsewhere
from tests.probes.planted import planted_statements
from tests.sae.conftest import trained_module, write_corpus
from tests.stages.conftest import set_params

ARGUMENTS = ["--statements", "statements.jsonl", "--activations", "corpus.h5", "--model", "model"]
ARGUMENTS += ["--prompts", "prompts"]
ARGUMENTS += ["--sae", "sae", "--output", "features.parquet", "--contexts", "contexts.jsonl"]
ARGUMENTS += ["--top-words", "top_words.json"]
ARGUMENTS += ["--metrics", "features.json"]


@pytest.fixture
def features(workspace: Path) -> Path:
    """The workspace with corpus.h5, sae/, statements.jsonl and prompts/ of two axes."""
    write_corpus(workspace / "corpus.h5", load_model(workspace / "model", "cpu"))
    save_module(workspace / "sae", trained_module(), torch.ones(24))
    planted = planted_statements(("age", "gender"), terms=4, quads=8).to_dict("records")
    rows = [{**row, "terms": tuple(row["terms"].split("|"))} for row in planted]
    write_jsonl(workspace / "statements.jsonl", [Statement.model_validate(row) for row in rows])
    (workspace / "prompts").mkdir()
    for axis in ("gender", "race"):
        prompts = make_prompts([axis], same_strength(1.0), 0, lead_ins=True)
        write_jsonl(workspace / "prompts" / f"{axis}.jsonl", prompts)
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
    shown = read_jsonl(features / "contexts.jsonl", Context)
    assert {row.feature for row in shown if row.kind == "top"} == set(alive["feature"])
    summary = json.loads((features / "features.json").read_text())
    best = summary["strongest"]["gender_group"]
    assert best["feature"] == strongest(table, "gender", "group")[0]
    assert best["auroc_test"] == table["gender_group_auroc_test"][best["feature"]]
    defined = summary["strongest"]["gender_definition"]
    assert defined["feature"] == strongest(table, "gender", "definition")[0]
    assert defined["separation_test"] in (defined["auroc_test"], 1 - defined["auroc_test"])
    assert defined["group"] is None, "of two groups, none is singled out"
    assert "age_definition" not in summary["strongest"]

    names = ("features.parquet", "contexts.jsonl", "top_words.json", "features.json")
    first = [(features / name).read_bytes() for name in names]
    assert run().exit_code == 0
    assert [(features / name).read_bytes() for name in names] == first


def test_whoever_measures_which_part_the_bytes_are_the_same(
    features: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("features.parquet", "contexts.jsonl", "top_words.json", "features.json")
    for place, name, size in (
        (feature_job, "_SPANS", 1),
        (feature_job, "_STEPS", 1),
        (feature_job, "_LATENTS", 8),
        (logit_weights, "BLOCK", 8),
        (histogram, "BLOCK", 8),
    ):
        monkeypatch.setattr(place, name, size)
    for place in (feature_job, contexts, pooling):
        monkeypatch.setattr(place, "rows_at_once", lambda _: 100)
    written = []
    for executor in (InProcess(), apart := Elsewhere()):
        monkeypatch.setattr(choosing, "executor_of", lambda *_, executor=executor: executor)
        assert run().exit_code == 0
        written.append([(features / name).read_bytes() for name in names])

    assert written[0] == written[1]
    assert apart.tasks > 20


def test_definitional_prompts_of_one_axis_are_compared_with_their_lead_ins(features: Path) -> None:
    asked = [
        row
        for row in read_jsonl(features / "prompts" / "race.jsonl", Prompt)
        if row.kind == "definitional"
    ]
    assert all(row.lead_in for row in asked)
    # The same prompts the other way round, and of two axes at once: what must be left out.
    compared = {"direction": "item_given_group", "contexts": dict.fromkeys(asked[0].groups, "x")}
    write_jsonl(
        features / "prompts" / "race.jsonl",
        [row.model_copy(update={"expected": "Asian", **compared}) for row in asked] + asked,
    )
    crossed = [row.model_copy(update={"axis": "gender+race"}) for row in asked]
    write_jsonl(features / "prompts" / "gender+race.jsonl", crossed)
    assert run().exit_code == 0
    table = read_table(features / "features.parquet")
    loaded, sae = load_model(features / "model", "cpu"), open_sae(features / "sae")
    whole, bare = (
        definitions(asked, pooled_activations(loaded, sae, texts, "max"))
        for texts in ([row.lead_in + row.text for row in asked], [row.text for row in asked])
    )
    assert {"race_definition_Asian_q_test", "race_definition_strongest"} < set(whole.columns)
    assert set(whole.columns) == {name for name in table if str(name).startswith("race_def")}
    aurocs = [f"race_definition_{group}_auroc_selection" for group in asked[0].groups]
    # Batched otherwise, some ranks that are nearly tied change.
    np.testing.assert_allclose(table[aurocs], whole[aurocs], atol=0.01)
    assert np.abs(table[aurocs] - bare[aurocs]).to_numpy().max() > 0.03
    assert not [name for name in table if "+" in str(name)]


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
