"""Measure every condition that evaluate compared on a public benchmark."""

from pathlib import Path
from typing import get_args

import click

from evenkeel.params import ComparedBenchmark
from stages.command import AnyPath, FolderPath, OutputFile, print_table, stage


@stage
@click.option(
    "--name", type=click.Choice(get_args(ComparedBenchmark)), required=True, help="Benchmark."
)
@click.option("--data", type=AnyPath, required=True, help="Its file or folder.")
@click.option("--axis", required=True, help="Kind of bias whose conditions are measured.")
@click.option("--model", type=FolderPath, default=Path("models/base"), help="Model to measure.")
@click.option(
    "--evaluation",
    type=FolderPath,
    default=Path("reports/evaluation"),
    help="Folder of AXIS/conditions/.",
)
@click.option("--metrics", type=OutputFile, required=True, help="Figures with their intervals.")
@click.option("--plot", type=OutputFile, required=True, help="The same, one a line.")
def main(
    name: ComparedBenchmark,
    data: Path,
    axis: str,
    model: Path,
    evaluation: Path,
    metrics: Path,
    plot: Path,
    params_path: Path,
) -> None:
    """Measure every condition that evaluate measured on test on a public benchmark, too.

    \b
    Example:
      python -m stages.benchmark_conditions --name winogender --axis gender --data winogender \\
        --metrics winogender.json --plot winogender.csv
    """
    from evenkeel.conditions.kept import read_conditions
    from evenkeel.files import write_json, write_table
    from evenkeel.models.loading import load_model
    from evenkeel.params import load_params
    from evenkeel.public_benchmarks.comparing import compare_conditions

    seed, batch_tokens, stride, resamples, trust = load_params(
        params_path,
        "seed",
        "benchmarks.batch_tokens",
        "benchmarks.stride",
        "benchmarks.resamples",
        "model.trust_remote_code",
    )
    loaded = load_model(model, trust_remote_code=trust)
    result = compare_conditions(
        name,
        data,
        loaded,
        axis,
        read_conditions(evaluation / axis / "conditions", loaded),
        batch_tokens=batch_tokens,
        stride=stride,
        resamples=resamples,
        seed=seed,
    )
    write_json(metrics, result.record)
    write_table(plot, result.rows)
    print_table(f"{name}, conditions of {axis}", *result.table)


if __name__ == "__main__":
    main()
