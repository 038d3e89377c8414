"""Put the selected interventions of all axes together, and measure what they do to each."""

from pathlib import Path

import click

from stages.command import FilePath, FolderPath, OutputFile, OutputFolder, print_table, stage


@stage
@click.option("--model", type=FolderPath, default=Path("models/base"), help="Model to steer.")
@click.option(
    "--vectors", type=FolderPath, default=Path("models/vectors"), help="Its vectors, by axis."
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
    help="Texts whose plain ones gates stay shut at.",
)
@click.option(
    "--evaluation",
    type=FolderPath,
    default=Path("reports/evaluation"),
    help="Folder with AXIS/intervention of each axis.",
)
@click.option(
    "--output",
    type=OutputFolder,
    default=Path("reports/evaluation_joint"),
    help="The joint intervention to deploy.",
)
@click.option(
    "--metrics",
    type=OutputFile,
    default=Path("reports/metrics/evaluation/joint.json"),
    help="Metrics with their intervals.",
)
def main(
    model: Path,
    vectors: Path,
    prompts: Path,
    heldout: Path,
    corpus: Path,
    evaluation: Path,
    output: Path,
    metrics: Path,
    params_path: Path,
) -> None:
    """Choose on validation how the axes' interventions act together; measure that on test.

    \b
    Example:
      python -m stages.evaluate_joint
    """
    from evenkeel.datasets.reading import intersections_of, read_prompts
    from evenkeel.datasets.records import CorpusText
    from evenkeel.evaluation.composing import Selected
    from evenkeel.evaluation.joint import JointEvaluation
    from evenkeel.files import atomic_folder, read_jsonl, write_json
    from evenkeel.models.loading import load_model
    from evenkeel.params import load_params
    from evenkeel.steering.spec import InterventionSpec
    from evenkeel.vectors.vector_set import VectorSet

    (trust,) = load_params(params_path, "model.trust_remote_code")
    loaded = load_model(model, trust_remote_code=trust)
    seed, params = load_params(params_path, "seed", "evaluation", model=loaded.shape)
    joint = JointEvaluation(
        loaded,
        {
            axis: Selected(
                InterventionSpec.load(evaluation / axis / "intervention"),
                VectorSet.load(vectors / axis / "vectors").vectors,
                read_prompts(prompts, axis),
            )
            for axis in params.axes
        },
        intersections_of(prompts, params.axes),
        [row.text for row in read_jsonl(heldout, CorpusText) if row.kind == "plain"],
        [row.text for row in read_jsonl(corpus, CorpusText) if row.kind == "plain"],
        params,
        seed,
    )
    result = joint.measure()
    with atomic_folder(output) as folder:
        joint.spec.save(folder / "intervention")
    write_json(metrics, result.model_dump(mode="json"))
    columns = ("bias_reduction", "definitional_accuracy", "mean_log_odds", "perplexity_ratio")
    print_table(
        f"all interventions together, {result.composition}",
        ["axis", *columns, "alone"],
        [
            [
                axis,
                *(str(each.selected.estimate(name)) for name in columns),
                str(each.alone.estimate("bias_reduction")),
            ]
            for axis, each in (result.axes | result.intersections).items()
        ],
    )


if __name__ == "__main__":
    main()
