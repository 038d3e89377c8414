"""Put the selected interventions of all axes together, and measure what they do to each."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stages.command import FilePath, FolderPath, OutputFile, OutputFolder, print_table, stage

if TYPE_CHECKING:
    from evenkeel.evaluation.result import JointAxis

OF_AXES = ("bias_reduction", "definitional_accuracy", "mean_log_odds", "perplexity_ratio")
OF_INTERSECTIONS = tuple(
    f"{name}_item_given_group" for name in ("bias_reduction", "mean_log_odds", "item_spread")
)
"""No prompt of two axes asks for the group."""


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
    from evenkeel.datasets.records import CorpusText, trained_on
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
    of_axes = {axis: VectorSet.load(vectors / axis / "vectors").vectors for axis in params.axes}
    for axis, of_axis in of_axes.items():
        loaded.require_own(vectors / axis, [vector.metadata for vector in of_axis])
    joint = JointEvaluation(
        loaded,
        {
            axis: Selected(
                InterventionSpec.load(evaluation / axis / "intervention"),
                of_axes[axis],
                trained_on(read_prompts(prompts, axis), further=params.reft.further_items),
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
    _print(f"all interventions together, {result.composition}", "axis", result.axes, OF_AXES)
    if result.intersections:
        _print("prompts of two axes", "axes", result.intersections, OF_INTERSECTIONS)


def _print(title: str, kind: str, rows: "Mapping[str, JointAxis]", columns: Sequence[str]) -> None:
    """Measures under all interventions, and bias reduction under the axis's own as well."""
    reduction = next(name for name in columns if name.startswith("bias_reduction"))
    print_table(
        title,
        [kind, *columns, "alone"],
        [
            [
                name,
                *(str(each.selected.estimate(column)) for column in columns),
                str(each.alone.estimate(reduction)),
            ]
            for name, each in rows.items()
        ],
    )


if __name__ == "__main__":
    main()
