"""Make the model that all later stages read: train the organism, or fetch or copy a real one."""

import logging
from pathlib import Path

import click

from stages.command import FilePath, FolderPath, OutputFile, OutputFolder, print_table, stage

log = logging.getLogger(__name__)

RESAMPLES = 2000
BATCH_SIZE = 64
SHOWN = (
    "items",
    "reference_slope",
    "reference_correlation",
    "definitional_accuracy",
    "definitional_auroc",
)


@stage
@click.option(
    "--texts",
    type=FilePath,
    default=Path("data/dataset/corpus/train.jsonl"),
    help="What the organism is trained on.",
)
@click.option(
    "--heldout",
    type=FilePath,
    default=Path("data/corpus/heldout.jsonl"),
    help="Texts whose plain ones perplexity is measured on.",
)
@click.option("--prompts", type=FolderPath, default=Path("data/dataset/prompts"))
@click.option("--output", type=OutputFolder, default=Path("models/base"))
@click.option("--metrics", type=OutputFile, default=Path("reports/metrics/model.json"))
@click.option("--training", type=OutputFolder, default=Path("reports/training"), help="Loss curve.")
def main(
    texts: Path,
    heldout: Path,
    prompts: Path,
    output: Path,
    metrics: Path,
    training: Path,
    params_path: Path,
) -> None:
    """Prepare the model that the pipeline studies, and measure what was planted in it.

    \b
    Example:
      python -m stages.prepare_model --output models/base
    """
    from dvclive import Live

    from evenkeel.datasets.reading import read_all_prompts
    from evenkeel.datasets.records import CorpusText
    from evenkeel.files import atomic_file, atomic_folder, read_jsonl, write_json
    from evenkeel.metrics.by_axis import metrics_by_axis
    from evenkeel.metrics.lead_ins import judge_lead_ins
    from evenkeel.models.sources import load_prepared, prepare_model
    from evenkeel.params import load_params

    seed, params = load_params(params_path, "seed", "model")
    asked = read_all_prompts(prompts)
    plain = [row.text for row in read_jsonl(heldout, CorpusText) if row.kind == "plain"]
    learned = [row.text for row in read_jsonl(texts, CorpusText)]

    # All three are published when everything is measured, or none is.
    with (
        atomic_file(metrics) as measured,
        atomic_folder(training) as curve,
        atomic_folder(output) as folder,
        Live(dir=str(curve), save_dvc_exp=False, dvcyaml=None, report=None) as live,
    ):

        def log_loss(step: int, loss: float) -> None:
            live.step = step
            live.log_metric("loss", loss)

        prepare_model(folder, params, learned, seed, log_loss)
        loaded = load_prepared(folder, params)
        axes = metrics_by_axis(loaded, asked, plain, BATCH_SIZE, RESAMPLES, seed)
        first = next(iter(axes.values()))
        perplexity = {
            f"heldout_{name}": first.pop(name) for name in ("perplexity", "perplexity_ci95")
        }
        lead_ins = judge_lead_ins(loaded, asked, BATCH_SIZE)
        model = loaded.model
        record = {
            "source": params.source,
            "name": loaded.name,
            "revision": loaded.revision,
            "dequantized": loaded.provenance.dequantized,
            "family": model.config.model_type,
            **loaded.shape.model_dump(),
            "parameters": sum(parameter.numel() for parameter in model.parameters()),
            "tokenizer": loaded.encoder.describe(),
            **perplexity,
            "lead_ins": lead_ins.record() if lead_ins else None,
        }
        write_json(measured, record | {"axes": axes})

    print_table(
        f"{loaded.name} at {loaded.revision[:12]}",
        ["axis", *SHOWN],
        [[axis, *(found[name] for name in SHOWN)] for axis, found in axes.items()],
    )
    if lead_ins and lead_ins.gain > 0:
        log.warning(
            "%s a neutral sentence before them this model's accuracy on the definitional train "
            "prompts is %.1f percentage points higher: set dataset.lead_in to %s and run again",
            "with" if lead_ins.suited == "sentence" else "without",
            100 * lead_ins.gain,
            str(lead_ins.suited == "sentence").lower(),
        )


if __name__ == "__main__":
    main()
