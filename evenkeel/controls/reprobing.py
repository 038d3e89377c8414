"""What can still be read off the stream after an edit, by a probe trained on the edited stream.

An edit that a fresh probe sees through has hidden a concept from one direction, not removed it
(Gonen & Goldberg 2019, "Lipstick on a pig").
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy import ndarray
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from evenkeel.statistics.bootstrap import Estimate
from evenkeel.scoring.log_odds import encode_text
from evenkeel.scoring.resumption import first_affected, recorded
from evenkeel.models.batching import length_sorted, padded
from evenkeel.models.architecture import architecture_of, hidden_of
from evenkeel.probes.bootstrap import term_weights
from evenkeel.probes.logistic import fit_logistic, scores
from evenkeel.probes.metrics import auroc
from evenkeel.steering.hooks import steer
from evenkeel.steering.intervention import Intervention
from evenkeel.datasets.records import Prompt

Target = Literal["stereotypical", "definitional"]
Kind = Literal["linear", "mlp"]
C = 0.01
"""Inverse L2 strength of the linear probe: there are few terms and many dimensions."""
MAX_LAYERS = 4
"""Layers that are probed: from the edit to the top, evenly spread."""


@dataclass(frozen=True)
class Reprobed:
    """How well a probe tells the two sides apart on terms that it was not trained on."""

    target: Target
    """stereotypical: women or men are the majority in the occupation; definitional: the prompt's
    own gender."""
    layer: int
    """Index of the block whose output is probed."""
    probe: Kind
    unsteered: Estimate
    """AUROC; 0.5 is chance."""
    steered: Estimate
    change: Estimate
    """Steered - unsteered, paired."""
    terms: int
    """Test terms behind the intervals."""


def reprobe(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[Prompt],
    interventions: Sequence[Intervention],
    *,
    batch_size: int,
    resamples: int,
    seed: int,
) -> list[Reprobed]:
    """Train probes on train prompts, unsteered and steered anew, and test them on test prompts.

    The stream is read after a prompt's last token, where the next word is decided, at layers from
    the edit on.

    Args:
        model: the unsteered model; it is the same object, unhooked, afterwards.
        tokenizer: of the model.
        prompts: of one axis and all splits; terms of train and test are disjoint.
        interventions: the edit.
        batch_size: rows in a forward pass.
        resamples: bootstrap resamples of terms.
        seed: of the resamples and of the MLP's initial weights.

    Returns:
        One result a target, layer and probe; none for a target of which a split lacks a side.
    """
    blocks = len(architecture_of(model).blocks(model))
    layers = _spread(min(first_affected(interventions), blocks - 1), blocks)
    found = []
    for target in ("stereotypical", "definitional"):
        split = {
            name: [p for p in prompts if p.split == name and _side(p, target) is not None]
            for name in ("train", "test")
        }
        labels = {
            name: np.array([_side(p, target) for p in own], dtype=bool)
            for name, own in split.items()
        }
        if not all(0 < own.sum() < len(own) for own in labels.values()):
            continue
        rows = [encode_text(tokenizer, p.text) for name in split for p in split[name]]
        plain = last_streams(model, rows, layers, batch_size)
        with steer(model, interventions):
            edited = last_streams(model, rows, layers, batch_size)
        terms = [(prompt.term,) for prompt in split["test"]]
        weights = term_weights(terms, resamples, np.random.default_rng([seed, 4]))
        for layer in layers:
            for kind in ("linear", "mlp"):
                found.append(
                    _compare(
                        target, layer, kind, (plain[layer], edited[layer]), labels, weights,
                        len(set(terms)), seed,
                    )
                )  # fmt: skip
    return found


@torch.inference_mode()
def last_streams(
    model: Any, rows: Sequence[Sequence[int]], layers: Sequence[int], batch_size: int
) -> dict[int, Float[ndarray, "rows d_model"]]:
    """What each block of `layers` returns at the last token of each row, in float32."""
    device = next(model.parameters()).device
    found: dict[int, Any] = {layer: [None] * len(rows) for layer in layers}
    for batch in length_sorted([len(row) for row in rows], batch_size):
        inputs = padded([rows[index] for index in batch])
        with recorded(model) as outputs:
            model(**{name: tensor.to(device) for name, tensor in inputs.items()}, use_cache=False)
        last = inputs["attention_mask"].sum(dim=1) - 1
        for layer in layers:
            streams = hidden_of(outputs[layer])[torch.arange(len(batch)), last].float().cpu()
            for place, index in enumerate(batch):
                found[layer][index] = streams[place].numpy()
    return {layer: np.stack(streams) for layer, streams in found.items()}


def _side(prompt: Prompt, target: Target) -> bool | None:
    """Whether a prompt is on the female side of a target; None where it is on none."""
    if prompt.kind != target:
        return None
    if target == "definitional":
        return prompt.expected == "female"
    return None if prompt.share_female in (None, 0.5) else (prompt.share_female or 0.0) > 0.5


def _spread(first: int, blocks: int) -> list[int]:
    number = min(MAX_LAYERS, blocks - first)
    return sorted({round(layer) for layer in np.linspace(first, blocks - 1, number)})


def _compare(
    target: Target,
    layer: int,
    kind: Kind,
    streams: tuple[ndarray, ndarray],
    labels: dict[str, Bool[ndarray, " rows"]],
    weights: Float[ndarray, "resamples rows"],
    terms: int,
    seed: int,
) -> Reprobed:
    train, test = labels["train"], labels["test"]
    told = [_scores(kind, x[: len(train)], train, x[len(train) :], seed) for x in streams]
    values = [float(auroc(each, test)[0]) for each in told]
    drawn = [auroc(each, test, weights) for each in told]
    return Reprobed(
        target, layer, kind,
        Estimate(values[0], *_interval(drawn[0])),
        Estimate(values[1], *_interval(drawn[1])),
        Estimate(values[1] - values[0], *_interval(drawn[1] - drawn[0])),
        terms,
    )  # fmt: skip


def _scores(
    kind: Kind, x: ndarray, labels: Bool[ndarray, " rows"], unseen: ndarray, seed: int
) -> Float[ndarray, " unseen"]:
    if kind == "linear":
        return scores(unseen, fit_logistic(x, labels, C))
    # Weights start from the seed; L-BFGS suits so few rows.
    network = MLPClassifier((32,), solver="lbfgs", alpha=10.0, max_iter=2000, random_state=seed)
    classifier = make_pipeline(StandardScaler(), network).fit(x, labels)
    return classifier.predict_proba(unseen)[:, 1]


def _interval(values: Float[ndarray, " resamples"]) -> tuple[float, float]:
    low, high = np.nanquantile(values, [0.025, 0.975])
    return float(low), float(high)
