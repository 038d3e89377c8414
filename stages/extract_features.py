"""Measure every latent of the SAE: its logit weights, when it fires, and what it goes with."""

from pathlib import Path
from typing import Any

import click

from stages.command import (
    AnyPath,
    FilePath,
    FolderPath,
    OutputFile,
    executor_options,
    print_table,
    stage,
)

SHOWN = 10


@click.option(
    "--statements",
    "statements_path",
    type=FilePath,
    default=Path("data/dataset/statements.jsonl"),
    help="Biased and neutral statements.",
)
@click.option(
    "--prompts", type=FolderPath, default=Path("data/dataset/prompts"), help="Definitions."
)
@click.option(
    "--activations",
    type=AnyPath,
    default=Path("data/activations/corpus.h5"),
    help="Store of every token at the SAE's place.",
)
@click.option("--model", "model_path", type=FolderPath, default=Path("models/base"), help="Model.")
@click.option("--sae", "sae_path", type=FolderPath, default=Path("models/sae"), help="SAE.")
@click.option(
    "--output",
    type=OutputFile,
    default=Path("data/features/features.parquet"),
    help="Table to write, one row a latent.",
)
@click.option(
    "--contexts",
    "contexts_path",
    type=OutputFile,
    default=Path("data/features/contexts.jsonl"),
    help="Texts to write in which latents fire, and do not.",
)
@click.option(
    "--top-words",
    "top_words_path",
    type=OutputFile,
    default=Path("data/features/top_words.json"),
    help="Top words of each latent, to write as JSON.",
)
@click.option(
    "--metrics", type=OutputFile, default=Path("reports/metrics/features.json"), help="Summary."
)
@stage
@executor_options
def main(
    statements_path: Path,
    prompts: Path,
    activations: Path,
    model_path: Path,
    sae_path: Path,
    output: Path,
    contexts_path: Path,
    top_words_path: Path,
    metrics: Path,
    executor: Any,
    params_path: Path,
) -> None:
    """Measure every latent of the SAE: its logit weights, when it fires, and what it goes with.

    \b
    Examples:
      python -m stages.extract_features --sae models/sae --output data/features/features.parquet
      python -m stages.extract_features --workers 2
    """
    from evenkeel.activations.shard_job import ModelFolder
    from evenkeel.activations.store import ActivationStore
    from evenkeel.datasets.reading import read_all_prompts
    from evenkeel.datasets.records import Statement
    from evenkeel.files import read_jsonl, write_json, write_jsonl
    from evenkeel.models.loading import load_model
    from evenkeel.params import load_params
    from evenkeel.sae.contexts import contexts
    from evenkeel.sae.corpus import Corpus
    from evenkeel.sae.feature_job import FeatureFiles, FeatureJob, Measured
    from evenkeel.sae.features import measure_features
    from evenkeel.sae.loading import open_sae
    from evenkeel.sae.parquet import write_parquet
    from evenkeel.sae.results import LEADING
    from evenkeel.sae.table import summary, top_words

    seed, params, trust = load_params(params_path, "seed", "features", "model.trust_remote_code")
    statements = read_jsonl(statements_path, Statement)
    asked = read_all_prompts(prompts)
    loaded = load_model(model_path, trust_remote_code=trust)
    sae = open_sae(sae_path)
    sae.require_fit(loaded.model)
    model = ModelFolder(model_path.absolute(), trust)
    files = FeatureFiles(model, sae_path.absolute(), activations.absolute())
    with ActivationStore.open(activations) as store:
        store.require_model(loaded.fingerprint)
        corpus = Corpus(store, sae.place, sae.first_position)
        measured = Measured(loaded, sae, corpus)
        job = FeatureJob(files if executor.apart else measured)
        with executor.started(job) as running:
            table, top, silent = measure_features(
                measured, statements, asked, params, seed, running
            )
        write_jsonl(contexts_path, contexts(corpus, top, silent, loaded.tokenizer))
    write_parquet(output, table)
    write_json(top_words_path, top_words(table))
    write_json(metrics, summary(table))
    shown = table.sort_values("kurtosis", ascending=False, kind="stable").head(SHOWN)
    rows = shown[LEADING].itertuples(index=False)
    print_table(
        f"The {len(shown)} of {len(table)} features with the most peaked logit weights",
        LEADING,
        [[*row[:-1], " ".join(word.strip() for word in row[-1])] for row in rows],
    )


if __name__ == "__main__":
    main()
