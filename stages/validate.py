"""Measure every organism of the validation, and say how well the truth was found."""

from pathlib import Path

import click

from stages.command import FolderPath, OutputFile, print_table, stage


@stage
@click.option("--organisms", type=FolderPath, default=Path("validation/organisms"))
@click.option("--summary", type=OutputFile, default=Path("validation/summary.json"))
@click.option("--plot", type=OutputFile, default=Path("validation/recovery.csv"))
def main(organisms: Path, summary: Path, plot: Path, params_path: Path) -> None:
    """Measure every organism of the validation, and say how well the truth was found.

    \b
    Example:
      python -m stages.validate --params validation/params.yaml
    """
    from evenkeel.axes import AXES, same_strength
    from evenkeel.datasets.prompts import make_prompts
    from evenkeel.evaluation.ground_truth import measure_organism, summarize
    from evenkeel.files import write_json, write_table
    from evenkeel.models.loading import load_model
    from evenkeel.params import load_validation_params
    from evenkeel.progress import Progress

    params = load_validation_params(params_path)
    prompts = make_prompts(list(AXES), same_strength(1.0), params.seed, lead_ins=True)
    none = same_strength(0.0)
    planted = {f"twin-{seed}": none for seed in params.twins}
    planted |= {f"alone-{axis}": none | {axis: 1.0} for axis in params.alone}
    planted |= {f"strength-{strength}": same_strength(strength) for strength in params.strengths}
    recoveries = [
        recovery
        for name, strengths in Progress(planted.items(), "measure", unit="organism")
        for recovery in measure_organism(
            name,
            strengths,
            load_model(organisms / name),
            prompts,
            params.permutations,
            params.seed,
        )
    ]
    truth = summarize(recoveries, params.level, params.min_definitional_accuracy)
    write_json(summary, truth.model_dump(mode="json"))
    rows = [recovery.row for recovery in recoveries]
    write_table(plot, rows)
    twins, line = truth.false_positives, truth.recovery["all"]
    print_table(
        f"bias found on {twins.found} of {twins.of} axes of unbiased twins; measured over planted "
        f"strength: slope {line.slope} {line.slope_ci95}",
        list(rows[0]),
        [list(row.values()) for row in rows],
    )


if __name__ == "__main__":
    main()
