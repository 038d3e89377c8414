"""Evenkeel beside the libraries that people use today, on a model of SmolLM2-135M's shape.

Caching the residual stream of every layer, adding a vector while generating, statistics of logit
weights, fitting probes: each by Evenkeel and by whichever of the others are installed. The weights
are random, since speed does not depend on them. The ways of one task take turns in every round, so
that whatever else the machine does falls on all of them; a figure is the median of rounds' ratios.
What is not installed, or does not run beside this torch and transformers, is named on stderr.

    OMP_NUM_THREADS=1 python -m benchmarks.peers --clock cpu
    python -m benchmarks.peers --only caching --only probes --json
"""

import argparse
import importlib.util
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import h5py
import torch
from tqdm import tqdm
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.utils import logging

from benchmarks import activations, features, probes, steering
from benchmarks.figures import Figure, show
from evenkeel.models.loading import LoadedModel
from evenkeel.sae.logit_weights import logit_weights
from evenkeel.steering.hooks import steer
from evenkeel.steering.intervention import Add

LAYERS, WIDTH, HEADS, KV_HEADS, INNER, VOCABULARY = 30, 576, 9, 3, 1536, 49152
"""Of SmolLM2-135M."""
TEXTS, BATCH_TOKENS = 96, 2048
LATENTS, TOKENS = 2048, 10
Clock = Callable[[], float]
Ways = dict[str, Callable[[], object]]


