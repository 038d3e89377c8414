"""Compute the vectors of every axis, method, site and layer of an activation store."""

import logging
from collections.abc import Mapping
from typing import TypeVar

import numpy as np
from jaxtyping import Float

from evenkeel.activations.store import ActivationStore
from evenkeel.errors import BadInputError
from evenkeel.models.sites import HookPoint
from evenkeel.params import VectorsParams
from evenkeel.probes.probe_set import ProbeSet
from evenkeel.probes.statements import statements_of, stream_rows, text_activations
from evenkeel.progress import Progress
from evenkeel.vectors.decoder import DecoderRows
from evenkeel.vectors.shuffled import ShuffledFitter, ShuffledVectors
from evenkeel.vectors.task import Computed, VectorTask

T = TypeVar("T")
log = logging.getLogger(__name__)


def compute_vectors(
    store: ActivationStore,
    params: VectorsParams,
    seed: int,
    *,
    probes: ProbeSet | None = None,
    actadd: Mapping[str, Mapping[HookPoint, Float[np.ndarray, " d_model"]]] | None = None,
    group_terms: Mapping[HookPoint, Float[np.ndarray, "statements d_model"]] | None = None,
    decoder: DecoderRows | None = None,
    trained: Mapping[str, Mapping[tuple[str, HookPoint], Float[np.ndarray, " d_model"]]]
    | None = None,
    tokens_trained: Mapping[str, Mapping[tuple[str, HookPoint], int]] | None = None,
) -> tuple[list[Computed], dict[str, ShuffledVectors]]:
    """Make each vector from train statements and judge it on validation statements.

    Args:
        store: activations of statements.
        params: methods, and number of bootstrap resamples.
        seed: of the resamples.
        probes: trained on the same store (method probe).
        actadd: difference of two texts' activations by axis and hook point (method actadd).
        group_terms: streams at the statements' group terms by hook point (method term).
        decoder: rows of the features of each axis (method sae).
        trained: vectors of any norm by axis, method and hook point (methods bipo and reps).
        tokens_trained: how many tokens were read for each of these.

    Returns:
        The vectors, and by axis those of shuffled labels.

    Raises:
        BadInputError: the texts are no statements, an axis lacks a split or a complete pair or
            quad, an activation is not finite, or the probes are of another model.
    """
    statements = statements_of(store)
    if probes:
        _require_same_model(probes, store)
    tasks = {
        axis: VectorTask.of(statements, axis, resamples=params.resamples, seed=seed)
        for axis in sorted(set(statements["axis"]))
    }
    fitters = {
        axis: ShuffledFitter(task.labels, task.groups, len(statements), params.shuffles, seed)
        for axis, task in tasks.items()
    }
    metadata = {"model": store.model, "positions": store.positions, "seed": seed}
    points = [HookPoint.of(site, layer) for site in store.sites for layer in store.layers(site)]
    tokens = np.diff(store.offsets)
    results = []
    with Progress(total=len(points) * len(tasks), desc="vectors") as progress:
        for point in points:
            site, layer = point.site, point.layer
            x = text_activations(store, site, layer)
            streams = stream_rows(store, site, layer)
            for axis, task in tasks.items():
                results += task.compute(
                    x,
                    site=site,
                    layer=layer,
                    methods=params.methods,
                    streams=streams,
                    sinks=store.header.sinks,
                    probe=probes.get(axis, site, layer) if probes else None,
                    actadd=actadd[axis][point] if actadd else None,
                    group_terms=group_terms[point] if group_terms else None,
                    features=decoder.at(axis, point) if decoder else None,
                    trained=_at(point, (trained or {}).get(axis, {})),
                    tokens=tokens,
                    tokens_trained=_at(point, (tokens_trained or {}).get(axis, {})),
                    metadata=metadata,
                )
                terms = group_terms[point] if group_terms else None
                fitters[axis].update(site, layer, x, terms)
                progress.update()
    for result in results:
        if result.vector is None:
            log.warning(
                "no vector %s: the two sides do not differ there", "/".join(map(str, result.key))
            )
    return results, {axis: fitter.result for axis, fitter in fitters.items()}


def _at(point: HookPoint, by_place: Mapping[tuple[str, HookPoint], T]) -> dict[str, T]:
    """What there is at one hook point, by method."""
    return {method: value for (method, where), value in by_place.items() if where == point}


def _require_same_model(probes: ProbeSet, store: ActivationStore) -> None:
    model = probes.metadata.get("model")
    if model != store.model:
        raise BadInputError(
            f"the probes are of model {model}, the activations in {store.path} of {store.model}; "
            "run train_probes again"
        )
