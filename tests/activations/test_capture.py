from typing import Any

import numpy as np
import pytest
import torch

from evenkeel.activations.capture import (
    capture_beginnings,
    capture_texts,
    measure_widths,
    recording,
    resolve_points,
)
from evenkeel.activations.positions import selector
from evenkeel.errors import BadInputError
from evenkeel.models.architecture import architecture_of
from evenkeel.models.loading import LoadedModel
from evenkeel.models.sites import HookPoint
from evenkeel.params import Sinks
from tests.activations.conftest import ROWS

TEXTS = [row["text"] for row in ROWS]
SITES = ["resid_pre", "attn_out", "mlp_out", "resid_post"]


def hidden_states(loaded: LoadedModel, text: str) -> list[np.ndarray]:
    """What transformers says of one text, alone."""
    with torch.no_grad():
        output = loaded.model(
            **loaded.tokenizer(text, return_tensors="pt"), output_hidden_states=True
        )
    return [state[0].numpy() for state in output.hidden_states]


@pytest.mark.parametrize("batch_tokens", [16, 64, 8192])
@pytest.mark.parametrize("side", ["left", "right"])
def test_agrees_with_transformers_whatever_the_batch(
    loaded: LoadedModel, batch_tokens: int, side: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loaded.tokenizer, "padding_side", side)
    expected = [hidden_states(loaded, text) for text in TEXTS]

    ours = capture_texts(
        loaded, TEXTS, ["resid_pre", "resid_post"], "all", "all", batch_tokens=batch_tokens
    )

    for layer in range(3):
        before = np.concatenate([states[layer] for states in expected])
        np.testing.assert_allclose(ours[HookPoint("resid_pre", layer)], before, atol=1e-5)
    for layer in range(2):  # of the last block, transformers shows the normalized stream
        after = np.concatenate([states[layer + 1] for states in expected])
        np.testing.assert_allclose(ours[HookPoint("resid_post", layer)], after, atol=1e-5)
        np.testing.assert_array_equal(
            ours[HookPoint("resid_post", layer)], ours[HookPoint("resid_pre", layer + 1)]
        )
    norm = loaded.model.transformer.ln_f
    with torch.no_grad():
        last = norm(torch.from_numpy(ours[HookPoint("resid_post", 2)])).numpy()
    np.testing.assert_allclose(last, np.concatenate([s[3] for s in expected]), atol=1e-5)


@pytest.mark.parametrize(("sinks", "left_out"), [("exclude", 1), ("include", 0)])
def test_last_and_mean_are_of_all_tokens_but_sinks(
    loaded: LoadedModel, sinks: Sinks, left_out: int
) -> None:
    point = HookPoint("resid_post", 1)
    every = capture_texts(loaded, TEXTS, ["resid_post"], [1], "all", sinks=sinks)[point]
    lengths = [len(ids) for ids in loaded.tokenizer(TEXTS)["input_ids"]]
    parts = np.split(every, np.cumsum(lengths)[:-1])

    last = capture_texts(loaded, TEXTS, ["resid_post"], [1], "last", sinks=sinks)[point]
    mean = capture_texts(loaded, TEXTS, ["resid_post"], [1], "mean", sinks=sinks)[point]

    np.testing.assert_allclose(last, [part[-1] for part in parts], atol=1e-5)
    np.testing.assert_allclose(mean, [part[left_out:].mean(axis=0) for part in parts], atol=1e-5)


@pytest.mark.parametrize("batch_tokens", [16, 8192])
def test_beginnings_are_read_off_longer_texts(loaded: LoadedModel, batch_tokens: int) -> None:
    """Whatever else is read with them, each text gives what it gives alone; fewer rows are run."""
    words = TEXTS[0].split(" ")
    texts = [" ".join(words[:end]) for end in range(len(words), 2, -1)] + TEXTS[1:]
    rows: list[int] = []
    handle = loaded.model.transformer.h[0].register_forward_hook(
        lambda _module, _args, output: rows.append(len(output))
    )
    try:
        found = capture_beginnings(loaded, texts, SITES, [0, 2], batch_tokens)
    finally:
        handle.remove()
    assert len(set(TEXTS)) <= sum(rows) < len(set(texts))
    alone = [capture_texts(loaded, [text], SITES, [0, 2]) for text in texts]
    for point, activations in found.items():
        expected = np.concatenate([each[point] for each in alone])
        np.testing.assert_allclose(activations, expected, atol=1e-5)


