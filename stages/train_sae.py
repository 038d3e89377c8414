"""Train a sparse autoencoder on the corpus's activations, or load one, and measure it."""

from pathlib import Path
from typing import Any

import click

from stages.command import (
    AnyPath,
    FolderPath,
    OutputFile,
    OutputFolder,
    executor_options,
    print_table,
    stage,
)

MEASURES = ("explained_variance", "ce_loss_recovered", "l0", "dead_fraction")


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
@stage
@executor_options
def main(
    activations: Path,
    model_path: Path,
    output: Path,
    metrics: Path,
    executor: Any,
    params_path: Path,
) -> None:
    """Train a sparse autoencoder on the corpus's activations, or load one, and measure it.

    SAEs are written in SAELens's format: SAE.load_from_disk reads them. With sae.training.layers
    several are trained, one a worker, and those of further layers lie in layers/ of the output.

    \b
    Examples:
      python -m stages.train_sae --activations data/activations/corpus.h5 --output models/sae
      python -m stages.train_sae --workers 2
    """
    from evenkeel.activations.shard_job import ModelFolder
    from evenkeel.activations.store import ActivationStore
    from evenkeel.files import atomic_folder, write_json
    from evenkeel.models.loading import load_model
    from evenkeel.models.sites import HookPoint
    from evenkeel.params import load_params, read_auto
    from evenkeel.sae.job import LAYERS, write_saes
    from evenkeel.sae.quality import warn_of_quality

    (trust,) = load_params(params_path, "model.trust_remote_code")
    loaded = load_model(model_path, trust_remote_code=trust)
    seed, params = load_params(params_path, "seed", "sae", model=loaded.shape)
    folder = ModelFolder(model_path.absolute(), trust)
    with ActivationStore.open(activations) as store, atomic_folder(output) as part:
        written = write_saes(part, loaded, folder, store, params, seed, executor)
    records = []
    for record in written.values():
        which = f"the SAE at {record['hook_name']}" if len(written) > 1 else "the SAE"
        records.append({**record, "warnings": warn_of_quality(record, which)})
    first, *others = records
    further = {str(HookPoint.parse(each["hook_name"]).layer): each for each in others}
    whole = first | ({LAYERS: further} if further else {})
    write_json(metrics, whole | {"auto": read_auto(params_path, loaded.shape, "sae")})
    if further:
        columns = ["hook_name", *MEASURES]
        rows = [[record[name] for name in columns] for record in records]
        print_table(f"{len(rows)} SAEs in {output}", ["SAE at", *MEASURES], rows)
    else:
        rows = [[name, value] for name, value in first.items() if name != "warnings"]
        print_table(f"SAE at {first['hook_name']}", ["what", "value"], rows)


if __name__ == "__main__":
    main()
