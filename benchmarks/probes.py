"""What the probes of a model as wide as SmolLM2 take, and how that compares with scikit-learn.

Random activations of the statements of the default data set, in which a direction says biased. A
layer costs the same as any other, so a few are measured and 30 reckoned from them. The reference
fits the same regressions, those of all values of C and of the control labels, one by one with
scikit-learn; layers take turns.

    OMP_NUM_THREADS=1 python -m benchmarks.probes --layers 2
"""

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import pandas as pd
from jaxtyping import Float
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from benchmarks.figures import Figure, show
from evenkeel.axes import AXES
from evenkeel.datasets.statements import make_statements
from evenkeel.probes.task import ProbeTask

LAYERS, CORES, GOAL = 30, 2, 60
REGULARIZATION, DRAWS, RESAMPLES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0), 20, 2000
Activations = Float[np.ndarray, "statements width"]


def tasks_of(quads: int) -> list[ProbeTask]:
    """A task an axis, as the stage makes them."""
    records = [record.model_dump() for record in make_statements(list(AXES), quads, 0, True)]
    statements = pd.DataFrame(records)
    statements["terms"] = ["|".join(filled) for filled in statements["terms"]]
    return [
        ProbeTask.of(statements, axis, control_draws=DRAWS, resamples=RESAMPLES, seed=0)
        for axis in AXES
    ]


def activations(tasks: list[ProbeTask], width: int, seed: int) -> Activations:
    """Correlated noise, and a direction along which biased statements lie further out."""
    generator = np.random.default_rng(seed)
    labels = tasks[0].labels
    scales = np.exp(generator.normal(0, 1, width))
    x = generator.standard_normal((len(labels), width)) * scales @ _rotation(width, generator)
    x += 0.5 * labels[:, None] * generator.standard_normal(width)
    return x.astype(np.float32)


def ours(tasks: list[ProbeTask], x: Activations) -> None:
    for task in tasks:
        task.probe(x, site="resid_post", layer=0, regularization=REGULARIZATION)


def one_by_one(tasks: list[ProbeTask], x: Activations) -> None:
    """The regressions alone."""
    for task in tasks:
        rows = StandardScaler().fit_transform(x[task.train].astype(np.float64))
        for c in REGULARIZATION:
            LogisticRegression(C=c, max_iter=10_000).fit(rows, task.labels[task.train])
        for labels in task.controls:
            LogisticRegression(C=1e-2, max_iter=10_000).fit(rows, labels[task.train])


def seconds(function: Callable[[], None]) -> float:
    """Processor time."""
    started = time.process_time()
    function()
    return time.process_time() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--layers", type=int, default=2, help="layers that are measured")
    parser.add_argument("--width", type=int, default=576, help="of the residual stream")
    parser.add_argument("--quads", type=int, default=150, help="of statements, by axis")
    parser.add_argument("--json", action="store_true", help="rows of JSON instead of a table")
    options = parser.parse_args()
    tasks = tasks_of(options.quads)
    found, reference = [], []
    for layer in range(options.layers):
        x = activations(tasks, options.width, layer)
        found.append(seconds(lambda x=x: ours(tasks, x)))
        reference.append(seconds(lambda x=x: one_by_one(tasks, x)))
    layer = statistics.median(found)
    ratios = [a / b for a, b in zip(found, reference, strict=True)]
    show(
        f"Probes of {len(tasks)} axes, {len(tasks[0].train)} statements to train on, width "
        f"{options.width}, {DRAWS} control labelings",
        [
            Figure("a layer, seconds of processor time", layer),
            Figure("30 layers on two cores, seconds", layer * LAYERS / CORES, GOAL),
            Figure("a layer, over the regressions alone one by one", statistics.median(ratios), 1),
        ],
        options.json,
    )


def _rotation(width: int, generator: np.random.Generator) -> Float[np.ndarray, "width width"]:
    return np.linalg.qr(generator.standard_normal((width, width)))[0]


if __name__ == "__main__":
    main()