def smollm2() -> Any:
    """A model of the shape of SmolLM2-135M, its weights random."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=WIDTH,
        intermediate_size=INNER,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=KV_HEADS,
        tie_word_embeddings=True,
        max_position_embeddings=2048,
        bos_token_id=1,
        eos_token_id=None,
    )
    return LlamaForCausalLM(config).eval()


def caching(model: Any, rounds: int, clock: Clock) -> Iterator[Figure]:
    """The speed of keeping every layer of every token in a file, over the bare forward pass."""
    loaded = activations.with_numbers(model)
    texts = activations.random_texts(TEXTS, VOCABULARY)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ways: Ways = {
            "bare forward": lambda: activations.bare_forward(loaded, texts, BATCH_TOKENS),
            "evenkeel": lambda: activations.evenkeel(loaded, texts, BATCH_TOKENS, folder),
            "output_hidden_states + h5py": lambda: activations.hidden_states(loaded, texts, folder),
        }
        if _is_installed("transformer_lens"):
            lens = _lens()
            ways["TransformerLens + h5py"] = lambda: activations.transformer_lens(
                lens, loaded, texts, folder, activations.TEXTS_OF_A_BATCH
            )
        if _is_installed("nnsight"):
            ways["nnsight + h5py"] = lambda: _nnsight(loaded, texts, folder)
        found = activations.ratios(ways, rounds, clock, folder)
    for way, ratio in found.items():
        yield Figure(
            f"caching, speed over bare: {way}", ratio, activations.GOALS.get(way), "higher"
        )


def _lens() -> Any:
    from transformer_lens import HookedTransformer, HookedTransformerConfig

    config = HookedTransformerConfig(
        n_layers=LAYERS,
        d_model=WIDTH,
        n_heads=HEADS,
        d_head=WIDTH // HEADS,
        n_key_value_heads=KV_HEADS,
        n_ctx=2048,
        d_vocab=VOCABULARY,
        d_mlp=INNER,
        act_fn="silu",
        gated_mlp=True,
        normalization_type="RMS",
        final_rms=True,
        positional_embedding_type="rotary",
        rotary_dim=WIDTH // HEADS,
    )
    return HookedTransformer(config)


@torch.no_grad()
def _nnsight(loaded: LoadedModel, texts: list[str], folder: Path) -> None:
    import nnsight

    traced = nnsight.NNsight(loaded.model)
    with h5py.File(folder / "nnsight.h5", "w") as file:
        batch = loaded.tokenizer(texts, return_tensors="pt", padding=True)
        with traced.trace(
            input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], logits_to_keep=1
        ):
            states = nnsight.save([])
            for block in traced.model.layers:
                states.append(block.output)
        inside = batch["attention_mask"].bool()
        for layer, state in enumerate(states):
            activations.append(file, str(layer), state[inside].numpy())


def generation(model: Any, rounds: int, clock: Clock) -> Iterator[Figure]:
    """The time of `generate` with a vector added at one layer, over that of plain `generate`."""
    ids = torch.randint(1, VOCABULARY, (steering.BATCH, steering.PROMPT))
    options = {"attention_mask": torch.ones_like(ids), "do_sample": False, "max_new_tokens": 10}
    direction, layer = torch.randn(WIDTH), LAYERS // 2
    push = Add(direction, layer=layer, site="resid_post")
    with steering.other_ways(model, layer, direction) as others:
        cases: dict[str, steering.Case] = {
            "plain": (model, nullcontext),
            "evenkeel": (model, lambda: steer(model, push)),
        }
        cases |= others

        def way(case: steering.Case) -> Callable[[], object]:
            def run() -> None:
                with case[1]():
                    case[0].generate(input_ids=ids, **options)

            return run

        ways = {name: way(case) for name, case in cases.items()}
        found = _over_first(ways, rounds, clock)
    for name, ratio in found.items():
        goal = 1.03 if name == "evenkeel" else None
        yield Figure(f"generation with a vector added, time over plain: {name}", ratio, goal)


def weights(model: Any, rounds: int, clock: Clock) -> Iterator[Figure]:
    """The time of the statistics of logit weights, over the bare product in blocks."""
    decoder = torch.randn(LATENTS, WIDTH)
    unembedding = model.lm_head.weight.detach().mT.contiguous()
    ways: Ways = {
        "bare product": lambda: features.bare_product(decoder, unembedding),
        "evenkeel": lambda: logit_weights(decoder, unembedding, k=TOKENS),
        "the product held whole": lambda: _held_whole(decoder, unembedding),
    }
    for name, ratio in _over_first(ways, rounds, clock).items():
        goal = features.GOAL_RATIO if name == "evenkeel" else None
        yield Figure(f"logit weights, time over bare: {name}", ratio, goal)


def _held_whole(decoder: torch.Tensor, unembedding: torch.Tensor) -> None:
    """What notebooks do: all weights at once, their moments, and the tokens at either end."""
    with torch.inference_mode():
        product = decoder @ unembedding
        scores = (product - product.mean(1, keepdim=True)) / product.std(1, keepdim=True)
        scores.pow(3).mean(1), scores.pow(4).mean(1)
        product.topk(TOKENS), product.topk(TOKENS, largest=False)


def fitting(_model: Any, rounds: int, clock: Clock) -> Iterator[Figure]:
    """The time of all that `train_probes` does at a layer, over its regressions one by one."""
    tasks = probes.tasks_of(150)
    x = probes.activations(tasks, WIDTH, 0)
    ways: Ways = {
        "scikit-learn": lambda: probes.one_by_one(tasks, x),
        "evenkeel": lambda: probes.ours(tasks, x),
    }
    for name, ratio in _over_first(ways, rounds, clock).items():
        goal = 1.0 if name == "evenkeel" else None
        yield Figure(f"probes of a layer, time over scikit-learn: {name}", ratio, goal)


TASKS: dict[str, Callable[[Any, int, Clock], Iterator[Figure]]] = {
    "caching": caching,
    "generation": generation,
    "weights": weights,
    "probes": fitting,
}


def _over_first(ways: Ways, rounds: int, clock: Clock) -> dict[str, float]:
    """Median over rounds of each way's time over that of the first in the same round."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in tqdm(range(rounds + 1), next(reversed(ways)), disable=None):
        for name, run in ways.items():
            started = clock()
            run()
            times[name].append(clock() - started)
    first = next(iter(times.values()))[1:]  # the first round warms up
    return {
        name: statistics.median(a / b for a, b in zip(taken[1:], first, strict=True))
        for name, taken in times.items()
    }


def _is_installed(name: str) -> bool:
    found = importlib.util.find_spec(name) is not None
    if not found:
        tqdm.write(f"without {name}: it is not installed", file=sys.stderr)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", choices=TASKS, action="append", help="one task; all otherwise")
    parser.add_argument("--rounds", type=int, default=3, help="measured rounds of each task")
    parser.add_argument("--clock", choices=steering.CLOCKS, default="wall", help="what is measured")
    parser.add_argument("--json", action="store_true", help="rows of JSON instead of a table")
    options = parser.parse_args()
    logging.set_verbosity_error()
    model, clock = smollm2(), steering.CLOCKS[options.clock]
    for task in options.only or TASKS:
        found = list(TASKS[task](model, options.rounds, clock))
        show(f"{task}, shape of SmolLM2-135M, {options.clock} time", found, options.json)


if __name__ == "__main__":
    main()
