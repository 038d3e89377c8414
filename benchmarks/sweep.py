"""What a candidate of the search costs: a prompt set under one intervention, over a whole pass.

A model of the organism's size with random weights reads the validation prompts of an axis of the
default pipeline, ablated at each layer. The floor is the same prompt set, its batches made before,
read by the same model, unsteered and whole; a candidate reuses cached outputs upstream of its edit.
Every layer is measured right after the floor, so that whatever else the machine does falls on both.

    python -m benchmarks.sweep --rounds 5
"""

import argparse
import statistics
import time
from typing import Any

import torch
from tqdm import tqdm
from transformers import GPT2Config, GPT2LMHeadModel

from benchmarks.figures import Figure, show
from evenkeel.axes import AXES, same_strength
from evenkeel.datasets.prompts import make_prompts
from evenkeel.organism.corpus import make_corpus
from evenkeel.organism.training import train_tokenizer
from evenkeel.scoring.prompt_set import PromptSet
from evenkeel.scoring.steered_reads import SteeredReads
from evenkeel.scoring.token_reads import read_log_probs
from evenkeel.steering.intervention import Ablate

LAYERS, WIDTH, HEADS, VOCAB, CONTEXT = 6, 128, 4, 2048, 64
TEXTS, BATCH = 200, 64
GOAL = 0.5
"""Of a whole pass, on average."""
CANDIDATES = 8
"""Candidates of a layer in one call."""


def material(axis: str) -> tuple[Any, PromptSet]:
    """The model and the prompt set that it reads."""
    corpus, _ = make_corpus(4000, 0, 0, same_strength(1.0))
    tokenizer = train_tokenizer([text.text for text in corpus], VOCAB)
    torch.manual_seed(0)
    config = GPT2Config(
        n_layer=LAYERS,
        n_embd=WIDTH,
        n_head=HEADS,
        vocab_size=VOCAB,
        n_positions=CONTEXT,
        activation_function="gelu_pytorch_tanh",
    )
    model = GPT2LMHeadModel(config).eval()
    asked = make_prompts([axis], same_strength(1.0), 0, lead_ins=True)
    prompts = [prompt for prompt in asked if prompt.split == "validation"]
    plain = [text.text for text in corpus if text.kind == "plain"][:TEXTS]
    return model, PromptSet.of(model, tokenizer, prompts, plain)


def seconds_per_pass(model: Any, prompt_set: PromptSet) -> float:
    """Seconds of a whole, unsteered pass."""
    batches = prompt_set.batches(BATCH)
    started = time.perf_counter()
    for _ in range(CANDIDATES):
        prompt_set.readings(read_log_probs(model, batches))
    return (time.perf_counter() - started) / CANDIDATES


def seconds_per_candidate(reads: SteeredReads, layer: int) -> float:
    """Seconds of a candidate at a layer, once the unsteered model has been read."""
    edit = [Ablate(layer=layer, site="resid_post", directions=torch.ones(WIDTH))]
    started = time.perf_counter()
    reads.steered([edit] * CANDIDATES, "candidates")
    return (time.perf_counter() - started) / CANDIDATES


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5, help="rounds")
    parser.add_argument("--axis", choices=AXES, default=next(iter(AXES)), help="whose prompts")
    parser.add_argument("--json", action="store_true", help="rows of JSON instead of a table")
    options = parser.parse_args()
    model, prompt_set = material(options.axis)
    reads = SteeredReads(model, prompt_set, BATCH)
    _ = reads.baseline  # keeps the outputs of the blocks
    whole: list[float] = []
    ratios: list[list[float]] = [[] for _ in range(LAYERS)]
    for _ in tqdm(range(options.rounds + 1), disable=None):
        for layer, found in enumerate(ratios):
            whole.append(seconds_per_pass(model, prompt_set))
            found.append(seconds_per_candidate(reads, layer) / whole[-1])
    floor = statistics.median(whole[LAYERS:])  # the first round warms up
    medians = [statistics.median(found[1:]) for found in ratios]
    figures = [Figure(f"edited at the end of layer {n}", ratio) for n, ratio in enumerate(medians)]
    figures.append(Figure("mean over layers", statistics.mean(medians), GOAL))
    show(
        f"a candidate / a whole pass of {floor:.3f} s, median of {options.rounds} rounds",
        figures,
        options.json,
    )


if __name__ == "__main__":
    main()
