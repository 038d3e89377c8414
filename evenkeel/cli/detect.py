"""`evenkeel detect`: how biased a text reads to the model, by its probes."""

from pathlib import Path

import click

from evenkeel.cli.options import (
    file_option,
    json_option,
    model_option,
    print_json,
    print_rows,
    texts_of,
    trust_option,
)
from evenkeel.errors import BadInputError


@click.command()
@click.argument("text", required=False)
@file_option
@model_option
@trust_option
@click.option(
    "--probes",
    "probes_path",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("models/probes"),
    help="Folder that the stage train_probes wrote.",
)
@click.option(
    "--axis", "axes", multiple=True, help="Kind of bias; all that have probes if omitted."
)
@json_option
def detect(
    text: str | None,
    texts_path: Path | None,
    model_path: Path,
    trust_remote_code: bool,
    probes_path: Path,
    axes: tuple[str, ...],
    as_json: bool,
) -> None:
    """Score TEXT with the probes of every axis: overall, by layer, and as it goes on.

    \b
    Examples:
      evenkeel detect "The pensioner in the photo seemed forgetful."
      evenkeel detect --file texts.txt --axis age --json
    """
    texts = texts_of(text, texts_path)
    if not all(map(str.strip, texts)):
        raise BadInputError("the text is empty; give it some words")
    from dataclasses import asdict

    import torch

    from evenkeel.activations.capture import capture_texts, measure_sinks, resolve_points
    from evenkeel.errors import texts_of_file
    from evenkeel.models.loading import load_model
    from evenkeel.probes.detection import detect as score
    from evenkeel.probes.probe_set import ProbeSet

    probes = ProbeSet.load(probes_path)
    loaded = load_model(model_path, trust_remote_code=trust_remote_code)
    loaded.require_own(probes_path, [probes.metadata])
    sites = sorted({probe.site for probe in probes})
    layers = sorted({probe.layer for probe in probes})
    with texts_of_file(texts_path):
        loaded.encoder.encode_all(texts)  # refuses what cannot be read by its number
    found = []
    sinks = measure_sinks(loaded.model, resolve_points(loaded.model, sites, layers))
    for one in texts:
        captured = capture_texts(loaded, [one], sites, layers, positions="all")
        streams = {point: torch.from_numpy(values) for point, values in captured.items()}
        for axis in axes or probes.axes:
            found.append((one, score(probes, axis, streams, sinks)))
    if as_json:
        print_json(
            {"text": one, "biased": detection.biased, "confidence": detection.confidence}
            | asdict(detection)
            for one, detection in found
        )
        return
    print_rows(
        f"Probability that a text is biased, by {loaded.name}",
        ["text", "axis", "score", "verdict", "by layer"],
        [
            [
                one,
                detection.axis,
                f"{detection.score:.2f}",
                f"{'biased' if detection.biased else 'neutral'} ({detection.confidence:.0%})",
                "  ".join(f"{layer.layer}: {layer.score:.2f}" for layer in detection.layers),
            ]
            for one, detection in found
        ],
    )
