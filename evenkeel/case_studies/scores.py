"""How biased the prompts read to the model, by its probes."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import torch

from evenkeel.activations.capture import capture_texts, measure_sinks
from evenkeel.models.loading import LoadedModel
from evenkeel.probes.detection import Detection, detect
from evenkeel.probes.probe_set import ProbeSet


def score_texts(
    loaded: LoadedModel, probes: ProbeSet, axes: Sequence[str], texts: Sequence[str]
) -> Iterator[tuple[str, Detection]]:
    """Each text with what the probes of each axis say of it.

    An axis is passed over when none of its probes is better than chance: it has no detector.

    Raises:
        BadInputError: an axis has no probes, or the probes are of another model.
    """
    known = {detector.axis for detector in probes.detectors}
    asked = [axis for axis in axes if probes.of_axis(axis) and axis in known]
    members = [probe for axis in asked for probe in probes.of_axis(axis)]
    sites = sorted({probe.site for probe in members})
    layers = sorted({probe.layer for probe in members})
    for text in texts if asked else ():
        captured = capture_texts(loaded, [text], sites, layers, positions="all")
        streams = {point: torch.from_numpy(values) for point, values in captured.items()}
        sinks = measure_sinks(loaded.model, list(captured))
        for axis in asked:
            yield text, detect(probes, axis, streams, sinks)


def as_row(text: str, detection: Detection) -> dict[str, Any]:
    """A detection as JSON: score, verdict, confidence, and what each layer and token says."""
    return {
        "text": text,
        "biased": detection.biased,
        "confidence": detection.confidence,
        **asdict(detection),
    }
