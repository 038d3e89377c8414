"""Write the report: one page that says what was found, what was done, and how sure that is."""

from pathlib import Path
from typing import Any

import click

from stages.command import FilePath, FolderPath, print_table, stage

SECTIONS = (
    "dataset", "model", "activations", "sae", "features", "interpretation", "probes", "vectors",
    "evaluation",
)  # fmt: skip
LIBRARIES = ("numpy", "sae-lens", "scikit-learn", "tokenizers", "torch", "transformers")
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
    "occupations": "reports/plots/evaluation_occupations.csv",
    "continuations": "reports/evaluation/continuations.jsonl",
    "pipeline": "dvc.yaml",
}
"""What the page is made from, each an option of its own."""


def _input_options(function: Any) -> Any:
    for name, path in reversed(INPUTS.items()):
        function = click.option(f"--{name}", type=FilePath, default=Path(path))(function)
    return function


@stage
@_input_options
@click.option("--output", type=FilePath, default=Path("reports/report.html"), help="The page.")
@click.option(
    "--figures",
    "figures_path",
    type=FolderPath,
    default=Path("reports/figures"),
    help="Its figures, each as PNG, SVG and CSV.",
)
def main(output: Path, figures_path: Path, params_path: Path, **inputs: Path) -> None:
    """Write one page of what was found, what steering did, what it cost and how sure that is.

    \b
    Example:
      python -m stages.report --output reports/report.html
    """
    import hashlib
    import platform
    from importlib.metadata import version

    from evenkeel.files import atomic_folder, read_jsonl, write_text
    from evenkeel.interpretation.records import Interpretation
    from evenkeel.params import load_params
    from evenkeel.reporting import results as kinds
    from evenkeel.reporting.cards import make_cards
    from evenkeel.reporting.lineage import read_lineage
    from evenkeel.reporting.page import make_page
    from evenkeel.reporting.reading import read_record, read_table
    from evenkeel.sae.results import Context
    from evenkeel.sae.results import read_table as read_features

    seed, report, *sections = load_params(params_path, "seed", "report", *SECTIONS)
    shown = {name: section.model_dump() for name, section in zip(SECTIONS, sections, strict=True)}
    interpretations = read_jsonl(inputs["interpretations"], Interpretation, may_be_empty=True)
    results = kinds.Results(
        model=read_record(inputs["model"], kinds.ModelInfo),
        probes=read_record(inputs["probes"], kinds.Probes),
        projections=read_table(inputs["projections"], kinds.ProjectionRow),
        sae=read_record(inputs["sae"], kinds.SaeInfo),
        cards=make_cards(
            read_features(inputs["features"]),
            read_jsonl(inputs["contexts"], Context),
            interpretations,
        ),
        evaluation=read_record(inputs["evaluation"], kinds.Evaluation),
        sweep=read_table(inputs["sweep"], kinds.SweepRow),
        occupations=read_table(inputs["occupations"], kinds.OccupationRow),
        continuations=read_jsonl(inputs["continuations"], kinds.Continuation),
        lineage=read_lineage(inputs["pipeline"]),
        inputs={
            str(path): hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
            for path in inputs.values()
        },
        versions={"python": platform.python_version()}
        | {name: version(name) for name in LIBRARIES},
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
