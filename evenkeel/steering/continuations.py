"""Text that a model goes on with, steered and unsteered, from the same seed."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from evenkeel.datasets.records import Prompt
from evenkeel.models.batching import padded
from evenkeel.models.decoding import plain_decoding
from evenkeel.models.devices import input_device
from evenkeel.models.encoding import TextEncoder, Tokens
from evenkeel.statistics.bootstrap import ClusterBootstrap, mean, share
from evenkeel.statistics.estimate import Measures
from evenkeel.steering.degeneration import distinct_2, is_degenerate, repetition
from evenkeel.steering.frequency_penalty import FrequencyPenalty
from evenkeel.steering.row_sampling import GREEDY


def spread_over_kinds(prompts: Sequence[Prompt], number: int) -> list[Prompt]:
    """The first `number` prompts when kinds take turns, then items, then each item's templates.

    Successive items of a kind begin at successive templates, so that a few prompts show many.
    """
    by_item: dict[str, dict[str, list[Prompt]]] = {}
    for prompt in prompts:
        by_item.setdefault(prompt.kind, {}).setdefault(prompt.item, []).append(prompt)
    turns = [
        (repeat, place, kind, of_item[(place + repeat) % len(of_item)])
        for kind, items in enumerate(by_item.values())
        for place, of_item in enumerate(items.values())
        for repeat in range(len(of_item))
    ]
    return [prompt for *_, prompt in sorted(turns, key=lambda turn: turn[:3])[:number]]


def continue_texts(model: Any, tokenizer: Any, texts: Sequence[str], **how: Any) -> list[str]:
    """What the model goes on with after each text, as text; see `continue_ids`.

    A character that the limit cuts in two is left out.
    """
    encoder, limit = TextEncoder.of(tokenizer), how["max_new_tokens"]
    return [
        encoder.decode(ids, cut=len(ids) == limit)
        for ids in continue_ids(model, tokenizer, texts, **how)
    ]


@torch.inference_mode()
def continue_ids(
    model: Any,
    tokenizer: Any,
    texts: Sequence[str],
    *,
    max_new_tokens: int,
    temperature: float,
    top_p: float,
    batch_size: int,
    seed: int,
    frequency_penalty: float = 0.0,
    chat: bool = False,
) -> list[list[int]]:
    """What the model goes on with after each text; call it within `steer` for a steered model.

    Special tokens are left out. The same seed draws the same random numbers, so that unsteered and
    steered text part where steering changes what is drawn and not before. The generator of the
    process is left as it was.

    The arguments alone decide how tokens are chosen: of the model's generation_config.json only the
    tokens that end a text are looked at (see `plain_decoding`).

    Args:
        model: a causal language model.
        tokenizer: of the model.
        texts: to be continued.
        max_new_tokens: length of a continuation.
        temperature: of sampling; 0 is greedy.
        top_p: nucleus of sampling.
        batch_size: texts in a batch.
        seed: of sampling; each batch starts from one of its own, so that a text given twice is
            continued in two ways.
        frequency_penalty: see `FrequencyPenalty`.
        chat: ask each text as a user's message, in the tokenizer's chat template.

    Raises:
        BadInputError: a text is empty, or does not fit into the model's context together with what
            is to follow; or `chat`, and the tokenizer has no chat template.
    """
    device = input_device(model)
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0
    sampling: dict[str, Any] = {"do_sample": False}
    if temperature >= GREEDY:
        sampling = {"do_sample": True, "temperature": temperature, "top_p": top_p, "top_k": 0}
    if frequency_penalty:
        sampling["logits_processor"] = [FrequencyPenalty(frequency_penalty, pad)]
    rows = encoded_to_continue(model, tokenizer, texts, max_new_tokens, chat)
    special = set(tokenizer.all_special_ids)
    continuations: list[list[int]] = []
    with (
        torch.random.fork_rng(devices=[device] if device.type == "cuda" else []),
        plain_decoding(model, tokenizer),
    ):
        for start in range(0, len(texts), batch_size):
            torch.manual_seed(seed + start)
            batch = padded(rows[start : start + batch_size], pad=pad, left=True, device=device)
            output = model.generate(
                **batch, **sampling, max_new_tokens=max_new_tokens, pad_token_id=pad
            )
            new = output[:, batch["input_ids"].shape[1] :].tolist()
            continuations += [[token for token in row if token not in special] for row in new]
    return continuations


def encoded_to_continue(
    model: Any, tokenizer: Any, texts: Sequence[str], max_new_tokens: int, chat: bool = False
) -> list[Tokens]:
    """Token ids of texts that have room for their continuations; arguments and errors as of
    `continue_ids`."""
    encoder = TextEncoder.of(tokenizer, model)
    encode = encoder.message if chat else encoder.encode
    rows = []
    for number, text in enumerate(texts):
        rows.append(encode(text))
        what = f"prompt {number} (from 0, {text[:60]!r})"
        encoder.require_room(len(rows[-1]), what, max_new_tokens)
    return rows


def text_measures(texts: Sequence[str], samples: int, resamples: int, seed: int) -> Measures:
    """distinct_2, repetition and degenerate_share of continuations.

    Intervals are over prompts, each with all its continuations, which are no more independent than
    their prompt; what another draw would have changed is in them as well.

    Args:
        texts: `samples` continuations of each prompt, prompt by prompt.
        samples: how many.
        resamples: bootstrap resamples of the prompts.
        seed: of the resamples.
    """
    repeated = np.array([repetition(text) for text in texts]).reshape(-1, samples)
    degenerate = np.array([float(is_degenerate(text)) for text in texts]).reshape(-1, samples)
    prompts = len(repeated)
    bootstrap = ClusterBootstrap(prompts, resamples, seed)
    return {
        "distinct_2": distinct_2([texts[sample::samples] for sample in range(samples)]),
        "repetition": bootstrap.estimate(mean, repeated.mean(axis=1)),
        "degenerate_share": share(
            bootstrap, degenerate.sum(axis=1), np.full(prompts, float(samples))
        ),
    }
