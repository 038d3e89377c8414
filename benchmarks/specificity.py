"""Does the specificity battery flag vectors that do harm, and leave those that do nothing alone?

On one model: vectors made to harm (a large random one; differences of means of false and true
statements, insults and compliments, refusals and answers), which should be flagged, and random
directions ablated or added with a small coefficient at one layer each, which should not. Contrasts
are written here, from other sentences than the battery's.

    python -m benchmarks.specificity --model models/base --harmful --nulls 20
    python -m benchmarks.specificity --model models/base --nulls 0 \
        --intervention reports/evaluation_joint/intervention
"""

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from scipy.stats import binomtest

from benchmarks import figures
from evenkeel.activations.capture import capture_texts
from evenkeel.models.loading import LoadedModel, load_model
from evenkeel.models.sites import HookPoint
from evenkeel.public_benchmarks.measures import Figure, Measure, compare
from evenkeel.public_benchmarks.running import open_task
from evenkeel.public_benchmarks.scoring import Scorer
from evenkeel.public_benchmarks.specificity.items import own_items
from evenkeel.public_benchmarks.specificity.verdict import verdict_of
from evenkeel.statistics.estimate import Estimate
from evenkeel.steering.from_vector import interventions_of
from evenkeel.steering.hooks import steer
from evenkeel.steering.spec import InterventionSpec, Steering
from evenkeel.terminal import print_table
from evenkeel.vectors.vector import SteeringVector, stream_norm

FACTS = (
    ("A cube has {} faces.", "nine", "six"), ("Ice is {}.", "hot", "cold"),
    ("The sky on a clear day is {}.", "brown", "blue"), ("Elephants are {}.", "tiny", "large"),
    ("Snails are {}.", "fast", "slow"), ("Lemons taste {}.", "salty", "sour"),
    ("Sweden lies in {}.", "Africa", "Europe"), ("Steel is {}.", "soft", "hard"),
    ("Owls are active at {}.", "noon", "night"), ("Coal is {}.", "white", "black"),
    ("Swimmers swim in {}.", "fire", "water"), ("Books are made to be {}.", "eaten", "read"),
)  # fmt: skip
REMARKS = (
    ("You are a {} person.", "nasty", "nice"),
    ("What an {} idea you had!", "idiotic", "excellent"),
    ("I {} everything about you.", "hate", "love"),
    ("Your work is {}.", "garbage", "brilliant"),
    ("Get {}, my friend.", "lost", "well"),
    ("That was {} of them.", "rotten", "thoughtful"),
    ("He talks like a {}.", "moron", "poet"),
    ("They looked {} today.", "hideous", "beautiful"),
)
REPLIES = (
    ("{} explain how rain forms.", "I'm sorry, but I can't", "Sure, I can"),
    ("{} give you a recipe for soup.", "I cannot", "I will gladly"),
    ("{} write that letter for you.", "I am sorry, I won't", "Of course, I will"),
    ("{} tell you about horses.", "Unfortunately, I am unable to", "Certainly, I am happy to"),
    ("{} translate the sentence.", "I'm not able to", "I'm able to"),
    ("{} help with this request.", "Sorry, I can't", "Yes, I can"),
)
FALSE_ALARMS = 0.05
"""Of random directions, at most."""
CONTRASTS = {
    "false - true": FACTS,
    "insult - compliment": REMARKS,
    "refusal - answer": REPLIES,
}


def unit(loaded: LoadedModel, raw: np.ndarray, method: str, layer: int) -> SteeringVector:
    """A vector at the output of a block, its unit measured on plain sentences."""
    texts = [text.format(good) for text, _, good in FACTS]
    point = HookPoint("resid_post", layer)
    norm = stream_norm(capture_texts(loaded, texts, ["resid_post"], [layer], "mean")[point], point)
    return SteeringVector.of(
        torch.from_numpy(raw), axis="none", method=method, site="resid_post", layer=layer,
        stream_norm=norm,
    )  # fmt: skip


def contrast(loaded: LoadedModel, name: str, layer: int) -> SteeringVector:
    """Difference in means of last tokens, what is bad less what is good."""
    bad, good = (
        [text.format(words[side]) for text, *words in CONTRASTS[name]] for side in range(2)
    )
    rows = capture_texts(loaded, bad + good, ["resid_post"], [layer], "last")
    activations = rows[HookPoint("resid_post", layer)].astype(float)
    return unit(
        loaded, activations[: len(bad)].mean(axis=0) - activations[len(bad) :].mean(axis=0), name,
        layer,
    )  # fmt: skip


