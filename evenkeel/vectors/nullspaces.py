"""Subspaces in which a concept is read, to be projected out: INLP and SentenceDebias."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from numpy import ndarray

from evenkeel.activations.store import ActivationStore
from evenkeel.models.sites import HookPoint
from evenkeel.params import Concept, EraserMethod, VectorsParams
from evenkeel.probes.logistic import fit_logistic
from evenkeel.probes.statements import select, statements_of, text_activations
from evenkeel.vectors.contrasts import Contrast
from evenkeel.vectors.directions import Differences
from evenkeel.vectors.erasers import Eraser, EraserSet
from evenkeel.vectors.leace import fit_statement_eraser

Activations = Float[ndarray, "rows d_model"]
Basis = Float[ndarray, "rank d_model"]
STRENGTH = 1.0
"""C (inverse L2 strength) of the probes of INLP."""
_NOTHING = 1e-6
"""What is left of a direction, as a share of it, that is rounding."""


def inlp(x: Activations, classes: Sequence[str], rank: int) -> Basis:
    """Normals of linear probes, each trained on what those before it leave of the activations.

    Ravfogel et al. 2020, "Null It Out: Guarding Protected Attributes by Iterative Nullspace
    Projection". One probe a round of two classes; of more, one of each class against the rest.

    Args:
        x: one activation a row.
        classes: of each row; two or more occur.
        rank: dimensions at most; fewer where probes find nothing that is left.

    Returns:
        Orthonormal rows, in the order in which they were found.
    """
    names, rows = sorted(set(classes)), np.array(classes)
    named = names[:1] if len(names) == 2 else names
    basis = np.empty((0, x.shape[1]))
    while len(basis) < rank:
        left = x.astype(np.float64)
        left -= left @ basis.T @ basis
        normals = [fit_logistic(left, rows == name, STRENGTH)[0] for name in named]
        grown = orthonormal(np.stack(normals).astype(np.float64), basis)
        if len(grown) == len(basis):
            break
        basis = grown[:rank]
    return basis


def sentence_debias(differences: Differences, rank: int) -> Basis:
    """Principal components of the differences between matched statements of several groups.

    Liang et al. 2020, "Towards Debiasing Sentence Representations": the components of statements
    about each group, less the mean of those that match. Of differences of each group from each
    other one, these are the right singular vectors.

    Args:
        differences: a row a matched pair.
        rank: components at most.
    """
    _, values, components = np.linalg.svd(differences, full_matrices=False)
    basis: Basis = components[: min(rank, int((values > _NOTHING * values[0]).sum()))]
    return basis


def orthonormal(rows: Float[ndarray, "count d_model"], basis: Basis) -> Basis:
    """A basis, and behind it what rows add to its span."""
    for row in rows:
        left = row - row @ basis.T @ basis
        left -= left @ basis.T @ basis  # once more: the first one rounds
        norm = np.linalg.norm(left)
        if norm > _NOTHING * np.linalg.norm(row):
            basis = np.vstack([basis, left / norm])
    return basis


def fit_erasers(store: ActivationStore, params: VectorsParams) -> EraserSet:
    """An eraser of each axis, method, concept, site and layer of a store of statements.

    INLP and SentenceDebias are fitted to one activation a training statement.

    Raises:
        BadInputError: as of `fit_statement_eraser` and of `Contrast`.
    """
    axes = sorted(set(statements_of(store)["axis"]))
    return EraserSet.of(
        eraser
        for axis in axes
        for concept in params.erasers
        for site in store.sites
        for layer in store.layers(site)
        for eraser in _at(store, axis, concept, HookPoint.of(site, layer), params)
    )


def _at(
    store: ActivationStore, axis: str, concept: Concept, point: HookPoint, params: VectorsParams
) -> Iterator[Eraser]:
    statements, site, layer = statements_of(store), point.site, point.layer
    tokens = store.tokens_of(select(statements, axis, "train"))
    for method in params.eraser_methods:
        if method == "leace":
            yield fit_statement_eraser(store, axis, concept, site, layer)
            continue
        x = text_activations(store, site, layer)
        basis = torch.from_numpy(
            _basis(method, x, statements, axis, concept, params.eraser_rank)
        ).float()
        if len(basis):
            yield Eraser(
                proj_left=basis.mT.contiguous(),
                proj_right=basis,
                bias=torch.zeros(basis.shape[1]),
                axis=axis,
                concept=concept,
                site=site,
                layer=layer,
                method=method,
                sinks=store.header.sinks,
                metadata={"model": store.model, "tokens_read": tokens},
            )


def _basis(
    method: EraserMethod,
    x: Float[ndarray, "statements d_model"],
    statements: pd.DataFrame,
    axis: str,
    concept: Concept,
    rank: int,
) -> Basis:
    if method == "inlp":
        train = select(statements, axis, "train")
        return inlp(x[train], statements[concept].to_numpy()[train].tolist(), rank)
    # Validation rows, which the resamples are of, are not looked at.
    contrasts = (
        (Contrast.of_labels(statements, axis, resamples=1, seed=0),)
        if concept == "label"
        else Contrast.of_groups(statements, axis, resamples=1, seed=0)
    )
    differences = np.concatenate([contrast.differences(x) for contrast in contrasts])
    return sentence_debias(differences, rank)
