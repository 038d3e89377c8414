"""Text that a model goes on with, steered and unsteered, from the same seed."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from evenkeel.evaluation.bootstrap import TermBootstrap, mean, share
from evenkeel.evaluation.degeneration import distinct_2, is_degenerate, repetition
from evenkeel.evaluation.log_odds import encode_text
from evenkeel.evaluation.measures import Measures
from evenkeel.evaluation.token_reads import padded
from evenkeel.synthesis.records import Prompt


def spread_over_kinds(prompts: Sequence[Prompt], number: int) -> list[Prompt]:
    """The first `number` prompts when kinds take turns and each kind names new terms first."""
    seen_term: Counter[tuple[str, str]] = Counter()
    seen_kind: Counter[tuple[str, int]] = Counter()
    turns = []
    for index, prompt in enumerate(prompts):
        repeat = seen_term[prompt.kind, prompt.term]
        seen_term[prompt.kind, prompt.term] += 1
        turn = seen_kind[prompt.kind, repeat]
        seen_kind[prompt.kind, repeat] += 1
        turns.append((repeat, turn, index))
    return [prompts[index] for _, _, index in sorted(turns)[:number]]


@torch.inference_mode()
def continue_texts(
    model: Any,
    tokenizer: Any,
    texts: Sequence[str],
    *,
    max_new_tokens: int,
    temperature: float,
    top_p: float,
    batch_size: int,
    seed: int,
) -> list[str]:
    """What the model goes on with after each text; call it within `steer` for a steered model.

    The same seed draws the same random numbers, so that unsteered and steered text part where
    steering changes what is drawn and not before. The generator of the process is left as it was.

    Args:
        model: a causal language model.
        tokenizer: of the model.
        texts: to be continued.
        max_new_tokens: length of a continuation.
        temperature: of sampling; 0 is greedy.
        top_p: nucleus of sampling.
        batch_size: texts in a batch.
        seed: of sampling; each batch starts from it anew.
    """
    device = next(model.parameters()).device
    sampling: dict[str, Any] = {"do_sample": False}
    if temperature > 0:
        sampling = {"do_sample": True, "temperature": temperature, "top_p": top_p, "top_k": 0}
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0
    continuations: list[str] = []
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        for start in range(0, len(texts), batch_size):
            torch.manual_seed(seed)
            rows = [encode_text(tokenizer, text) for text in texts[start : start + batch_size]]
            batch = padded(rows, device, pad=pad, left=True)
            output = model.generate(
                **batch, **sampling, max_new_tokens=max_new_tokens, pad_token_id=pad
            )
            new = output[:, batch["input_ids"].shape[1] :]
            continuations += tokenizer.batch_decode(
                new, skip_special_tokens=True, clean_up_tokenization_spaces=False
            )
    return continuations


def text_measures(texts: Sequence[str], resamples: int, seed: int) -> Measures:
    """distinct_2, repetition and degenerate_share of continuations, one for each prompt."""
    bootstrap = TermBootstrap(len(texts), resamples, seed)
    degenerate = np.array([float(is_degenerate(text)) for text in texts])
    return {
        "distinct_2": distinct_2(texts),
        "repetition": bootstrap.estimate(mean, np.array([repetition(text) for text in texts])),
        "degenerate_share": share(bootstrap, degenerate, np.ones(len(texts))),
    }
