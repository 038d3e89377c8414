"""Write the report: one page that says what was found, what was done, and how sure that is."""

from pathlib import Path

import click

from stages.command import FilePath, FolderPath, print_table, stage

SECTIONS = ("dataset", "model", "activations", "probes", "vectors", "evaluation")


@stage
@click.option("--model", type=FilePath, default=Path("reports/metrics/model.json"))
@click.option("--probes", type=FilePath, default=Path("reports/metrics/probes.json"))
@click.option("--evaluation", type=FilePath, default=Path("reports/metrics/evaluation.json"))
@click.option("--sweep", type=FilePath, default=Path("reports/plots/evaluation_sweep.csv"))
@click.option(
    "--occupations", type=FilePath, default=Path("reports/plots/evaluation_occupations.csv")
)
@click.option(
    "--continuations", type=FilePath, default=Path("reports/evaluation/continuations.jsonl")
)
@click.option("--output", type=FilePath, default=Path("reports/report.html"), help="The page.")
@click.option(
    "--figures", type=FolderPath, default=Path("reports/figures"), help="Its figures as PNG."
)
def main(
    model: Path,
    probes: Path,
    evaluation: Path,
    sweep: Path,
    occupations: Path,
    continuations: Path,
    output: Path,
    figures: Path,
    params_path: Path,
) -> None:
    """Write one page of what was found, what steering did, what it cost and how sure that is.

    \b
    Example:
      python -m stages.report --output reports/report.html
    """
    from evenkeel.files import atomic_folder, read_jsonl, write_text
    from evenkeel.params import load_params
    from evenkeel.reporting.page import make_page
    from evenkeel.reporting.reading import read_record, read_table
    from evenkeel.reporting.results import (
        Continuation,
        Evaluation,
        ModelInfo,
        OccupationRow,
        Probes,
        Results,
        SweepRow,
    )

    seed, report, *sections = load_params(params_path, "seed", "report", *SECTIONS)
    shown = {name: section.model_dump() for name, section in zip(SECTIONS, sections, strict=True)}
    results = Results(
        model=read_record(model, ModelInfo),
        probes=read_record(probes, Probes),
        evaluation=read_record(evaluation, Evaluation),
        sweep=read_table(sweep, SweepRow),
        occupations=read_table(occupations, OccupationRow),
        continuations=read_jsonl(continuations, Continuation),
    )
    page = make_page(results, report.title, {"seed": seed} | shown)
    with atomic_folder(figures) as folder:
        for drawing in page.drawings:
            (folder / f"{drawing.name}.png").write_bytes(drawing.png())
    write_text(output, page.html)
    print_table(
        "report",
        ["file", "kB"],
        [
            [path, path.stat().st_size / 1e3]
            for path in (output, *(figures / f"{drawing.name}.png" for drawing in page.drawings))
        ],
    )


if __name__ == "__main__":
    main()
