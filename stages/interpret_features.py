"""Stage: what the selected features mean, by the lexicon or a language model, and a test of it."""

import dataclasses
import os
from pathlib import Path

import click

from evenkeel.files import read_jsonl, write_json, write_jsonl
from evenkeel.params import load_params
from stages.command import FilePath, FolderPath, OutputFile, print_table, stage


@stage
@click.option("--features", type=FilePath, default=Path("data/features/features.parquet"))
@click.option("--contexts", type=FilePath, default=Path("data/features/contexts.jsonl"))
@click.option("--output", type=OutputFile, default=Path("data/features/interpretations.jsonl"))
@click.option("--metrics", type=OutputFile, default=Path("reports/metrics/interpretations.json"))
@click.option(
    "--cache",
    type=FolderPath,
    default=Path(".cache/requests"),
    help="Answers that were paid for, kept for good (backend openai).",
)
def main(
    features: Path, contexts: Path, output: Path, metrics: Path, cache: Path, params_path: Path
) -> None:
    """Explain the features that an axis of bias is associated with, and test the explanations.

    Example: python -m stages.interpret_features
    """
    from evenkeel.interpretation.categories import lexicon_categories
    from evenkeel.interpretation.interpret import interpret, summarize
    from evenkeel.interpretation.offline import OfflineInterpreter
    from evenkeel.interpretation.selection import select_evidence
    from evenkeel.sae.results import Context, read_table

    seed, params = load_params(params_path, "seed", "interpretation")
    evidence = select_evidence(read_table(features), read_jsonl(contexts, Context), params, seed)
    if params.backend == "openai":
        from evenkeel.interpretation.chat import ChatInterpreter, connect

        chat = ChatInterpreter(connect(params.openai, os.environ, cache))
        chat.announce(evidence)
        rows = interpret(chat, evidence)
        bill = dataclasses.asdict(chat.client.bill())
    else:
        rows = interpret(OfflineInterpreter(lexicon_categories(), params.max_q), evidence)
        bill = None
    summary = summarize(rows, params.resamples, seed)
    write_jsonl(output, rows)
    write_json(metrics, {"backend": params.backend, "bill": bill, **summary})
    print_table(
        f"Features by {params.backend}: {summary['explained']} of {len(rows)} explained",
        ["feature", "axes", "label", "balanced accuracy"],
        [
            [
                row.feature,
                ", ".join(row.axes) or "listed",
                row.summary,
                row.detection.balanced_accuracy if row.detection else "",
            ]
            for row in rows
        ],
    )


if __name__ == "__main__":
    main()
