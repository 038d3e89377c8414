"""A condition that was kept does what it did; one of another model is refused."""

from pathlib import Path
from typing import Any

import pytest
import torch

from evenkeel.conditions.adapter import AdapterCondition
from evenkeel.conditions.condition import Condition
from evenkeel.conditions.eraser import EraserCondition
from evenkeel.conditions.kept import keep_conditions, read_conditions
from evenkeel.conditions.prompt import PromptCondition, PromptedCondition
from evenkeel.conditions.self_debias import SelfDebiasCondition
from evenkeel.errors import BadInputError
from evenkeel.models.loading import LoadedModel, load_model
from evenkeel.models.provenance import record_provenance
from tests.evaluation.samples import make_erasers

IDS = torch.arange(1, 8)[None]


@pytest.fixture
def loaded(tiny_folder: Path) -> LoadedModel:
    record_provenance(tiny_folder, "local", "tiny", "float32")
    return load_model(tiny_folder)


def logits(loaded: LoadedModel, condition: Condition) -> torch.Tensor:
    with torch.no_grad(), condition.on(loaded.model, loaded.tokenizer) as changed:
        found: torch.Tensor = changed(
            input_ids=IDS, attention_mask=torch.ones_like(IDS), use_cache=False
        ).logits
    return found


def test_what_is_read_does_what_was_kept(loaded: LoadedModel, tmp_path: Path) -> None:
    erasers = EraserCondition(tuple(make_erasers()), "leace")
    kept: list[Condition] = [
        erasers,
        PromptCondition("Be fair. "),
        PromptedCondition(erasers, "Be fair. "),
        SelfDebiasCondition("It is unfair: ", 50.0),
    ]
    keep_conditions(tmp_path / "conditions", loaded, kept)
    found = {each.name: each for each in read_conditions(tmp_path / "conditions", loaded)}
    assert list(found) == sorted(each.name for each in kept)
    for condition in kept:
        again = found[condition.name]
        assert again.recipe == condition.recipe
        assert (again.prefix, again.apart) == (condition.prefix, condition.apart)
        assert again.second_reading == condition.second_reading
        torch.testing.assert_close(logits(loaded, again), logits(loaded, condition))
    unsteered = logits(loaded, PromptCondition(""))
    assert not torch.equal(logits(loaded, found["leace"]), unsteered)
    assert not torch.equal(logits(loaded, found["self_debias"]), unsteered)


def test_an_adapter_is_kept_whole(loaded: LoadedModel, tmp_path: Path) -> None:
    pytest.importorskip("peft")
    from tests.learning.test_adapters import random_adapter

    adapter = random_adapter(loaded.model)
    condition = AdapterCondition(adapter, "cda_lora", lambda _: (adapter, 0), 0, multiplier=0.5)
    keep_conditions(tmp_path / "conditions", loaded, [condition])
    (again,) = read_conditions(tmp_path / "conditions", loaded)
    assert again.apart
    torch.testing.assert_close(logits(loaded, again), logits(loaded, condition))


def test_none_and_those_of_another_model_are_refused(
    loaded: LoadedModel, tmp_path: Path, monkeypatch: Any
) -> None:
    (tmp_path / "conditions").mkdir()
    with pytest.raises(BadInputError, match="no conditions in it"):
        read_conditions(tmp_path / "conditions", loaded)
    keep_conditions(tmp_path / "conditions", loaded, [PromptCondition("Be fair. ")])
    monkeypatch.setattr(LoadedModel, "fingerprint", "another")
    with pytest.raises(BadInputError, match="computed on tiny"):
        read_conditions(tmp_path / "conditions", loaded)
