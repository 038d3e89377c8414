"""Choose an intervention against one kind of bias on validation, and measure it once on test."""

from pathlib import Path
from typing import Any, get_args

import click

from evenkeel.terminal import say
from stages.command import (
    FilePath,
    FolderPath,
    Output,
    OutputPlace,
    executor_options,
    print_table,
    stage,
)

SHOWN = (
    "item_spread", "mean_log_odds", "reference_correlation", "reference_slope", "stereotype_gap",
    "definitional_accuracy", "perplexity", "repetition", "bias_reduction", "moved_away_share",
    "definitional_accuracy_change", "perplexity_ratio", "kl_neutral",
)  # fmt: skip
"""Metrics of the stage's table; the JSON file has all."""


@click.option("--axis", required=True, help="Kind of bias.")
@click.option("--model", type=FolderPath, default=Path("models/base"), help="Model to steer.")
@click.option(
    "--vectors", type=FolderPath, default=Path("models/vectors"), help="Its vectors, by axis."
)
@click.option(
    "--sae", type=FolderPath, default=Path("models/sae"), help="SAE whose latents are edited."
)
@click.option(
    "--prompts", type=FolderPath, default=Path("data/dataset/prompts"), help="What is asked."
)
@click.option(
    "--heldout",
    type=FilePath,
    default=Path("data/corpus/heldout.jsonl"),
    help="Texts whose plain ones perplexity is measured on.",
)
@click.option(
    "--corpus",
    type=FilePath,
    default=Path("data/corpus/train.jsonl"),
    help="Texts whose plain ones what is trained leaves alone.",
)
@click.option(
    "--output",
    type=Output("folder", within="axis"),
    default=Path("reports/evaluation"),
    help="Folder for AXIS/: continuations side by side, the intervention to deploy, and every "
    "condition that was measured on test.",
)
@click.option(
    "--metrics",
    type=OutputPlace,
    default=Path("reports/metrics/evaluation"),
    help="Folder for AXIS.json: metrics with their intervals.",
)
@click.option(
    "--plots",
    type=Output("folder", within="axis"),
    default=Path("reports/plots/evaluation"),
    help="Folder for AXIS/{sweep,pareto,dose,nulls,items}.csv.",
)
@stage
@executor_options
def main(
    axis: str,
    model: Path,
    vectors: Path,
    sae: Path,
    prompts: Path,
    heldout: Path,
    corpus: Path,
    output: Path,
    metrics: Path,
    plots: Path,
    executor: Any,
    params_path: Path,
) -> None:
    """Choose an intervention on validation prompts and measure it, once, on test prompts.

    Tries the vectors, layers, actions and multipliers of params.yaml: of those that the budget
    allows, the one that narrows the spread over items most is measured on test prompts, next to the
    best of every other method. A run that was killed goes on where it was.

    \b
    Examples:
      python -m stages.evaluate --axis gender
      python -m stages.evaluate --axis gender --workers 2
    """
    from contextlib import nullcontext

    from evenkeel.activations.shard_job import ModelFolder
    from evenkeel.conditions.kept import keep_conditions
    from evenkeel.datasets.reading import read_prompts
    from evenkeel.datasets.records import CorpusText
    from evenkeel.evaluation.protocol import evaluate_axis
    from evenkeel.evaluation.summary import summarize_evaluation
    from evenkeel.files import atomic_folder, read_jsonl, write_json, write_jsonl, write_table
    from evenkeel.models.loading import load_model
    from evenkeel.params import EraserMethod, load_params, read_auto
    from evenkeel.sae.dictionary import Dictionary
    from evenkeel.scoring.pass_job import PassJob
    from evenkeel.scoring.result_cache import cache_beside
    from evenkeel.statistics.estimate import Estimate
    from evenkeel.vectors.erasers import EraserSet
    from evenkeel.vectors.shuffled import ShuffledVectors
    from evenkeel.vectors.vector_set import VectorSet

    (trust,) = load_params(params_path, "model.trust_remote_code")
    loaded = load_model(model, trust_remote_code=trust)
    seed, params = load_params(params_path, "seed", "evaluation", model=loaded.shape)
    of_axis = vectors / axis
    vector_set = VectorSet.load(of_axis / "vectors").vectors
    erases = set(params.methods) & set(get_args(EraserMethod))
    erasers = EraserSet.load(of_axis / "erasers").erasers if erases else ()
    loaded.require_own(of_axis, [vector.metadata for vector in vector_set])
    loaded.require_own(of_axis, [eraser.metadata for eraser in erasers])
    job = PassJob(ModelFolder(model.absolute(), trust))
    workers = executor.started(job) if executor.apart else nullcontext(None)
    with workers as running, cache_beside(output / axis, loaded, running) as cache:
        evaluation = evaluate_axis(
            loaded,
            axis,
            vector_set,
            ShuffledVectors.load(of_axis / "shuffled.safetensors"),
            read_prompts(prompts, axis),
            [row.text for row in read_jsonl(heldout, CorpusText) if row.kind == "plain"],
            [row.text for row in read_jsonl(corpus, CorpusText) if row.kind == "plain"]
            if "reft" in params.methods or "cda_lora" in params.baselines
            else [],
            params,
            seed,
            Dictionary.open(sae) if "sae" in params.methods else None,
            erasers,
            cache,
        )
        auto = read_auto(params_path, loaded.shape, "evaluation")
        result = summarize_evaluation(evaluation, auto)
        with atomic_folder(output / axis) as folder:
            write_jsonl(folder / "continuations.jsonl", evaluation.continuations)
            evaluation.spec.save(folder / "intervention")
            kept = [candidate.condition for candidate in evaluation.best]
            keep_conditions(folder / "conditions", loaded, kept)
        write_json(metrics / f"{axis}.json", result.model_dump(mode="json"))
        with atomic_folder(plots / axis) as folder:
            for name, rows in evaluation.plots.items():
                write_table(folder / f"{name}.csv", rows)

    columns = [result.baseline, *([result.selected] if result.selected else [])]
    table = [[name, *(str(column.estimate(name)) for column in columns)] for name in SHOWN]
    table += [[f"p among {null.kind}", "-", str(Estimate(null.p))] for null in result.nulls]
    print_table(
        f"{axis} on the test split: {result.selection.reason}",
        ["metric", "baseline", "selected"][: 1 + len(columns)],
        table,
    )
    if evaluation.feature_ablation:
        say(evaluation.feature_ablation)


if __name__ == "__main__":
    main()
