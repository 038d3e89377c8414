"""Scores of two groups from log-odds, as the measures of bias take them."""

import numpy as np


def two_groups(log_odds: np.ndarray) -> np.ndarray:
    """Log-probabilities centred over the two groups: half the log-odds and its negative."""
    return np.stack([log_odds, -log_odds], axis=-1) / 2
