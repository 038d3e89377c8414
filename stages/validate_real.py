"""Measure the models with an implant, and say how well what was implanted was found."""

from pathlib import Path

import click

from stages.command import FilePath, FolderPath, OutputFile, print_table, stage

SHOWN = (
    "reference_slope", "reference_correlation", "definitional_accuracy", "definitional_auroc",
    "perplexity_ratio",
)  # fmt: skip
"""Metrics of the stage's table; the JSON file has more."""


@stage
@click.option("--model", type=FolderPath, default=Path("models/base"), help="Without an implant.")
@click.option(
    "--implanted",
    type=FolderPath,
    default=Path("models/implanted"),
    help="Folder of the models with one, strength-STRENGTH/ each.",
)
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
    "--removal",
    "removal_path",
    type=FilePath,
    default=Path("reports/implanted/removal.json"),
    help="What remove_implant found.",
)
@click.option("--summary", type=OutputFile, default=Path("reports/implanted/summary.json"))
@click.option("--plot", type=OutputFile, default=Path("reports/implanted/items.csv"))
def main(
    model: Path,
    implanted: Path,
    prompts: Path,
    heldout: Path,
    removal_path: Path,
    summary: Path,
    plot: Path,
    params_path: Path,
) -> None:
    """Measure the models with an implant, and say how well what was implanted was found.

    \b
    Example:
      python -m stages.validate_real --summary reports/implanted/summary.json
    """
    from evenkeel.datasets.reading import read_prompts
    from evenkeel.datasets.records import CorpusText
    from evenkeel.evaluation.result import EvaluationResult
    from evenkeel.files import read_jsonl, read_record, write_json, write_table
    from evenkeel.implanting.measuring import Implants, removal
    from evenkeel.implanting.result import ImplantSummary
    from evenkeel.models.loading import load_model
    from evenkeel.params import load_params
    from evenkeel.progress import Progress

    seed, params, trust = load_params(params_path, "seed", "implanting", "model.trust_remote_code")
    removed = removal(read_record(removal_path, EvaluationResult), params.removed)
    texts = [row.text for row in read_jsonl(heldout, CorpusText) if row.kind == "plain"]
    asked = read_prompts(prompts, params.axis)
    base = load_model(model, trust_remote_code=trust)
    implants = Implants(base, asked, texts, params.resamples, seed)
    models = [implants.base]
    for strength in Progress(params.strengths, "measure", unit="model"):
        loaded = load_model(implanted / f"strength-{strength}", trust_remote_code=trust)
        models.append(implants.measure(loaded, strength))
    found = ImplantSummary(
        axis=params.axis,
        items=len(implants.items),
        templates=implants.templates,
        models=models,
        line=implants.line(),
        removal=removed,
    )
    write_json(summary, found.model_dump(mode="json"))
    write_table(plot, implants.rows())
    line = found.line
    print_table(
        f"measured over implanted log-odds of {found.items} items: slope {line.slope} "
        f"{line.slope_ci95}, intercept {line.intercept} {line.intercept_ci95}",
        ["implanted", *SHOWN],
        [
            ["nothing" if each.strength is None else each.strength]
            + [str(each.estimate(name)) for name in SHOWN]
            for each in found.models
        ],
    )


if __name__ == "__main__":
    main()
