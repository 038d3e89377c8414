"""The table of features: one row a latent."""

from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Int
from torch import Tensor

from evenkeel.models.spelling import Spelling
from evenkeel.sae.association import PARTS, contrasts_of
from evenkeel.sae.firing import QUANTILES, Firing
from evenkeel.sae.logit_weights import LogitWeights
from evenkeel.sae.saving import log_sparsity

SIGNIFICANT_Q = 0.05


def feature_table(
    weights: LogitWeights,
    histograms: Int[Tensor, "latents bins"],
    firing: Firing,
    coherence: Tensor,
    logit_coherence: Tensor,
    associations: pd.DataFrame,
    tokenizer: Any,
) -> pd.DataFrame:
    """Put together what was measured.

    After the leading columns: `top_logits`, `bottom_words`, `bottom_logits` (both ends of the logit
    weights), `logit_histogram` (tokens in equal steps from the smallest weight to the largest),
    `frequency`, `mean_active`, `max_active`, `q10`, `q50`, `q90`, `q99` (of the
    activations), `coherence` (of the tokens at the peaks of the top contexts), `logit_coherence`
    (of the top words), and the columns of `associations`.
    """
    both = [weights.top_ids.tolist(), weights.bottom_ids.tolist()]
    words = Spelling(tokenizer).texts(token for ids in both for row in ids for token in row)
    top, bottom = ([[words[token] for token in row] for row in ids] for ids in both)
    columns = {
        "feature": np.arange(len(weights.mean)),
        "mean": weights.mean.numpy(),
        "std": weights.std.numpy(),
        "skewness": weights.skewness.numpy(),
        "kurtosis": weights.kurtosis.numpy(),
        "sparsity": log_sparsity(firing.frequency).numpy(),
        "top_activated_words": top,
        "top_logits": weights.top_values.tolist(),
        "bottom_words": bottom,
        "bottom_logits": weights.bottom_values.tolist(),
        "logit_histogram": histograms.tolist(),
        "frequency": firing.frequency.numpy(),
        "mean_active": firing.mean.numpy(),
        "max_active": firing.maximum.numpy(),
        **{
            f"q{100 * share:.0f}": values.numpy()
            for share, values in zip(QUANTILES, firing.quantiles, strict=True)
        },
        "coherence": coherence.numpy(),
        "logit_coherence": logit_coherence.numpy(),
    }
    return pd.concat([pd.DataFrame(columns), associations], axis=1)


def top_words(table: pd.DataFrame) -> dict[str, dict[str, str]]:
    """Top words of each feature in one text: {"feature_0": {"top_words": "she her herself"}}."""
    return {
        f"feature_{feature}": {"top_words": " ".join(word.strip() for word in words)}
        for feature, words in zip(table["feature"], table["top_activated_words"], strict=True)
    }


def strongest(table: pd.DataFrame, axis: str, contrast: str) -> Int[np.ndarray, " latents"]:
    """Features by their association on the selection part, the strongest of either sign first."""
    auroc = table[f"{axis}_{contrast}_auroc_selection"].to_numpy()
    order: np.ndarray = np.argsort(-np.abs(auroc - 0.5), kind="stable")
    return order


def summary(table: pd.DataFrame) -> dict[str, Any]:
    """Counts, and for each axis and contrast the feature chosen by the selection part.

    separation_test is the AUROC on the test part with the sign with which the feature was chosen;
    group is the one that it tells from the others, on an axis of more than two.
    """
    ranked = table.columns[table.columns.str.endswith("_top40_unique")]
    axes = [name.removesuffix("_top40_unique") for name in ranked]
    found = {}
    for axis in axes:
        for contrast in contrasts_of(table, axis):
            name = f"{axis}_{contrast}"
            best = table.loc[strongest(table, axis, contrast)[0]]
            chosen, test = (float(best[f"{name}_auroc_{part}"]) for part in PARTS)
            found[name] = {
                "feature": int(best["feature"]),
                "auroc_selection": chosen,
                "auroc_test": test,
                "separation_test": test if chosen >= 0.5 else 1 - test,
                "group": best.get(f"{name}_strongest"),
                "significant": int((table[f"{name}_q_selection"] < SIGNIFICANT_Q).sum()),
            }
    coherence = float(table["coherence"].mean())  # NaN where no latent has two contexts
    return {
        "features": len(table),
        "dead": int((table["frequency"] == 0).sum()),
        "mean_coherence": None if np.isnan(coherence) else coherence,
        "strongest": found,
    }
