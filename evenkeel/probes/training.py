"""Train a probe for every axis, site and layer of an activation store."""

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from evenkeel.activations.store import ActivationStore
from evenkeel.execution.job import Executor
from evenkeel.execution.local import InProcess
from evenkeel.params import ProbesParams
from evenkeel.probes.detector import fit_detector
from evenkeel.probes.logistic import scores
from evenkeel.probes.probe import Probe
from evenkeel.probes.probe_set import ProbeSet
from evenkeel.probes.statements import statements_of, text_activations
from evenkeel.probes.task import ProbeTask
from evenkeel.progress import Progress

log = logging.getLogger(__name__)

Point = tuple[str, int]
"""A site and a layer: what one task trains the probes of, one an axis."""
Trained = list[tuple[Probe, Float[np.ndarray, " statements"]]]
"""By axis: its probe, and the log-odds that it gives each statement."""


@dataclass(frozen=True)
class ProbeJob:
    """Probes of one site and layer a task.

    Args:
        store: an open one in this process, or the path to open it from.
        params: values of C, number of control labelings and of bootstrap resamples.
        seed: of the labelings and the resamples.
        tasks: one an axis, where they are known already.
    """

    store: ActivationStore | Path
    params: ProbesParams
    seed: int
    tasks: list[ProbeTask] | None = None

    @contextmanager
    def opened(self) -> Iterator[Callable[[Point], Trained]]:
        with ExitStack() as stack:
            store = self.store
            if isinstance(store, Path):
                store = stack.enter_context(ActivationStore.open(store))
            tasks = self.tasks or _tasks_of(store, self.params, self.seed)

            def train(point: Point) -> Trained:
                site, layer = point
                x = text_activations(store, site, layer)
                trained = []
                for task in tasks:
                    probe = task.probe(
                        x, site=site, layer=layer, regularization=self.params.regularization
                    )
                    trained.append((probe, scores(x, (probe.weight.numpy(), probe.bias))))
                return trained

            yield train


def train_probes(
    store: ActivationStore, params: ProbesParams, seed: int, executor: Executor | None = None
) -> ProbeSet:
    """Fit on train, choose C on validation, measure on test, everywhere.

    Args:
        store: activations of statements.
        params: values of C, number of control labelings and of bootstrap resamples.
        seed: of the labelings and the resamples.
        executor: trains the probes of each site and layer; this process, if not given.

    Raises:
        BadInputError: the texts are no statements, an axis lacks a split or a label in it, or an
            activation is not finite.
    """
    executor = executor or InProcess()
    tasks = _tasks_of(store, params, seed)
    points = sorted((site, layer) for site in store.sites for layer in store.layers(site))
    if executor.apart:
        job = ProbeJob(store.path.resolve(), params, seed)
    else:
        job = ProbeJob(store, params, seed, tasks)
    found: dict[Point, Trained] = {}
    with Progress(total=len(points) * len(tasks), desc="probes") as progress:
        for point, trained in executor.run(job, points):
            found[point] = trained
            progress.update(len(trained))
    probes: list[Probe] = []
    detectors = []
    for number, task in enumerate(tasks):
        own, log_odds = zip(*(found[point][number] for point in points), strict=True)
        probes.extend(own)
        detector = fit_detector(task, list(own), np.stack(log_odds))
        if detector:
            detectors.append(detector)
        else:
            log.warning("axis %s: no probe is better than chance on validation", task.axis)
    metadata = {
        "model": store.model,
        "positions": store.positions,
        "seed": seed,
        "sinks": store.header.sinks,
    }
    return ProbeSet.of(probes, detectors, metadata)


def _tasks_of(store: ActivationStore, params: ProbesParams, seed: int) -> list[ProbeTask]:
    """What is the same at every layer, axis by axis."""
    statements = statements_of(store)
    return [
        ProbeTask.of(
            statements,
            axis,
            control_draws=params.control_draws,
            resamples=params.resamples,
            seed=seed,
        )
        for axis in sorted(set(statements["axis"]))
    ]
