"""Train a sparse autoencoder on the corpus's activations, or load one, and measure it."""

from pathlib import Path

import click

from stages.command import AnyPath, FolderPath, OutputFile, OutputFolder, print_table, stage


@stage
@click.option(
    "--activations",
    type=AnyPath,
    default=Path("data/activations/corpus.h5"),
    help="Store of every token at the SAE's place.",
)
@click.option("--model", "model_path", type=FolderPath, default=Path("models/base"), help="Model.")
@click.option("--output", type=OutputFolder, default=Path("models/sae"), help="SAE to write.")
@click.option(
    "--metrics",
    type=OutputFile,
    default=Path("reports/metrics/sae.json"),
    help="Measures to write.",
)
def main(
    activations: Path, model_path: Path, output: Path, metrics: Path, params_path: Path
) -> None:
    """Train a sparse autoencoder on the corpus's activations, or load one, and measure it.

    The SAE is written in SAELens's format: SAE.load_from_disk reads it.

    \b
    Example:
      python -m stages.train_sae --activations data/activations/corpus.h5 --output models/sae
    """
    import numpy as np

    from evenkeel.activations.store import ActivationStore
    from evenkeel.files import write_json
    from evenkeel.models.loading import load_model
    from evenkeel.params import load_params, read_auto
    from evenkeel.sae.corpus import Corpus
    from evenkeel.sae.loading import LoadedSae
    from evenkeel.sae.obtaining import obtain_module
    from evenkeel.sae.quality import ce_loss_recovered, measure_reconstruction, warn_of_quality
    from evenkeel.sae.saving import save_module

    (trust,) = load_params(params_path, "model.trust_remote_code")
    loaded = load_model(model_path, trust_remote_code=trust)
    seed, params = load_params(params_path, "seed", "sae", model=loaded.shape)
    with ActivationStore.open(activations) as store:
        store.require_model(loaded.fingerprint)
        sae = LoadedSae.of(obtain_module(params, store, loaded.name, seed))
        sae.require_fit(loaded.model)
        corpus = Corpus(store, sae.place, sae.first_position)
        sinks = corpus.sinks
        held_out = corpus.held_out(params.heldout_share, seed)
        measures, frequency = measure_reconstruction(sae, corpus, held_out)
        texts = np.split(store.input_ids, store.offsets[1:-1])
        heldout_texts = [texts[text] for text in np.flatnonzero(held_out)]
    pad = loaded.tokenizer.pad_token_id
    measures |= ce_loss_recovered(loaded.model, sae, heldout_texts, pad, sinks=sinks)
    save_module(output, sae.module, frequency)
    record = {
        "source": params.source,
        "architecture": sae.module.cfg.architecture(),
        "hook_name": sae.place.hook_name,
        "d_in": sae.d_in,
        "d_sae": sae.d_sae,
        "sinks": sinks,
        **measures,
    }
    auto = read_auto(params_path, loaded.shape, "sae")
    write_json(metrics, record | {"warnings": warn_of_quality(measures), "auto": auto})
    print_table(f"SAE at {sae.place.hook_name}", ["what", "value"], record.items())


if __name__ == "__main__":
    main()
