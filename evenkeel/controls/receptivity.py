"""Does a model take up what a feature of an SAE promotes, when it is steered along it?

Every prompt is continued twice from the same random numbers, unsteered and with the feature's
decoder row added to the stream. The feature passes if steered continuations are closer to its top
tokens. Text that steering has made strange in any way would change, too; so the same continuations
are held against the top tokens of another feature, drawn at random: those should not come closer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from scipy import stats
from torch import Tensor

from evenkeel.errors import BadInputError
from evenkeel.models.loading import LoadedModel
from evenkeel.models.vocabulary import embeddings_of, unembedding_of
from evenkeel.params import SamplingParams
from evenkeel.progress import Progress
from evenkeel.sae.loading import LoadedSae
from evenkeel.sae.logit_weights import logit_weights
from evenkeel.statistics.bootstrap import ClusterBootstrap, mean
from evenkeel.statistics.estimate import Estimate
from evenkeel.steering.continuations import continue_ids
from evenkeel.steering.hooks import steer
from evenkeel.steering.intervention import Add

LEVEL = 0.05
"""Share of features that pass by chance among those that do, at most (Benjamini-Hochberg)."""


@dataclass(frozen=True)
class Receptivity:
    """How continuations moved when one feature was steered along."""

    feature: int
    tokens: tuple[str, ...]
    """Its top tokens: those whose logits its decoder row raises most."""
    coefficient: float
    """What its decoder row was multiplied by."""
    change: Estimate
    """Steered - unsteered closeness, the mean over prompts."""
    hits: tuple[float, float]
    """Share of the continuations' tokens that are top tokens: unsteered, steered."""
    q: float
    """One-sided paired permutation test of the change, Benjamini-Hochberg corrected."""
    control_change: float
    """The change with the top tokens of another feature, drawn at random."""
    control_q: float

    @property
    def passes(self) -> bool:
        return self.q < LEVEL

    @property
    def control_passes(self) -> bool:
        return self.control_q < LEVEL


def measure_receptivity(
    loaded: LoadedModel,
    sae: LoadedSae,
    coefficients: Mapping[int, float],
    prompts: Sequence[str],
    sampling: SamplingParams,
    *,
    tokens: int,
    batch_size: int,
    resamples: int,
    seed: int,
) -> list[Receptivity]:
    """Steer along each feature and compare continuations, in the features' order.

    A continuation's closeness to a feature is the mean, over its tokens, of the cosine between the
    token's embedding and the mean of those of the feature's top tokens; embeddings are centered and
    of unit norm. A continuation without tokens has closeness 0.

    Args:
        loaded: the model.
        sae: of the model.
        coefficients: by feature, what its decoder row is multiplied by.
        prompts: to be continued.
        sampling: how they are continued, each once.
        tokens: top tokens of a feature.
        batch_size: texts in a batch.
        resamples: of the interval and of the test.
        seed: of sampling, resampling, and the features drawn as controls.

    Raises:
        BadInputError: a feature is not in the SAE, there is no other to compare it with, or the SAE
            does not fit the model.
    """
    features = list(coefficients)
    rows = sae.columns(features)
    others = np.setdiff1d(np.arange(sae.d_sae), rows)
    if len(prompts) < 2 or not len(others):
        raise BadInputError(
            f"{len(prompts)} prompts and {len(others)} other features of the SAE; the test needs "
            "at least two prompts, and one other feature"
        )
    sae.require_fit(loaded.model)
    drawn = np.random.default_rng(seed).choice(others, len(rows))
    unembedding = unembedding_of(loaded)
    decoder = sae.decoder.to(unembedding)
    top = logit_weights(decoder[[*rows, *drawn]], unembedding, tokens).cpu().top_ids.numpy()
    own, control = top[: len(rows)], top[len(rows) :]
    embeddings = _unit_embeddings(loaded)

    def continued() -> list[Int[ndarray, " tokens"]]:
        found = continue_ids(
            loaded.model,
            loaded.tokenizer,
            prompts,
            max_new_tokens=sampling.max_new_tokens,
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            batch_size=batch_size,
            seed=seed,
        )
        # A model may write ids that no token has.
        return [np.array([i for i in ids if i < len(embeddings)], dtype=np.int64) for ids in found]

    before = continued()
    changes: list[list[Float[ndarray, " prompts"]]] = []
    hits = []
    for feature, row, mine, foreign in zip(
        Progress(features, "receptivity", unit="feature"), rows, own, control, strict=True
    ):
        place = sae.place
        added = Add(decoder[row], coefficients[feature], layer=place.layer, site=place.site)
        with steer(loaded.model, added):
            after = continued()
        changes.append(
            [
                _closeness(after, embeddings, ids) - _closeness(before, embeddings, ids)
                for ids in (mine, foreign)
            ]
        )
        hits.append((_hits(before, mine), _hits(after, mine)))
    q, control_q = (
        stats.false_discovery_control([_p(pair[side], resamples, seed) for pair in changes])
        for side in (0, 1)
    )
    bootstrap = ClusterBootstrap(len(prompts), resamples, seed)
    return [
        Receptivity(
            feature=feature,
            tokens=tuple(loaded.encoder.spelling.text(int(token)) for token in own[index]),
            coefficient=coefficients[feature],
            change=bootstrap.estimate(mean, changes[index][0]),
            hits=hits[index],
            q=float(q[index]),
            control_change=float(changes[index][1].mean()),
            control_q=float(control_q[index]),
        )
        for index, feature in enumerate(features)
    ]


def passing(passed: Sequence[bool]) -> Estimate:
    """Share that passes, with Wilson's interval."""
    interval = stats.binomtest(sum(passed), len(passed)).proportion_ci(method="wilson")
    return Estimate(sum(passed) / len(passed), float(interval.low), float(interval.high))


def _unit_embeddings(loaded: LoadedModel) -> Float[Tensor, "vocabulary d_model"]:
    weight = embeddings_of(loaded).float().cpu()
    return torch.nn.functional.normalize(weight - weight.mean(dim=0), dim=1)


def _closeness(
    texts: Sequence[Int[ndarray, " tokens"]],
    embeddings: Float[Tensor, "vocabulary d_model"],
    top: Int[ndarray, " top"],
) -> Float[ndarray, " texts"]:
    towards = torch.nn.functional.normalize(embeddings[top].mean(dim=0), dim=0)
    cosines = (embeddings @ towards).double().numpy()
    return np.array([cosines[ids].mean() if len(ids) else 0.0 for ids in texts])


def _hits(texts: Sequence[Int[ndarray, " tokens"]], top: Int[ndarray, " top"]) -> float:
    every = np.concatenate(texts)
    return float(np.isin(every, top).mean()) if len(every) else 0.0


def _p(change: Float[ndarray, " prompts"], resamples: int, seed: int) -> float:
    """Chance of so large a mean if each prompt's change were as likely the other way round."""
    flips = np.random.default_rng([seed, 1]).choice([-1.0, 1.0], (resamples, len(change)))
    drawn = flips @ change / len(change)
    return float((1 + np.sum(drawn >= change.mean() - 1e-12)) / (1 + resamples))
