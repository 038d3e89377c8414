"""Steering vectors trained on preferences: what goes against the stereotype before what goes along.

The model stays frozen; what is trained is one vector that is added at one hook point. A preference
is a stereotypical train prompt whose item is held against a group: every other group of the axis is
preferred to that one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from evenkeel.datasets.records import Prompt, with_and_without_lead_ins
from evenkeel.errors import BadInputError
from evenkeel.learning.descent import descend
from evenkeel.learning.losses import Rejected, preference_loss, rejected_mask, reps_loss
from evenkeel.learning.passes import IndexArray, PromptPass, shuffled_parts
from evenkeel.models.loading import LoadedModel
from evenkeel.models.sites import HookPoint
from evenkeel.params import PreferenceMethod, PreferenceParams
from evenkeel.scoring.group_reads import encode_prompt
from evenkeel.scoring.prefix_reuse import first_affected
from evenkeel.steering.intervention import Add, Edit, Intervention, in_exact
from evenkeel.steering.subspace import exact

RATE = 0.02
"""Of Adam, in units of the residual stream's norm and times the square root of the width: how far
the vector moves in a step, about."""
START = 0.1
"""Norm of the random vector that RePS begins with, in these units: nothing lies along a zero."""
FACTORS = (0.5, 1.0, 1.5)
"""Multiples at which RePS adds its vector, drawn step by step."""
Direction = Float[np.ndarray, " d_model"]


def preferences(prompts: Sequence[Prompt]) -> list[Prompt]:
    """The train prompts that say which group is to be rejected, with lead-in and without.

    Raises:
        BadInputError: there are none.
    """
    found = [
        prompt
        for prompt in prompts
        if (prompt.kind, prompt.split, prompt.direction)
        == ("stereotypical", "train", "group_given_item")
        and prompt.held_against is not None
    ]
    if not found:
        axes = sorted({prompt.axis for prompt in prompts})
        raise BadInputError(
            f"prompts of axis {', '.join(axes)}: none of the train split is stereotypical and says "
            "which group its item is held against, so nothing can be trained on preferences; give "
            "some, or drop the methods bipo, reps and dpo_lora"
        )
    return with_and_without_lead_ins(found)


def rejected_groups(prompts: Sequence[Prompt], seed: int, shuffle: int | None) -> list[str]:
    """The group that each prompt's item is held against; of a shuffle, that of another item.

    Args:
        prompts: as of `preferences`.
        seed: of the shuffles.
        shuffle: None, or the number of a random pairing of the items.
    """
    held = {prompt.item: str(prompt.held_against) for prompt in prompts}
    if shuffle is not None:
        order = np.random.default_rng([seed, 7, shuffle]).permutation(len(held))
        held = dict(zip(held, np.array(list(held.values()))[order].tolist(), strict=True))
    return [held[prompt.item] for prompt in prompts]


class PreferenceTrainer:
    """Trains vectors of one axis; the same seed gives the same vector.

    Args:
        loaded: the model; it is the same object, unhooked and without gradients, afterwards.
        prompts: of the axis and all splits; the train split is looked at.
        params: how vectors are trained.
        seed: of initial vectors, of batches and of shuffles.

    Raises:
        BadInputError: as of `preferences`.
    """

    def __init__(
        self, loaded: LoadedModel, prompts: Sequence[Prompt], params: PreferenceParams, seed: int
    ) -> None:
        self._loaded, self._params, self._seed = loaded, params, seed
        self._prompts = preferences(prompts)
        # Hook points come one after the other, and many vectors are trained at each.
        self._batches = lru_cache(maxsize=1)(self._batches_from)

    def train(
        self,
        method: PreferenceMethod,
        point: HookPoint,
        *,
        unit: float,
        width: int,
        shuffle: int | None = None,
    ) -> Direction:
        """Train one vector, in units of the activations.

        Args:
            method: its loss.
            point: where it is added, at every position but attention sinks.
            unit: mean norm of the activations there.
            width: of the activations there.
            shuffle: None, or the number of a random pairing of the items: each is then held
                against the group of another one.
        """
        batches = self._batches(first_affected([Add(torch.zeros(width), **_at(point))]))
        rejected = self._rejected(batches, shuffle)
        generator = torch.Generator().manual_seed(self._seed)
        drawn = torch.randn(width, generator=generator)
        leaf = START * drawn / drawn.norm() if method == "reps" else torch.zeros(width)
        leaf.requires_grad_()
        of_batch = _bipo if method == "bipo" else _reps

        def loss(step: int) -> Float[Tensor, ""]:
            (read, _), chosen = batches[step % len(batches)], rejected[step % len(batches)]
            vector = _Trained(unit * leaf, point, generator, self._params.beta)
            return of_batch(read, chosen, vector).cpu()

        title = f"{method} at {point.site} of layer {point.layer}"
        descend([leaf], loss, steps=self._params.steps, rate=RATE / width**0.5, title=title)
        return (leaf.detach().double() * unit).numpy()

    def _batches_from(self, start: int) -> list[tuple[PromptPass, IndexArray]]:
        generator = np.random.default_rng([self._seed, start])
        encoded = [encode_prompt(self._loaded.tokenizer, prompt) for prompt in self._prompts]
        return [
            (PromptPass.of(self._loaded.model, [encoded[i] for i in part], start), part)
            for part in shuffled_parts(len(encoded), self._params.batch_rows, generator)
        ]

    def _rejected(
        self, batches: Sequence[tuple[PromptPass, IndexArray]], shuffle: int | None
    ) -> list[Rejected]:
        names = rejected_groups(self._prompts, self._seed, shuffle)
        groups = [prompt.groups for prompt in self._prompts]
        return [
            rejected_mask([groups[i] for i in part], [names[i] for i in part])
            for _, part in batches
        ]


@dataclass(frozen=True, eq=False)
class _Trained:
    """A vector as it is in one step."""

    vector: Float[Tensor, " d_model"]
    point: HookPoint
    generator: torch.Generator
    beta: float

    def added(self, factor: float) -> Intervention:
        return Add(self.vector, factor, **_at(self.point))

    def drawn(self, values: Sequence[float]) -> float:
        return values[int(torch.randint(len(values), (1,), generator=self.generator))]


def _bipo(read: PromptPass, rejected: Rejected, trained: _Trained) -> Float[Tensor, ""]:
    """The DPO loss under the vector or under its negative, which has to prefer the opposite."""
    sign = trained.drawn((-1.0, 1.0))
    moved = _of_groups(read, read.read.steered([trained.added(sign)])) - _unsteered(read)
    return preference_loss(sign * moved, rejected.to(moved.device), trained.beta)


def _reps(read: PromptPass, rejected: Rejected, trained: _Trained) -> Float[Tensor, ""]:
    """The vector added has to prefer what goes against the stereotype; nulled, the opposite."""
    added = trained.added(trained.drawn(FACTORS))
    nulled = _Null(trained.vector, **_at(trained.point))
    unsteered = _unsteered(read)
    return reps_loss(
        _of_groups(read, read.read.steered([added])),
        _of_groups(read, read.read.steered([nulled])),
        unsteered,
        torch.from_numpy(read.groups.lengths).to(unsteered),
        rejected.to(unsteered.device),
    )


@dataclass(frozen=True, eq=False)
class _Null(Intervention):
    """The residual stream without what lies along a vector, on its own side of zero."""

    vector: Float[Tensor, " d_model"]

    def on(self, device: torch.device, dtype: torch.dtype) -> Edit:
        unit = (self.vector / self.vector.norm()).to(device, exact(dtype))
        return in_exact(dtype, lambda stream: stream - (stream @ unit).relu().unsqueeze(-1) * unit)

    @property
    def width(self) -> int:
        return len(self.vector)


def _of_groups(
    read: PromptPass, log_probs: Float[Tensor, "places vocab"]
) -> Float[Tensor, "prompts groups"]:
    return read.groups.of_groups(read.read.of_tokens(log_probs))


def _unsteered(read: PromptPass) -> Float[Tensor, "prompts groups"]:
    return _of_groups(read, read.read.unsteered)


def _at(point: HookPoint) -> dict[str, Any]:
    return {"layer": point.layer, "site": point.site}
