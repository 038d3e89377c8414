"""What ablating a direction that means nothing costs a real model, layer by layer.

    python -m benchmarks.sinks MODEL_FOLDER TEXT_FILE

Perplexity steered over unsteered, the largest of several random directions ablated at resid_post of
one layer: at every position, and with attention sinks left alone, which is the default. The last
columns say where sinks are: the mean norm of first tokens, the median norm of the others, and how
many of the others are sinks.
"""

import math
from pathlib import Path

import click
import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer

from evenkeel.activations.capture import measure_sinks
from evenkeel.models.sites import HookPoint
from evenkeel.steering.hooks import steer
from evenkeel.steering.intervention import Ablate, Intervention


@torch.inference_mode()
def loss(model: torch.nn.Module, ids: Tensor, steering: list[Intervention]) -> float:
    """Nats per token."""
    with steer(model, steering):
        logits = model(ids, use_cache=False).logits[:, :-1]
    return float(torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten()))


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("texts", type=click.Path(path_type=Path))
@click.option("--windows", default=4, show_default=True, help="Windows of text.")
@click.option("--tokens", default=256, show_default=True, help="Tokens in each.")
@click.option("--directions", default=3, show_default=True, help="Random directions a layer.")
def main(folder: Path, texts: Path, windows: int, tokens: int, directions: int) -> None:
    """Print a table, a row a layer."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    text = texts.read_text(encoding="utf-8")[: windows * tokens * 12]
    ids = torch.tensor(AutoTokenizer.from_pretrained(folder)(text)["input_ids"])
    ids = ids[: windows * tokens].view(windows, tokens)
    generator = torch.Generator().manual_seed(0)
    plain = loss(model, ids, [])
    with torch.inference_mode():
        states = model(ids, output_hidden_states=True, use_cache=False).hidden_states[1:]
    click.echo("layer  everywhere  sinks left alone  norm of first  of others  later sinks")
    for layer in range(model.config.num_hidden_layers):
        drawn = torch.randn(directions, model.config.hidden_size, generator=generator)
        ratios = [
            max(math.exp(loss(model, ids, [_ablate(one, layer, sinks)]) - plain) for one in drawn)
            for sinks in ("include", "exclude")
        ]
        point = HookPoint("resid_post", layer)
        probe = measure_sinks(model, [point])[point]
        norms, later = states[layer].norm(dim=-1), states[layer][:, 1:]
        click.echo(
            f"{layer:5}  {ratios[0]:10.4f}  {ratios[1]:16.4f}  {norms[:, 0].mean():13.0f}  "
            f"{norms[:, 1:].median():9.0f}  {0 if probe is None else int(probe(later).sum()):11}"
        )


def _ablate(direction: Tensor, layer: int, sinks: str) -> Intervention:
    return Ablate(direction, layer=layer, site="resid_post", sinks=sinks)  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
