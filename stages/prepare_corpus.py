"""Put together the plain texts that activations, perplexity and KL are measured on."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stages.command import FolderPath, OutputFile, OutputFolder, print_table, stage

if TYPE_CHECKING:
    from evenkeel.datasets.records import CorpusText
    from evenkeel.params import CorpusParams

WIKITEXT = "valid.txt"
TENTH = 10
"""Of files without others for it, every tenth text is held out."""


@stage
@click.option(
    "--synthesized",
    type=FolderPath,
    default=Path("data/dataset/corpus"),
    help="Texts of the organism: train.jsonl, heldout.jsonl.",
)
@click.option(
    "--output",
    type=OutputFolder,
    default=Path("data/corpus"),
    help="Folder for train.jsonl and heldout.jsonl.",
)
@click.option(
    "--metrics",
    type=OutputFile,
    default=Path("reports/metrics/corpus.json"),
    help="Counts of what was written.",
)
def main(synthesized: Path, output: Path, metrics: Path, params_path: Path) -> None:
    """Put together the plain texts that activations, perplexity and KL are measured on.

    Example: python -m stages.prepare_corpus --output data/corpus
    """
    from evenkeel.files import atomic_folder, write_json, write_jsonl
    from evenkeel.params import load_params

    seed, params = load_params(params_path, "seed", "corpus")
    parts = _parts(params, synthesized, seed)
    with atomic_folder(output) as folder:
        for name, rows in parts.items():
            write_jsonl(folder / f"{name}.jsonl", rows)
    counts = {
        name: {"texts": len(rows), "words": sum(len(row.text.split()) for row in rows)}
        for name, rows in parts.items()
    }
    write_json(metrics, {"source": params.source, **counts})
    print_table(
        f"Corpus in {output}, {params.source}",
        ["part", "texts", "words"],
        [[name, *count.values()] for name, count in counts.items()],
    )


def _parts(params: "CorpusParams", synthesized: Path, seed: int) -> "dict[str, list[CorpusText]]":
    """Texts to learn from, and held-out ones."""
    from evenkeel.datasets.records import CorpusText
    from evenkeel.datasets.wikitext import wikitext_pieces
    from evenkeel.errors import BadInputError
    from evenkeel.files import read_jsonl
    from evenkeel.public_benchmarks.reading import file_of, text_of
    from evenkeel.public_benchmarks.sources import fetched

    def plain(texts: Iterable[str]) -> list[CorpusText]:
        return [CorpusText(kind="plain", text=text) for text in texts]

    match params.source:
        case "synthesized":
            names = ("train", "heldout")
            return {name: read_jsonl(synthesized / f"{name}.jsonl", CorpusText) for name in names}
        case "wikitext":
            with fetched("wikitext", params.path, "corpus.path") as place:
                text = text_of(file_of(place, WIKITEXT))
            train, heldout = map(plain, wikitext_pieces(text, seed))
        case "files":
            train, heldout = map(plain, _of_files(params))
    if not train or not heldout:
        raise BadInputError(
            f"corpus.source {params.source}: {len(train)} texts to learn from and {len(heldout)} "
            "held-out ones; both are needed, so give it more"
        )
    return {"train": train, "heldout": heldout}


def _of_files(params: "CorpusParams") -> tuple[list[str], list[str]]:
    from evenkeel.activations.sources import open_texts

    assert params.path is not None
    texts = [str(row["text"]) for row in open_texts(Path(params.path))]
    if params.heldout_path is not None:
        return texts, [str(row["text"]) for row in open_texts(Path(params.heldout_path))]
    heldout = texts[TENTH - 1 :: TENTH]
    return [text for number, text in enumerate(texts) if number % TENTH != TENTH - 1], heldout


if __name__ == "__main__":
    main()
