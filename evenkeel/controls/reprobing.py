"""What can still be read off the residual stream after an edit, by a probe trained on it anew.

An edit that a fresh probe sees through has hidden a concept from one direction, not removed it
(Gonen & Goldberg 2019, "Lipstick on a pig").
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from evenkeel.datasets.records import Prompt
from evenkeel.models.architecture import architecture_of, hidden_of
from evenkeel.models.batching import length_sorted, padded
from evenkeel.models.devices import input_device
from evenkeel.probes.logistic import fit_logistic, scores
from evenkeel.probes.metrics import auroc
from evenkeel.scoring.group_reads import encode_text
from evenkeel.scoring.prefix_reuse import first_affected, recorded
from evenkeel.statistics.estimate import Estimate
from evenkeel.statistics.two_way import factor_weights
from evenkeel.steering.hooks import steer
from evenkeel.steering.intervention import Intervention

Target = Literal["stereotypical", "definitional"]
Kind = Literal["linear", "mlp"]
C = 0.01
"""Inverse L2 strength of the linear probe: there are few items and many dimensions."""
MAX_LAYERS = 4
"""Layers that are probed: from the edit to the top, evenly spread."""


@dataclass(frozen=True)
class Reprobed:
    """How well a probe tells the groups apart on items that it was not trained on."""

    target: Target
    """stereotypical: the group that the item goes to by its reference, or is held against;
    definitional: the prompt's own group."""
    layer: int
    """Index of the block whose output is probed."""
    probe: Kind
    unsteered: Estimate
    """AUROC, of more than two groups the mean of each against the others; 0.5 is chance."""
    steered: Estimate
    change: Estimate
    """Steered - unsteered, paired."""
    items: int
    """Test items behind the intervals."""


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

    The residual stream is read after a prompt's last token, where the next word is decided, at
    layers from the edit on.

    Args:
        model: the unsteered model; it is the same object, unhooked, afterwards.
        tokenizer: of the model.
        prompts: of one axis and all splits; items of train and test are disjoint.
        interventions: the edit.
        batch_size: rows in a forward pass.
        resamples: bootstrap resamples of items.
        seed: of the resamples and of the MLP's initial weights.

    Returns:
        One result a target, layer and probe; none for a target of which a split lacks a group.
    """
    blocks = len(architecture_of(model).blocks(model))
    layers = _spread(min(first_affected(interventions), blocks - 1), blocks)
    results = []
    for target in ("stereotypical", "definitional"):
        split = {
            name: [p for p in prompts if p.split == name and _group(p, target) is not None]
            for name in ("train", "test")
        }
        labels = {
            name: np.array([_group(prompt, target) for prompt in chosen])
            for name, chosen in split.items()
        }
        groups = {group for prompt in prompts for group in prompt.groups}
        if not all(set(of_split) == groups for of_split in labels.values()):
            continue
        rows = [encode_text(tokenizer, p.lead_in + p.text) for name in split for p in split[name]]
        plain = last_streams(model, rows, layers, batch_size)
        with steer(model, interventions):
            edited = last_streams(model, rows, layers, batch_size)
        items = [(prompt.item,) for prompt in split["test"]]
        weights = factor_weights(items, resamples, np.random.default_rng([seed, 4]))
        for layer in layers:
            for kind in ("linear", "mlp"):
                results.append(
                    _compare(
                        target, layer, kind, (plain[layer], edited[layer]), labels, weights,
                        len(set(items)), seed,
                    )
                )  # fmt: skip
    return results


@torch.inference_mode()
def last_streams(
    model: Any, rows: Sequence[Sequence[int]], layers: Sequence[int], batch_size: int
) -> dict[int, Float[ndarray, "rows d_model"]]:
    """What each block of `layers` returns at the last token of each row, in float32."""
    device = input_device(model)
    found: dict[int, Any] = {layer: [None] * len(rows) for layer in layers}
    for batch in length_sorted([len(row) for row in rows], batch_size):
        inputs = padded([rows[index] for index in batch], device=device)
        with recorded(model) as outputs:
            model(**inputs, use_cache=False)
        last = inputs["attention_mask"].sum(dim=1) - 1
        for layer in layers:
            streams = hidden_of(outputs[layer])[torch.arange(len(batch)), last].float().cpu()
            for place, index in enumerate(batch):
                found[layer][index] = streams[place].numpy()
    return {layer: np.stack(streams) for layer, streams in found.items()}


def _group(prompt: Prompt, target: Target) -> str | None:
    """The group that a prompt is of by a target; None where it is of none."""
    if prompt.kind != target or prompt.direction != "group_given_item":
        return None
    if target == "definitional":
        return prompt.expected
    if prompt.reference is None:
        return prompt.held_against
    rates = sorted(prompt.reference.items(), key=lambda group_rate: -group_rate[1])
    return None if rates[0][1] == rates[1][1] else rates[0][0]


def _spread(first: int, blocks: int) -> list[int]:
    number = min(MAX_LAYERS, blocks - first)
    return sorted({round(layer) for layer in np.linspace(first, blocks - 1, number)})


def _compare(
    target: Target,
    layer: int,
    kind: Kind,
    streams: tuple[ndarray, ndarray],
    labels: dict[str, ndarray],
    weights: Float[ndarray, "resamples rows"],
    items: int,
    seed: int,
) -> Reprobed:
    train, test = labels["train"], labels["test"]
    groups = sorted(set(train))
    judged = groups[:1] if len(groups) == 2 else groups
    values, drawn = [], []
    for x in streams:
        predicted = _scores(kind, x[: len(train)], train, x[len(train) :], judged, seed)
        values.append(np.mean([auroc(predicted[group], test == group)[0] for group in judged]))
        drawn.append(
            np.mean([auroc(predicted[group], test == group, weights) for group in judged], axis=0)
        )
    return Reprobed(
        target, layer, kind,
        Estimate(float(values[0]), *_interval(drawn[0])),
        Estimate(float(values[1]), *_interval(drawn[1])),
        Estimate(float(values[1] - values[0]), *_interval(drawn[1] - drawn[0])),
        items,
    )  # fmt: skip


def _scores(
    kind: Kind, x: ndarray, labels: ndarray, unseen: ndarray, judged: Sequence[str], seed: int
) -> dict[str, Float[ndarray, " unseen"]]:
    """By group, how much each unseen row looks like it."""
    if kind == "linear":
        return {group: scores(unseen, fit_logistic(x, labels == group, C)) for group in judged}
    # Weights start from the seed; L-BFGS suits so few rows.
    network = MLPClassifier((32,), solver="lbfgs", alpha=10.0, max_iter=2000, random_state=seed)
    with threadpool_limits(1):  # on so few rows more threads wait for each other
        classifier = make_pipeline(StandardScaler(), network).fit(x, labels)
    probabilities = classifier.predict_proba(unseen)
    return {group: probabilities[:, list(classifier.classes_).index(group)] for group in judged}


def _interval(values: Float[ndarray, " resamples"]) -> tuple[float, float]:
    low, high = np.nanquantile(values, [0.025, 0.975])
    return float(low), float(high)
