"""Measure the model, unsteered and steered, on a public benchmark."""

from pathlib import Path
from typing import get_args

import click

from evenkeel.params import BenchmarkName
from stages.command import AnyPath, FolderPath, OutputFile, print_table, stage


@stage
@click.option(
    "--name",
    type=click.Choice(get_args(BenchmarkName)),
    required=True,
    help="Benchmark, as under benchmarks.run.",
)
@click.option("--data", type=AnyPath, required=True, help="Its file or folder.")
@click.option("--model", type=FolderPath, default=Path("models/base"), help="Model to measure.")
@click.option(
    "--intervention",
    type=FolderPath,
    default=Path("reports/evaluation_joint/intervention"),
    help="What steers it.",
)
@click.option("--metrics", type=OutputFile, required=True, help="Figures with their intervals.")
@click.option("--plot", type=OutputFile, required=True, help="The same, one a line.")
def main(
    name: BenchmarkName,
    data: Path,
    model: Path,
    intervention: Path,
    metrics: Path,
    plot: Path,
    params_path: Path,
) -> None:
    """Measure the model, unsteered and steered, on a public benchmark.

    \b
    Example:
      python -m stages.benchmark --name crows_pairs --data crows_pairs_anonymized.csv \\
        --metrics crows_pairs.json --plot crows_pairs.csv
    """
    from evenkeel.files import write_json, write_table
    from evenkeel.models.loading import load_model
    from evenkeel.params import load_params
    from evenkeel.public_benchmarks.running import run_benchmark
    from evenkeel.steering.spec import InterventionSpec

    seed, batch_tokens, stride, resamples, trust = load_params(
        params_path,
        "seed",
        "benchmarks.batch_tokens",
        "benchmarks.stride",
        "benchmarks.resamples",
        "model.trust_remote_code",
    )
    result = run_benchmark(
        name,
        data,
        load_model(model, trust_remote_code=trust),
        InterventionSpec.load(intervention),
        batch_tokens=batch_tokens,
        stride=stride,
        resamples=resamples,
        seed=seed,
    )
    write_json(metrics, result.record)
    write_table(plot, result.rows)
    size = ", ".join(f"{count} {what}" for what, count in result.task.size.items())
    print_table(f"{name}: {size.replace('_', ' ')}", *result.table)


if __name__ == "__main__":
    main()
