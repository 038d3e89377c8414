"""Train a linear probe of every axis at every stored site and layer."""

from pathlib import Path
from typing import Any

import click

from stages.command import (
    AnyPath,
    OutputFile,
    OutputFolder,
    executor_options,
    print_table,
    stage,
)


@click.option(
    "--activations",
    type=AnyPath,
    default=Path("data/activations/statements.h5"),
    help="Store of the statements' activations.",
)
@click.option("--output", type=OutputFolder, default=Path("models/probes"), help="Probes to write.")
@click.option(
    "--metrics",
    type=OutputFile,
    default=Path("reports/metrics/probes.json"),
    help="Metrics to write.",
)
@click.option(
    "--plots",
    type=OutputFile,
    default=Path("reports/plots/probes.csv"),
    help="Table to write: a row an axis, site and layer.",
)
@click.option(
    "--projections",
    "projections_path",
    type=OutputFile,
    default=Path("reports/plots/projections.csv"),
    help="Table to write: a row a test statement, on two principal components.",
)
@stage
@executor_options
def main(
    activations: Path,
    output: Path,
    metrics: Path,
    plots: Path,
    projections_path: Path,
    executor: Any,
    params_path: Path,
) -> None:
    """Train a linear probe of every axis at every stored site and layer.

    Each tells biased from neutral statements; its accuracy and AUROC are measured on terms and
    templates that it never saw, beside a control task on random labels.

    \b
    Example:
      python -m stages.train_probes --activations data/activations/statements.h5
      python -m stages.train_probes --executor ray
    """
    from evenkeel.activations.store import ActivationStore
    from evenkeel.files import write_json, write_table
    from evenkeel.params import load_params
    from evenkeel.probes.projection import projections
    from evenkeel.probes.summary import probe_metrics, probe_table
    from evenkeel.probes.training import train_probes

    seed, params = load_params(params_path, "seed", "probes")
    with ActivationStore.open(activations) as store:
        probes = train_probes(store, params, seed, executor)
        plane = projections(store, probes)
    probes.save(output)
    write_json(metrics, probe_metrics(probes))
    write_table(plots, probe_table(probes), float_format=None)
    write_table(projections_path, plane, float_format="%.5g")
    best = [probes.best(axis) for axis in probes.axes]
    print_table(
        f"Best of {len(probes)} probes for each axis (chosen on validation, measured on test)",
        ["axis", "place", "accuracy", "AUROC", "selectivity"],
        [
            [
                probe.axis,
                f"{probe.site}/{probe.layer}",
                probe.metrics.accuracy,
                "{:.3f} [{:.3f}, {:.3f}]".format(probe.metrics.auroc, *probe.metrics.auroc_ci95),
                probe.metrics.selectivity,
            ]
            for probe in best
        ],
    )


if __name__ == "__main__":
    main()
