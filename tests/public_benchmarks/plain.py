"""The plain way to score: one text at a time, no batch, no padding, nothing shared."""

from collections.abc import Sequence
from typing import Any

import torch

LEAD_IN = "It was a calm morning."


def log_probs(model: Any, ids: Sequence[int]) -> list[float]:
    """log P of every token but the first, each given all before it."""
    with torch.no_grad():
        logits = model(torch.tensor([list(ids)])).logits[0].double()
    table = logits.log_softmax(dim=-1)
    return [float(table[place, token]) for place, token in enumerate(ids[1:])]


def sentence(model: Any, tokenizer: Any, text: str, beginning: str) -> list[float | None]:
    """log P of every token of a text that begins in one of the four ways; None is not scored."""
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    with_bos = log_probs(model, [tokenizer.bos_token_id, *ids])
    alone = log_probs(model, ids)
    return {
        "bos": with_bos,
        "nobos": [None, *alone],
        "first": [with_bos[0], *alone],
        "lead_in": continuation(model, tokenizer, LEAD_IN, f" {text}"),
    }[beginning]


def continuation(model: Any, tokenizer: Any, prompt: str, word: str) -> list[float]:
    """log P of the tokens that `word` adds to `prompt`."""
    context = tokenizer(prompt)["input_ids"]
    added = tokenizer(word, add_special_tokens=False)["input_ids"]
    return log_probs(model, [*context, *added])[len(context) - 1 :]
