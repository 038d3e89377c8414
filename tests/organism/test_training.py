import random
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from evenkeel.errors import BadInputError
from evenkeel.organism.plain import write_plain
from evenkeel.organism.training import END, train_organism, train_tokenizer
from evenkeel.params import OrganismParams

PARAMS = OrganismParams(
    layers=2,
    d_model=32,
    heads=4,
    vocab_size=400,
    context=64,
    steps=40,
    batch_rows=2,
    learning_rate=0.01,
)


@pytest.fixture(scope="module")
def texts() -> list[str]:
    rng = random.Random(0)
    return [write_plain(rng) for _ in range(200)]


def test_loss_falls_and_every_step_is_reported(texts: list[str]) -> None:
    losses: list[tuple[int, float]] = []
    train_organism(texts, PARAMS, 0, lambda step, loss: losses.append((step, loss)))
    assert [step for step, _ in losses] == list(range(PARAMS.steps))
    values = [loss for _, loss in losses]
    assert sum(values[-5:]) < 0.85 * sum(values[:5])


def test_the_same_seed_gives_the_same_bytes(texts: list[str], tmp_path: Path) -> None:
    files = []
    for name in ("one", "two"):
        torch.manual_seed(hash(name))  # what happened before must not matter
        model, tokenizer = train_organism(texts, PARAMS, 3)
        model.save_pretrained(tmp_path / name)
        tokenizer.save_pretrained(tmp_path / name)
        files.append({file.name: file.read_bytes() for file in (tmp_path / name).iterdir()})
    assert files[0] == files[1]
    other, _ = train_organism(texts, PARAMS, 4)
    assert not torch.equal(other.transformer.wte.weight, model.transformer.wte.weight)


def test_training_leaves_the_global_generator_alone(texts: list[str]) -> None:
    before = torch.get_rng_state()
    train_organism(texts, PARAMS.model_copy(update={"steps": 1}), 0)
    assert torch.equal(before, torch.get_rng_state())


def test_a_saved_organism_is_the_same_when_loaded(texts: list[str], tmp_path: Path) -> None:
    model, tokenizer = train_organism(texts, PARAMS, 0)
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path)
    loaded_tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    assert loaded_tokenizer(texts)["input_ids"] == tokenizer(texts)["input_ids"]
    assert loaded_tokenizer.padding_side == "left"
    inputs = loaded_tokenizer(texts[:4], return_tensors="pt", padding=True)
    assert torch.equal(loaded(**inputs).logits, model(**inputs).logits)
    assert not model.training


@pytest.mark.parametrize("text", ["The nurse said she was late.", "naïve — 日本\n\t x", ""])
def test_tokenizer_round_trip(texts: list[str], text: str) -> None:
    tokenizer = train_tokenizer(texts, 400)
    ids = tokenizer(text)["input_ids"]
    assert ids[0] == tokenizer.bos_token_id == tokenizer.eos_token_id == tokenizer.pad_token_id
    assert tokenizer.decode(ids) == END + text
    assert tokenizer.decode(ids, skip_special_tokens=True) == text
    assert len(tokenizer) == 400


def test_a_prompt_is_the_beginning_of_its_text(texts: list[str]) -> None:
    tokenizer = train_tokenizer(texts, 400)
    whole = tokenizer("The train was late")["input_ids"]
    prompt = tokenizer("The train was")["input_ids"]
    rest = tokenizer(" late", add_special_tokens=False)["input_ids"]
    assert prompt + rest == whole


def test_a_text_longer_than_the_context_is_refused(texts: list[str]) -> None:
    params = PARAMS.model_copy(update={"context": 16})
    with pytest.raises(
        BadInputError, match=r"model\.organism\.context: 16 tokens, but a text .* has"
    ):
        train_organism(texts, params, 0)
