"""Choose an intervention on validation prompts and measure it, once, on test prompts."""

import json
from pathlib import Path

import click

from stages.command import FilePath, FolderPath, print_table, stage


@stage
@click.option("--model", type=FolderPath, default=Path("models/base"), help="Model to steer.")
@click.option("--vectors", type=FolderPath, default=Path("models/vectors"), help="Its vectors.")
@click.option(
    "--prompts", type=FilePath, default=Path("data/dataset/prompts.jsonl"), help="What it is asked."
)
@click.option(
    "--heldout",
    type=FilePath,
    default=Path("data/dataset/corpus/heldout.jsonl"),
    help="Texts whose plain ones perplexity is measured on.",
)
@click.option(
    "--output",
    type=FolderPath,
    default=Path("reports/evaluation"),
    help="Continuations side by side, and the selected intervention to deploy.",
)
@click.option(
    "--metrics",
    type=FilePath,
    default=Path("reports/metrics/evaluation.json"),
    help="Measures with their intervals.",
)
@click.option(
    "--sweep-plot",
    type=FilePath,
    default=Path("reports/plots/evaluation_sweep.csv"),
    help="Every candidate on validation.",
)
@click.option(
    "--occupations-plot",
    type=FilePath,
    default=Path("reports/plots/evaluation_occupations.csv"),
    help="Every occupation of the test split, before and after.",
)
def main(
    model: Path,
    vectors: Path,
    prompts: Path,
    heldout: Path,
    output: Path,
    metrics: Path,
    sweep_plot: Path,
    occupations_plot: Path,
    params_path: Path,
) -> None:
    """Choose an intervention on validation prompts and measure it, once, on test prompts.

    Tries every method, layer, action and multiplier of params.yaml: of those that the budget
    allows, the one that narrows the spread over occupations most is measured on test prompts, next
    to the best of every other method.

    \b
    Example:
      python -m stages.evaluate --params params.yaml
    """
    import pandas as pd

    from evenkeel.evaluation.study import run_study
    from evenkeel.files import atomic_folder, read_jsonl, write_json, write_text
    from evenkeel.models.loading import load_model
    from evenkeel.params import load_params
    from evenkeel.synthesis.records import CorpusText, Prompt
    from evenkeel.vectors.vector_set import VectorSet

    seed, params = load_params(params_path, "seed", "evaluation")
    study = run_study(
        load_model(model),
        VectorSet.load(vectors).vectors,
        read_jsonl(prompts, Prompt),
        [row.text for row in read_jsonl(heldout, CorpusText) if row.kind == "plain"],
        params,
        seed,
    )
    with atomic_folder(output) as folder:
        lines = [json.dumps(row, sort_keys=True) for row in study.continuations]
        write_text(folder / "continuations.jsonl", "\n".join(lines) + "\n")
        study.spec.save(folder / "intervention")
    write_json(metrics, study.metrics)
    for path, rows in (
        (sweep_plot, study.sweep_rows),
        (occupations_plot, study.occupations),
    ):
        write_text(path, pd.DataFrame(rows).to_csv(index=False, float_format="%.6g"))
    print_table("evaluation on the test split: " + study.selection.reason, *study.table)


if __name__ == "__main__":
    main()
