"""Run a task of lm-evaluation-harness on the model, unsteered and steered."""

from pathlib import Path

import click

from stages.command import FolderPath, OutputFile, print_table, stage


@stage
@click.option("--task", required=True, help="Its name in lm-evaluation-harness.")
@click.option("--model", type=FolderPath, default=Path("models/base"), help="Model to measure.")
@click.option(
    "--intervention",
    type=FolderPath,
    default=Path("reports/evaluation_joint/intervention"),
    help="What steers it.",
)
@click.option(
    "--metrics", type=OutputFile, required=True, help="Its figures, and ours beside them."
)
def main(task: str, model: Path, intervention: Path, metrics: Path, params_path: Path) -> None:
    """Run a task of lm-evaluation-harness on the model, unsteered and steered.

    \b
    Example:
      python -m stages.harness --task crows_pairs_english --metrics crows_pairs_english.json
    """
    from evenkeel.files import write_json
    from evenkeel.models.loading import load_model
    from evenkeel.params import load_params
    from evenkeel.public_benchmarks.harness import run_harness
    from evenkeel.steering.spec import InterventionSpec

    batch_tokens, include_path, limit, trust = load_params(
        params_path,
        "benchmarks.batch_tokens",
        "benchmarks.harness.include_path",
        "benchmarks.harness.limit",
        "model.trust_remote_code",
    )
    result = run_harness(
        task,
        load_model(model, trust_remote_code=trust),
        InterventionSpec.load(intervention),
        include_path=None if include_path is None else Path(include_path),
        limit=limit,
        batch_tokens=batch_tokens,
    )
    write_json(metrics, result.record)
    print_table(f"lm-evaluation-harness: {task}", *result.table)


if __name__ == "__main__":
    main()
