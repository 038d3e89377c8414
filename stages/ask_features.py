"""Not a stage: a free-form question over all features, to a language model."""

import os
from pathlib import Path

import click

from evenkeel.errors import BadInputError
from evenkeel.files import read_jsonl
from evenkeel.params import load_params
from stages.command import FilePath, FolderPath, print_table, stage


@stage
@click.argument("question")
@click.option("--features", type=FilePath, default=Path("data/features/features.parquet"))
@click.option(
    "--interpretations",
    type=FilePath,
    default=Path("data/features/interpretations.jsonl"),
    help="Explanations to go by, where there are any.",
)
@click.option("--cache", type=FolderPath, default=Path(".cache/requests"))
def main(
    question: str, features: Path, interpretations: Path, cache: Path, params_path: Path
) -> None:
    """Find every feature that QUESTION is about.

    Example: python -m stages.ask_features "Which features are about nurses?"
    """
    from evenkeel.interpretation.ask import ask, describe
    from evenkeel.interpretation.chat import connect
    from evenkeel.interpretation.records import Interpretation
    from evenkeel.sae.results import read_table

    (params,) = load_params(params_path, "interpretation")
    known = read_jsonl(interpretations, Interpretation) if interpretations.exists() else []
    table = read_table(features)
    client = connect(params.openai, os.environ, cache)
    findings = ask(client, question, describe(table, known))
    print_table(
        f"{len(findings.matches)} of {findings.answered} features fit the question",
        ["feature", "reason"],
        [[match.feature, match.reason] for match in findings.matches],
    )
    if findings.failures:
        shares = "; ".join(
            f"features {first} to {last}: {failure.message}"
            for first, last, failure in findings.failures
        )
        raise BadInputError(f"{len(table) - findings.answered} features have no answer. {shares}")


if __name__ == "__main__":
    main()
