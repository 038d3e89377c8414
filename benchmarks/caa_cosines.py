"""Does contrastive activation addition point along the first token, or is that chance of few texts?

    python -m benchmarks.caa_cosines MODEL_FOLDER

The direction is the mean, over quads of statements that synthesize_dataset writes of an axis, of
biased less neutral at `positions: mean`, sinks left out, at resid_post. Quads are the units: what
their differences have in common stays however many there are, and chance falls with the root of
their number. A row a layer:

- |cos| of the direction and the mean first token at several numbers of quads, the root mean square
  over random draws of so many, and of all quads;
- an estimate of |cos| in the limit of many quads: the direction's length without what chance adds
  to it, 0 where that is nothing; t over quads of the differences' projection on the first token;
- |cos| of all quads without the one dimension, and without the two, in which the first token is
  largest, and these dimensions' shares of its squared length.
"""

import math
from pathlib import Path

import click
import numpy as np
from jaxtyping import Float

from benchmarks.sinks import SITE
from evenkeel.activations.capture import capture_texts
from evenkeel.axes import AXES
from evenkeel.datasets.statements import make_statements
from evenkeel.models.loading import LoadedModel, load_model
from evenkeel.models.sites import HookPoint
from evenkeel.terminal import print_json, print_table

DRAWS = 200
_TOGETHER = 64
Vector = Float[np.ndarray, " width"]
Differences = Float[np.ndarray, "quads width"]


def first_tokens(loaded: LoadedModel, texts: list[str]) -> dict[HookPoint, Vector]:
    """Mean activation of the first tokens of texts, at every layer."""
    sums: dict[HookPoint, Vector] = {}
    for start in range(0, len(texts), _TOGETHER):
        some = texts[start : start + _TOGETHER]
        offsets = np.cumsum([0, *map(len, loaded.encoder.encode_all(some))])[:-1]
        for point, rows in capture_texts(loaded, some, [SITE], "all", "all").items():
            found = rows[offsets].astype(float).sum(0)
            sums[point] = sums[point] + found if point in sums else found
    return {point: found / len(texts) for point, found in sums.items()}


def cosine(one: Vector, other: Vector) -> float:
    return abs(float(one @ other)) / float(np.linalg.norm(one) * np.linalg.norm(other))


def row_of(differences: Differences, first: Vector, numbers: list[int]) -> list[float]:
    """What the module says of one layer, from the difference of each quad."""
    count = len(differences)
    generator = np.random.default_rng(0)
    found = []
    for number in numbers:
        draws = [generator.permutation(count)[:number] for _ in range(DRAWS)]
        cosines = [cosine(differences[drawn].mean(0), first) for drawn in draws]
        found.append(math.sqrt(float(np.mean(np.square(cosines)))))
    mean = differences.mean(0)
    along = differences @ first / np.linalg.norm(first)
    error = float(along.std(ddof=1)) / math.sqrt(count)
    squared = float(mean @ mean) - float(differences.var(0, ddof=1).sum()) / count
    component = max(0.0, float(along.mean()) ** 2 - error**2)
    limit = math.sqrt(min(1.0, component / squared)) if squared > 0 else math.nan
    largest = np.argsort(-abs(first))
    without = []
    for dimensions in (1, 2):
        kept = np.ones(len(first), dtype=bool)
        kept[largest[:dimensions]] = False
        without.append(cosine(mean[kept], first[kept]))
    shares = (first[largest[:2]] ** 2 / (first @ first)).tolist()
    return [*found, cosine(mean, first), limit, float(along.mean()) / error, *without, *shares]


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--axis", type=click.Choice(list(AXES)), default="gender", show_default=True)
@click.option("--quads", default=160, show_default=True, help="Of all texts.")
@click.option(
    "--drawn", type=int, multiple=True, default=(20, 40, 80), show_default=True,
    help="How many of them at a time (repeatable).",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def main(folder: Path, axis: str, quads: int, drawn: tuple[int, ...], as_json: bool) -> None:
    """Print a row a layer."""
    loaded = load_model(folder, "cpu")
    statements = make_statements([axis], quads, seed=0, lead_ins=True)
    texts = [row.lead_in + row.text for row in statements]
    sign = np.array([1.0 if row.label == "biased" else -1.0 for row in statements])
    names = sorted({row.quad for row in statements})
    quad = np.array([names.index(row.quad) for row in statements])
    first = first_tokens(loaded, texts)
    rows = []
    for point, means in capture_texts(loaded, texts, [SITE], "all", "mean").items():
        signed = sign[:, None] * means.astype(float)
        summed = np.stack([signed[quad == number].sum(0) for number in range(len(names))])
        differences = summed / np.bincount(quad)[:, None] * 2
        rows.append([point.layer, *row_of(differences, first[point], sorted(drawn))])
    columns = (
        "layer", *(f"{number} quads" for number in sorted(drawn)), f"{quads} quads", "limit", "t",
        "without 1", "without 2", "share of 1st", "of 2nd",
    )  # fmt: skip
    if as_json:
        print_json(dict(zip(columns, row, strict=True)) for row in rows)
    else:
        print_table(f"|cos| of CAA and the first token of {loaded.name}", columns, rows)


if __name__ == "__main__":
    main()
