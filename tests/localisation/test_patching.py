"""Patches against theorems, and against the same thing done with plain hooks."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from evenkeel.datasets.records import Prompt
from evenkeel.localisation.frames import Frame, make_frames
from evenkeel.localisation.patching import ROLES, FramePatching, Place, places_of

HEADS, LAYERS = 4, 3


@pytest.fixture
def frame(loaded: Any, prompts: Sequence[Prompt]) -> Frame:
    return make_frames(loaded.encoder, prompts, 100, 1, seed=0)[0]


@pytest.fixture
def patching(loaded: Any, frame: Frame) -> FramePatching:
    return FramePatching(loaded.model, frame)


@pytest.fixture
def source(frame: Frame) -> Any:
    """Of every prompt another one: the next."""
    return np.roll(np.arange(len(frame.prompts)), -1)


def test_places_are_every_layer_by_role_and_by_head(loaded: Any) -> None:
    places = places_of(loaded.model)
    assert len(places) == len(set(places)) == LAYERS * (len(ROLES) + HEADS)
    loaded.model.config.num_attention_heads = 5  # which does not divide the width
    assert all(place.head is None for place in places_of(loaded.model))


def test_a_prompts_own_activations_change_nothing(
    loaded: Any, frame: Frame, patching: FramePatching
) -> None:
    own = np.arange(len(frame.prompts))
    for place in places_of(loaded.model):
        assert torch.equal(patching.exact(place, own), patching.scores)


@pytest.mark.parametrize("layer", range(LAYERS))
def test_all_that_differs_brings_the_sources_answer(
    patching: FramePatching, source: Any, layer: int
) -> None:
    found = patching.exact(Place(layer), source)
    assert not torch.allclose(patching.scores, patching.scores[source], atol=1e-2)
    torch.testing.assert_close(found, patching.scores[source], atol=1e-5, rtol=0)


def test_above_the_last_block_the_last_token_alone_counts(
    patching: FramePatching, source: Any
) -> None:
    assert torch.equal(patching.exact(Place(2, "item"), source), patching.scores)
    assert torch.equal(patching.exact(Place(2, "between"), source), patching.scores)


def plain_scores(
    model: Any, frame: Frame, place: Place, base: int, source: int, share: float = 1.0
) -> Tensor:
    """Scores of one base, activations of the source mixed in by plain hooks.

    One continuation after the other, each behind both contexts, unbatched.
    """
    block = model.transformer.h[place.layer]
    columns = frame.columns.get(place.role or "", slice(frame.item.start, None))
    channels = slice(None) if place.head is None else slice(8 * place.head, 8 * place.head + 8)

    def hooked(edit: Callable[[Tensor], Tensor]) -> Any:
        if place.head is None:
            return block.register_forward_hook(lambda _m, _a, out: edit(out))
        return block.attn.c_proj.register_forward_pre_hook(lambda _m, args: (edit(args[0]),))

    def log_prob(word: tuple[int, ...]) -> Tensor:
        seen: list[Tensor] = []

        def keep(stream: Tensor) -> Tensor:
            seen.append(stream.clone())
            return stream

        def put(stream: Tensor) -> Tensor:
            mixed = stream.clone()
            difference = seen[0][:, columns, channels] - mixed[:, columns, channels]
            mixed[:, columns, channels] += share * difference
            return mixed

        for row, edit in ((source, keep), (base, put)):
            context = frame.prompts[row].contexts[0]
            handle = hooked(edit)
            logits = model(torch.tensor([context + word])).logits[0].log_softmax(-1)
            handle.remove()
        steps = range(frame.length - 1, frame.length - 1 + len(word))
        return torch.stack([logits[s, t] for s, t in zip(steps, word, strict=True)]).sum()

    groups = frame.prompts[base].continuations
    sums = [torch.stack([log_prob(word) for word in words]).logsumexp(0) for words in groups]
    return torch.stack(sums) - torch.stack(sums).mean()


PLACES = [
    Place(0, "item"),
    Place(1, "between"),
    Place(1, "last"),
    Place(0, head=1),
    Place(2, head=3),
]


@pytest.mark.parametrize("place", PLACES, ids=str)
def test_a_patch_is_what_plain_hooks_make_of_one_prompt(
    loaded: Any, frame: Frame, patching: FramePatching, source: Any, place: Place
) -> None:
    found = patching.exact(place, source)
    with torch.no_grad():
        plain = plain_scores(loaded.model, frame, place, 1, int(source[1]))
    assert not torch.allclose(plain, patching.scores[1], atol=1e-4)
    torch.testing.assert_close(found[1], plain, atol=1e-5, rtol=0)


@pytest.mark.parametrize("place", PLACES, ids=str)
def test_first_order_is_the_slope_of_the_exact_patch(
    loaded: Any, frame: Frame, source: Any, place: Place
) -> None:
    model = loaded.model.double()
    weights = torch.tensor([[1.0, -1.0]]).repeat(len(source), 1)
    found = FramePatching(model, frame).first_order(places_of(model), source, weights)
    step = 1e-4
    with torch.no_grad():
        ends = [
            plain_scores(model, frame, place, 1, int(source[1]), share) for share in (step, -step)
        ]
    slope = torch.sub(*(end[0] - end[1] for end in ends)) / (2 * step)
    row = places_of(model).index(place)
    assert float(found[row, 1]) == pytest.approx(float(slope), rel=1e-3, abs=1e-6)


def test_the_model_is_afterwards_as_it_was(loaded: Any, frame: Frame, source: Any) -> None:
    ids = torch.tensor([frame.prompts[0].contexts[0]])
    with torch.no_grad():
        before = loaded.model(ids).logits
    patching = FramePatching(loaded.model, frame)
    patching.exact(Place(1, "item"), source)
    patching.first_order([Place(1, "item")], source, torch.ones_like(patching.scores))
    with torch.no_grad():
        assert torch.equal(loaded.model(ids).logits, before)
    assert all(parameter.grad is None for parameter in loaded.model.parameters())
    assert not any(module._forward_hooks for module in loaded.model.modules())
