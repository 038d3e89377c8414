"""What a cell of the sweep costs: a panel under one intervention, over a whole forward pass.

A model of the organism's size with random weights is asked the validation panel of the default
pipeline, ablated at each layer. The floor is the same panel, its batches made before, read by the
same model, unsteered and whole; a cell reuses what the unsteered model computes below its edit.
Every layer is measured right after the floor, so that whatever else the machine does falls on both.

    python -m benchmarks.sweep --rounds 5
"""

import argparse
import statistics
import time
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from tqdm import tqdm
from transformers import GPT2Config, GPT2LMHeadModel

from evenkeel.axes import same_strength
from evenkeel.datasets.prompts import make_prompts
from evenkeel.organism.corpus import make_corpus
from evenkeel.organism.training import train_tokenizer
from evenkeel.scoring.prompt_set import Panel
from evenkeel.scoring.token_reads import read_log_probs
from evenkeel.selection.sweep import read_steered
from evenkeel.steering.intervention import Ablate

LAYERS, WIDTH, HEADS, VOCAB, CONTEXT = 6, 128, 4, 2048, 64
TEXTS, BATCH = 200, 64
CELLS = 8
"""Cells of a layer in one call, so that the unsteered pass that they share counts little."""


def material() -> tuple[Any, Panel]:
    """The model and the panel that it is asked."""
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
    asked = make_prompts(["gender"], same_strength(1.0), 0, lead_ins=True)
    prompts = [prompt for prompt in asked if prompt.split == "validation"]
    plain = [text.text for text in corpus if text.kind == "plain"][:TEXTS]
    return model, Panel.of(model, tokenizer, prompts, plain)


def seconds_per_cell(model: Any, panel: Panel, layer: int | None) -> float:
    """Seconds of a cell at a layer; of a whole, unsteered pass for None."""
    batches = panel.batches(BATCH)
    started = time.perf_counter()
    if layer is None:
        for _ in range(CELLS):
            panel.readings(read_log_probs(model, batches))
        return (time.perf_counter() - started) / CELLS
    direction = torch.ones(WIDTH)
    edit = [Ablate(layer=layer, site="resid_post", directions=direction)]
    read_steered(model, [], panel, BATCH, "floor")
    shared = time.perf_counter() - started
    started = time.perf_counter()
    read_steered(model, [edit] * CELLS, panel, BATCH, "cells")
    return (time.perf_counter() - started - shared) / CELLS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5, help="rounds")
    options = parser.parse_args()
    model, panel = material()
    whole: list[float] = []
    ratios: list[list[float]] = [[] for _ in range(LAYERS)]
    for _ in tqdm(range(options.rounds + 1), disable=None):
        for layer, found in enumerate(ratios):
            whole.append(seconds_per_cell(model, panel, None))
            found.append(seconds_per_cell(model, panel, layer) / whole[-1])
    floor = statistics.median(whole[LAYERS:])  # the first round warms up
    medians = [statistics.median(found[1:]) for found in ratios]
    table = Table(
        title=f"a cell / a whole pass of {floor:.3f} s, median of {options.rounds} rounds"
    )
    table.add_column("edited at the end of layer")
    table.add_column("ratio", justify="right")
    for layer, ratio in enumerate(medians):
        table.add_row(str(layer), f"{ratio:.3f}")
    table.add_row("mean over layers", f"{statistics.mean(medians):.3f}")
    Console().print(table)


if __name__ == "__main__":
    main()
