"""What attention sinks cost a real model, layer by layer: that is why they are left alone.

    python -m benchmarks.sinks MODEL_FOLDER TEXT_FILE

The folder is one that prepare_model wrote. A row a layer:

- perplexity steered over unsteered, the largest of several random directions ablated at resid_post
  there: at every position, and with attention sinks left alone, which is the default; and
  mean-ablated with sinks left alone, which takes the offset that all tokens share out of the edit;
- the mean norm of first tokens, the median norm of the others, and how many of these are sinks;
- |cos| between the mean first token and the direction of contrastive activation addition, the mean
  difference of biased and neutral statements at `positions: mean`: with sinks in the means, and
  without. The statements are those that synthesize_dataset writes of an axis.
"""

import math
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
COLUMNS = (
    "layer", "everywhere", "sinks left alone", "mean-ablated", "norm of first", "of others",
    "later sinks", "cos, sinks in means", "cos, left out",
)  # fmt: skip


@torch.inference_mode()
def loss(model: Any, ids: Int[Tensor, "windows tokens"]) -> float:
    """Nats per token."""
    logits = model(ids, use_cache=False).logits[:, :-1]
    return float(torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten()))


def windows_of(loaded: LoadedModel, path: Path, windows: int, tokens: int) -> Int[Tensor, "w t"]:
    """Neighbouring windows of a text, each after what the tokenizer puts in front of a text."""
    front = loaded.encoder.added.front
    own = tokens - len(front)
    text = read_wikitext(path)[: windows * tokens * 12]
    ids = loaded.encoder.plain(text)[: windows * own]
    return torch.tensor([[*front, *ids[at : at + own]] for at in range(0, windows * own, own)])


def layer_rows(model: Any, ids: Int[Tensor, "w t"], directions: int) -> list[list[Any]]:
    """Of each layer: its index, the three largest ratios, both norms, and how many later sinks."""
    generator = torch.Generator().manual_seed(0)
    with recorded(model) as outputs:
        plain = loss(model, ids)
    rows: list[list[Any]] = []
    for layer, output in enumerate(Progress(outputs, desc="layers")):
        point, stream = HookPoint.of(SITE, layer), hidden_of(output)
        probe = measure_sinks(model, [point])[point]
        others = stream[:, 1:].flatten(0, 1)
        sinks = probe(others) if probe else torch.zeros(len(others), dtype=torch.bool)
        mean = others[~sinks].mean(0)
        largest = [-math.inf] * 3
        for direction in torch.randn(directions, stream.shape[-1], generator=generator):
            tried = [
                Ablate(direction, layer=layer, site=SITE, sinks="include"),
                Ablate(direction, layer=layer, site=SITE),
                MeanAblate(direction, mean, layer=layer, site=SITE),
            ]
            for place, edit in enumerate(tried):
                with steer(model, [edit]), resumed(model, outputs, first_affected([edit])):
                    largest[place] = max(largest[place], loss(model, ids))
        norms = float(stream[:, 0].norm(dim=-1).mean()), float(others.norm(dim=-1).median())
        steered = [math.exp(nats - plain) for nats in largest]
        rows.append([layer, *steered, *norms, int(sinks.sum())])
    return rows


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
@click.option("--windows", default=4, show_default=True, help="Windows of text.")
@click.option("--tokens", default=128, show_default=True, help="Tokens in each.")
@click.option("--directions", default=3, show_default=True, help="Random directions a layer.")
@click.option("--axis", type=click.Choice(list(AXES)), default="gender", show_default=True)
@click.option("--quads", default=60, show_default=True, help="Quads of statements.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def main(
    folder: Path,
    texts: Path,
    windows: int,
    tokens: int,
    directions: int,
    axis: str,
    quads: int,
    as_json: bool,
) -> None:
    """Print a row a layer, and the worst of all layers."""
    loaded = load_model(folder, "cpu")
    angles = cosines(loaded, axis, quads)
    rows = [
        [*row, angle["include"], angle["exclude"]]
        for row, angle in zip(
            layer_rows(loaded.model, windows_of(loaded, texts, windows, tokens), directions),
            angles,
            strict=True,
        )
    ]
    if as_json:
        print_json(dict(zip(COLUMNS, row, strict=True)) for row in rows)
    else:
        print_table(f"A random direction ablated in {loaded.name}", COLUMNS, rows)
    worst = [max(row[column] for row in rows) for column in range(len(COLUMNS))]
    figures = [
        Figure("perplexity ratio, sinks left alone", worst[2], 1.02),
        Figure("perplexity ratio, everywhere", worst[1]),
        Figure("perplexity ratio, mean-ablated", worst[3]),
        Figure("|cos| of CAA with the first token, sinks left out", worst[8], 0.2),
        Figure("|cos| of CAA with the first token, sinks in means", worst[7]),
    ]
    show("Worst of all layers", figures, as_json)


if __name__ == "__main__":
    main()
