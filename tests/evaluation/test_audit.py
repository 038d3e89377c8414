"""A vector that removes what was planted is told from directions that mean nothing."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from evenkeel.axes import same_strength
from evenkeel.cli import group
from evenkeel.datasets.prompts import make_prompts
from evenkeel.datasets.records import CorpusText
from evenkeel.errors import BadInputError
from evenkeel.evaluation.audit import audit, foreign_vectors
from evenkeel.files import write_jsonl
from evenkeel.metrics.competence import CompetenceGate
from evenkeel.models.loading import LoadedModel
from evenkeel.models.provenance import record_provenance

TEXTS = [f"The weather was cold, and the train left at {hour}." for hour in range(8)]


@pytest.fixture
def loaded(tiny_folder: Path) -> LoadedModel:
    from evenkeel.models.loading import load_model

    record_provenance(tiny_folder, "local", "tiny", "float32")
    return load_model(tiny_folder)


@torch.no_grad()
def test_it_agrees_with_the_intervention_by_hand(
    loaded: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    from evenkeel.metrics import bias
    from evenkeel.metrics.measures import ItemMeasures
    from evenkeel.scoring.prompt_set import PromptSet
    from evenkeel.steering.hooks import steer
    from evenkeel.steering.intervention import Ablate

    # A random model knows nothing; here its bias is told all the same.
    monkeypatch.setattr(CompetenceGate, "reason", lambda *_: None)
    monkeypatch.setattr("evenkeel.selection.budget.Budget.allows", lambda *_: True)
    prompts = make_prompts(["gender"], same_strength(1.0), 0, lead_ins=False)
    prompts = [p for p in prompts if p.kind != "neutral" and p.direction == "group_given_item"]
    # The direction along which she and he differ, so that something is left to be taken out.
    head = loaded.model.lm_head.weight
    she, he = (loaded.encoder.plain(word)[0] for word in (" she", " his"))
    assert she != he
    directions = {2: (head[she] - head[he]).clone()}
    vectors = foreign_vectors(loaded, "gender", directions, TEXTS)
    found = audit(
        loaded, "gender", vectors, "ablate", (0.5, 1.0, 1.5), prompts, TEXTS, draws=3, resamples=100
    )
    assert set(found.doses) == {0.5, 1.0, 1.5}
    test = [prompt for prompt in prompts if prompt.split == "test"]
    prompt_set = PromptSet.of(loaded.model, loaded.tokenizer, test, TEXTS[1::2])
    items = ItemMeasures(prompt_set, "group_given_item", 0, 0)
    before = items.scores(prompt_set.read(loaded.model, 64))
    assert found.chosen is not None
    assert found.test is not None
    with steer(loaded.model, Ablate(directions[2], found.chosen, layer=2, site="resid_post")):
        after = items.scores(prompt_set.read(loaded.model, 64))
    expected = float(bias.bias_reduction(before, after))
    assert found.test.value("bias_reduction") == pytest.approx(expected, abs=1e-4)
    assert {kind: len(values) for kind, values in found.nulls.items()} == {
        "random": 3,
        "orthogonal": 3,
    }
    assert all(p in (0.25, 0.5, 0.75, 1.0) for p in found.p.values())


def test_a_vector_of_another_model_is_refused(loaded: LoadedModel) -> None:
    with pytest.raises(BadInputError, match="a vector of width 31, but this model has 32"):
        foreign_vectors(loaded, "gender", {1: torch.ones(31)}, TEXTS)
    with pytest.raises(BadInputError, match="layer 7 does not exist"):
        foreign_vectors(loaded, "gender", {7: torch.ones(32)}, TEXTS)


def test_the_command(loaded: LoadedModel, tiny_folder: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", np.random.default_rng(0).normal(size=32))
    prompts = make_prompts(["gender"], same_strength(1.0), 0, lead_ins=False)
    write_jsonl(tmp_path / "prompts" / "gender.jsonl", [p for p in prompts if p.kind != "neutral"])
    write_jsonl(tmp_path / "texts.jsonl", [CorpusText(kind="plain", text=text) for text in TEXTS])
    given: list[Any] = ["audit", tmp_path / "v.npy", "--layer", 1, "--axis", "gender", "--model"]
    given += [tiny_folder, "--prompts", tmp_path / "prompts", "--texts", tmp_path / "texts.jsonl"]
    options = ["--dose", 0.2, "--specificity", "--json"]
    result = CliRunner().invoke(group, [str(one) for one in [*given, *options]])
    assert result.exit_code == 0, result.exception
    found = json.loads(result.stdout)
    assert found["layers"] == [1]
    assert "too weak to tell" in found["too_weak"]
    assert found["doses"]["0.2"]["perplexity_ratio"] > 0
    assert found["specificity"]["dose"] == 0.2  # the only one
    assert found["specificity"]["flagged"] is None  # a random model has nothing to lose
    findings = {each["finding"] for each in found["specificity"]["findings"].values()}
    assert findings == {"too weak to tell"}
    table = CliRunner().invoke(group, [str(one) for one in given])
    assert table.exit_code == 0
    assert "too weak to tell" in table.stdout
