"""Write the report: one page that says what was found, what was done, and how sure that is."""

from pathlib import Path
from typing import Any

import click

from stages.command import FilePath, FolderPath, OutputFile, OutputFolder, print_table, stage

SECTIONS = (
    "dataset", "model", "activations", "sae", "features", "interpretation", "probes", "vectors",
    "evaluation", "benchmarks",
)  # fmt: skip
INPUTS = {
    "model": "reports/metrics/model.json",
    "probes": "reports/metrics/probes.json",
    "projections": "reports/plots/projections.csv",
    "sae": "reports/metrics/sae.json",
    "features": "data/features/features.parquet",
    "contexts": "data/features/contexts.jsonl",
    "interpretations": "data/features/interpretations.jsonl",
    "evaluation": "reports/metrics/evaluation.json",
    "sweep": "reports/plots/evaluation_sweep.csv",
    "frontier": "reports/plots/evaluation_frontier.csv",
    "nulls": "reports/plots/evaluation_nulls.csv",
    "doses": "reports/plots/evaluation_dose.csv",
    "occupations": "reports/plots/evaluation_occupations.csv",
    "continuations": "reports/evaluation/continuations.jsonl",
}
"""What the page is made from, each an option of its own."""


def _input_options(function: Any) -> Any:
    for name, path in reversed(INPUTS.items()):
        function = click.option(f"--{name}", type=FilePath, default=Path(path))(function)
    return function


@stage
@_input_options
@click.option(
    "--validation",
    type=FolderPath,
    default=Path("reports/validation"),
    help="What `make validate` found, if it was run.",
)
@click.option(
    "--benchmarks",
    type=FolderPath,
    default=Path("reports/metrics/benchmarks"),
    help="What those found that params.yaml names.",
)
@click.option(
    "--pipeline", type=FilePath, default=Path("dvc.yaml"), help="Stages, to be drawn as a graph."
)
@click.option("--output", type=OutputFile, default=Path("reports/report.html"), help="The page.")
@click.option(
    "--figures",
    "figures_path",
    type=OutputFolder,
    default=Path("reports/figures"),
    help="Its figures, each as PNG, SVG and CSV.",
)
def main(
    validation: Path,
    benchmarks: Path,
    pipeline: Path,
    output: Path,
    figures_path: Path,
    params_path: Path,
    **inputs: Path,
) -> None:
    """Write one page of what was found, what steering did, what it cost and how sure that is.

    \b
    Example:
      python -m stages.report --output reports/report.html
    """
    from evenkeel.files import atomic_folder, write_text
    from evenkeel.params import load_params
    from evenkeel.reporting.gathering import gather_results
    from evenkeel.reporting.page import make_page

    seed, report, *sections = load_params(params_path, "seed", "report", *SECTIONS)
    shown = {name: section.model_dump() for name, section in zip(SECTIONS, sections, strict=True)}
    chosen = shown["benchmarks"]
    results = gather_results(
        inputs,
        validation,
        [benchmarks / f"{name}.json" for name in chosen["run"]],
        [benchmarks / "harness" / f"{task}.json" for task in chosen["harness"]["tasks"]],
        pipeline,
    )
    page = make_page(results, report.title, {"seed": seed} | shown)
    with atomic_folder(figures_path) as folder:
        for drawing in page.drawings:
            (folder / f"{drawing.name}.png").write_bytes(drawing.png())
            write_text(folder / f"{drawing.name}.svg", drawing.svg())
            write_text(folder / f"{drawing.name}.csv", drawing.csv())
    write_text(output, page.html)
    pictures = [figures_path / f"{drawing.name}.png" for drawing in page.drawings]
    rows = [[path, path.stat().st_size / 1e3] for path in (output, *pictures)]
    print_table("report", ["file", "kB"], rows)


if __name__ == "__main__":
    main()
