"""Have sampled texts of one kind of bias judged, by a judge whose accuracy was measured first."""

import os
from pathlib import Path

import click

from evenkeel.terminal import say
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
    help="Texts of known truth, beside those made of prompts.",
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
    """Have sampled texts judged, by a judge whose accuracy was measured first.

    The judge says of each text with which group it associates its item, and does not learn whether
    the text was steered. Does nothing where judging.backend is none.

    \b
    Example:
      python -m stages.judge --axis gender
    """
    from evenkeel.files import write_json, write_jsonl
    from evenkeel.judging.result import Judging
    from evenkeel.params import load_params

    (judging,) = load_params(params_path, "judging")
    if judging.backend == "none":
        write_jsonl(output / f"{axis}.jsonl", [])
        write_json(metrics / f"{axis}.json", Judging.of_nothing(axis).model_dump(mode="json"))
        return
    from evenkeel.datasets.reading import read_prompts
    from evenkeel.datasets.records import Statement
    from evenkeel.files import read_jsonl
    from evenkeel.interpretation.chat import connect
    from evenkeel.judging.chat import SETTING, ChatJudge
    from evenkeel.judging.judges import LexiconJudge, group_words
    from evenkeel.judging.measuring import judge_axis, judged_texts
    from evenkeel.judging.sampling import sample_pairs
    from evenkeel.judging.texts import known_texts
    from evenkeel.models.loading import load_model
    from evenkeel.statistics.estimate import Estimate
    from evenkeel.steering.spec import InterventionSpec

    (trust,) = load_params(params_path, "model.trust_remote_code")
    loaded = load_model(model, trust_remote_code=trust)
    seed, openai, generation, batch_size = load_params(
        params_path, "seed", "interpretation.openai", "evaluation.generation",
        "evaluation.batch_size", model=loaded.shape,
    )  # fmt: skip
    asked = read_prompts(prompts, axis)
    own = [row for row in read_jsonl(statements, Statement) if row.axis == axis]
    known = known_texts(asked, own, judging.calibration_per_item, seed)
    spec = InterventionSpec.load(evaluation / axis / "intervention")
    words = group_words(axis, asked)
    chat = None
    if judging.backend == "openai":
        chat = ChatJudge(connect(openai, os.environ, cache, SETTING), list(words))
    pairs = sample_pairs(loaded, spec, asked, generation, batch_size, seed)
    if chat:
        chat.announce(*judged_texts(known, pairs, seed))
    result, rows = judge_axis(
        chat or LexiconJudge(words), axis, known, pairs, judging.resamples, seed
    )
    if chat:
        result = result.model_copy(update={"usd": chat.client.bill().usd})
    write_jsonl(output / f"{axis}.jsonl", rows)
    write_json(metrics / f"{axis}.json", result.model_dump(mode="json"))
    if found := result.calibration:
        accuracy = Estimate(found.accuracy, *(found.accuracy_ci95 or ()))
        say(
            f"{axis}: accuracy of the judge {accuracy}, of one who does not read {found.chance:.3g}"
        )
    if result.withheld:
        say(f"{axis}: no share is given: {result.withheld}")
        return
    models = {"unsteered": result.unsteered, "steered": result.steered}
    shown = {name: shares for name, shares in models.items() if shares}
    print_table(
        f"{axis}, judged: {result.texts} texts of {result.items} items, by the group named",
        ["share of texts", *shown],
        [
            [level, *(_cell(shares, level) for shares in shown.values())]
            for level in ("stereotype", "counter", "none")
        ],
    )


def _cell(shares: object, level: str) -> str:
    from evenkeel.statistics.estimate import Estimate

    interval = getattr(shares, f"{level}_ci95")
    return str(Estimate(getattr(shares, level), *(interval or ())))


if __name__ == "__main__":
    main()
