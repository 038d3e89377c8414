"""What steering costs: `generate` of transformers, steered over plain, on random GPT-2 models.

Each round runs every case once, in turn, so that whatever else the machine does falls on all of
them; a ratio is the median over rounds of a case's time to that of plain `generate` in its round.

    python benchmarks/steering.py --rounds 15
"""

import argparse
import statistics
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from tqdm import tqdm
from transformers import GPT2Config, GPT2LMHeadModel
from transformers.utils import logging

from evenkeel.steering.gates import BandGate
from evenkeel.steering.hooks import steer
from evenkeel.steering.intervention import Ablate, Add, Intervention

BATCH, PROMPT, NEW = 8, 8, 50
MODELS = {
    "12 layers, d=768": {"n_layer": 12, "n_embd": 768, "n_head": 12, "vocab_size": 50257},
    "6 layers, d=128": {"n_layer": 6, "n_embd": 128, "n_head": 4, "vocab_size": 2048},
}
CLOCKS: dict[str, Callable[[], float]] = {"wall": time.perf_counter, "cpu": time.process_time}


def cases(layers: int, width: int) -> dict[str, list[Intervention]]:
    """What is done to the stream, by the name in the table."""
    direction = torch.randn(width)
    every = [{"layer": layer, "site": "resid_post"} for layer in range(layers)]
    middle = {"layer": layers // 2, "site": "resid_post"}
    gate = (BandGate(direction, centre=0.0, bound=1.0),)
    return {
        "add, one layer": [Add(direction, **middle)],
        "add, every layer": [Add(direction, **place) for place in every],
        "add, one layer, generated only": [Add(direction, **middle, positions="generated")],
        "ablate, one layer": [Ablate(direction, **middle)],
        "ablate, every layer": [Ablate(direction, **place) for place in every],
        "ablate, one layer, gated": [Ablate(direction, **middle, gates=gate)],
    }


def measure(sizes: dict[str, int], rounds: int, clock: Callable[[], float]) -> dict[str, float]:
    """Seconds of plain `generate` under "plain", and each case's ratio to it."""
    torch.manual_seed(0)
    config = GPT2Config(n_positions=128, bos_token_id=0, eos_token_id=None, **sizes)
    model: Any = GPT2LMHeadModel(config).eval()
    ids = torch.randint(1, sizes["vocab_size"], (BATCH, PROMPT))
    options = {"attention_mask": torch.ones_like(ids), "do_sample": False, "max_new_tokens": NEW}
    around: dict[str, Callable[[], AbstractContextManager[None]]] = {"plain": nullcontext}
    for name, interventions in cases(sizes["n_layer"], sizes["n_embd"]).items():
        around[name] = lambda interventions=interventions: steer(model, interventions)
    seconds: dict[str, list[float]] = {name: [] for name in around}
    for _ in tqdm(range(rounds + 1), desc=f"{sizes['n_layer']} layers", disable=None):
        for name, enter in around.items():
            with enter():
                started = clock()
                model.generate(ids, **options)
                seconds[name].append(clock() - started)
    plain = seconds.pop("plain")[1:]  # the first round warms up
    ratios = {
        name: statistics.median(
            steered / base for steered, base in zip(times[1:], plain, strict=True)
        )
        for name, times in seconds.items()
    }
    return {"plain": statistics.median(plain), **ratios}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=15, help="rounds per model")
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="what is measured")
    options = parser.parse_args()
    logging.set_verbosity_error()
    found = {
        name: measure(sizes, options.rounds, CLOCKS[options.clock])
        for name, sizes in MODELS.items()
    }
    table = Table(
        title=f"steered / plain generate: batch {BATCH}, {NEW} tokens, "
        f"median of {options.rounds} rounds, {options.clock} time",
        title_justify="left",
    )
    table.add_column("case")
    for name, ratios in found.items():
        table.add_column(f"{name}\n(plain {ratios.pop('plain'):.2f} s)", justify="right")
    first = next(iter(found.values()))
    for case in first:
        table.add_row(case, *(f"{ratios[case]:.3f}" for ratios in found.values()))
    Console().print(table)


if __name__ == "__main__":
    main()
