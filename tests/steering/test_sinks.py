"""Interventions leave attention sinks alone, however a text is padded, batched or decoded."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import GPT2LMHeadModel

from evenkeel.activations.capture import measure_sinks
from evenkeel.errors import BadInputError
from evenkeel.files.markers import mark_folder
from evenkeel.steering.gates import TokenGate
from evenkeel.steering.hooks import steer
from evenkeel.steering.intervention import Ablate, Add
from evenkeel.steering.rows import RowSpec
from evenkeel.steering.spec import InterventionSpec
from tests.models.families import tiny_model

SINK_TOKEN = 7
IDS = torch.tensor([[0, 0, 8, 1, 7, 3], [5, 9, 2, 7, 30, 11]])  # the first is left-padded
REAL = torch.tensor([[0, 0, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1]])
PLACE = (REAL.cumsum(1) - 1).clamp(min=0)
SINKS = (IDS == SINK_TOKEN) | (PLACE == 0)
OPTIONS = {"do_sample": False, "max_new_tokens": 6, "pad_token_id": 0}


@pytest.fixture
def model(tiny_gpt2: Any) -> Any:
    """A GPT-2 with a sink at every text's first token, and at token 7."""
    tiny_gpt2.generation_config.eos_token_id = None
    with torch.no_grad():
        tiny_gpt2.transformer.wpe.weight[0, 3] += 60
        tiny_gpt2.transformer.wte.weight[SINK_TOKEN, 3] += 60
    return tiny_gpt2


def push(**where: Any) -> Add:
    generator = torch.Generator().manual_seed(3)
    return Add(torch.randn(32, generator=generator), 3.0, layer=0, site="resid_post", **where)


@torch.no_grad()
def streams(model: Any, ids: Tensor, real: Tensor) -> Tensor:
    place = (real.cumsum(1) - 1).clamp(min=0)
    output = model(ids, attention_mask=real, position_ids=place, output_hidden_states=True)
    found: Tensor = output.hidden_states[1]
    return found


def test_sinks_are_left_alone_and_all_else_is_edited(model: Any) -> None:
    plain = streams(model, IDS, REAL)
    with steer(model, push()):
        moved = (streams(model, IDS, REAL) != plain).any(-1)
    assert torch.equal(moved[REAL.bool()], ~SINKS[REAL.bool()])


def test_sinks_are_edited_where_they_count(model: Any) -> None:
    plain = streams(model, IDS, REAL)
    with steer(model, push(sinks="include")):
        moved = streams(model, IDS, REAL) - plain
    torch.testing.assert_close(moved, (3 * push().direction).expand_as(moved), atol=1e-4, rtol=0)


