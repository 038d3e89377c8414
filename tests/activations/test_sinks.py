"""Attention sinks are found, and left out of what is read of a model."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from evenkeel.activations.capture import capture_texts, measure_sinks
from evenkeel.activations.sinks import SinkProbe, kept_rows, random_texts
from evenkeel.activations.store import ActivationStore
from evenkeel.activations.writer import write_store
from evenkeel.errors import BadInputError
from evenkeel.models.loading import LoadedModel
from evenkeel.models.sites import HookPoint
from evenkeel.probes.statements import text_activations

from .conftest import ROWS, capture_params

POINT = HookPoint("resid_post", 0)
TEXTS = [row["text"] for row in ROWS]
LATER = "z"  # one token, which no text of ROWS holds
SINK = 60.0


@pytest.fixture
def loaded(loaded: LoadedModel) -> LoadedModel:
    """With a sink at the first position, and wherever `LATER` stands."""
    wte, wpe = loaded.model.transformer.wte.weight, loaded.model.transformer.wpe.weight
    (token,) = loaded.tokenizer(LATER)["input_ids"]
    with torch.no_grad():
        wpe[0, 3] += SINK
        wte[token, 3] += SINK
    return loaded


def means(loaded: LoadedModel, texts: list[str], **how: Any) -> Any:
    return capture_texts(loaded, texts, [POINT.site], [POINT.layer], "mean", **how)[POINT]


def tokens(loaded: LoadedModel, text: str) -> Any:
    return capture_texts(loaded, [text], [POINT.site], [POINT.layer], "all")[POINT]


def test_a_model_without_sinks_has_no_probe(tiny_gpt2: Any) -> None:
    points = [HookPoint("resid_post", layer) for layer in range(3)]
    assert set(measure_sinks(tiny_gpt2, points).values()) == {None}


def test_later_sinks_are_told_by_looking_like_the_first(loaded: LoadedModel) -> None:
    probe = measure_sinks(loaded.model, [POINT])[POINT]
    assert probe is not None
    stream = tokens(loaded, f"The nurse {LATER} said")
    ids = loaded.tokenizer(f"The nurse {LATER} said")["input_ids"]
    (later,) = loaded.tokenizer(LATER)["input_ids"]
    expected = [place == 0 or token == later for place, token in enumerate(ids)]
    assert probe(torch.from_numpy(stream)).tolist() == expected
    assert sum(expected) == 2


def test_the_model_is_measured_as_it_is_in_evaluation(loaded: LoadedModel) -> None:
    trained = deepcopy(loaded.model).train()
    for module in trained.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.9
    probe, other = (measure_sinks(model, [POINT])[POINT] for model in (loaded.model, trained))
    assert probe is not None
    assert other is not None
    assert torch.equal(probe.direction, other.direction)
    assert trained.training


def test_tokens_that_all_share_the_direction_of_the_first_are_no_sinks() -> None:
    """As in Gemma 3, where one dimension is nearly all of every token's norm."""
    direction = torch.nn.functional.one_hot(torch.tensor(3), 32).float()
    others = direction * torch.linspace(8.0, 18.0, 41)[:, None] + 0.1 * torch.randn(41, 32)
    probe = SinkProbe.of(53.0 * direction.repeat(4, 1), others.norm(dim=-1))
    assert probe is not None
    assert not probe(others).any()
    assert probe(30.0 * direction)


def test_infinite_first_tokens_give_no_probe_and_do_not_spoil_means() -> None:
    first = torch.full((2, 4), torch.inf)
    assert SinkProbe.of(first, torch.ones(9)) is None


def test_means_leave_sinks_out_unless_they_count(loaded: LoadedModel) -> None:
    text = f"The nurse {LATER} said"
    stream = tokens(loaded, text)
    probe = measure_sinks(loaded.model, [POINT])[POINT]
    assert probe is not None
    kept = stream[~probe(torch.from_numpy(stream)).numpy()]
    assert len(kept) == len(stream) - 2
    np.testing.assert_allclose(means(loaded, [text])[0], kept.mean(0), atol=1e-4)
    included = means(loaded, [text], sinks="include")[0]
    np.testing.assert_allclose(included, stream.mean(0), atol=1e-4)


