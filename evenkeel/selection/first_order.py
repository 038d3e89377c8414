"""First-order estimates of what edits do to the item spread, all of them from one backward pass.

The gradient of the item spread with respect to the residual stream, times what an edit does to the
stream there: attribution patching (Syed, Rager & Conmy 2024, "Attribution Patching Outperforms
Automated Circuit Discovery") of an intervention in place of another text's activations. Exact where
the model is linear in the edit.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from evenkeel.metrics import bias
from evenkeel.metrics.measures import ItemMeasures
from evenkeel.models.architecture import hook_target
from evenkeel.models.devices import input_device, quick_gradients
from evenkeel.models.logits import logits_at
from evenkeel.models.sites import HookPoint
from evenkeel.scoring.group_reads import GroupReads
from evenkeel.scoring.prompt_set import PromptSet
from evenkeel.scoring.token_reads import ReadBatch, read_batches, read_log_probs
from evenkeel.steering.hooks import all_hooked
from evenkeel.steering.intervention import Edit, Intervention
from evenkeel.steering.plan import Planned, plan
from evenkeel.steering.positions import PositionTracker

PASSES = 4
"""Of the model over the prompts, whatever the number of edits; a backward pass counts as two."""
ROWS = 16
"""Of a pass at most: for its gradients all that every block computes is held."""


def estimated_reductions(
    model: Any,
    prompt_set: PromptSet,
    items: ItemMeasures,
    edits: Sequence[Sequence[Intervention]],
    batch_size: int,
) -> Float[ndarray, " edits"]:
    """The bias reduction of each edit, were the model linear; NaN where there is no spread.

    Args:
        model: the unsteered model; it is the same object, unhooked, afterwards.
        prompt_set: whose stereotypical prompts are read.
        items: which of them count.
        edits: interventions that act together.
        batch_size: rows in a pass.
    """
    prompts = [each for each, own in zip(prompt_set.encoded, items.rows, strict=False) if own]
    groups = GroupReads.of(prompts)
    batches = read_batches(groups.rows, groups.reads, min(batch_size, ROWS))
    read = torch.from_numpy(read_log_probs(model, batches)).requires_grad_()
    with torch.enable_grad():
        spread = _item_spread(groups.scores(read), items)
        (weights,) = torch.autograd.grad(spread, read)
    before = float(spread.detach())
    if not before > bias.NO_SPREAD:
        return np.full(len(edits), np.nan)
    changes = np.zeros(len(edits))
    for batch in batches:
        changes += _changes(model, batch, weights, edits)
    return -changes / before


def _item_spread(scores: Float[Tensor, "prompts groups"], items: ItemMeasures) -> Tensor:
    """`metrics.bias.item_spread` of the items' mean scores, through which gradients flow."""
    index = torch.from_numpy(items.items.index)
    sums = scores.new_zeros(len(items.items), scores.shape[1]).index_add(0, index, scores)
    means = sums / torch.from_numpy(items.items.counts)[:, None]
    squares = ((means - means.mean(0)) ** 2).sum()
    return (2 / (scores.shape[1] - 1) * squares / (len(means) - 1)).sqrt()


def _changes(
    model: Any,
    batch: ReadBatch,
    weights: Float[Tensor, " reads"],
    edits: Sequence[Sequence[Intervention]],
) -> Float[ndarray, " edits"]:
    """What each edit changes the weighted sum of a batch's reads by, to first order."""
    points = {item.point for edit in edits for item in edit}
    streams, gradients = _gradients(model, batch, weights, points)
    tracker = PositionTracker()
    ids, mask = batch.inputs["input_ids"], batch.inputs["attention_mask"]
    found = np.zeros(len(edits))
    with torch.no_grad():
        for number, edit in enumerate(edits):
            tracker.begin(len(ids), 0, ids.shape[1], mask, ids)
            for place in plan(model, edit, tracker):
                stream = streams[place.point]
                change = place.edit(stream) - stream
                found[number] += float((change * gradients[place.point]).sum())
    return found


def _gradients(
    model: Any, batch: ReadBatch, weights: Float[Tensor, " reads"], points: set[HookPoint]
) -> tuple[dict[HookPoint, Tensor], dict[HookPoint, Tensor]]:
    """The residual streams of a batch, and the gradients of the weighted sum of its reads there."""
    streams: dict[HookPoint, Tensor] = {}
    added: dict[HookPoint, Tensor] = {}

    def noting(point: HookPoint) -> Edit:
        def noted(stream: Tensor) -> Tensor:
            streams[point] = stream.detach().float()
            added[point] = torch.zeros_like(stream, requires_grad=True)
            return stream + added[point]

        return noted

    places = [Planned(point, hook_target(model, point), noting(point)) for point in points]
    row, column = torch.from_numpy(batch.row), torch.from_numpy(batch.column)
    with torch.enable_grad(), all_hooked(places), quick_gradients(input_device(model)):
        logits = logits_at(model, batch.inputs, row, column)
        log_probs = logits.float().log_softmax(dim=-1)
        reads = log_probs[torch.from_numpy(batch.at), torch.from_numpy(batch.token)]
        total = (reads * weights[torch.from_numpy(batch.place)].to(reads)).sum()
        found = torch.autograd.grad(total, list(added.values()))
    return streams, {point: grad.float() for point, grad in zip(added, found, strict=True)}
