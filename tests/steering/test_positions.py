"""Positions hold however a text is decoded: each test decodes by hand and compares."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any, get_args

import pytest
import torch
from torch import Tensor

from evenkeel.errors import BadInputError
from evenkeel.steering.gates import TokenGate
from evenkeel.steering.hooks import steer
from evenkeel.steering.intervention import Add, Positions

PROMPTS = torch.tensor([[5, 9, 2, 7, 30, 11], [0, 0, 8, 1, 40, 3]])  # the second is left-padded
REAL = torch.tensor([[1, 1, 1, 1, 1, 1], [0, 0, 1, 1, 1, 1]])
MASK = torch.tensor([[0, 1, 0, 0, 1, 0], [0, 0, 1, 0, 0, 1]]).bool()
WIDTH = PROMPTS.shape[1]
NEW = 6
KINDS = get_args(Positions)


@pytest.fixture(autouse=True)
def _no_early_end(tiny_gpt2: Any) -> None:
    tiny_gpt2.generation_config.eos_token_id = None


def add_at(positions: Positions) -> list[Add]:
    generator = torch.Generator().manual_seed(3)
    return [
        Add(torch.randn(32, generator=generator), 2.0, layer=1, site=site, positions=positions)
        for site in ("resid_pre", "mlp_out")
    ]


def keep(positions: Positions, columns: int) -> Tensor:
    """What the words of `Positions` mean for PROMPTS continued to so many columns."""
    column = torch.arange(columns).expand(len(PROMPTS), -1)
    allowed = {
        "all": column >= 0,
        "prompt": column < WIDTH,
        "generated": column >= WIDTH,
        "last": column >= WIDTH - 1,
        "mask": torch.nn.functional.pad(MASK, (0, columns - WIDTH)),
    }[positions]
    return allowed & (column > REAL.argmax(1, keepdim=True))  # first tokens are attention sinks


def edits_at(positions: Positions, where: Tensor) -> Callable[[int, str, Tensor], Tensor]:
    def at(layer: int, site: str, stream: Tensor) -> Tensor:
        for edit in add_at(positions):
            if (edit.layer, edit.site) == (layer, site):
                stream = edit(stream, where)
        return stream

    return at


def by_hand(model: Any, reference: Callable[..., Tensor], positions: Positions) -> Tensor:
    """Greedy decoding of PROMPTS with the reference, the whole text anew for every token."""
    ids, real = PROMPTS, REAL
    for _ in range(NEW):
        at = edits_at(positions, keep(positions, ids.shape[1]))
        following = reference(model, ids, real, at)[:, -1].argmax(-1, keepdim=True)
        ids = torch.cat([ids, following], dim=1)
        real = torch.cat([real, torch.ones_like(following)], dim=1)
    return ids


def generate(model: Any, ids: Tensor, real: Tensor, **options: Any) -> Tensor:
    settings = {"do_sample": False, "max_new_tokens": NEW}
    generated: Tensor = model.generate(ids, attention_mask=real, **settings | options)
    return generated


@pytest.mark.parametrize("positions", KINDS)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"use_cache": False},
        {"cache_implementation": "static"},
        {"prefill_chunk_size": 4},
    ],
    ids=str,
)
@torch.no_grad()
def test_greedy_text_is_that_of_the_reference(
    tiny_gpt2: Any, reference: Callable[..., Tensor], positions: Positions, options: Any
) -> None:
    with steer(tiny_gpt2, add_at(positions), mask=MASK):
        steered = generate(tiny_gpt2, PROMPTS, REAL, **options)
    assert torch.equal(steered, by_hand(tiny_gpt2, reference, positions))
    assert not torch.equal(steered, generate(tiny_gpt2, PROMPTS, REAL))


@pytest.mark.parametrize("positions", KINDS)
@torch.no_grad()
def test_a_text_in_a_batch_is_steered_as_alone(tiny_gpt2: Any, positions: Positions) -> None:
    with steer(tiny_gpt2, add_at(positions), mask=MASK):
        together = generate(tiny_gpt2, PROMPTS, REAL)
    for row, real in enumerate(REAL):
        start = int((real == 0).sum())
        with steer(tiny_gpt2, add_at(positions), mask=MASK[row : row + 1, start:]):
            alone = generate(tiny_gpt2, PROMPTS[row : row + 1, start:], real[None, start:])
        assert torch.equal(alone[0], together[row, start:])


@pytest.mark.parametrize("positions", KINDS)
@torch.no_grad()
def test_left_padded_is_right_padded(tiny_gpt2: Any, positions: Positions) -> None:
    real, start = REAL[1].bool(), 2
    moved = [torch.cat([row[start:], row[:start]]) for row in (PROMPTS[1], REAL[1], MASK[1])]
    right = [torch.stack(pair) for pair in zip((PROMPTS[0], REAL[0], MASK[0]), moved, strict=True)]
    place = (REAL.cumsum(1) - 1).clamp(min=0)
    right_place = torch.stack([place[0], torch.cat([place[1, start:], place[1, :start]])])
    with steer(tiny_gpt2, add_at(positions), mask=MASK):
        left = tiny_gpt2(PROMPTS, attention_mask=REAL, position_ids=place).logits
    with steer(tiny_gpt2, add_at(positions), mask=right[2]):
        other = tiny_gpt2(right[0], attention_mask=right[1], position_ids=right_place).logits
    torch.testing.assert_close(left[0], other[0], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(left[1, real], other[1, : real.sum()], atol=1e-5, rtol=1e-5)
    plain = tiny_gpt2(PROMPTS, attention_mask=REAL, position_ids=place).logits
    assert torch.equal(left, plain) == (positions == "generated")


@pytest.mark.parametrize("positions", KINDS)
@torch.no_grad()
def test_continuing_a_cache_steers_the_continuation(tiny_gpt2: Any, positions: Positions) -> None:
    """A forward pass on top of a cache, as a decoding loop of one's own makes it."""
    ids, new = PROMPTS[:1], torch.tensor([[4, 12]])
    with steer(tiny_gpt2, add_at(positions), mask=MASK[:1]):
        cache = tiny_gpt2(ids, use_cache=True).past_key_values
        continued = tiny_gpt2(new, past_key_values=cache).logits
    text = torch.cat([ids, new], dim=1)
    with steer(tiny_gpt2, add_at("mask"), mask=keep(positions, text.shape[1])[:1]):
        whole = tiny_gpt2(text).logits[:, ids.shape[1] :]
    torch.testing.assert_close(continued, whole, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("positions", KINDS)
@torch.no_grad()
def test_beams_score_what_the_reference_says(
    tiny_gpt2: Any, reference: Callable[..., Tensor], positions: Positions
) -> None:
    options = {"num_beams": 3, "num_return_sequences": 2, "length_penalty": 0.0}
    with steer(tiny_gpt2, add_at(positions), mask=MASK):
        uncached = generate(tiny_gpt2, PROMPTS, REAL, use_cache=False, **options)
        found = tiny_gpt2.generate(
            PROMPTS,
            attention_mask=REAL,
            max_new_tokens=NEW,
            return_dict_in_generate=True,
            output_scores=True,
            **options,
        )
    assert torch.equal(found.sequences, uncached)
    real = torch.nn.functional.pad(REAL, (0, NEW), value=1).repeat_interleave(2, dim=0)
    where = keep(positions, WIDTH + NEW).repeat_interleave(2, dim=0)
    logits = reference(tiny_gpt2, found.sequences, real, edits_at(positions, where))
    following = found.sequences[:, WIDTH:, None]
    scores = logits.log_softmax(-1)[:, WIDTH - 1 : -1].gather(2, following).sum((1, 2))
    torch.testing.assert_close(found.sequences_scores, scores, atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("positions", KINDS)
@torch.no_grad()
def test_assisted_decoding_is_greedy_decoding(
    tiny_gpt2: Any, reference: Callable[..., Tensor], positions: Positions
) -> None:
    ids, real = PROMPTS[:1], REAL[:1]
    expected = by_hand(tiny_gpt2, reference, positions)[:1]
    assistant = deepcopy(tiny_gpt2)
    assistant.transformer.h[2].mlp.c_proj.weight.mul_(0.9)  # drafts that are sometimes right
    with steer(tiny_gpt2, add_at(positions), mask=MASK[:1]):
        drafted = generate(tiny_gpt2, ids, real, assistant_model=assistant)
        looked_up = generate(tiny_gpt2, ids, real, prompt_lookup_num_tokens=2)
        own_drafts = generate(tiny_gpt2, ids, real, assistant_model=tiny_gpt2)
    assert torch.equal(drafted, expected)
    assert torch.equal(looked_up, expected)
    assert torch.equal(own_drafts, expected)


@torch.no_grad()
def test_samples_of_a_text_share_its_row_of_the_mask(tiny_gpt2: Any) -> None:
    one_row = MASK.clone()
    one_row[1] = False
    options = {"do_sample": True, "num_return_sequences": 2}
    torch.manual_seed(1)
    plain = generate(tiny_gpt2, PROMPTS, REAL, **options)
    torch.manual_seed(1)
    with steer(tiny_gpt2, add_at("mask"), mask=one_row):
        steered = generate(tiny_gpt2, PROMPTS, REAL, **options)
    changed = (plain != steered).any(dim=1)
    assert changed.tolist() == [True, True, False, False]


@torch.no_grad()
def test_input_embeddings_are_prompt_too(tiny_gpt2: Any) -> None:
    embeds = tiny_gpt2.transformer.wte(PROMPTS[:1])
    for positions in ("prompt", "generated", "last"):
        with steer(tiny_gpt2, add_at(positions)):
            from_ids = generate(tiny_gpt2, PROMPTS[:1], REAL[:1])
            settings = {"do_sample": False, "max_new_tokens": NEW}
            from_embeds = tiny_gpt2.generate(inputs_embeds=embeds, **settings)
        assert torch.equal(from_ids[:, WIDTH:], from_embeds)


def test_a_mask_that_does_not_fit_is_refused(tiny_gpt2: Any) -> None:
    with pytest.raises(BadInputError, match="no mask was given"), steer(tiny_gpt2, add_at("mask")):
        tiny_gpt2(PROMPTS)
    wide = torch.ones(2, 7, dtype=torch.bool)
    with (
        pytest.raises(BadInputError, match=r"mask has shape \[2, 7\].*2 texts of 6 columns"),
        steer(tiny_gpt2, add_at("mask"), mask=wide),
    ):
        tiny_gpt2(PROMPTS)
    with (
        pytest.raises(BadInputError, match=r"type torch.int64; it must be boolean"),
        steer(tiny_gpt2, add_at("mask"), mask=MASK.long()),
    ):
        pass


def test_last_and_token_gates_say_what_they_need(tiny_gpt2: Any) -> None:
    square = torch.ones(2, 1, 6, 6, dtype=torch.bool).tril()
    with (
        pytest.raises(BadInputError, match="needs an attention_mask of shape"),
        steer(tiny_gpt2, add_at("last")),
    ):
        tiny_gpt2(PROMPTS, attention_mask=square)
    gated = Add(torch.ones(32), layer=0, site="resid_pre", gates=(TokenGate((5,)),))
    with pytest.raises(BadInputError, match="called without input_ids"), steer(tiny_gpt2, gated):
        tiny_gpt2(inputs_embeds=torch.ones(1, 3, 32))
