"""`evenkeel plan`: what caching very many texts would take, before anything is begun."""

from math import inf
from pathlib import Path
from typing import Any

import click

from evenkeel.cli.options import json_option, model_option, print_json, print_rows, trust_option

_BREAKS = {
    "shards": "there is no shard for one more worker: make shards smaller (--shard-mib)",
    "disk": "the shared disk writes no more: keep fewer sites or layers, positions last or mean, "
    "or dtype float16; or give each machine its own way out (--storage)",
    "planning": "the driver encodes no more texts: start one run for each part of the texts",
    "dispatch": "the driver gives out no more tasks: make shards larger (--shard-mib)",
}


@click.command()
@click.option("--texts", type=int, required=True, help="How many; 10_000_000 is a number.")
@click.option("--workers", type=click.IntRange(min=1), default=1, help="How many.")
@model_option
@trust_option
@click.option(
    "--set",
    "name",
    type=click.Choice(["statements", "corpus"]),
    default="corpus",
    help="Section of `activations` in the parameter file: what is kept.",
)
@click.option(
    "--params",
    "params_path",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("params.yaml"),
    help="Parameter file.",
)
@click.option(
    "--sample",
    type=click.Path(path_type=Path),
    default=Path("data/corpus/train.jsonl"),
    help="Texts like those to come; the first 1,000 are run through the model.",
)
@click.option(
    "--at",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default=Path(),
    help="A folder on the disk that the workers will share.",
)
@click.option("--shard-mib", type=click.IntRange(min=1), default=4096, help="As when it is cached.")
@click.option(
    "--tokens-per-second",
    type=click.FloatRange(min=0, min_open=True),
    help="Of one worker, where it is no machine like this one.",
)
@click.option(
    "--disk-mib-per-second",
    type=click.FloatRange(min=0, min_open=True),
    help="Of the shared disk, where it is not the one of --at.",
)
@click.option(
    "--hours-between-failures",
    type=click.FloatRange(min=0, min_open=True),
    default=inf,
    help="Mean time after which a worker dies.",
)
@click.option(
    "--usd-per-hour",
    type=click.FloatRange(min=0),
    default=0.0,
    help="Price of a worker.",
)
@json_option
def plan(
    texts: int,
    workers: int,
    model_path: Path,
    trust_remote_code: bool,
    name: str,
    params_path: Path,
    sample: Path,
    at: Path,
    shard_mib: int,
    tokens_per_second: float | None,
    disk_mib_per_second: float | None,
    hours_between_failures: float,
    usd_per_hour: float,
    as_json: bool,
) -> None:
    """Say what caching the activations of very many texts takes: shards, bytes, hours, cost.

    Runs a sample through the model on this machine, and simulates the run from what that took, with
    workers that die. Run it on a machine like those that will compute.

    \b
    Examples:
      evenkeel plan --texts 10_000_000 --workers 40
      evenkeel plan --texts 10_000_000 --workers 200 --hours-between-failures 24 \\
        --usd-per-hour 1.2 --shard-mib 512
    """
    import shutil
    import time
    from dataclasses import replace

    from evenkeel.activations.estimate import measure, rates_of, read_sample
    from evenkeel.activations.shard_job import header_of
    from evenkeel.activations.space import size_text
    from evenkeel.errors import BadInputError, texts_of_file
    from evenkeel.execution.simulation import limits, simulate
    from evenkeel.models.loading import load_model
    from evenkeel.params import load_params

    if texts < 1:
        raise BadInputError(f"--texts {texts}: give 1 or more")
    measured_on = read_sample(sample)
    started = time.perf_counter()
    loaded = load_model(model_path, trust_remote_code=trust_remote_code)
    loading = time.perf_counter() - started
    (params,) = load_params(params_path, f"activations.{name}", model=loaded.shape)
    with texts_of_file(sample):
        measured = measure(loaded, loading, measured_on, params, at)
    if tokens_per_second is not None:
        measured = replace(measured, tokens_per_second=tokens_per_second)
    if disk_mib_per_second is not None:
        measured = replace(measured, disk_bytes_per_second=disk_mib_per_second * 2**20)
    row_bytes = header_of(loaded, params).row_bytes
    rates = rates_of(measured, row_bytes, params, texts, shard_mib * 2**20, hours_between_failures)
    run = simulate(rates, workers)
    first, at_workers = min(limits(rates).items(), key=lambda limit: limit[1])
    size = rates.shards * rates.shard_bytes
    hours = run.seconds / 3600
    found: dict[str, Any] = {
        "texts": texts,
        "tokens": round(texts * measured.tokens_per_text),
        "shards": rates.shards,
        "bytes": round(size),
        "tokens per second of a worker": measured.tokens_per_second,
        "texts per second of the driver": measured.encoded_per_second,
        "bytes per second of the disk": measured.disk_bytes_per_second,
        "seconds of a shard": rates.shard_seconds,
        "workers": workers,
        "hours": hours,
        "workers' time used": run.busy_share,
        "workers that die": run.failures,
        "shards computed twice": run.repeated_shards,
        "USD": hours * workers * usd_per_hour,
        "first limit": first,
        "workers at the first limit": at_workers,
    }
    if as_json:
        print_json([found])
        return
    shown = found | {"bytes": size_text(round(size)), "first limit": _BREAKS[first]}
    free = shutil.disk_usage(at).free
    if size > free:
        shown["disk space"] = f"{at} has {size_text(free)} free: not enough"
    print_rows(
        f"{texts} texts through {loaded.name} on {workers} workers like this machine",
        ["what", "value"],
        [[key, f"{value:.4g}" if isinstance(value, float) else str(value)]
         for key, value in shown.items()],
    )  # fmt: skip
