"""Choose an intervention on validation prompts and measure it, once, on test prompts."""

import json
from pathlib import Path

import click

from stages.command import FilePath, FolderPath, print_table, stage


@stage
@click.option("--model", type=FolderPath, default=Path("models/base"), help="Model to steer.")
@click.option("--vectors", type=FolderPath, default=Path("models/vectors"), help="Its vectors.")
@click.option(
    "--sae", type=FolderPath, default=Path("models/sae"), help="SAE whose latents are edited."
)
@click.option(
    "--activations",
    type=click.Path(path_type=Path),
    default=Path("data/activations/statements.h5"),
    help="Store that the vectors were made from, to shuffle its labels.",
)
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
    "--plots",
    type=FolderPath,
    default=Path("reports/plots"),
    help="Folder of the tables that are drawn: evaluation_{sweep,frontier,...}.csv.",
)
def main(
    model: Path,
    vectors: Path,
    sae: Path,
    activations: Path,
    prompts: Path,
    heldout: Path,
    output: Path,
    metrics: Path,
    plots: Path,
    params_path: Path,
) -> None:
    """Choose an intervention on validation prompts and measure it, once, on test prompts.

    Tries every method, layer, action and multiplier of params.yaml: of those that the budget
    allows, the one that narrows the spread over occupations most is measured on test prompts, next
    to the best of every other method. A run that was killed goes on where it was.

    \b
    Example:
      python -m stages.evaluate --params params.yaml
    """
    import pandas as pd

    from evenkeel.activations.store import ActivationStore
    from evenkeel.datasets.records import CorpusText, Prompt
    from evenkeel.evaluation.study import run_study
    from evenkeel.evaluation.summary import study_metrics
    from evenkeel.files import atomic_folder, read_jsonl, write_json, write_text
    from evenkeel.models.loading import load_model
    from evenkeel.params import load_params
    from evenkeel.sae.dictionary import Dictionary
    from evenkeel.scoring.result_cache import journal_beside
    from evenkeel.vectors.vector_set import VectorSet

    seed, params = load_params(params_path, "seed", "evaluation")
    loaded = load_model(model)
    with journal_beside(output, loaded) as journal:
        with ActivationStore.open(activations) as statements:
            study = run_study(
                loaded,
                VectorSet.load(vectors).vectors,
                statements,
                read_jsonl(prompts, Prompt),
                [row.text for row in read_jsonl(heldout, CorpusText) if row.kind == "plain"],
                params,
                seed,
                Dictionary.open(sae) if "sae" in params.methods else None,
                journal,
            )
        with atomic_folder(output) as folder:
            lines = [json.dumps(row, sort_keys=True) for row in study.continuations]
            write_text(folder / "continuations.jsonl", "\n".join(lines) + "\n")
            study.spec.save(folder / "intervention")
        write_json(metrics, study_metrics(study))
        for name, rows in study.plots.items():
            table = pd.DataFrame(rows).to_csv(index=False, float_format="%.6g")
            write_text(plots / f"evaluation_{name}.csv", table)
    print_table("evaluation on the test split: " + study.selection.reason, *study.table)
    if study.feature_ablation:
        click.echo(str(study.feature_ablation))


if __name__ == "__main__":
    main()
