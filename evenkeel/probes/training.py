"""Train a probe for every axis, site and layer of an activation store."""

import logging
from itertools import chain

import numpy as np
from jaxtyping import Float

from evenkeel.activations.store import ActivationStore
from evenkeel.params import ProbesParams
from evenkeel.probes.detector import fit_detector
from evenkeel.probes.logistic import scores
from evenkeel.probes.probe import Probe
from evenkeel.probes.probe_set import ProbeSet
from evenkeel.probes.statements import statements_of, text_activations
from evenkeel.probes.task import ProbeTask
from evenkeel.progress import Progress

log = logging.getLogger(__name__)


def train_probes(store: ActivationStore, params: ProbesParams, seed: int) -> ProbeSet:
    """Fit on train, choose C on validation, measure on test, everywhere.

    Args:
        store: activations of statements.
        params: values of C, number of control labelings and of bootstrap resamples.
        seed: of the labelings and the resamples.

    Raises:
        BadInputError: the texts are no statements, an axis lacks a split or a label in it, or an
            activation is not finite.
    """
    statements = statements_of(store)
    tasks = [
        ProbeTask.of(
            statements,
            axis,
            control_draws=params.control_draws,
            resamples=params.resamples,
            seed=seed,
        )
        for axis in sorted(set(statements["axis"]))
    ]
    points = sorted((site, layer) for site in store.sites for layer in store.layers(site))
    probes: dict[str, list[Probe]] = {task.axis: [] for task in tasks}
    log_odds: dict[str, list[Float[np.ndarray, " statements"]]] = {task.axis: [] for task in tasks}
    with Progress(total=len(points) * len(tasks), desc="probes") as progress:
        for site, layer in points:
            x = text_activations(store, site, layer)
            for task in tasks:
                probe = task.probe(x, site=site, layer=layer, regularization=params.regularization)
                probes[task.axis].append(probe)
                log_odds[task.axis].append(scores(x, (probe.weight.numpy(), probe.bias)))
                progress.update()
    detectors = []
    for task in tasks:
        detector = fit_detector(task, probes[task.axis], np.stack(log_odds[task.axis]))
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
    return ProbeSet.of(chain.from_iterable(probes.values()), detectors, metadata)
