"""Train one organism of the validation: a bias of known strength is planted in its corpus."""

from pathlib import Path

import click

from evenkeel.axes import AXES, same_strength
from stages.command import OutputFolder, stage


@stage
@click.option(
    "--strength",
    type=click.FloatRange(min=0),
    required=True,
    help="Planted bias of every axis that --axis does not name.",
)
@click.option(
    "--axis",
    "axes",
    type=(click.Choice(list(AXES)), click.FloatRange(min=0)),
    multiple=True,
    help="An axis and its own strength; may be repeated.",
)
@click.option(
    "--seed", type=click.IntRange(0, 2**63 - 1), required=True, help="Of corpus and weights."
)
@click.option("--output", type=OutputFolder, required=True, help="The trained model.")
def main(
    strength: float, axes: tuple[tuple[str, float], ...], seed: int, output: Path, params_path: Path
) -> None:
    """Train one organism of the validation: a bias of known strength is planted in its corpus.

    \b
    Example:
      python -m stages.plant_organism --strength 0 --seed 1 --output validation/organisms/twin-1 \\
        --params validation/params.yaml
      python -m stages.plant_organism --strength 0 --axis race 1 --seed 1 --output race-only \\
        --params validation/params.yaml
    """
    from evenkeel.files import atomic_folder
    from evenkeel.models.provenance import record_provenance
    from evenkeel.organism.corpus import make_corpus
    from evenkeel.organism.training import train_organism
    from evenkeel.params import load_validation_params

    params = load_validation_params(params_path)
    strengths = same_strength(strength) | dict(axes)
    train, _ = make_corpus(params.corpus_texts, 0, seed, strengths)
    model, tokenizer = train_organism([row.text for row in train], params.organism, seed)
    with atomic_folder(output) as folder:
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        record_provenance(folder, source="organism", name=output.name, dtype="float32")


if __name__ == "__main__":
    main()
