"""Write the report: one page that says what was found, what was done, and how sure that is."""

from pathlib import Path

import click

from stages.command import FilePath, FolderPath, OutputFile, OutputFolder, print_table, stage

SECTIONS = (
    "dataset", "model", "corpus", "activations", "sae", "features", "interpretation", "probes",
    "localisation", "vectors", "evaluation", "judging", "benchmarks",
)  # fmt: skip


@stage
@click.option("--metrics", type=FolderPath, default=Path("reports/metrics"), help="Of all stages.")
@click.option("--plots", type=FolderPath, default=Path("reports/plots"), help="Tables to draw.")
@click.option(
    "--texts",
    type=FolderPath,
    default=Path("reports/evaluation"),
    help="Continuations, in a folder an axis.",
)
@click.option("--features", type=FolderPath, default=Path("data/features"))
@click.option(
    "--validation",
    type=FolderPath,
    default=Path("reports/validation"),
    help="What `make validate` found, if it was run.",
)
@click.option(
    "--pipeline", type=FilePath, default=Path("dvc.yaml"), help="Stages, to be drawn as a graph."
)
@click.option("--output", type=OutputFile, default=Path("reports/report.html"), help="The page.")
@click.option(
    "--figures",
    type=OutputFolder,
    default=Path("reports/figures"),
    help="Its figures, each as PNG, SVG and CSV.",
)
def main(
    metrics: Path,
    plots: Path,
    texts: Path,
    features: Path,
    validation: Path,
    pipeline: Path,
    output: Path,
    figures: Path,
    params_path: Path,
) -> None:
    """Write one page of what was found, what steering did, what it cost and how sure that is.

    \b
    Example:
      python -m stages.report --output reports/report.html
    """
    from evenkeel.files import atomic_folder, write_text
    from evenkeel.params import load_params, read_auto
    from evenkeel.reporting.gathering import Folders, gather_results, read_shape
    from evenkeel.reporting.page import make_page

    shape = read_shape(metrics)
    seed, report, *sections = load_params(params_path, "seed", "report", *SECTIONS, model=shape)
    params = {name: section.model_dump() for name, section in zip(SECTIONS, sections, strict=True)}
    folders = Folders(metrics, plots, texts, features, validation)
    auto = read_auto(params_path, shape, *SECTIONS)
    results = gather_results(folders, pipeline, params, auto)
    page = make_page(results, report.title, {"seed": seed} | params)
    with atomic_folder(figures) as folder:
        for drawing in page.drawings:
            place = folder / drawing.name
            place.parent.mkdir(exist_ok=True)
            place.with_suffix(".png").write_bytes(drawing.png())
            write_text(place.with_suffix(".svg"), drawing.svg())
            write_text(place.with_suffix(".csv"), drawing.csv())
    write_text(output, page.html)
    sizes = [[output, output.stat().st_size / 1e3]]
    total = sum(path.stat().st_size for path in figures.rglob("*.png")) / 1e3
    sizes.append([f"{figures} ({len(page.drawings)} figures as PNG)", total])
    print_table("report", ["file", "kB"], sizes)


if __name__ == "__main__":
    main()
