"""Interventions folded into weights, where weights can hold them.

At head_z, ln1_out, ln2_out, attn_out, mlp_out and at the stream's start every linear intervention,
x -> x A + c, can be folded into the linear layers or the embedding beside it: what is added to a
norm's output joins the bias of the layers that read it (of GPT-2, attn.c_attn or mlp.c_fc).
Ablating a direction at all of attn_out, mlp_out and the start makes every matrix that writes to the
stream orthogonal to it. Elsewhere in the stream only an added vector can be folded: it joins the
bias of the MLP that wrote there last. What depends on positions or gates cannot.
"""

from dataclasses import dataclass
from typing import Any, Self

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from evenkeel.errors import BadInputError
from evenkeel.models.architecture import architecture_of
from evenkeel.params import Site
from evenkeel.steering.intervention import SINKS_HINT, Add, Intervention
from evenkeel.steering.latents import EditLatents
from evenkeel.steering.plan import check_fit
from evenkeel.steering.rotation import Rotate
from evenkeel.steering.spec import Steering, interventions_in


def edited_weights(model: Any, spec: Steering) -> dict[tuple[nn.Module, str], Tensor]:
    """The parameters that hold a spec, by module and name; the model is not touched.

    Computed in float64 and rounded once. A bias may be new: the module had none. Where embeddings
    share their matrix with the unembedding, only the embeddings' is edited: the two must part.

    Raises:
        BadInputError: an intervention does not fit the model, or weights cannot hold it.
    """
    interventions = interventions_in(spec)
    check_fit(model, interventions)
    maps: dict[nn.Module, _Map] = {}
    # A layer reads what all edits made of its input, so the last one is folded into it first; the
    # stream is edited after what attention and MLP write to it, whatever comes first in a spec.
    reads = ("head_z", "ln1_out", "ln2_out")
    inputs = [item for item in reversed(interventions) if item.site in reads]
    outputs = [item for item in interventions if item.site in ("attn_out", "mlp_out")]
    stream = [item for item in interventions if item.site in ("resid_pre", "resid_post")]
    for item in inputs + outputs + stream:
        if isinstance(item, Rotate):
            raise _impossible(item, "keeping a norm is not linear")
        if isinstance(item, EditLatents):
            raise _impossible(item, "what it adds depends on latents that no weight computes")
        if not item.everywhere:
            raise _impossible(item, f"weights act at all positions and know no gates{SINKS_HINT}")
        _fold(model, item, maps)
    return {
        (module, name): value
        for module, folded in maps.items()
        for name, value in folded.parameters(module).items()
    }


@dataclass
class _Map:
    """What a module does to its input, x @ weight + bias, in float64 on the processor.

    Not every GPU computes in float64, and none has to.
    """

    weight: Float[Tensor, "inputs outputs"]
    bias: Float[Tensor, " outputs"]

    @classmethod
    def of(cls, module: Any) -> Self:
        weight = module.weight.detach().cpu().double()
        if isinstance(module, nn.Linear):  # a Conv1D keeps its weight the other way round
            weight = weight.mT
        bias = getattr(module, "bias", None)
        if bias is None:
            return cls(weight, torch.zeros_like(weight[0]))
        return cls(weight, bias.detach().cpu().double())

    def then(self, turn: Tensor, shift: Tensor) -> None:
        self.weight, self.bias = self.weight @ turn, self.bias @ turn + shift

    def after(self, turn: Tensor, shift: Tensor) -> None:
        self.weight, self.bias = turn @ self.weight, self.bias + shift @ self.weight

    def parameters(self, module: Any) -> dict[str, Tensor]:
        weight, bias = self.weight, self.bias
        if isinstance(module, nn.Embedding):  # one row is looked up: adding to all adds to it
            return {"weight": (weight + bias).to(module.weight)}
        weight = weight.mT if isinstance(module, nn.Linear) else weight
        found = {"weight": weight.contiguous().to(module.weight)}
        if module.bias is not None or bias.any():
            found["bias"] = bias.to(module.weight)
        return found


def _fold(model: Any, item: Intervention, maps: dict[nn.Module, _Map]) -> None:
    architecture = architecture_of(model)
    blocks = architecture.blocks(model)
    parts = architecture.parts[item.layer]
    turn, shift = _turn_and_shift(item)

    def folded(module: nn.Module) -> _Map:
        weight = getattr(module, "weight", None)
        plain = isinstance(module, nn.Linear | nn.Embedding | Conv1D)
        if not plain or not isinstance(weight, Tensor) or not weight.is_floating_point():
            raise _impossible(item, "there is no plain weight matrix beside it")
        return maps.setdefault(module, _Map.of(module))

    def written(layer: int, site: Site) -> _Map:
        writer = architecture.parts[layer].writers.get(site)
        if writer is None:
            raise _impossible(item, "a norm or a scale stands between its weights and the stream")
        return folded(blocks[layer].get_submodule(writer))

    if item.site == "head_z":
        folded(blocks[item.layer].get_submodule(parts.sites["head_z"].path)).after(turn, shift)
    elif item.site in ("ln1_out", "ln2_out"):
        for reader in sorted(parts.readers[item.site]):
            folded(blocks[item.layer].get_submodule(reader)).after(turn, shift)
    elif item.site in ("attn_out", "mlp_out"):
        written(item.layer, item.site).then(turn, shift)
    elif item.site == "resid_pre" and item.layer == 0:
        _fold_start(item, [folded(module) for module in architecture.embeddings(model)])
    elif not isinstance(item, Add):
        raise _impossible(
            item,
            "in the stream weights can only add; ablate at attn_out and mlp_out of every layer and "
            "at resid_pre of layer 0 instead",
        )
    else:
        layer = item.layer - (item.site == "resid_pre")
        if not architecture.parts[layer].sums_only:
            raise _impossible(item, "a norm or a scale stands between the MLP and the stream")
        written(layer, "mlp_out").then(turn, shift)


def _fold_start(item: Intervention, embeddings: list[_Map]) -> None:
    """Fold into the embeddings, whose sum starts the stream."""
    if not embeddings:
        raise _impossible(item, "the stream does not start as a plain sum of embeddings")
    turn, shift = _turn_and_shift(item)
    for number, embedding in enumerate(embeddings):
        embedding.then(turn, torch.zeros_like(shift) if number else shift)


def _turn_and_shift(
    item: Intervention,
) -> tuple[Float[Tensor, "width width"], Float[Tensor, " width"]]:
    """A and c of the linear intervention x -> x A + c."""
    basis = torch.eye(item.width, dtype=torch.float64)
    shift = item(torch.zeros(1, 1, item.width, dtype=torch.float64))[0, 0]
    return item(basis[None])[0] - shift, shift


def _impossible(item: Intervention, why: str) -> BadInputError:
    return BadInputError(
        f"{type(item).__name__} at layer {item.layer}, {item.site} cannot be written into weights: "
        f"{why}. The backend 'hooks' can do it"
    )
