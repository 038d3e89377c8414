"""LEACE: the smallest affine change after which no linear probe reads a concept."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from concept_erasure import LeaceFitter
from jaxtyping import Float, Int
from torch import Tensor

from evenkeel.activations.sinks import kept_rows
from evenkeel.activations.store import ActivationStore
from evenkeel.errors import BadInputError
from evenkeel.params import Concept
from evenkeel.probes.statements import select, statements_of
from evenkeel.vectors.erasers import Eraser

Batch = tuple[Float[Tensor, "rows d_model"], Int[Tensor, " rows"]]


def fit_eraser(batches: Iterable[Batch], classes: int, **fields: Any) -> Eraser:
    """Fit LEACE on batches of activations and their classes, in one pass and bounded memory.

    Args:
        batches: activations, and the class of each row from 0.
        classes: how many there are.
        fields: axis, concept, site, layer and metadata of the eraser.

    Raises:
        BadInputError: fewer than two classes occur.
    """
    fitter: Any = None
    seen = torch.zeros(classes, dtype=torch.long)
    for x, labels in batches:
        if fitter is None:
            # The default tolerance leaves a concept with a correlation under 1% in place.
            fitter = LeaceFitter(x.shape[1], classes, dtype=torch.float64, svd_tol=1e-6)
        fitter.update(x.double(), torch.nn.functional.one_hot(labels, classes))
        seen += torch.bincount(labels, minlength=classes)
    if int((seen > 0).sum()) < 2:
        raise BadInputError(
            f"eraser: rows by class are {seen.tolist()}; at least two classes must occur"
        )
    found = fitter.eraser
    left, right = found.proj_left, found.proj_right
    used = left.norm(dim=0) > 0  # a concept of k classes has rank k - 1 at most
    return Eraser(
        proj_left=left[:, used].float(),
        proj_right=right[used].float(),
        bias=found.bias.float(),
        **fields,
    )


def fit_statement_eraser(
    store: ActivationStore,
    axis: str,
    concept: Concept,
    site: str,
    layer: int,
    batch_texts: int = 1024,
) -> Eraser:
    """Fit on the training statements of an axis; all stored tokens of a statement have its class.

    Attention sinks among them are left out, unless the store says that they count.

    Args:
        store: activations of statements.
        axis: which statements to use.
        concept: what to erase, "label" or "group".
        site: where.
        layer: where.
        batch_texts: texts read at once; the result does not depend on it.

    Raises:
        BadInputError: the texts are no statements, the axis has none in train or one class only, or
            the store lacks the site or layer.
    """
    statements = statements_of(store)
    train = np.zeros(len(statements), dtype=bool)
    train[select(statements, axis, "train")] = True
    names, labels = np.unique(statements[concept].to_numpy()[train], return_inverse=True)
    classes = np.zeros(len(statements), dtype=np.int64)
    classes[train] = labels
    ends = store.offsets if store.positions == "all" else np.arange(len(statements) + 1)
    sinks, probe = store.header.sinks, store.sink_probe(site, layer)
    rows = 0

    def batches() -> Iterable[Batch]:
        nonlocal rows
        for start in range(0, len(statements), batch_texts):
            stop = min(start + batch_texts, len(statements))
            kept = train[start:stop]
            if not kept.any():
                continue
            lengths = np.diff(ends[start : stop + 1])
            x = store.read(site, layer, int(ends[start]), int(ends[stop]))
            used = kept.repeat(lengths)
            if store.positions == "all":
                used &= kept_rows(x, ends[start : stop + 1] - ends[start], sinks, probe)
            rows += int(used.sum())
            of_rows = classes[start:stop].repeat(lengths)[used]
            yield torch.from_numpy(x[used]), torch.from_numpy(of_rows)

    found = fit_eraser(
        batches(), len(names), axis=axis, concept=concept, site=site, layer=layer, sinks=sinks
    )
    metadata = {
        "classes": names.tolist(),
        "model": store.model,
        "rows": rows,
        "tokens_read": store.tokens_of(np.flatnonzero(train)),
    }
    return replace(found, metadata=metadata)