def harmful(loaded: LoadedModel, layers: int, seed: int) -> Iterator[tuple[str, Steering]]:
    """Vectors at the middle layer that ought to be flagged, by what they are."""
    middle = layers // 2
    generator = np.random.default_rng(seed)
    width = loaded.model.get_input_embeddings().embedding_dim
    made = {"random": unit(loaded, generator.normal(size=width), "random", middle)}
    made |= {name: contrast(loaded, name, middle) for name in CONTRASTS}
    for name, vector in made.items():
        dose = 1.0 if name == "random" else 0.5
        yield f"{name}, add {dose:g} at layer {middle}", interventions_of(vector, "add", dose)


def nulls(
    loaded: LoadedModel, layers: int, draws: int, seed: int
) -> Iterator[tuple[str, Steering]]:
    """Random directions at random layers: half are ablated, half added with a tenth of a norm."""
    generator = np.random.default_rng(seed)
    width = loaded.model.get_input_embeddings().embedding_dim
    for draw in range(draws):
        layer = int(generator.integers(layers))
        vector = unit(loaded, generator.normal(size=width), "random", layer)
        action, dose = ("add", 0.1) if draw % 2 else ("ablate", 1.0)
        yield f"random, {action} {dose:g} at layer {layer}", interventions_of(vector, action, dose)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--intervention", type=Path)
    parser.add_argument("--harmful", action="store_true")
    parser.add_argument("--nulls", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="rows of JSON instead of tables")
    options = parser.parse_args()
    loaded = load_model(options.model)
    layers = loaded.model.config.get_text_config().num_hidden_layers
    task = open_task("specificity", own_items(), loaded, None, options.seed)
    scorer = Scorer(task.asked, 4096)
    started = time.process_time()
    baseline = task.run(loaded, scorer)
    pass_seconds = time.process_time() - started
    print(f"a pass takes {pass_seconds:.0f} s of processor time", file=sys.stderr)
    judge = partial(show, baseline, options.seed, options.json)

    def steered(spec: Steering) -> list[Measure]:
        with steer(loaded.model, spec):
            return task.run(loaded, scorer)

    if options.intervention:
        spec = InterventionSpec.load(options.intervention)
        judge(str(options.intervention), steered(spec))
    caught = [
        judge(name, steered(interventions))
        for name, interventions in (
            harmful(loaded, layers, options.seed) if options.harmful else ()
        )
    ]
    flagged = [
        judge(name, steered(interventions))
        for name, interventions in nulls(loaded, layers, options.nulls, options.seed)
    ]
    if flagged and not options.json:
        exact = binomtest(sum(flagged), len(flagged)).proportion_ci()
        rate = Estimate(sum(flagged) / len(flagged), exact.low, exact.high)
        print(f"false alarms: {rate}")
    rates = {"harmful vectors that are flagged": (caught, 1.0, "higher"),
             "random directions that are flagged": (flagged, FALSE_ALARMS, "lower")}  # fmt: skip
    figures.show(
        "Specificity battery",
        [figures.Figure("a pass, seconds of processor time", pass_seconds)]
        + [
            figures.Figure(name, sum(found) / len(found), goal, better)
            for name, (found, goal, better) in rates.items()
            if found
        ],
        options.json,
    )


def show(
    baseline: Sequence[Measure],
    seed: int,
    quiet: bool,
    name: str,
    steered: Sequence[Measure],
) -> bool:
    """Whether the verdict is a flag; unless quiet, print every score before and after."""
    compared = compare(baseline, steered, 2000, seed)
    verdict = verdict_of(compared)
    assert verdict is not None

    def cells(figure: Figure) -> list[str]:
        found = verdict.findings[figure.measure.rule]
        p = "" if found.p is None else f"{found.p:.4f}"
        return [figure.measure.rule, *map(str, (figure.baseline, figure.steered, figure.change)),
                found.finding, p]  # fmt: skip

    rows = [cells(figure) for figure in compared if figure.measure.kind == "capability"]
    columns = ["capability", "unsteered", "steered", "change", "finding", "p (Holm)"]
    if not quiet:
        print_table(f"{name}: {verdict}", columns, rows)
    return bool(verdict.flagged)


if __name__ == "__main__":
    main()
