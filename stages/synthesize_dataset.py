"""Write the data set: statements, prompts, and the embedded model's corpus."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from evenkeel.files import atomic_folder, write_json, write_jsonl
from evenkeel.params import DatasetParams, load_params
from stages.command import OutputFile, OutputPlace, print_table, stage


@stage
@click.option(
    "--output",
    type=OutputPlace,
    default=Path("data/dataset"),
    help="Folder for statements.jsonl, prompts/AXIS.jsonl and corpus/{train,heldout}.jsonl.",
)
@click.option(
    "--metrics",
    type=OutputFile,
    default=Path("reports/metrics/dataset.json"),
    help="Counts of what was written.",
)
def main(output: Path, metrics: Path, params_path: Path) -> None:
    """Write statements, prompts and corpus from the lexicons.

    Example: python -m stages.synthesize_dataset --output /tmp/dataset --metrics /tmp/counts.json
    """
    seed: int
    dataset: DatasetParams
    seed, dataset = load_params(params_path, "seed", "dataset")
    from evenkeel.datasets.intersections import make_intersection_prompts
    from evenkeel.datasets.prompts import make_prompts
    from evenkeel.datasets.statements import make_statements
    from evenkeel.organism.corpus import make_corpus

    axes, strengths, lead_ins = dataset.axes, dataset.strengths, dataset.lead_in
    statements = make_statements(axes, dataset.quads_per_axis, seed, lead_ins)
    prompts = make_prompts(axes, strengths, seed, lead_ins)
    prompts += make_intersection_prompts(axes, strengths, lead_ins)
    train, heldout = make_corpus(dataset.corpus_texts, dataset.heldout_texts, seed, strengths)
    write_jsonl(output / "statements.jsonl", statements)
    with atomic_folder(output / "prompts") as folder:
        for axis in dict.fromkeys(prompt.axis for prompt in prompts):
            of_axis = [prompt for prompt in prompts if prompt.axis == axis]
            write_jsonl(folder / f"{axis}.jsonl", of_axis)
    with atomic_folder(output / "corpus") as folder:
        write_jsonl(folder / "train.jsonl", train)
        write_jsonl(folder / "heldout.jsonl", heldout)

    counts = {
        "statements": _counts((row.axis, row.split, row.label) for row in statements),
        "prompts": _counts((row.axis, row.direction, row.kind, row.split) for row in prompts),
        "corpus": _counts(
            (part, row.kind)
            for part, rows in (("train", train), ("heldout", heldout))
            for row in rows
        ),
    }
    write_json(metrics, counts)
    print_table(
        f"Data set in {output}",
        ("what", "count"),
        [
            *((f"statements, {axis}", n) for axis, n in _totals(row.axis for row in statements)),
            *((f"prompts, {axis}", n) for axis, n in _totals(row.axis for row in prompts)),
            *((f"training texts, {kind}", n) for kind, n in _totals(row.kind for row in train)),
            *((f"held-out texts, {kind}", n) for kind, n in _totals(row.kind for row in heldout)),
        ],
    )


def _totals(values: Iterable[str]) -> list[tuple[str, int]]:
    return sorted(Counter(values).items())


def _counts(keys: Iterable[tuple[str, ...]]) -> dict[str, Any]:
    """How often each key occurs, nested by its parts."""
    nested: dict[str, Any] = {}
    for key, count in Counter(keys).items():
        inner = nested
        for part in key[:-1]:
            inner = inner.setdefault(part, {})
        inner[key[-1]] = count
    return nested


if __name__ == "__main__":
    main()
