"""Many L2 logistic regressions on the same rows at once, by truncated Newton steps.

Each step solves for its direction by preconditioned conjugate gradients (Nocedal & Wright 2006,
section 7.1), all regressions in one matrix product. In coordinates in which the second moment of
the rows is diagonal, that diagonal is nearly the curvature, so that a few products are enough.
"""

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from scipy.special import expit
from threadpoolctl import threadpool_limits

TOLERANCE = 1e-7
"""Of the weights: distance from the optimum at which a regression is done."""
STEPS = 100
"""At most; about six are taken."""
_FORCING = 0.1
"""Share of the gradient that may be left when a direction is taken."""
_NEGLIGIBLE = 1e-10
"""Share of the largest second moment below which a direction is left out."""


def fit_many(
    rows: Float[ndarray, "rows width"],
    positive: Bool[ndarray, "problems rows"],
    c: Float[ndarray, " problems"],
    weights: Float[ndarray, " rows"],
) -> tuple[Float[ndarray, "problems width"], Float[ndarray, " problems"]]:
    """Weights and biases that minimize C * (weighted sum of log losses) + |weights|^2 / 2.

    Args:
        rows: float64, centred or not.
        positive: the classes, by problem; both occur in each.
        c: inverse strength of the L2 penalty, by problem.
        weights: how much each row counts for.
    """
    rotation = _principal(rows)
    design = np.hstack([rows @ rotation.T, np.ones((len(rows), 1))])
    penalty = np.r_[np.ones(len(rotation)), 0.0]  # the bias is free
    with threadpool_limits(1, user_api="blas"):  # on so few rows more threads wait for each other
        found = _minimize(design, penalty, positive.astype(float), c[:, None] * weights)
    return found[:, :-1] @ rotation, found[:, -1]


def _principal(rows: Float[ndarray, "rows width"]) -> Float[ndarray, "rank width"]:
    """Orthonormal rows that span the rows, and in whose coordinates their moment is diagonal."""
    wide = rows.shape[0] < rows.shape[1]
    moments, vectors = np.linalg.eigh(rows @ rows.T if wide else rows.T @ rows)
    kept = moments > _NEGLIGIBLE * moments[-1]
    if not wide:
        return vectors[:, kept].T
    return (vectors[:, kept] / np.sqrt(moments[kept])).T @ rows


def _minimize(
    design: Float[ndarray, "rows size"],
    penalty: Float[ndarray, " size"],
    labels: Float[ndarray, "problems rows"],
    costs: Float[ndarray, "problems rows"],
) -> Float[ndarray, "problems size"]:
    theta = np.zeros((len(labels), design.shape[1]))
    moments = (design**2).mean(axis=0)
    left = np.arange(len(labels))
    for _ in range(STEPS):
        y, cost, at = labels[left], costs[left], theta[left]
        margin = at @ design.T
        predicted = expit(margin)
        gradient = penalty * at + (cost * (predicted - y)) @ design
        curvature = cost * predicted * (1 - predicted)
        scale = penalty + curvature.sum(axis=1, keepdims=True) * moments
        far = (gradient**2 / scale).sum(axis=1) > TOLERANCE**2
        if not far.any():
            return theta
        left, y, cost, at, margin = left[far], y[far], cost[far], at[far], margin[far]
        gradient = gradient[far]
        step = _direction(design, penalty, curvature[far], scale[far], gradient)
        size = _step_size(at, step, margin, step @ design.T, gradient, penalty, y, cost)
        theta[left] = at + size * step
    return theta


def _direction(
    design: Float[ndarray, "rows size"],
    penalty: Float[ndarray, " size"],
    curvature: Float[ndarray, "problems rows"],
    scale: Float[ndarray, "problems size"],
    gradient: Float[ndarray, "problems size"],
) -> Float[ndarray, "problems size"]:
    """Solve (penalty + design^T curvature design) x = -gradient, nearly."""
    found, residual = np.zeros_like(gradient), -gradient
    search = residual / scale
    size = (residual * search).sum(axis=1, keepdims=True)
    enough = _FORCING**2 * size
    for _ in range(gradient.shape[1]):
        product = penalty * search + (curvature * (search @ design.T)) @ design
        along = (search * product).sum(axis=1, keepdims=True)
        alpha = np.divide(size, along, out=np.zeros_like(size), where=along > 0)
        found += alpha * search
        residual -= alpha * product
        conditioned = residual / scale
        before, size = size, (residual * conditioned).sum(axis=1, keepdims=True)
        if (size <= enough).all():
            break
        search = conditioned + search * np.divide(
            size, before, out=np.zeros_like(size), where=before > 0
        )
    return found


def _step_size(
    at: Float[ndarray, "problems size"],
    step: Float[ndarray, "problems size"],
    margin: Float[ndarray, "problems rows"],
    change: Float[ndarray, "problems rows"],
    gradient: Float[ndarray, "problems size"],
    penalty: Float[ndarray, " size"],
    labels: Float[ndarray, "problems rows"],
    costs: Float[ndarray, "problems rows"],
) -> Float[ndarray, "problems 1"]:
    """Shares of the steps that lower the objectives enough: 1, or a half of it again and again."""
    size = np.ones((len(at), 1))
    slope = (gradient * step).sum(axis=1, keepdims=True)

    def objective(size: Float[ndarray, "problems 1"]) -> Float[ndarray, "problems 1"]:
        margins = margin + size * change
        losses = costs * (np.logaddexp(0, margins) - labels * margins)
        norms = penalty * (at + size * step) ** 2 / 2
        return losses.sum(axis=1, keepdims=True) + norms.sum(axis=1, keepdims=True)

    before = objective(np.zeros_like(size))
    for _ in range(30):
        allowed = before + 1e-4 * size * slope + 1e-12 * np.abs(before)  # rounding at the optimum
        short = objective(size) > allowed
        if not short.any():
            break
        size = np.where(short, size / 2, size)
    return size
