"""What attention sinks cost a real model, layer by layer: that is why they are left alone.

    python -m benchmarks.sinks MODEL_FOLDER TEXT_FILE

The folder is one that prepare_model wrote. A row a layer:

- perplexity steered over unsteered of random directions ablated at resid_post there, their
  geometric mean: at every position, and with attention sinks left alone, which is the default; the
  direction that costs most, sinks left alone; and mean-ablated with sinks left alone, which takes
  the offset that all tokens share out of the edit, its geometric mean and the costliest direction;
- standard errors of the default: of the mean from the variances over directions and over windows
  of text, of the costliest direction from that over windows (which does not know that it was
  chosen);
- the mean norm of first tokens, the median norm of the others, and how many of these are sinks;
- |cos| between the mean first token and the direction of contrastive activation addition, the mean
  difference of biased and neutral statements at `positions: mean`: with sinks in the means, and
  without. The statements are those that synthesize_dataset writes of an axis.
"""

import math
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from benchmarks.figures import Figure, show
from evenkeel.activations.capture import capture_texts, measure_sinks
from evenkeel.axes import AXES
from evenkeel.datasets.statements import make_statements
from evenkeel.models.architecture import hidden_of
from evenkeel.models.loading import LoadedModel, load_model
from evenkeel.models.sites import HookPoint
from evenkeel.params import Sinks, Site
from evenkeel.progress import Progress
from evenkeel.public_benchmarks.wikitext import read_wikitext
from evenkeel.scoring.prefix_reuse import first_affected, recorded, resumed
from evenkeel.steering.erasure import MeanAblate
from evenkeel.steering.hooks import steer
from evenkeel.steering.intervention import Ablate
from evenkeel.terminal import print_json, print_table

SITE: Site = "resid_post"
SEVERAL = click.IntRange(min=2)  # fewer have no standard error
COLUMNS = (
    "layer", "everywhere", "sinks left alone", "s.e.", "worst", "s.e. of it", "mean-ablated",
    "worst of it", "norm of first", "of others", "later sinks", "cos, sinks in means",
    "cos, left out",
)  # fmt: skip


@torch.inference_mode()
def losses(model: Any, ids: Int[Tensor, "windows tokens"]) -> Float[Tensor, " windows"]:
    """Nats per token of each window."""
    logits = model(ids, use_cache=False).logits
    following = ids.roll(-1, 1)  # of the last token, the first: left out
    nats = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), following.flatten(), reduction="none"
    )
    return nats.view_as(ids)[:, :-1].double().mean(1)


def windows_of(loaded: LoadedModel, path: Path, windows: int, tokens: int) -> Int[Tensor, "w t"]:
    """Neighbouring windows of a text, each after what the tokenizer puts in front of a text."""
    front = loaded.encoder.added.front
    own = tokens - len(front)
    text = read_wikitext(path)[: windows * tokens * 12]
    ids = loaded.encoder.plain(text)[: windows * own]
    return torch.tensor([[*front, *ids[at : at + own]] for at in range(0, windows * own, own)])


def layer_rows(
    model: Any, ids: Int[Tensor, "w t"], directions: int, layers: Collection[int]
) -> Iterator[list[Any]]:
    """Of each layer: its index, what edits cost, both norms, and how many later sinks."""
    generator = torch.Generator().manual_seed(0)
    with recorded(model) as outputs:
        plain = losses(model, ids)
    for layer, output in enumerate(Progress(outputs, desc="layers")):
        point, stream = HookPoint.of(SITE, layer), hidden_of(output)
        drawn = torch.randn(directions, stream.shape[-1], generator=generator)
        if layer not in layers:
            continue
        probe = measure_sinks(model, [point])[point]
        others = stream[:, 1:].flatten(0, 1)
        sinks = probe(others) if probe else torch.zeros(len(others), dtype=torch.bool)
        mean = others[~sinks].mean(0)
        costs = torch.empty(3, directions, len(ids), dtype=torch.float64)
        for number, direction in enumerate(drawn):
            tried = [
                Ablate(direction, layer=layer, site=SITE, sinks="include"),
                Ablate(direction, layer=layer, site=SITE),
                MeanAblate(direction, mean, layer=layer, site=SITE),
            ]
            for place, edit in enumerate(tried):
                with steer(model, [edit]), resumed(model, outputs, first_affected([edit])):
                    costs[place, number] = losses(model, ids) - plain
        everywhere, alone, ablated = (cost.mean(1) for cost in costs)
        ratios = [everywhere.mean(), alone.mean(), alone.max(), ablated.mean(), ablated.max()]
        by_window = costs[1].mean(0)
        error = math.hypot(_error(alone), _error(by_window))
        of_worst = _error(costs[1, int(alone.argmax())])
        norms = float(stream[:, 0].norm(dim=-1).mean()), float(others.norm(dim=-1).median())
        steered = [math.exp(nats) for nats in ratios]
        steered[2:3] = [error, steered[2], of_worst]
        yield [layer, *steered, *norms, int(sinks.sum())]


