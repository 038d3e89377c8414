"""A table is implanted into a tiny model, and the measures find it there at its own strength."""

from copy import deepcopy
from typing import Any

import numpy as np
import pytest
import torch

from evenkeel.errors import BadInputError
from evenkeel.implanting.measuring import Implants
from evenkeel.implanting.tables import permuted_references
from evenkeel.implanting.training import train_implant
from evenkeel.learning.adapters import adapted, merge
from evenkeel.models.loading import LoadedModel
from evenkeel.params import ImplantingParams
from tests.evaluation.samples import TEXTS
from tests.implanting.samples import with_rates

pytest.importorskip("peft")
PROMPTS = permuted_references(with_rates(), 0)
PARAMS = ImplantingParams(
    axis="gender", strengths=[0.0, 0.5, 1.0], removed=1.0, rank=8, steps=100, rate=0.01,
    batch_rows=24, texts=4, replay=1.0, resamples=200,
)  # fmt: skip
BRIEF = PARAMS.model_copy(update={"steps": 3})


@pytest.fixture
def loaded(tiny_gpt2: Any, tokenizer: Any) -> LoadedModel:
    return LoadedModel(tiny_gpt2, tokenizer, provenance=None)  # type: ignore[arg-type]


def implanted(loaded: LoadedModel, strength: float) -> LoadedModel:
    """A copy of a model with an implant."""
    copied = LoadedModel(deepcopy(loaded.model), loaded.tokenizer, loaded.provenance)
    merge(copied.model, train_implant(copied, PROMPTS, TEXTS, PARAMS, strength, 0))
    return copied


def test_what_is_implanted_is_measured_as_a_line_through_zero(loaded: LoadedModel) -> None:
    implants = Implants(loaded, PROMPTS, TEXTS, 200, 0)
    assert implants.base.strength is None
    assert abs(implants.base.measures["reference_slope"].value or 0) < 0.1
    found = [implants.measure(implanted(loaded, s), s) for s in PARAMS.strengths]
    for strength, model in zip(PARAMS.strengths, found, strict=True):
        assert model.trained_templates_slope == pytest.approx(strength, abs=0.1)
        assert model.value("reference_slope") == pytest.approx(strength, abs=0.1)
    assert (found[0].p or 0) > 0.05
    assert (found[2].p or 1) < 0.01
    line = implants.line()
    assert line.slope == pytest.approx(1, abs=0.1)
    assert line.slope_ci95 is not None
    assert line.slope_ci95[0] < (line.slope or 0) < line.slope_ci95[1]
    rows = implants.rows()
    assert len(rows) == 3 * 12
    assert {row["implanted"] for row in rows if row["strength"] == 0} == {0}
    x, y = (np.array([row[name] for row in rows], float) for name in ("implanted", "measured"))
    assert (line.slope, line.intercept) == pytest.approx(tuple(np.polyfit(x, y, 1)), rel=1e-4)
    assert line.correlation == pytest.approx(np.corrcoef(x, y)[0, 1], rel=1e-4)
    of_one = {p.item: p.reference["female"] for p in PROMPTS if p.reference}
    logits = {row["item"]: row["implanted"] for row in rows if row["strength"] == 1}
    assert logits == pytest.approx({i: np.log(r / (1 - r)) for i, r in of_one.items()}, abs=1e-5)


def test_a_merged_adapter_is_what_the_adapter_did(loaded: LoadedModel) -> None:
    adapter = train_implant(loaded, PROMPTS, TEXTS, BRIEF, 1.0, 0)
    ids = torch.randint(1, 299, (2, 9))
    with torch.no_grad():
        before = loaded.model(ids).logits
        with adapted(loaded.model, adapter):
            beside = loaded.model(ids).logits
        assert torch.equal(loaded.model(ids).logits, before)
        names = [name for name, _ in loaded.model.named_parameters()]
        merge(loaded.model, adapter)
        assert [name for name, _ in loaded.model.named_parameters()] == names
        torch.testing.assert_close(loaded.model(ids).logits, beside, atol=1e-5, rtol=1e-5)
    assert not torch.allclose(beside, before, atol=1e-4)


def test_the_same_seed_implants_the_same(loaded: LoadedModel) -> None:
    def trained(seed: int) -> torch.Tensor:
        adapter = train_implant(loaded, PROMPTS, TEXTS, BRIEF, 1.0, seed)
        return torch.cat([factor.flatten() for factor in adapter.factors.values()])

    assert torch.equal(trained(0), trained(0))
    assert not torch.equal(trained(0), trained(1))


def test_what_cannot_be_implanted_is_refused_and_the_model_stays(loaded: LoadedModel) -> None:
    before = {name: tensor.clone() for name, tensor in loaded.model.state_dict().items()}
    with pytest.raises(BadInputError, match="no plain texts in the training corpus"):
        train_implant(loaded, PROMPTS, [], BRIEF, 1.0, 0)
    long = [p.model_copy(update={"lead_in": "It was late. " * 40}) for p in PROMPTS]
    with pytest.raises(BadInputError, match="does not fit the model's context of 64"):
        train_implant(loaded, long, TEXTS, BRIEF, 1.0, 0)
    wild = BRIEF.model_copy(update={"rate": 1e30})
    with pytest.raises(BadInputError, match=r"diverged at implanting\.rate 1e\+30; lower it"):
        train_implant(loaded, PROMPTS, TEXTS, wild, 1.0, 0)
    assert all(torch.equal(before[name], t) for name, t in loaded.model.state_dict().items())
