"""How the model reads a text, for the playground: where it is steered, probes, its next word."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from evenkeel.activations.capture import measure_sinks, recording
from evenkeel.axes import AXES
from evenkeel.models.encoding import Tokens
from evenkeel.models.loading import LoadedModel
from evenkeel.models.sites import HookPoint
from evenkeel.probes.detection import detect
from evenkeel.probes.probe_set import ProbeSet
from evenkeel.scoring.group_reads import EncodedPrompt, encode_continuation, group_log_probs
from evenkeel.serving.features import Features
from evenkeel.steering.acting import relative_changes
from evenkeel.steering.hooks import steer
from evenkeel.steering.rows import RowSpec


@dataclass(frozen=True)
class Text:
    """A prompt and what follows it, as the model reads them."""

    whole: str
    """Both, the chat template included."""
    ids: Tokens
    prompt: int
    """How many of the tokens are the prompt's."""


def read_text(
    loaded: LoadedModel,
    text: Text,
    axis: str,
    row: RowSpec,
    probes: ProbeSet | None,
    features: Features | None = None,
) -> dict[str, Any]:
    """Each token of a text, and how probable each group of an axis is after it.

    Returns:
        `tokens`: each with its `text`, the `change` that steering makes (of the residual stream's
        norm, the largest of all places), the `probe` score of the text so far, or null, and the
        `features` that fire most there; `cards`: what is known of these, by number; `layers` that
        are steered, by site;
        `groups`: each with its `name`, and its share of the probability of all groups' words,
        `unsteered` and `steered`, and the `mass` of all those words.
    """
    changes = relative_changes(loaded.model, row, text.ids[: text.prompt], text.ids[text.prompt :])
    largest = torch.stack(list(changes.values())).amax(0).tolist() if changes else None
    scores = _probe_scores(loaded, text.ids, axis, probes)
    shown = loaded.encoder.spelling.in_place(text.ids)
    firing = features.read(loaded, text.ids) if features else [[] for _ in text.ids]
    numbers = sorted({int(one["feature"]) for token in firing for one in token})
    return {
        "tokens": [
            {
                "text": shown[place],
                "prompt": place < text.prompt,
                "change": largest[place] if largest else 0.0,
                "probe": scores[place] if scores else None,
                "features": firing[place],
            }
            for place in range(len(text.ids))
        ],
        "cards": {number: features.cards[number] for number in numbers} if features else {},
        "layers": _layers(changes),
        "groups": _groups(loaded, text, axis, row),
    }


def _layers(points: Iterable[HookPoint]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for point in sorted(points, key=lambda point: (point.site, point.layer)):
        found.setdefault(point.site, []).append(point.layer)
    return found


def _probe_scores(
    loaded: LoadedModel, ids: Tokens, axis: str, probes: ProbeSet | None
) -> list[float] | None:
    """The score of the text up to and with each token, unsteered; None without a detector."""
    if probes is None or axis not in {detector.axis for detector in probes.detectors}:
        return None
    points = [HookPoint.of(probe.site, probe.layer) for probe in probes.of_axis(axis)]
    with recording(loaded.model, points) as forward:
        streams = forward(torch.tensor([ids]), lambda hidden, _: hidden[0].float().cpu())
    sinks = measure_sinks(loaded.model, points)
    return list(detect(probes, axis, streams, sinks).tokens)


def _groups(loaded: LoadedModel, text: Text, axis: str, row: RowSpec) -> dict[str, Any]:
    groups = AXES[axis].groups
    encoded = EncodedPrompt(
        (text.ids,) * len(groups),
        tuple(
            tuple(
                encode_continuation(loaded.tokenizer, text.whole, text.ids, word)
                for word in group.continuations
            )
            for group in groups
        ),
    )
    plain = group_log_probs(loaded.model, [encoded], 16)[0]
    steered = plain
    if row.spec is not None and row.share:
        with steer(loaded.model, [row]):  # continuations of several tokens are rows of one text
            steered = group_log_probs(loaded.model, [encoded], 16)[0]
    mass = [float(np.exp(np.logaddexp.reduce(scores))) for scores in (plain, steered)]
    shares = [np.exp(scores - np.logaddexp.reduce(scores)) for scores in (plain, steered)]
    return {
        "mass": {"unsteered": mass[0], "steered": mass[1]},
        "shares": [
            {
                "name": group.name,
                "words": [word.strip() for word in group.continuations],
                "unsteered": float(shares[0][index]),
                "steered": float(shares[1][index]),
            }
            for index, group in enumerate(groups)
        ],
    }
