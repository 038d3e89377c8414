"""Measure every organism of the validation, and say how well the truth was found."""

from pathlib import Path

import click

from stages.command import FilePath, FolderPath, print_table, stage


@stage
@click.option("--organisms", type=FolderPath, default=Path("validation/organisms"))
@click.option("--summary", type=FilePath, default=Path("validation/summary.json"))
@click.option("--plot", type=FilePath, default=Path("validation/recovery.csv"))
def main(organisms: Path, summary: Path, plot: Path, params_path: Path) -> None:
    """Measure every organism of the validation, and say how well the truth was found.

    \b
    Example:
      python -m stages.validate --params validation/params.yaml
    """
    import pandas as pd
    from tqdm import tqdm

    from evenkeel.axes import same_strength
    from evenkeel.datasets.prompts import make_prompts
    from evenkeel.evaluation.ground_truth import measure_organism, summarize
    from evenkeel.files import write_json, write_text
    from evenkeel.models.loading import load_model
    from evenkeel.organism.corpus import make_corpus
    from evenkeel.params import load_validation_params

    params = load_validation_params(params_path)
    full = same_strength(1.0)
    asked = make_prompts(["gender"], full, params.seed, lead_ins=True)
    _, heldout = make_corpus(1000, params.heldout_texts, params.seed, full)
    texts = [row.text for row in heldout if row.kind == "plain"]
    planted = {f"twin-{seed}": 0.0 for seed in params.twins}
    planted |= {f"strength-{strength}": strength for strength in params.strengths}
    measured = [
        measure_organism(
            name,
            strength,
            load_model(organisms / name),
            asked,
            texts,
            params.permutations,
            params.seed,
        )
        for name, strength in tqdm(planted.items(), "measure", unit="organism", disable=None)
    ]
    rows = [organism.row for organism in measured]
    found = summarize(measured, params.level, params.min_definitional_accuracy)
    write_json(summary, found)
    write_text(plot, pd.DataFrame(rows).to_csv(index=False, float_format="%.6g"))
    twins, line = found["false_positives"], found["recovery"]
    print_table(
        f"bias found in {twins['found']} of {twins['of']} unbiased twins; measured over planted "
        f"strength: slope {line['slope']} {line['slope_ci95']}",
        list(rows[0]),
        [list(row.values()) for row in rows],
    )


if __name__ == "__main__":
    main()
