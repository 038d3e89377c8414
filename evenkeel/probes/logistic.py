"""L2 logistic regression on standardized activations, folded into one dot product."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from evenkeel.probes.metrics import log_loss

Activations = Float[np.ndarray, "rows d_model"]
Linear = tuple[Float[np.ndarray, " d_model"], float]


def fit_logistic(
    x: Activations,
    positive: Bool[np.ndarray, " rows"],
    c: float,
    weights: Float[np.ndarray, " rows"] | None = None,
) -> Linear:
    """Weight (float32) and bias such that `x @ weight + bias` is the log-odds of positive.

    Each dimension is standardized before the penalty is applied, so that no dimension is favoured
    for its scale; the result is folded back into the units of `x`.

    Args:
        x: activations.
        positive: the classes; both occur.
        c: inverse strength of the L2 penalty, as in scikit-learn.
        weights: how much each row counts for; None counts each once.
    """
    scaler = StandardScaler().fit(x.astype(np.float64))
    model = LogisticRegression(C=c, max_iter=10_000)
    model.fit(scaler.transform(x.astype(np.float64)), positive, sample_weight=weights)
    weight = (model.coef_[0] / scaler.scale_).astype(np.float32)
    # The bias undoes the shift by the weight as rounded: dimensions with a large mean cancel.
    bias = float(model.intercept_[0] - weight.astype(np.float64) @ scaler.mean_)
    return weight, bias


def scores(x: Activations, linear: Linear) -> Float[np.ndarray, " rows"]:
    """Log-odds of positive, in float64."""
    weight, bias = linear
    return x.astype(np.float64) @ weight.astype(np.float64) + bias


def choose_c(
    train: tuple[Activations, Bool[np.ndarray, " rows"]],
    validation: tuple[Activations, Bool[np.ndarray, " rows"]],
    candidates: Sequence[float],
    weights: Float[np.ndarray, " rows"] | None = None,
) -> tuple[float, Linear]:
    """The candidate with the least log loss on validation (the strongest on a tie), and its fit.

    Weights are of train rows, as in `fit_logistic`.
    """
    fits = [(c, fit_logistic(*train, c, weights)) for c in sorted(candidates)]
    return min(fits, key=lambda fit: log_loss(scores(validation[0], fit[1]), validation[1]))
