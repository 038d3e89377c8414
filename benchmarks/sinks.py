"""What attention sinks cost a real model, layer by layer: that is why they are left alone.

    python -m benchmarks.sinks MODEL_FOLDER TEXT_FILE --pairs CROWS_PAIRS_CSV

The folder is one that prepare_model wrote. A row a layer:

- perplexity steered over unsteered, the largest of several random directions ablated at resid_post
  there: at every position, and with attention sinks left alone, which is the default;
- the mean norm of first tokens, the median norm of the others, and how many of these are sinks;
- |cos| between the mean first token and the direction of contrastive activation addition, the mean
  difference of both sentences of a pair at `positions: mean`: with sinks in the means, and without.
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
from evenkeel.models.loading import LoadedModel, load_model
from evenkeel.models.sites import HookPoint
from evenkeel.params import Sinks, Site
from evenkeel.public_benchmarks.crows_pairs import read_pairs
from evenkeel.public_benchmarks.wikitext import read_wikitext
from evenkeel.scoring.prefix_reuse import first_affected, recorded, resumed
from evenkeel.steering.hooks import steer
from evenkeel.steering.intervention import Ablate
from evenkeel.terminal import print_json, print_table

SITE: Site = "resid_post"
COLUMNS = (
    "layer", "everywhere", "sinks left alone", "norm of first", "of others", "later sinks",
    "cos, sinks in means", "cos, left out",
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


def ratios(
    model: Any, ids: Int[Tensor, "w t"], directions: int, layers: int
) -> list[dict[Sinks, float]]:
    """Of each layer the largest ratio, with sinks ablated too and with sinks left alone."""
    generator = torch.Generator().manual_seed(0)
    with recorded(model) as outputs:
        plain = loss(model, ids)
    found: list[dict[Sinks, float]] = []
    for layer in range(layers):
        drawn = torch.randn(directions, model.config.hidden_size, generator=generator)
        largest: dict[Sinks, float] = {}
        for sinks in ("include", "exclude"):
            steered = []
            for direction in drawn:
                ablation = Ablate(direction, layer=layer, site=SITE, sinks=sinks)
                start = first_affected([ablation])
                with resumed(model, outputs, start), steer(model, [ablation]):
                    steered.append(loss(model, ids))
            largest[sinks] = math.exp(max(steered) - plain)
        found.append(largest)
    return found


def cosines(loaded: LoadedModel, path: Path, pairs: int) -> list[dict[Sinks, float]]:
    """Of each layer |cos| of the mean difference of pairs and the mean first token."""
    chosen = read_pairs(path)[:pairs]
    texts = [pair.more for pair in chosen] + [pair.less for pair in chosen]
    first: list[Float[np.ndarray, " width"]] = []
    offsets = np.cumsum([0, *map(len, loaded.encoder.encode_all(texts))])[:-1]
    for rows in capture_texts(loaded, texts, [SITE], "all", "all").values():
        first.append(rows[offsets].mean(axis=0))
    found: list[dict[Sinks, float]] = [{} for _ in first]
    for sinks in ("include", "exclude"):
        means = capture_texts(loaded, texts, [SITE], "all", "mean", sinks=sinks)
        for layer, rows in enumerate(means.values()):
            direction = rows[: len(chosen)].mean(axis=0) - rows[len(chosen) :].mean(axis=0)
            found[layer][sinks] = abs(
                float(direction @ first[layer])
                / float(np.linalg.norm(direction) * np.linalg.norm(first[layer]))
            )
    return found


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("texts", type=click.Path(path_type=Path))
@click.option("--pairs", "pairs_path", type=click.Path(path_type=Path), required=True)
@click.option("--windows", default=4, show_default=True, help="Windows of text.")
@click.option("--tokens", default=128, show_default=True, help="Tokens in each.")
@click.option("--directions", default=3, show_default=True, help="Random directions a layer.")
@click.option("--count", default=100, show_default=True, help="Contrast pairs.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def main(
    folder: Path,
    texts: Path,
    pairs_path: Path,
    windows: int,
    tokens: int,
    directions: int,
    count: int,
    as_json: bool,
) -> None:
    """Print a row a layer, and the worst of all layers."""
    loaded = load_model(folder, "cpu")
    model = loaded.model
    layers = model.config.get_text_config().num_hidden_layers
    ids = windows_of(loaded, texts, windows, tokens)
    with torch.inference_mode():
        states = model(ids, output_hidden_states=True, use_cache=False).hidden_states[1:]
    rows = []
    angles = cosines(loaded, pairs_path, count)
    for layer, ratio in enumerate(ratios(model, ids, directions, layers)):
        point = HookPoint.of(SITE, layer)
        probe = measure_sinks(model, [point])[point]
        norms, later = states[layer].norm(dim=-1), states[layer][:, 1:]
        rows.append([
            layer, ratio["include"], ratio["exclude"], float(norms[:, 0].mean()),
            float(norms[:, 1:].median()), 0 if probe is None else int(probe(later).sum()),
            angles[layer]["include"], angles[layer]["exclude"],
        ])  # fmt: skip
    if as_json:
        print_json(dict(zip(COLUMNS, row, strict=True)) for row in rows)
    else:
        print_table(f"A random direction ablated in {loaded.name}", COLUMNS, rows)
    worst = [
        Figure("perplexity ratio, sinks left alone", max(row[2] for row in rows), 1.02),
        Figure("perplexity ratio, everywhere", max(row[1] for row in rows)),
        Figure("|cos| of CAA with the first token, sinks left out", max(r[7] for r in rows), 0.2),
        Figure("|cos| of CAA with the first token, sinks in means", max(r[6] for r in rows)),
    ]
    show("Worst of all layers", worst, as_json)


if __name__ == "__main__":
    main()
