"""How biased one text is, by every probe of an axis: overall, by layer, by token."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from evenkeel.activations.sinks import FIRST_TOKENS, SinkProbe
from evenkeel.errors import BadInputError
from evenkeel.models.sites import HookPoint
from evenkeel.probes.probe_set import ProbeSet


@dataclass(frozen=True)
class LayerScore:
    """What one probe says."""

    site: str
    layer: int
    weight: float
    """Its say in the overall score; all weights of an axis together are 1."""
    score: float
    """Its probability that the text is biased, from 0 to 1; it is not calibrated."""


@dataclass(frozen=True)
class Detection:
    """What the probes of one axis say of one text."""

    axis: str
    score: float
    """Probability that the text is biased, from 0 to 1, calibrated on validation statements."""
    layers: tuple[LayerScore, ...]
    tokens: tuple[float, ...]
    """The score of the text up to and with each token; the last is the score of the whole."""

    @property
    def biased(self) -> bool:
        return self.score > 0.5

    @property
    def confidence(self) -> float:
        """Probability that this verdict is right, from 0.5 to 1, as far as texts are like the
        statements that the probes were calibrated on."""
        return max(self.score, 1 - self.score)


def detect(
    probes: ProbeSet,
    axis: str,
    activations: Mapping[HookPoint, Float[Tensor, "tokens d_model"]],
    sinks: Mapping[HookPoint, SinkProbe | None] | None = None,
) -> Detection:
    """Score one text.

    Probes that were trained on last tokens read each token as the last one so far; those trained on
    means read the mean of all tokens so far, attention sinks left out if they were in training.

    Args:
        probes: of the model that the activations are from.
        axis: kind of bias.
        activations: of all tokens of the text, at every site and layer that has a probe.
        sinks: what tells later attention sinks there (`measure_sinks`).

    Raises:
        BadInputError: the axis has no detector, a site or layer is missing or of another width, the
            text has no tokens, or an activation is not finite.
    """
    detector = probes.detector(axis)
    members = probes.of_axis(axis)
    log_odds = []
    for probe in members:
        where = f"activations {probe.site}/{probe.layer}"
        if probe.point not in activations:
            raise BadInputError(f"{where}: missing, but the probes of axis {axis!r} need them")
        x = activations[probe.point]
        if x.ndim != 2 or len(x) == 0 or x.shape[1] != len(probe.weight):
            raise BadInputError(
                f"{where}: shape {tuple(x.shape)}; the probe needs [tokens, {len(probe.weight)}] "
                "and at least one token"
            )
        if not bool(x.isfinite().all()):
            raise BadInputError(f"{where}: a NaN or an infinity")
        kept = torch.ones(len(x), dtype=torch.bool, device=x.device)
        if probes.sinks == "exclude":
            kept[:FIRST_TOKENS] = False
            later = (sinks or {}).get(probe.point)
            kept &= ~later(x) if later is not None else kept
        pooled = _pooled(x.double(), probes.positions, kept)
        log_odds.append(probe.scores(pooled).cpu().numpy())
    by_token = np.stack(log_odds)
    tokens = _sigmoid(detector.combine(by_token))
    return Detection(
        axis=axis,
        score=float(tokens[-1]),
        layers=tuple(
            LayerScore(probe.site, probe.layer, weight, float(score))
            for probe, weight, score in zip(
                members, detector.weights, _sigmoid(by_token[:, -1]), strict=True
            )
        ),
        tokens=tuple(tokens.tolist()),
    )


def _pooled(
    x: Float[Tensor, "tokens d_model"], positions: str, kept: Bool[Tensor, " tokens"]
) -> Float[Tensor, "tokens d_model"]:
    """What a probe would have read had the text ended at each token.

    Up to the first token that counts, that is the token itself.
    """
    if positions == "last":
        return x
    counts = kept.cumsum(0)[:, None]
    return torch.where(counts > 0, (x * kept[:, None]).cumsum(0) / counts.clamp(min=1), x)


def _sigmoid(log_odds: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    return np.exp(-np.logaddexp(0, -log_odds))