def test_a_contrast_of_means_is_not_the_sinks(loaded: LoadedModel) -> None:
    """Texts of two lengths: the shorter one's mean holds more of the sink."""
    long, short = "The nurse said that she was tired and late", "The nurse"
    sink = tokens(loaded, long)[0]

    def cosine(sinks: Any) -> float:
        one, other = means(loaded, [long, short], sinks=sinks)
        difference = one - other
        return abs(float(difference @ sink / np.linalg.norm(difference) / np.linalg.norm(sink)))

    assert cosine("include") > 0.9
    assert cosine("exclude") < 0.5


def test_a_text_alone_has_the_mean_that_it_has_in_a_batch(loaded: LoadedModel) -> None:
    together = means(loaded, TEXTS)
    for text, mean in zip(TEXTS, together, strict=True):
        np.testing.assert_allclose(means(loaded, [text])[0], mean, atol=1e-4)


@pytest.mark.parametrize("sinks", ["exclude", "include"])
def test_a_store_of_all_tokens_has_the_means_of_a_store_of_means(
    loaded: LoadedModel, tmp_path: Path, sinks: Any
) -> None:
    found = []
    for positions in ("all", "mean"):
        path = tmp_path / f"{positions}.h5"
        summary = write_store(
            path, loaded, ROWS, capture_params(positions=positions, sinks=sinks, layers=[0])
        )
        assert summary.sinks == sinks
        assert summary.later_sinks == (("resid_post/0",) if sinks == "exclude" else ())
        with ActivationStore.open(path) as store:
            found.append(text_activations(store, POINT.site, POINT.layer))
    np.testing.assert_allclose(found[0], found[1], atol=1e-4)


@pytest.mark.parametrize("positions", ["last", "mean"])
def test_a_text_that_is_nothing_but_a_sink_is_refused(loaded: LoadedModel, positions: Any) -> None:
    with pytest.raises(BadInputError, match=r"text 1 \(from 0\) has only 1 token.*attention sink"):
        capture_texts(loaded, ["The nurse", LATER], ["resid_post"], [0], positions)
    capture_texts(loaded, ["The nurse", LATER], ["resid_post"], [0], positions, sinks="include")


def test_a_text_of_sinks_keeps_what_comes_after_its_first_token() -> None:
    rows = np.array([[9, 0], [9, 0], [9, 0], [0, 1], [9, 0]], dtype=np.float32)
    probe = SinkProbe(torch.tensor([1.0, 0.0]), 5.0)
    kept = kept_rows(rows, np.array([0, 2, 4, 5]), "exclude", probe)
    assert kept.tolist() == [False, True, False, True, True]
    assert kept_rows(rows, np.array([0, 2, 4, 5]), "include", probe).all()


@pytest.mark.parametrize("front", [(), (50,), (50256, -1), None])
def test_a_token_that_the_vocabulary_lacks_stands_nowhere(front: tuple[int, ...] | None) -> None:
    plain = random_texts(50, None, (), None)
    for bos in (None, -1, 50, 50256):
        assert torch.equal(random_texts(50, None, front, bos), plain)
    assert int(plain.max()) < 50


def test_random_texts_begin_as_the_encoder_has_every_text_begin() -> None:
    plain = random_texts(50, None, (), 7)
    begun = random_texts(50, None, (7, 9), 3)
    assert torch.equal(begun[:, :2], torch.tensor([[7, 9]]).expand(4, 2))
    assert torch.equal(begun[:, 2:], plain[:, 2:])
    assert random_texts(50, 1, (7, 9), None).tolist() == [[7]] * 4
    unknown = random_texts(50, None, None, 7)  # no encoder: with BOS and without
    assert (unknown[::2, 0] == 7).all()
    assert torch.equal(unknown[1::2], plain[1::2])
