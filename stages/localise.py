"""Trace by activation patching where the answer about an item is carried, layer by layer."""

from pathlib import Path

import click

from stages.command import FolderPath, OutputPlace, print_table, stage

STRONGEST = 8
"""Heads of the stage's table; the JSON file has all."""


@stage
@click.option("--axis", required=True, help="Kind of bias.")
@click.option("--model", type=FolderPath, default=Path("models/base"), help="Model to patch.")
@click.option(
    "--prompts", type=FolderPath, default=Path("data/dataset/prompts"), help="What is asked."
)
@click.option(
    "--metrics",
    type=OutputPlace,
    default=Path("reports/metrics/localisation"),
    help="Folder for AXIS.json: effects with their intervals.",
)
def main(axis: str, model: Path, prompts: Path, metrics: Path, params_path: Path) -> None:
    """Trace by activation patching where the answer about an item is carried, layer by layer.

    The prompt of one item runs with activations that the prompt of an item of opposite association
    has: at the item, between, or at the last token, layer by layer, and head by head. The effect is
    the share of the difference of their answers that this moves.

    \b
    Example:
      python -m stages.localise --axis gender
    """
    from evenkeel.datasets.reading import read_prompts
    from evenkeel.files import write_json
    from evenkeel.localisation.measuring import localise
    from evenkeel.models.loading import load_model
    from evenkeel.params import load_params
    from evenkeel.statistics.estimate import Estimate

    (trust,) = load_params(params_path, "model.trust_remote_code")
    loaded = load_model(model, trust_remote_code=trust)
    seed, params = load_params(params_path, "seed", "localisation", model=loaded.shape)
    result = localise(loaded, axis, read_prompts(prompts, axis), params, seed)
    write_json(metrics / f"{axis}.json", result.model_dump(mode="json"))
    if not result.pairs:
        return
    print_table(
        f"{axis}: {result.pairs} pairs of items, whose log-odds are {result.gap} nats apart",
        ["layer", "place", "effect", "null", "first order", "p"],
        [
            [
                effect.layer, effect.role or f"head {effect.head}",
                str(Estimate(effect.effect, *(effect.effect_ci95 or ()))),
                effect.null, effect.first_order, effect.p,
            ]
            for effect in [*result.by_role, *result.strongest_heads[:STRONGEST]]
        ],
    )  # fmt: skip


if __name__ == "__main__":
    main()
