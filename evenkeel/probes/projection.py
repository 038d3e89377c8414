"""Statements as points in a plane: what their activations look like before any label is used."""

import pandas as pd
from sklearn.decomposition import PCA

from evenkeel.activations.store import ActivationStore
from evenkeel.probes.probe_set import ProbeSet
from evenkeel.probes.statements import select, statements_of, text_activations


def projections(store: ActivationStore, probes: ProbeSet) -> pd.DataFrame:
    """The test statements of each axis on two principal components, where its best probe reads.

    The components are those of the axis's training statements. Labels have no part in them: two
    clouds are there because the model tells the statements apart, not because a probe was asked to.

    Args:
        store: the activations that `probes` were trained on.
        probes: of all axes.

    Returns:
        A row a test statement: axis, site, layer, group, label, text; pc1 and pc2 in the units of
        the stream; pc1_variance and pc2_variance, the share of the training statements' variance.
    """
    return pd.concat([_of_axis(store, probes, axis) for axis in probes.axes], ignore_index=True)


def _of_axis(store: ActivationStore, probes: ProbeSet, axis: str) -> pd.DataFrame:
    statements, best = statements_of(store), probes.best(axis)
    x = text_activations(store, best.site, best.layer)
    pca = PCA(n_components=2, svd_solver="full").fit(x[select(statements, axis, "train")])
    rows = select(statements, axis, "test")
    frame = statements.iloc[rows][["group", "label", "text"]].reset_index(drop=True)
    frame.insert(0, "axis", axis)
    frame.insert(1, "site", best.site)
    frame.insert(2, "layer", best.layer)
    frame[["pc1", "pc2"]] = pca.transform(x[rows])
    frame[["pc1_variance", "pc2_variance"]] = pca.explained_variance_ratio_
    return frame
