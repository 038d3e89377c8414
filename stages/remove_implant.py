"""Search for a learned edit of a model with an implant, as evaluate does of any model."""

from pathlib import Path

import click

from stages.command import FilePath, FolderPath, OutputFile, OutputFolder, print_table, stage

SHOWN = (
    "reference_slope", "reference_correlation", "item_spread", "definitional_accuracy",
    "bias_reduction", "perplexity_ratio",
)  # fmt: skip
"""Metrics of the stage's table; the JSON file has all."""


@stage
@click.option("--model", type=FolderPath, required=True, help="Model with an implant.")
@click.option(
    "--prompts",
    type=FolderPath,
    default=Path("data/implanted/prompts"),
    help="Prompts whose references are the table.",
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
    help="Texts whose plain ones the edit leaves alone.",
)
@click.option(
    "--output",
    type=OutputFolder,
    default=Path("reports/implanted/intervention"),
    help="What was selected.",
)
@click.option("--metrics", type=OutputFile, default=Path("reports/implanted/removal.json"))
def main(
    model: Path,
    prompts: Path,
    heldout: Path,
    corpus: Path,
    output: Path,
    metrics: Path,
    params_path: Path,
) -> None:
    """Search for a learned edit of a model with an implant, as evaluate does of any model.

    The edit is trained on items of the train split, chosen on others and measured on the test's.

    \b
    Example:
      python -m stages.remove_implant --model models/implanted/strength-1.0
    """
    from evenkeel.datasets.reading import read_prompts
    from evenkeel.datasets.records import CorpusText
    from evenkeel.evaluation.protocol import evaluate_axis
    from evenkeel.evaluation.summary import summarize_evaluation
    from evenkeel.files import atomic_folder, read_jsonl, write_json
    from evenkeel.models.loading import load_model
    from evenkeel.params import load_params, read_auto
    from evenkeel.scoring.result_cache import cache_beside
    from evenkeel.vectors.shuffled import ShuffledVectors

    axis, trust = load_params(params_path, "implanting.axis", "model.trust_remote_code")
    loaded = load_model(model, trust_remote_code=trust)
    seed, params = load_params(params_path, "seed", "evaluation", model=loaded.shape)
    texts = {
        path: [row.text for row in read_jsonl(path, CorpusText) if row.kind == "plain"]
        for path in (heldout, corpus)
    }
    with cache_beside(output, loaded) as cache:
        evaluation = evaluate_axis(
            loaded,
            axis,
            (),
            ShuffledVectors({}),
            read_prompts(prompts, axis),
            texts[heldout],
            texts[corpus],
            params.model_copy(update={"methods": ["reft"], "prefixes": [], "baselines": []}),
            seed,
            cache=cache,
        )
        auto = read_auto(params_path, loaded.shape, "evaluation")
        result = summarize_evaluation(evaluation, auto)
        with atomic_folder(output) as folder:
            evaluation.spec.save(folder / "spec")
        write_json(metrics, result.model_dump(mode="json"))
    columns = [result.baseline, *([result.selected] if result.selected else [])]
    print_table(
        f"{axis} on the test split: {result.selection.reason}",
        ["metric", "baseline", "selected"][: 1 + len(columns)],
        [[name, *(str(column.estimate(name)) for column in columns)] for name in SHOWN],
    )


if __name__ == "__main__":
    main()
