"""Compute steering vectors of every method, axis, site and layer."""

from pathlib import Path

import click

from stages.command import (
    AnyPath,
    FilePath,
    FolderPath,
    OutputFile,
    OutputFolder,
    print_table,
    stage,
)


@click.option(
    "--activations",
    type=AnyPath,
    default=Path("data/activations/statements.h5"),
    help="Store of the statements' activations.",
)
@click.option(
    "--probes", "probes_path", type=FolderPath, default=Path("models/probes"), help="Its probes."
)
@click.option(
    "--model", "model_path", type=FolderPath, default=Path("models/base"), help="Its model."
)
@click.option(
    "--sae", "sae_path", type=FolderPath, default=Path("models/sae"), help="SAE of the model."
)
@click.option(
    "--features",
    "features_path",
    type=FilePath,
    default=Path("data/features/features.parquet"),
    help="What the SAE's features go with.",
)
@click.option(
    "--prompts",
    "prompts_path",
    type=FolderPath,
    default=Path("data/dataset/prompts"),
    help="Prompts that methods bipo and reps are trained on.",
)
@click.option(
    "--output", type=OutputFolder, default=Path("models/vectors"), help="Vectors to write."
)
@click.option(
    "--metrics",
    type=OutputFile,
    default=Path("reports/metrics/vectors.json"),
    help="Metrics to write.",
)
@stage
def main(
    activations: Path,
    probes_path: Path,
    model_path: Path,
    sae_path: Path,
    features_path: Path,
    prompts_path: Path,
    output: Path,
    metrics: Path,
    params_path: Path,
) -> None:
    """Compute steering vectors of every method, axis, site and layer.

    \b
    Example:
      python -m stages.compute_vectors --output models/vectors
    """
    from typing import get_args

    from evenkeel.activations.store import ActivationStore
    from evenkeel.datasets.reading import read_prompts
    from evenkeel.files import atomic_folder, write_json
    from evenkeel.learning.vectors import Trained, train_vectors
    from evenkeel.models.loading import load_model
    from evenkeel.models.sites import HookPoint
    from evenkeel.params import PreferenceMethod, load_params, read_auto
    from evenkeel.probes.probe_set import ProbeSet
    from evenkeel.probes.statements import statements_of
    from evenkeel.sae.loading import open_sae
    from evenkeel.sae.results import read_table
    from evenkeel.vectors.actadd import axis_differences, text_pairs
    from evenkeel.vectors.computing import compute_vectors
    from evenkeel.vectors.decoder import DecoderRows
    from evenkeel.vectors.erasers import EraserSet
    from evenkeel.vectors.group_term import group_term_streams
    from evenkeel.vectors.nullspaces import fit_erasers
    from evenkeel.vectors.summary import best_rows, vector_metrics
    from evenkeel.vectors.vector_set import VectorSet

    (trust,) = load_params(params_path, "model.trust_remote_code")
    loaded = load_model(model_path, trust_remote_code=trust)
    seed, params = load_params(params_path, "seed", "vectors", model=loaded.shape)
    with ActivationStore.open(activations) as store:
        probes = ProbeSet.load(probes_path) if "probe" in params.methods else None
        actadd = group_terms = None
        trained: dict[str, Trained] = {}
        to_train = set(params.methods) & set(get_args(PreferenceMethod))
        axes = sorted(set(statements_of(store)["axis"]))
        store.require_model(loaded.fingerprint)
        points = [HookPoint.of(site, layer) for site in store.sites for layer in store.layers(site)]
        if "actadd" in params.methods:
            actadd = axis_differences(loaded, points, text_pairs(params.actadd, axes))
        if "term" in params.methods:
            group_terms = group_term_streams(loaded, statements_of(store), points)
        if to_train:
            prompts = {axis: read_prompts(prompts_path, axis) for axis in axes}
            trained = train_vectors(loaded, store, prompts, params, seed)
        decoder = None
        if "sae" in params.methods:
            sae, table = open_sae(sae_path), read_table(features_path)
            decoder = DecoderRows.of(sae, table, store, params.sae)
        results, shuffled = compute_vectors(
            store,
            params,
            seed,
            probes=probes,
            actadd=actadd,
            group_terms=group_terms,
            decoder=decoder,
            trained={axis: of_axis.directions for axis, of_axis in trained.items()},
            tokens_trained={axis: of_axis.tokens_read for axis, of_axis in trained.items()},
        )
        erasers = fit_erasers(store, params)
    vectors = VectorSet.of(result.vector for result in results if result.vector)
    with atomic_folder(output) as folder:
        for axis, of_axis in vectors.by_axis.items():
            of_axis.save(folder / axis / "vectors")
            nulls = shuffled[axis]
            nulls = trained[axis].beside(nulls) if axis in trained else nulls
            nulls.save(folder / axis / "shuffled.safetensors")
            EraserSet(erasers.select(axis=axis)).save(folder / axis / "erasers")
    auto = read_auto(params_path, loaded.shape, "vectors")
    write_json(metrics, vector_metrics(results) | {"auto": auto})
    columns = ["axis", "method", "site", "layer", "separation_auroc", "cosine_with_group"]
    print_table(
        f"Best separated of {len(vectors)} vectors for each axis and method (validation)",
        [name.replace("_", " ") for name in columns],
        [[row[name] for name in columns] for row in best_rows(results)],
    )


if __name__ == "__main__":
    main()
