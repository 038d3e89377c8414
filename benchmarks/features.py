"""What the statistics of all logit weights cost over the bare matrix product that they need.

Both compute decoder @ unembedding in the same blocks, in turn, so that whatever else the machine
does falls on both; the ratio is the median over rounds. Memory is the peak above the weights.

    python -m benchmarks.features --latents 24576
"""

import argparse
import resource
import statistics
import time
from collections.abc import Callable

import torch

from benchmarks.figures import Figure, show
from evenkeel.sae import logit_weights as streamed

CLOCKS: dict[str, Callable[[], float]] = {"wall": time.perf_counter, "cpu": time.process_time}
GOAL_RATIO, GOAL_GIB = 1.15, 1.5


def bare_product(decoder: torch.Tensor, unembedding: torch.Tensor) -> None:
    """Every block of the product, each into the same memory."""
    buffer = torch.empty(streamed.BLOCK, streamed.TILE)
    for start in range(0, len(decoder), streamed.BLOCK):
        rows = decoder[start : start + streamed.BLOCK]
        for first in range(0, unembedding.shape[1], streamed.TILE):
            tile = unembedding[:, first : first + streamed.TILE]
            torch.mm(rows, tile, out=buffer[: len(rows), : tile.shape[1]])


def seconds(function: Callable[[], object], clock: Callable[[], float]) -> float:
    started = clock()
    function()
    return clock() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--latents", type=int, default=24576)
    parser.add_argument("--width", type=int, default=768)
    parser.add_argument("--vocab", type=int, default=50257)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="cpu: on a busy machine")
    parser.add_argument("--json", action="store_true", help="rows of JSON instead of a table")
    options = parser.parse_args()
    clock = CLOCKS[options.clock]
    torch.manual_seed(0)
    decoder = torch.randn(options.latents, options.width)
    unembedding = torch.randn(options.width, options.vocab)
    bare_product(decoder[: streamed.BLOCK], unembedding)  # warms up, without more memory
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    streamed.logit_weights(decoder, unembedding, k=10)
    peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**20
    ratios, products = [], []
    for _ in range(options.rounds):
        products.append(seconds(lambda: bare_product(decoder, unembedding), clock))
        whole = seconds(lambda: streamed.logit_weights(decoder, unembedding, k=10), clock)
        ratios.append(whole / products[-1])
    shape = f"{options.latents} x {options.width} x {options.vocab}"
    figures = [
        Figure("bare product, seconds", statistics.median(products)),
        Figure("time over it", statistics.median(ratios), GOAL_RATIO),
        Figure("peak memory above the weights, GiB", peak, GOAL_GIB),
    ]
    show(f"Logit-weight statistics, {shape}", figures, options.json)


if __name__ == "__main__":
    main()
