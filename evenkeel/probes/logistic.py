"""L2 logistic regression on standardized activations, folded into one dot product."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float
from sklearn.preprocessing import StandardScaler

from evenkeel.probes.metrics import log_loss
from evenkeel.probes.newton import fit_many

Activations = Float[np.ndarray, "rows d_model"]
Labels = Bool[np.ndarray, " rows"]
Linear = tuple[Float[np.ndarray, " d_model"], float]


def fit_logistic(
    x: Activations,
    positive: Labels,
    c: float,
    weights: Float[np.ndarray, " rows"] | None = None,
) -> Linear:
    """Weight (float32) and bias such that `x @ weight + bias` is the log-odds of positive.

    Args: as of `fit_logistics`, for one regression.
    """
    return fit_logistics(x, [positive], [c], weights)[0]


def fit_logistics(
    x: Activations,
    positive: Sequence[Labels],
    c: Sequence[float],
    weights: Float[np.ndarray, " rows"] | None = None,
) -> list[Linear]:
    """Several regressions on the same activations.

    Each dimension is standardized before the penalty is applied, so that no dimension is favoured
    for its scale; the result is folded back into the units of `x`.

    Args:
        x: activations.
        positive: the classes, by regression; both occur in each.
        c: inverse strength of the L2 penalty, as in scikit-learn, by regression.
        weights: how much each row counts for; None counts each once.
    """
    scaler = StandardScaler().fit(x.astype(np.float64))
    rows = scaler.transform(x.astype(np.float64))
    counts = np.ones(len(rows)) if weights is None else weights
    found, intercepts = fit_many(rows, np.stack(positive), np.array(c, dtype=float), counts)
    linears = []
    for standardized, intercept in zip(found, intercepts, strict=True):
        weight = (standardized / scaler.scale_).astype(np.float32)
        # The bias undoes the shift by the weight as rounded: dimensions with a large mean cancel.
        bias = float(intercept - weight.astype(np.float64) @ scaler.mean_)
        linears.append((weight, bias))
    return linears


def scores(x: Activations, linear: Linear) -> Float[np.ndarray, " rows"]:
    """Log-odds of positive, in float64."""
    weight, bias = linear
    return x.astype(np.float64) @ weight.astype(np.float64) + bias


def choose_c(
    train: tuple[Activations, Labels],
    validation: tuple[Activations, Labels],
    candidates: Sequence[float],
    weights: Float[np.ndarray, " rows"] | None = None,
) -> tuple[float, Linear]:
    """The candidate with the least log loss on validation (the strongest on a tie), and its fit.

    Weights are of train rows, as in `fit_logistic`.
    """
    ordered = sorted(candidates)
    x, positive = train
    fits = zip(ordered, fit_logistics(x, [positive] * len(ordered), ordered, weights), strict=True)
    return min(fits, key=lambda fit: log_loss(scores(validation[0], fit[1]), validation[1]))