def test_the_side_of_the_padding_and_the_batch_change_nothing(model: Any) -> None:
    with steer(model, push()):
        left = streams(model, IDS, REAL)[0, 2:]
        right = streams(model, IDS[:1].roll(-2, 1), REAL[:1].roll(-2, 1))[0, :4]
        alone = streams(model, IDS[:1, 2:], REAL[:1, 2:])[0]
    torch.testing.assert_close(left, right, atol=1e-4, rtol=1e-5)
    torch.testing.assert_close(left, alone, atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize(
    "options",
    [{"use_cache": False}, {"cache_implementation": "static"}, {"prefill_chunk_size": 1}],
    ids=str,
)
@torch.no_grad()
def test_cached_is_uncached(model: Any, options: Any) -> None:
    with steer(model, push()):
        cached = model.generate(IDS, attention_mask=REAL, **OPTIONS)
        other = model.generate(IDS, attention_mask=REAL, **OPTIONS, **options)
    assert torch.equal(cached, other)
    assert not torch.equal(cached, model.generate(IDS, attention_mask=REAL, **OPTIONS))


class _Wrapped(GPT2LMHeadModel):
    """As multimodal wrappers do: it embeds the tokens, and gives its blocks masks of its own."""

    def forward(self, input_ids: Any = None, attention_mask: Any = None, **kwargs: Any) -> Any:
        if attention_mask is not None and attention_mask.dim() == 2:
            columns = attention_mask.shape[1]
            square = torch.ones(columns, columns).tril().bool() & attention_mask[:, None].bool()
            square |= torch.eye(columns).bool()
            attention_mask = square[:, None, -input_ids.shape[1] :]
        embedded = self.transformer.wte(input_ids)
        return super().forward(inputs_embeds=embedded, attention_mask=attention_mask, **kwargs)


@pytest.mark.parametrize("positions", ["all", "last", "mask"])
@torch.no_grad()
def test_a_wrapper_whose_blocks_see_no_mask_by_token_is_steered_by_its_own(
    model: Any, positions: Any
) -> None:
    mask = torch.zeros_like(IDS).bool()
    mask[:, 3:] = True
    given = push(positions=positions)

    def found() -> tuple[Tensor, Tensor]:
        with steer(model, given, mask=mask):
            logits = model(IDS, attention_mask=REAL, position_ids=PLACE).logits
            return logits[REAL.bool()], model.generate(IDS, attention_mask=REAL, **OPTIONS)

    logits, text = found()
    model.__class__ = _Wrapped
    wrapped_logits, wrapped_text = found()
    torch.testing.assert_close(wrapped_logits, logits, atol=1e-3, rtol=1e-4)
    assert torch.equal(wrapped_text, text)


@pytest.mark.parametrize("family", ["bert", "roberta", "electra", "gemma3", "llava"])
@torch.no_grad()
def test_blocks_that_see_neither_ids_nor_a_mask_leave_first_tokens_alone(family: str) -> None:
    """BERT's encoder is given the residual stream; Gemma 3's wrapper makes masks of its own."""
    model = tiny_model(family)
    edit = push(gates=(TokenGate(tuple(range(20, 120))),))
    ids = torch.tensor([[31, 22, 33, 3, 35]])

    def stream(**given: Any) -> Tensor:
        output = model(ids, use_cache=False, output_hidden_states=True, **given)
        found: Tensor = output.hidden_states[1]
        return found

    for given, first in (({}, 0), ({"attention_mask": torch.tensor([[0, 0, 1, 1, 1]])}, 2)):
        plain = stream(**given)
        with steer(model, edit):
            moved = (stream(**given) != plain).any(-1)[0].tolist()
        expected = [place > first and place != 3 for place in range(5)]
        assert moved[first:] == expected[first:]


@pytest.mark.parametrize("sinks", ["include", "exclude"])
@pytest.mark.parametrize("wrapped", [False, True])
def test_sinks_are_those_of_the_unsteered_model(model: Any, sinks: Any, wrapped: bool) -> None:
    """What an outer edit makes of the stream says nothing about the model's sinks."""
    inner = Add(push().direction, 3.0, layer=1, site="resid_post")
    untouched = deepcopy(model)
    with steer(untouched, inner):
        pass
    loud = Add(push().direction, 3000.0, layer=0, site="resid_post", sinks=sinks)
    outer = [RowSpec(loud), RowSpec(None)] if wrapped else loud
    with steer(model, outer), steer(model, inner):
        pass
    expected, found = (measure_sinks(m, [inner.point])[inner.point] for m in (untouched, model))
    assert expected is not None
    assert found is not None
    assert torch.equal(expected.direction, found.direction)
    assert expected.threshold == found.threshold


def test_a_mask_that_does_not_tell_the_first_token_is_refused(model: Any) -> None:
    square = torch.ones(2, 1, 6, 6, dtype=torch.bool).tril()
    with pytest.raises(BadInputError, match="sinks='include' does not"), steer(model, push()):
        model(IDS, attention_mask=square)
    with steer(model, push(sinks="include")):
        model(IDS, attention_mask=square)


def test_a_spec_written_before_sinks_were_left_alone_edits_them(tmp_path: Path) -> None:
    InterventionSpec((Ablate(torch.ones(4), layer=0, site="resid_pre"), push())).save(
        tmp_path / "s"
    )
    path = tmp_path / "s" / "record.json"
    record = json.loads(path.read_text())
    assert [row.pop("sinks") for row in record["record"]["interventions"]] == ["exclude"] * 2
    path.write_text(json.dumps(record | {"version": 1}))
    mark_folder(tmp_path / "s")
    loaded = InterventionSpec.load(tmp_path / "s")
    assert [item.sinks for item in loaded.interventions] == ["include"] * 2
    loaded.save(tmp_path / "again")
    again = InterventionSpec.load(tmp_path / "again")
    assert [item.sinks for item in again.interventions] == ["include"] * 2
