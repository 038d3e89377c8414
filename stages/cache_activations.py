"""Run a text set through the model once and keep the activations of the sites asked for."""

from pathlib import Path

import click

from stages.command import AnyPath, FolderPath, OutputFile, OutputStore, print_table, stage


@click.option(
    "--set",
    "name",
    type=click.Choice(["statements", "corpus"]),
    default="statements",
    help="Section of `activations` in the parameter file.",
)
@click.option(
    "--texts",
    "texts_path",
    type=AnyPath,
    default=Path("data/dataset/statements.jsonl"),
    help="Texts: .jsonl with a field `text`, plain text a line, or a saved dataset's folder.",
)
@click.option("--model", "model_path", type=FolderPath, default=Path("models/base"), help="Model.")
@click.option(
    "--output",
    type=OutputStore,
    default=Path("data/activations/statements.h5"),
    help="Store to write.",
)
@click.option(
    "--metrics",
    type=OutputFile,
    default=Path("reports/metrics/activations_statements.json"),
    help="Counts to write.",
)
@stage
def main(
    name: str, texts_path: Path, model_path: Path, output: Path, metrics: Path, params_path: Path
) -> None:
    """Run a text set through the model once and keep the activations of the sites asked for.

    A run that was killed goes on where it was when the same command is given again.

    \b
    Example:
      python -m stages.cache_activations --set corpus \\
        --texts data/dataset/corpus/train.jsonl --output data/activations/corpus.h5 \\
        --metrics reports/metrics/activations_corpus.json
    """
    import time
    from dataclasses import asdict

    from evenkeel.activations.sources import open_texts
    from evenkeel.activations.space import size_text
    from evenkeel.activations.writer import write_store
    from evenkeel.files import write_json
    from evenkeel.models.loading import load_model
    from evenkeel.params import load_params, read_auto

    (trust,) = load_params(params_path, "model.trust_remote_code")
    texts = open_texts(texts_path)
    loaded = load_model(model_path, trust_remote_code=trust)
    section = f"activations.{name}"
    (params,) = load_params(params_path, section, model=loaded.shape)
    started = time.perf_counter()
    summary = write_store(output, loaded, texts, params)
    speed = summary.tokens / (time.perf_counter() - started)
    write_json(metrics, asdict(summary) | {"auto": read_auto(params_path, loaded.shape, section)})
    print_table(
        f"Activations of {loaded.name} in {output}",
        ["texts", "tokens", "rows", "size", "tokens/s"],
        [[summary.texts, summary.tokens, summary.rows, size_text(summary.bytes), round(speed)]],
    )


if __name__ == "__main__":
    main()
