"""What a training step of a learned edit reads, and what the unsteered model gives for it."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from evenkeel.datasets.records import Prompt
from evenkeel.learning.passes import (
    IndexArray,
    PromptPass,
    divergence,
    shuffled_parts,
    text_batches,
    text_pass,
)
from evenkeel.metrics.bias import unbiased
from evenkeel.models.loading import LoadedModel
from evenkeel.scoring.group_reads import encode_prompt
from evenkeel.steering.intervention import Intervention


class TrainingBatches:
    """The train split of one axis in batches, as read from one block on.

    Args:
        loaded: the model.
        prompts: of the train split and one axis, asked for the group; neutral ones are passed over.
        texts: plain texts.
        rows: prompts in a batch, and `ROWS_OF_TEXT` of that texts.
        start: first block that an edit reaches.
        seed: of the batches and of shuffles.
    """

    def __init__(
        self,
        loaded: LoadedModel,
        prompts: Sequence[Prompt],
        texts: Sequence[str],
        *,
        rows: int,
        start: int,
        seed: int,
    ) -> None:
        model, tokenizer = loaded.model, loaded.tokenizer
        generator = np.random.default_rng([seed, start])
        self._seed = seed
        self._prompts = [p for p in prompts if p.kind == "stereotypical"]

        def prompt_passes(chosen: Sequence[Prompt]) -> tuple[list[PromptPass], list[IndexArray]]:
            encoded = [encode_prompt(tokenizer, prompt) for prompt in chosen]
            parts = shuffled_parts(len(chosen), rows, generator)
            passes = [PromptPass.of(model, [encoded[i] for i in part], start) for part in parts]
            return passes, parts

        self._stereotypical, self._parts = prompt_passes(self._prompts)
        definitional = [prompt for prompt in prompts if prompt.kind == "definitional"]
        self._definitional, _ = prompt_passes(definitional)
        self._texts = [
            text_pass(model, batch, start) for batch in text_batches(loaded, texts, rows, generator)
        ]

    def targets(self, shuffle: int | None) -> list[Float[Tensor, "prompts groups"]]:
        """Where the scores of each batch of stereotypical prompts have to go.

        To what they would be without bias; or, of shuffled items, to what is left when another
        item's mean bias is lost.
        """
        if shuffle is None:
            left = self._unbiased
        else:
            items = [self._prompts[index].item for index in self._order]
            names = sorted(set(items))
            biased = self._scores - self._unbiased
            means = {
                name: biased[[index for index, item in enumerate(items) if item == name]].mean(0)
                for name in names
            }
            order = np.random.default_rng([self._seed, 6, shuffle]).permutation(len(names))
            other = dict(zip(names, np.array(names)[order], strict=True))
            left = self._scores - torch.stack([means[other[item]] for item in items])
        return list(left.split([len(part) for part in self._parts]))

    def in_batches(
        self, of_prompts: Float[Tensor, "prompts groups"]
    ) -> list[Float[Tensor, "prompts groups"]]:
        """What belongs to each stereotypical prompt, in their order, as the batches take them."""
        return [of_prompts[part].to(self._scores) for part in self._parts]

    @property
    def unsteered_bias(self) -> float:
        """Mean squared bias of the unsteered model's scores."""
        return float(_squared(self._scores - self._unbiased))

    @cached_property
    def _order(self) -> IndexArray:
        """The stereotypical prompts in the order of the batches."""
        return np.concatenate(self._parts)

    @cached_property
    def _scores(self) -> Float[Tensor, "prompts groups"]:
        return torch.cat([batch.scores(batch.read.unsteered) for batch in self._stereotypical])

    @cached_property
    def _unbiased(self) -> Float[Tensor, "prompts groups"]:
        """What the scores would be without bias."""
        prompts = [self._prompts[index] for index in self._order]
        return torch.from_numpy(unbiased(self._scores.cpu().numpy(), prompts)).to(self._scores)

    @property
    def limits(self) -> int:
        """How many divergences `losses` gives."""
        return 1 + bool(self._definitional) + bool(self._texts)

    def losses(
        self,
        step: int,
        edits: Sequence[Intervention],
        targets: Sequence[Float[Tensor, "prompts groups"]],
    ) -> tuple[Float[Tensor, ""], Float[Tensor, " limits"]]:
        """The bias that is left on a step's batch, and the divergences, in nats, that limits hold.

        After stereotypical prompts with the groups as one, after definitional ones if there are
        any, along texts if there are any. On the CPU, where what is trained is.
        """
        place = step % len(self._stereotypical)
        stereotypical = self._stereotypical[place]
        log_probs = stereotypical.read.steered(edits)
        bias = _squared(stereotypical.scores(log_probs) - targets[place])
        costs = [stereotypical.divergence(log_probs, merged=True)]
        if self._definitional:
            known = self._definitional[step % len(self._definitional)]
            costs.append(known.divergence(known.read.steered(edits), merged=False))
        if self._texts:
            text = self._texts[step % len(self._texts)]
            costs.append(divergence(text.unsteered, text.steered(edits)))
        return bias.cpu(), torch.stack(costs).cpu()


def _squared(scores: Float[Tensor, "prompts groups"]) -> Float[Tensor, ""]:
    """Mean over prompts of the squared size of scores, as `metrics.bias.pairwise_square` has it."""
    return (2 / (scores.shape[1] - 1) * scores.square().sum(dim=1)).mean()