def test_parts_of_a_block_sum_to_its_output(loaded: LoadedModel) -> None:
    ours = capture_texts(loaded, TEXTS, SITES, "all", "all")

    for layer in range(3):
        total = sum(ours[HookPoint.of(site, layer)] for site in SITES[:3])
        np.testing.assert_allclose(total, ours[HookPoint("resid_post", layer)], atol=1e-4)


def test_projected_heads_are_the_output_of_attention(loaded: LoadedModel) -> None:
    ours = capture_texts(loaded, TEXTS, ["head_z", "attn_out"], [1], "all")
    projection = loaded.model.transformer.h[1].attn.c_proj

    with torch.no_grad():
        projected = projection(torch.from_numpy(ours[HookPoint("head_z", 1)])).numpy()

    np.testing.assert_allclose(projected, ours[HookPoint("attn_out", 1)], atol=1e-5)


def test_widths_may_differ_between_sites(tokenizer: Any) -> None:
    from transformers import Qwen3Config, Qwen3ForCausalLM

    config = Qwen3Config(
        vocab_size=300,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
    )
    model = Qwen3ForCausalLM(config).eval()

    widths = measure_widths(model, resolve_points(model, ["head_z", "resid_post"], [1]))

    assert widths == {HookPoint("head_z", 1): 64, HookPoint("resid_post", 1): 32}


@pytest.mark.parametrize(
    ("site", "spared"),
    [
        ("resid_pre", ["h.1"]),
        ("attn_out", ["h.1.ln_2", "h.1.mlp"]),
        ("mlp_out", []),
        ("resid_post", []),
    ],
)
def test_nothing_after_the_last_asked_site_is_computed(
    loaded: LoadedModel, site: str, spared: list[str]
) -> None:
    architecture_of(loaded.model)  # found by a pass of its own, once a model
    run: set[str] = set()
    for name, module in loaded.model.named_modules():
        module.register_forward_pre_hook(lambda *_, name=name: run.add(name))

    capture_texts(loaded, TEXTS[:1], [site], [1])

    assert "transformer.h.0" in run
    for name in [f"transformer.{path}" for path in [*spared, "h.2", "ln_f"]] + ["lm_head"]:
        # A pre-hook of ours on the very module that is spared runs before the one that stops.
        inside = {other for other in run if other.startswith(f"{name}.")}
        assert not inside, inside
        assert name not in run or (site, name) == ("resid_pre", "transformer.h.1")


def test_the_model_is_the_same_afterwards(loaded: LoadedModel) -> None:
    ids = torch.tensor([[5, 6, 7]])
    before = loaded.model(ids).logits

    capture_texts(loaded, TEXTS, SITES, "all")

    assert not any(module._forward_hooks for module in loaded.model.modules())
    assert not any(module._forward_pre_hooks for module in loaded.model.modules())
    assert torch.equal(loaded.model(ids).logits, before)


def test_hooks_are_gone_after_an_error(loaded: LoadedModel) -> None:
    points = resolve_points(loaded.model, SITES, "all")
    with pytest.raises(IndexError), recording(loaded.model, points) as forward:
        forward(torch.tensor([[10**6]]), selector(torch.ones(1, dtype=torch.long), "all"))

    assert not any(module._forward_hooks for module in loaded.model.modules())


def test_a_module_that_never_runs_is_named(loaded: LoadedModel) -> None:
    points = [HookPoint("mlp_out", 1), HookPoint("resid_post", 2)]
    with recording(loaded.model, points) as forward:
        loaded.model.transformer.h[1].mlp.forward = None
        loaded.model.transformer.h[1].forward = lambda hidden, *_, **__: hidden
        with pytest.raises(BadInputError, match="never runs mlp_out of layer 1"):
            forward(torch.tensor([[5]]), selector(torch.ones(1, dtype=torch.long), "all"))


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ([], "no texts"),
        (["Hello", ""], r"text 1 \(from 0, ''\) is empty"),
        (
            ["Hello " * 60],
            r"text 0 \(from 0, 'Hello .*\) has .* reads at most 64; shorten or split",
        ),
    ],
)
def test_texts_that_cannot_be_captured(loaded: LoadedModel, texts: list[str], message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        capture_texts(loaded, texts, ["resid_post"], [0])


def test_a_layer_that_the_model_lacks(loaded: LoadedModel) -> None:
    with pytest.raises(BadInputError, match="layer 3 does not exist"):
        capture_texts(loaded, TEXTS, ["resid_post"], [3])
