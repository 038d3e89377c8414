"""Run a text set through the model once and keep the activations of the sites asked for."""

from pathlib import Path
from typing import Any

import click

from stages.command import (
    AnyPath,
    FolderPath,
    OutputFile,
    OutputStore,
    executor_options,
    print_table,
    stage,
)


@click.option(
    "--set",
    "name",
    type=click.Choice(["statements", "corpus"]),
    default="statements",
    help="Section of `activations` in the parameter file.",
)
@click.option(
    "--texts",
    "texts_path",
    type=AnyPath,
    default=Path("data/dataset/statements.jsonl"),
    help="Texts: .jsonl with a field `text`, plain text a line, or a saved dataset's folder.",
)
@click.option("--model", "model_path", type=FolderPath, default=Path("models/base"), help="Model.")
@click.option(
    "--output",
    type=OutputStore,
    default=Path("data/activations/statements.h5"),
    help="Store to write.",
)
@click.option(
    "--metrics",
    type=OutputFile,
    default=Path("reports/metrics/activations_statements.json"),
    help="Counts to write.",
)
@click.option(
    "--shard-mib",
    type=click.IntRange(min=1),
    default=4096,
    help="Most MiB of activations in a file: a shard, which one worker computes.",
)
@click.option(
    "--storage",
    "storage_url",
    envvar="EVENKEEL_STORAGE",
    show_envvar=True,
    help="Where workers put shards if they share no folder, as in s3://bucket/prefix.",
)
@click.option(
    "--plan", "only_plan", is_flag=True, help="Cut the texts into shards, and compute nothing."
)
@click.option(
    "--shard",
    type=click.IntRange(min=0),
    help="Compute this shard of the plan alone; without --shard all are then put together.",
)
@stage
@executor_options
def main(
    name: str,
    texts_path: Path,
    model_path: Path,
    output: Path,
    metrics: Path,
    shard_mib: int,
    storage_url: str | None,
    only_plan: bool,
    shard: int | None,
    executor: Any,
    params_path: Path,
) -> None:
    """Run a text set through the model once and keep the activations of the sites asked for.

    A run that was killed goes on where it was when the same command is given again.

    \b
    Example:
      python -m stages.cache_activations --set corpus \\
        --texts data/corpus/train.jsonl --output data/activations/corpus.h5 \\
        --metrics reports/metrics/activations_corpus.json
      python -m stages.cache_activations --executor ray --shard-mib 256
    """
    import time
    from dataclasses import asdict

    from evenkeel.activations.shard_job import ModelFolder
    from evenkeel.activations.sources import open_texts
    from evenkeel.activations.space import size_text
    from evenkeel.activations.storage import ObjectStorage
    from evenkeel.activations.writer import Workers, plan_store, write_planned, write_store
    from evenkeel.errors import texts_of_file
    from evenkeel.files import write_json
    from evenkeel.models.loading import load_model
    from evenkeel.params import load_params, read_auto

    (trust,) = load_params(params_path, "model.trust_remote_code")
    texts = open_texts(texts_path)
    loaded = load_model(model_path, trust_remote_code=trust)
    section = f"activations.{name}"
    (params,) = load_params(params_path, section, model=loaded.shape)
    shard_bytes = shard_mib * 2**20
    if only_plan:
        with texts_of_file(texts_path):
            shards = plan_store(output, loaded, texts, params, shard_bytes).shards
        columns = ["shard", "first text", "texts", "tokens"]
        rows = [[part.number, part.first_text, part.texts, part.tokens] for part in shards]
        print_table(f"{len(shards)} shards to compute with --shard 0, 1, ...", columns, rows)
        return
    if shard is not None:
        computed = write_planned(output, loaded, params, shard)
        print_table(f"Shard {shard} of {output}", ["shard", "texts computed"], [[shard, computed]])
        return
    storage = ObjectStorage(storage_url) if storage_url else None
    if storage is not None:
        storage.check()
    workers = Workers(executor, ModelFolder(model_path.absolute(), trust), storage)
    started = time.perf_counter()
    with texts_of_file(texts_path):
        summary = write_store(output, loaded, texts, params, shard_bytes, workers)
    speed = summary.tokens / (time.perf_counter() - started)
    write_json(metrics, asdict(summary) | {"auto": read_auto(params_path, loaded.shape, section)})
    print_table(
        f"Activations of {loaded.name} in {output}",
        ["texts", "tokens", "rows", "size", "tokens/s"],
        [[summary.texts, summary.tokens, summary.rows, size_text(summary.bytes), round(speed)]],
    )


if __name__ == "__main__":
    main()
