"""Training of learned edits on the train split: bias to zero, all else where it was.

The model stays frozen. What is minimized is the squared distance of the scores of stereotypical
train prompts from no bias: every group equally likely, or, where the groups' words have base rates
of their own, as likely as after the other items. Limits are set to the KL divergence from the
unsteered model

- after stereotypical prompts, where what names a group counts as one token;
- after definitional prompts;
- along plain texts.

Prompts are read with and without their lead-ins. Each limit has a multiplier that grows while it
is broken and shrinks while it is kept (dual ascent on the Lagrangian).
"""

from collections.abc import Sequence
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor

from evenkeel.conditions.learned import Edits
from evenkeel.datasets.records import Prompt, trained_on, with_and_without_lead_ins
from evenkeel.errors import BadInputError
from evenkeel.learning.descent import descend
from evenkeel.models.loading import LoadedModel
from evenkeel.models.sites import HookPoint
from evenkeel.params import ReftParams
from evenkeel.selection.item_gates import ItemGates
from evenkeel.selection.reft_batches import TrainingBatches
from evenkeel.steering.gates import Gate
from evenkeel.steering.loreft import Loreft

RATE = 0.2
"""Of Adam, times the square root of the width: entries of a unit vector are as small as that."""
FIRST_DUAL, DUAL_RATE, DUALS = 0.1, 0.1, (1e-2, 1e2)
"""The limits' multipliers, in units of the unsteered bias over the limit: where they begin, how far
they move in a step (logarithm), and where they end."""
GATE_TEXTS = 3
"""Times as many plain texts are read by gates as by training."""


class ReftTrainer:
    """Trains edits of a frozen model for one axis; the same seed gives the same edit.

    Args:
        loaded: the model; it is the same object, unhooked and without gradients, afterwards.
        prompts: of the axis and all splits. Edits are trained on the train split; validation
            prompts choose gates; the test split is not looked at.
        texts: plain texts of the train split.
        params: how edits are trained, and at which layers.
        seed: of initial weights, of batches and of shuffles.

    Raises:
        BadInputError: there are too few plain texts.
    """

    def __init__(
        self,
        loaded: LoadedModel,
        prompts: Sequence[Prompt],
        texts: Sequence[str],
        params: ReftParams,
        seed: int,
    ) -> None:
        self._loaded, self._params, self._seed = loaded, params, seed
        self._prompts = trained_on(prompts, further=params.further_items)
        self._texts = list(texts[: GATE_TEXTS * params.texts])
        if len(self._texts) < GATE_TEXTS:
            raise BadInputError(
                f"the training texts hold {len(self._texts)} of kind 'plain', which learned edits "
                "have to leave alone; give more, or take reft out of evaluation.methods"
            )
        self._batches: dict[int, TrainingBatches] = {}

    def train(self, rank: int, layers: Sequence[int], shuffle: int | None = None) -> Edits:
        """Train one edit a layer, all at once.

        Args:
            rank: dimensions that each writes to.
            layers: blocks whose outputs are edited.
            shuffle: None, or the number of a random pairing of the items: each item then has to
                lose the scores of another one in place of its own.

        Raises:
            BadInputError: as of `ItemGates`, or the model lacks a layer.
        """
        generator = torch.Generator().manual_seed(self._seed)
        weights = [self._new_weights(rank, layer, generator) for layer in layers]
        batches = self._batches_from(min(layers) + 1)
        targets, scale = batches.targets(shuffle), batches.unsteered_bias
        leaves = [tensor for each in weights for tensor in each.leaves]
        steps, limit = self._params.steps, self._params.max_kl
        dual = torch.full((batches.limits,), FIRST_DUAL)

        def loss(step: int) -> Float[Tensor, ""]:
            nonlocal dual
            bias, costs = batches.losses(step, [each.edit() for each in weights], targets)
            lagrangian = bias / scale + (dual * costs / limit).sum()
            excess = (costs.detach() / limit - 1).clamp(-1, 1)
            dual = (dual * (DUAL_RATE * excess).exp()).clamp(*DUALS)
            return lagrangian

        title = f"reft of rank {rank}, layers {'+'.join(map(str, layers))}"
        descend(leaves, loss, steps=steps, rate=RATE / weights[0].width ** 0.5, title=title)
        return tuple(each.trained for each in weights)

    def _batches_from(self, start: int) -> TrainingBatches:
        if start not in self._batches:
            own = [
                prompt
                for prompt in self._prompts
                if prompt.split == "train" and prompt.direction == "group_given_item"
            ]
            self._batches[start] = TrainingBatches(
                self._loaded,
                with_and_without_lead_ins(own),
                self._texts[: self._params.texts],
                rows=self._params.batch_rows,
                start=start,
                seed=self._seed,
            )
        return self._batches[start]

    def _new_weights(self, rank: int, layer: int, generator: torch.Generator) -> "_Weights":
        point = HookPoint("resid_post", layer)
        gate, norm = self._gates.at(point), self._gates.norm(point)
        return _Weights(rank, layer, gate, norm, generator)

    @cached_property
    def _gates(self) -> ItemGates:
        layers = sorted({layer for layers in self._params.layers for layer in layers})
        points = [HookPoint("resid_post", layer) for layer in layers]
        return ItemGates(
            self._loaded, self._prompts, self._texts, points, self._params.open_at_known
        )


class _Weights:
    """What is trained of one edit; at first it edits nothing."""

    def __init__(
        self, rank: int, layer: int, gate: Gate, norm: float, generator: torch.Generator
    ) -> None:
        assert gate.width is not None
        self.width, self._layer, self._gate, self._norm = gate.width, layer, gate, norm
        drawn = torch.randn(self.width, rank, generator=generator)
        rows = torch.linalg.qr(drawn).Q.mT.contiguous()
        self._rows = rows.requires_grad_()
        self._source = rows.detach().clone().requires_grad_()
        self._bias = torch.zeros(rank, requires_grad=True)

    @property
    def leaves(self) -> list[Tensor]:
        return [self._rows, self._source, self._bias]

    def edit(self) -> Loreft:
        """The edit, through which gradients flow to the leaves."""
        return Loreft(
            self._rotation(),
            self._source,
            self._norm * self._bias,
            layer=self._layer,
            site="resid_post",
            gates=(self._gate,),
        )

    @property
    def trained(self) -> Loreft:
        with torch.no_grad():
            edit = self.edit()
        return Loreft(
            edit.rotation.detach(),
            edit.source.detach().clone(),
            edit.bias.detach(),
            layer=edit.layer,
            site=edit.site,
            gates=edit.gates,
        )

    def _rotation(self) -> Float[Tensor, "rank width"]:
        """The nearest of the orthonormal rows that span what the leaf's rows do."""
        q, r = torch.linalg.qr(self._rows.mT)
        return (q * r.diagonal().sign()).mT
