"""Train a probe for every axis, site and layer of an activation store."""

from tqdm import tqdm

from evenkeel.activations.store import ActivationStore
from evenkeel.params import ProbesParams
from evenkeel.probes.probe_set import ProbeSet
from evenkeel.probes.statements import statements_of, text_activations
from evenkeel.probes.task import ProbeTask


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
    points = [(site, layer) for site in store.sites for layer in store.layers(site)]
    probes = []
    with tqdm(total=len(points) * len(tasks), desc="probes", disable=None) as progress:
        for site, layer in points:
            x = text_activations(store, site, layer)
            for task in tasks:
                probes.append(
                    task.probe(x, site=site, layer=layer, regularization=params.regularization)
                )
                progress.update()
    metadata = {"model": store.model, "positions": store.positions, "seed": seed}
    return ProbeSet.of(probes, metadata)
