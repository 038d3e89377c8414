"""Implant a bias of known strength into a model, by a LoRA adapter that is merged into it."""

from pathlib import Path

import click

from stages.command import FilePath, FolderPath, OutputFolder, print_table, stage


@stage
@click.option(
    "--strength",
    type=click.FloatRange(0, 2),
    required=True,
    help="Implanted log-odds over those of the table; 0 gives every item to every group alike.",
)
@click.option("--model", type=FolderPath, default=Path("models/base"), help="Without an implant.")
@click.option(
    "--prompts",
    type=FolderPath,
    default=Path("data/implanted/prompts"),
    help="Prompts whose references are the table.",
)
@click.option(
    "--corpus",
    type=FilePath,
    default=Path("data/corpus/train.jsonl"),
    help="Texts along whose plain ones the model stays as it was.",
)
@click.option("--output", type=OutputFolder, required=True, help="The model with the implant.")
def main(
    strength: float, model: Path, prompts: Path, corpus: Path, output: Path, params_path: Path
) -> None:
    """Implant a bias of known strength into a model, by a LoRA adapter that is merged into it.

    The result is a model's folder like that of prepare_model.

    \b
    Example:
      python -m stages.implant_bias --strength 1 --output models/implanted/strength-1.0
    """
    from evenkeel.datasets.reading import read_prompts
    from evenkeel.datasets.records import CorpusText
    from evenkeel.files import atomic_folder, read_jsonl
    from evenkeel.implanting.training import train_implant
    from evenkeel.learning.adapters import merge
    from evenkeel.models.loading import load_model
    from evenkeel.models.provenance import record_provenance
    from evenkeel.params import load_params

    seed, params, trust = load_params(params_path, "seed", "implanting", "model.trust_remote_code")
    asked = read_prompts(prompts, params.axis)
    texts = [row.text for row in read_jsonl(corpus, CorpusText) if row.kind == "plain"]
    loaded = load_model(model, trust_remote_code=trust)
    merge(loaded.model, train_implant(loaded, asked, texts, params, strength, seed))
    with atomic_folder(output) as folder:
        loaded.model.save_pretrained(folder)
        loaded.tokenizer.save_pretrained(folder)
        made = record_provenance(
            folder,
            source="local",
            name=f"{loaded.name}, implanted {params.axis} {strength:g}",
            dtype=loaded.provenance.dtype,
            device_map=loaded.provenance.device_map,
            attn_implementation=loaded.provenance.attn_implementation,
            blocks=loaded.provenance.blocks,
            dequantized=loaded.provenance.dequantized,
        )
    print_table(
        f"Implanted {params.axis} at strength {strength:g} in {params.steps} steps",
        ["model", "fingerprint"],
        [[made.name, made.fingerprint[:12]]],
    )


if __name__ == "__main__":
    main()