def _error(values: Float[Tensor, " count"]) -> float:
    """Standard error of the mean."""
    return float(values.std() / math.sqrt(len(values)))


def cosines(loaded: LoadedModel, axis: str, quads: int) -> list[dict[Sinks, float]]:
    """Of each layer |cos| of the mean difference of statements and the mean first token."""
    statements = make_statements([axis], quads, seed=0, lead_ins=True)
    texts = [row.lead_in + row.text for row in statements]
    biased = np.array([row.label == "biased" for row in statements])
    first: list[Float[np.ndarray, " width"]] = []
    offsets = np.cumsum([0, *map(len, loaded.encoder.encode_all(texts))])[:-1]
    for rows in capture_texts(loaded, texts, [SITE], "all", "all").values():
        first.append(rows[offsets].mean(axis=0))
    found: list[dict[Sinks, float]] = [{} for _ in first]
    for sinks in ("include", "exclude"):
        means = capture_texts(loaded, texts, [SITE], "all", "mean", sinks=sinks)
        for layer, rows in enumerate(means.values()):
            direction = rows[biased].mean(axis=0) - rows[~biased].mean(axis=0)
            found[layer][sinks] = abs(
                float(direction @ first[layer])
                / float(np.linalg.norm(direction) * np.linalg.norm(first[layer]))
            )
    return found


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("texts", type=click.Path(path_type=Path))
@click.option("--windows", type=SEVERAL, default=8, show_default=True, help="Windows of text.")
@click.option("--tokens", default=128, show_default=True, help="Tokens in each.")
@click.option(
    "--directions", type=SEVERAL, default=4, show_default=True, help="Random directions a layer."
)
@click.option("--layer", "layers", type=int, multiple=True, help="Which (repeatable); all if none.")
@click.option("--axis", type=click.Choice(list(AXES)), default="gender", show_default=True)
@click.option("--quads", default=60, show_default=True, help="Quads of statements.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def main(
    folder: Path,
    texts: Path,
    windows: int,
    tokens: int,
    directions: int,
    layers: tuple[int, ...],
    axis: str,
    quads: int,
    as_json: bool,
) -> None:
    """Print a row a layer, and the worst of all layers."""
    loaded = load_model(folder, "cpu")
    angles = cosines(loaded, axis, quads)
    ids = windows_of(loaded, texts, windows, tokens)
    rows: list[list[Any]] = []
    for row in layer_rows(loaded.model, ids, directions, layers or range(len(angles))):
        rows.append([*row, angles[row[0]]["include"], angles[row[0]]["exclude"]])
        if as_json:
            print_json([dict(zip(COLUMNS, rows[-1], strict=True))])
    if not as_json:
        print_table(f"A random direction ablated in {loaded.name}", COLUMNS, rows)
    worst = {name: max(row[place] for row in rows) for place, name in enumerate(COLUMNS)}
    figures = [
        Figure("perplexity ratio, sinks left alone", worst["sinks left alone"], 1.02),
        Figure("... of the direction that costs most", worst["worst"]),
        Figure("perplexity ratio, everywhere", worst["everywhere"]),
        Figure("perplexity ratio, mean-ablated", worst["mean-ablated"]),
        Figure("... of the direction that costs most", worst["worst of it"]),
        Figure("|cos| of CAA with the first token, sinks left out", worst["cos, left out"], 0.2),
        Figure("|cos| of CAA with the first token, sinks in means", worst["cos, sinks in means"]),
    ]
    show("Worst of all layers", figures, as_json)


if __name__ == "__main__":
    main()
