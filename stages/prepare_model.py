"""Make the model that all later stages read: train the organism, or fetch or copy a real one."""

from pathlib import Path

import click

from stages.command import FilePath, FolderPath, print_table, stage


@stage
@click.option("--corpus", type=FilePath, default=Path("data/dataset/corpus/train.jsonl"))
@click.option("--heldout", type=FilePath, default=Path("data/dataset/corpus/heldout.jsonl"))
@click.option("--prompts", type=FilePath, default=Path("data/dataset/prompts.jsonl"))
@click.option("--output", type=FolderPath, default=Path("models/base"))
@click.option("--metrics", type=FilePath, default=Path("reports/metrics/model.json"))
@click.option("--training", type=FolderPath, default=Path("reports/training"), help="Loss curve.")
def main(
    corpus: Path,
    heldout: Path,
    prompts: Path,
    output: Path,
    metrics: Path,
    training: Path,
    params_path: Path,
) -> None:
    """Prepare the model that the pipeline studies.

    \b
    Example:
      python -m stages.prepare_model --output models/base
    """
