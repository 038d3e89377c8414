"""What steering costs: `generate` of transformers, steered over plain, on random GPT-2 models.

Each round runs every case once, in turn, so that whatever else the machine does falls on all of
them; a ratio is the median over rounds of a case's time to that of plain `generate` in its round.
The second table sets other ways of adding one vector beside the default: our other backends, and
the packages steering-vectors and repeng where they are installed.

    python -m benchmarks.steering --rounds 15
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from copy import deepcopy
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from tokenizers import Tokenizer, models
from tqdm import tqdm
from transformers import AutoTokenizer, GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast
from transformers.utils import logging

from benchmarks.figures import Figure, show
from evenkeel.errors import BadInputError
from evenkeel.steering.backends import BACKENDS, steered
from evenkeel.steering.gates import BandGate
from evenkeel.steering.hooks import steer
from evenkeel.steering.intervention import Ablate, Add, Intervention

BATCH, PROMPT, NEW = 8, 8, 50
MODELS = {
    "12 layers, d=768": {"n_layer": 12, "n_embd": 768, "n_head": 12, "vocab_size": 50257},
    "6 layers, d=128": {"n_layer": 6, "n_embd": 128, "n_head": 4, "vocab_size": 2048},
}
"""The second has the size of the embedded model."""
GOALS = {"12 layers, d=768": 1.03, "6 layers, d=128": 1.05}
"""Of plain `generate`, under hooks."""
QUICK = 5
"""Rounds of the small model for each of the large one: being short, they are rough."""
CLOCKS: dict[str, Callable[[], float]] = {"wall": time.perf_counter, "cpu": time.process_time}
Case = tuple[Any, Callable[[], AbstractContextManager[Any]]]
"""The model to generate with, and what to do so within."""


def interventions(layers: int, width: int) -> dict[str, list[Intervention]]:
    """What hooks do to the stream, by the name in the table."""
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


@contextmanager
def other_ways(model: Any, layer: int, direction: torch.Tensor) -> Iterator[dict[str, Case]]:
    """Other ways of adding a vector at one layer, each on a twin that shares the weights."""
    found: dict[str, Case] = {}
    push = Add(direction, layer=layer, site="resid_post")
    with ExitStack() as stack:
        tokenizer = stack.enter_context(some_tokenizer())
        for backend in list(BACKENDS)[1:]:
            try:
                generating = stack.enter_context(steered(backend, twin(model), tokenizer, push))
            except BadInputError as error:
                tqdm.write(f"without {backend}: {error}", file=sys.stderr)
                continue
            found[f"backend {backend}"] = (generating, nullcontext)
        try:
            from steering_vectors import SteeringVector
        except ImportError as error:
            tqdm.write(f"without steering-vectors: {error}", file=sys.stderr)
        else:
            generating = twin(model)
            stack.enter_context(SteeringVector({layer: direction}).apply(generating))
            found["package steering-vectors"] = (generating, nullcontext)
        try:
            from repeng import ControlModel
        except (ImportError, AttributeError) as error:  # repeng 0.4 and NumPy 2 disagree
            tqdm.write(f"without repeng: {error}", file=sys.stderr)
        else:
            generating = ControlModel(twin(model), [layer])
            generating.set_raw_control({layer: direction})
            found["package repeng"] = (generating, nullcontext)
        yield found


def twin(model: Any) -> Any:
    """Another model with the very same parameters."""
    return deepcopy(model, {id(parameter): parameter for parameter in model.parameters()})


@contextmanager
def some_tokenizer() -> Iterator[Any]:
    """What backends want beside a model; no text is encoded here."""
    with TemporaryDirectory() as folder:
        PreTrainedTokenizerFast(
            tokenizer_object=Tokenizer(models.BPE()), eos_token="<end>", pad_token="<end>"
        ).save_pretrained(Path(folder))
        yield AutoTokenizer.from_pretrained(folder)


def measure(
    sizes: dict[str, int], rounds: int, clock: Callable[[], float]
) -> tuple[dict[str, float], dict[str, float]]:
    """Seconds of plain `generate` under "plain" and ratios to it: of hooks, of other ways."""
    torch.manual_seed(0)
    config = GPT2Config(n_positions=128, bos_token_id=0, eos_token_id=None, **sizes)
    model: Any = GPT2LMHeadModel(config).eval()
    ids = torch.randint(1, sizes["vocab_size"], (BATCH, PROMPT))
    options = {"attention_mask": torch.ones_like(ids), "do_sample": False, "max_new_tokens": NEW}
    cases: dict[str, Case] = {"plain": (model, nullcontext)}
    for name, given in interventions(sizes["n_layer"], sizes["n_embd"]).items():
        cases[name] = (model, lambda given=given: steer(model, given))
    hooks = list(cases)
    direction = torch.randn(sizes["n_embd"])
    with other_ways(model, sizes["n_layer"] // 2, direction) as others:
        cases |= others
        seconds: dict[str, list[float]] = {name: [] for name in cases}
        for _ in tqdm(range(rounds + 1), desc=f"{sizes['n_layer']} layers", disable=None):
            for name, (generating, within) in cases.items():
                with within():
                    started = clock()
                    generating.generate(input_ids=ids, **options)
                    seconds[name].append(clock() - started)
    plain = seconds["plain"][1:]  # the first round warms up
    ratios = {
        name: statistics.median(other / base for other, base in zip(times[1:], plain, strict=True))
        for name, times in seconds.items()
    }
    ratios["plain"] = statistics.median(plain)
    return (
        {name: ratios[name] for name in hooks},
        {name: ratios[name] for name in ("plain", "add, one layer", *others)},
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=15, help="rounds of the large model")
    parser.add_argument("--model", choices=MODELS, nargs="+", default=list(MODELS), help="which")
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="what is measured")
    parser.add_argument("--json", action="store_true", help="rows of JSON instead of a table")
    options = parser.parse_args()
    logging.set_verbosity_error()
    rounds = {
        name: options.rounds * (QUICK if MODELS[name]["n_embd"] < 512 else 1)
        for name in options.model
    }
    found = [measure(MODELS[name], rounds[name], CLOCKS[options.clock]) for name in rounds]
    how = f"batch {BATCH}, {NEW} tokens, median of {options.clock} time"
    for title, columns in zip(
        ("hooks", "a vector added at one layer"), zip(*found, strict=True), strict=True
    ):
        for name, ratios in zip(rounds, columns, strict=True):
            goal = GOALS[name] if title == "hooks" else None
            show(
                f"{title}: steered / plain generate, {how}; {name}, {rounds[name]} rounds",
                [Figure("plain, seconds", ratios["plain"])]
                + [Figure(case, ratios[case], goal) for case in ratios if case != "plain"],
                options.json,
            )


if __name__ == "__main__":
    main()
