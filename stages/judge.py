"""Have sampled texts judged, by a judge whose accuracy on labelled texts is measured first."""

import os
from pathlib import Path

import click

from stages.command import FilePath, FolderPath, OutputPlace, print_table, stage


@stage
@click.option("--axis", required=True, help="Kind of bias.")
@click.option("--model", type=FolderPath, default=Path("models/base"), help="Model to steer.")
@click.option(
    "--prompts", type=FolderPath, default=Path("data/dataset/prompts"), help="What is continued."
)
@click.option(
    "--statements",
    type=FilePath,
    default=Path("data/dataset/statements.jsonl"),
    help="Labelled texts, beside those made of prompts.",
)
@click.option(
    "--evaluation",
    type=FolderPath,
    default=Path("reports/evaluation"),
    help="What the stage evaluate wrote: AXIS/intervention is applied.",
)
@click.option(
    "--output",
    type=OutputPlace,
    default=Path("reports/judging"),
    help="Folder for AXIS.jsonl: every text with its verdict.",
)
@click.option(
    "--metrics",
    type=OutputPlace,
    default=Path("reports/metrics/judging"),
    help="Folder for AXIS.json: the judge's accuracy, and shares with their intervals.",
)
@click.option(
    "--cache",
    type=FolderPath,
    default=Path(".cache/requests"),
    help="Answers that were paid for, kept for good (backend openai).",
)
def main(
    axis: str,
    model: Path,
    prompts: Path,
    statements: Path,
    evaluation: Path,
    output: Path,
    metrics: Path,
    cache: Path,
    params_path: Path,
) -> None:
    """Have sampled texts judged, by a judge whose accuracy on labelled texts is measured first.

    The judge says of each text with which group it associates its item, and is not told whether the
    text was steered. Its shares are withheld unless its accuracy is above chance. Nothing is judged
    where judging.backend is none.

    \b
    Example:
      python -m stages.judge --axis gender
    """
    from evenkeel.files import write_json, write_jsonl
    from evenkeel.judging.result import Judging
    from evenkeel.params import load_params

    (params,) = load_params(params_path, "judging")
    if params.backend == "none":
        write_jsonl(output / f"{axis}.jsonl", [])
        write_json(metrics / f"{axis}.json", Judging.of_nothing(axis).model_dump(mode="json"))
        return
    from evenkeel.datasets.reading import read_prompts
    from evenkeel.datasets.records import Statement
    from evenkeel.files import read_jsonl
    from evenkeel.interpretation.chat import connect
    from evenkeel.judging.chat import SETTING, ChatJudge
    from evenkeel.judging.judges import Judge, LexiconJudge, group_words
    from evenkeel.judging.measuring import judge_axis
    from evenkeel.judging.sampling import sample_pairs
    from evenkeel.judging.texts import labelled_texts
    from evenkeel.models.loading import load_model
    from evenkeel.steering.spec import InterventionSpec

    (trust,) = load_params(params_path, "model.trust_remote_code")
    loaded = load_model(model, trust_remote_code=trust)
    seed, openai, generation, batch_size = load_params(
        params_path, "seed", "interpretation.openai", "evaluation.generation",
        "evaluation.batch_size", model=loaded.shape,
    )  # fmt: skip
    of_axis = read_prompts(prompts, axis)
    of_statements = [row for row in read_jsonl(statements, Statement) if row.axis == axis]
    labelled = labelled_texts(of_axis, of_statements, params.calibration_per_item, seed)
    spec = InterventionSpec.load(evaluation / axis / "intervention")
    words = group_words(axis, of_axis)
    judge: Judge = LexiconJudge(words)
    if params.backend == "openai":
        judge = ChatJudge(connect(openai, os.environ, cache, SETTING), list(words))
    pairs = sample_pairs(loaded, spec, of_axis, generation, batch_size, seed)
    result, rows = judge_axis(judge, axis, labelled, pairs, params.resamples, seed)
    write_jsonl(output / f"{axis}.jsonl", rows)
    write_json(metrics / f"{axis}.json", result.model_dump(mode="json"))
    print_table(
        f"{axis}, judged: {result.withheld or f'{result.texts} texts of {result.items} items'}",
        ["texts", "share", "value"],
        [[texts, share, str(estimate)] for texts, share, estimate in result.table],
    )


if __name__ == "__main__":
    main()
