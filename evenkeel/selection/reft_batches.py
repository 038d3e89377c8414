"""What a training step of a learned edit reads, and what the unsteered model gives for it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from torch import Tensor

from evenkeel.datasets.records import Prompt
from evenkeel.metrics.bias import unbiased
from evenkeel.models.batching import context_length, length_sorted
from evenkeel.models.devices import input_device, quick_gradients
from evenkeel.models.encoding import Tokens
from evenkeel.models.loading import LoadedModel
from evenkeel.models.logits import logits_at
from evenkeel.scoring.group_reads import EncodedPrompt, GroupReads, encode_prompt
from evenkeel.scoring.prefix_reuse import recorded, resumed
from evenkeel.scoring.token_reads import Reads, read_batches, text_reads
from evenkeel.steering.hooks import steer
from evenkeel.steering.intervention import Intervention

LogProbs = Float[Tensor, "places vocab"]
IndexArray = Int[ndarray, " rows"]
ROWS_OF_TEXT = 0.25
"""Texts in a batch, in units of its prompts: they are longer, and probabilities of all their tokens
are read."""


class Pass:
    """One batch of rows: run once unsteered, and again under edits from their first block on.

    Args:
        model: the unsteered model.
        rows: token ids.
        reads: tokens whose probabilities matter; they say which places have logits.
        start: first block that an edit reaches.
    """

    def __init__(self, model: Any, rows: Sequence[Tokens], reads: Reads, start: int) -> None:
        (batch,) = read_batches(rows, reads, len(rows))
        order = torch.from_numpy(batch.place).argsort()
        self._model, self._inputs, self._start = model, batch.inputs, start
        self._row, self._column = torch.from_numpy(batch.row), torch.from_numpy(batch.column)
        self.at: Int[Tensor, " reads"] = torch.from_numpy(batch.at)[order]
        """Place that each read is read at."""
        self.token: Int[Tensor, " reads"] = torch.from_numpy(batch.token)[order]
        with torch.no_grad(), recorded(model) as outputs:
            self.unsteered: LogProbs = self._log_probs()
        self._outputs = outputs[start - 1 : start] * start  # only the last of them is read

    def steered(self, edits: Sequence[Intervention]) -> LogProbs:
        """Log-probabilities at the places, through which gradients flow to the edits."""
        with steer(self._model, edits), resumed(self._model, self._outputs, self._start):
            return self._log_probs()

    def _log_probs(self) -> LogProbs:
        with quick_gradients(input_device(self._model)):
            logits = logits_at(self._model, self._inputs, self._row, self._column)
        return logits.float().log_softmax(dim=-1)


@dataclass(frozen=True, eq=False)
class PromptPass:
    """A batch of prompts."""

    read: Pass
    groups: GroupReads
    context: Int[Tensor, " prompts"]
    """Place of each prompt's last token, where a continuation begins."""
    begins: Bool[Tensor, "prompts vocab"]
    """Tokens that a continuation of some group begins with."""

    @classmethod
    def of(cls, model: Any, prompts: Sequence[EncodedPrompt], start: int) -> "PromptPass":
        groups = GroupReads.of(prompts)
        read = Pass(model, groups.rows, groups.reads, start)
        first: dict[int, int] = {}
        begins = torch.zeros(len(prompts), read.unsteered.shape[1], dtype=torch.bool)
        for number, continuation in enumerate(groups.continuation):
            prompt = int(groups.cell[continuation]) // groups.shape[1]
            length = len(prompts[prompt].contexts[0])
            if groups.reads.position[number] == length:
                first.setdefault(prompt, int(read.at[number]))
                begins[prompt, int(read.token[number])] = True
        context = torch.tensor([first[index] for index in range(len(prompts))])
        return cls(read, groups, context, begins)

    def scores(self, log_probs: LogProbs) -> Float[Tensor, "prompts groups"]:
        """Centred log-probabilities of the groups."""
        return self.groups.scores(log_probs[self.read.at, self.read.token])

    def divergence(self, log_probs: LogProbs, *, merged: bool) -> Float[Tensor, ""]:
        """Mean KL(unsteered || steered) of the next token, in nats.

        Merged: what the groups' continuations begin with counts as one token, so that only what is
        not said of a group costs.
        """
        sides = [self.read.unsteered[self.context], log_probs[self.context]]
        if merged:
            sides = [_merged(side, self.begins.to(side.device)) for side in sides]
        return divergence(*sides)


def text_pass(model: Any, texts: Sequence[Tokens], start: int) -> Pass:
    """A batch of plain texts, with a place before every token but the first."""
    return Pass(model, texts, text_reads(texts, [1] * len(texts)), start)


def divergence(unsteered: LogProbs, steered: LogProbs) -> Float[Tensor, ""]:
    """Mean KL(unsteered || steered) over places, in nats."""
    return (unsteered.exp() * (unsteered - steered)).sum(dim=-1).mean()


def _merged(log_probs: LogProbs, together: Bool[Tensor, "places vocab"]) -> LogProbs:
    """Log-probabilities in which some tokens count as one, the last; -1e9 takes their own place."""
    one = log_probs.masked_fill(~together, -1e9).logsumexp(dim=-1, keepdim=True)
    return torch.cat([log_probs.masked_fill(together, -1e9), one], dim=-1)


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
            parts = _parts(len(chosen), rows, generator)
            passes = [PromptPass.of(model, [encoded[i] for i in part], start) for part in parts]
            return passes, parts

        self._stereotypical, self._parts = prompt_passes(self._prompts)
        definitional = [prompt for prompt in prompts if prompt.kind == "definitional"]
        self._definitional, _ = prompt_passes(definitional)
        limit = context_length(model)
        encoded = (loaded.encoder.encode(text)[:limit] for text in texts)
        tokens = [each for each in encoded if len(each) > 1]
        parts = length_sorted(list(map(len, tokens)), max(1, round(rows * ROWS_OF_TEXT)))
        self._texts = [
            text_pass(model, [tokens[i] for i in parts[number]], start)
            for number in generator.permutation(len(parts))
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


def _parts(number: int, rows: int, generator: np.random.Generator) -> list[IndexArray]:
    order = generator.permutation(number)
    return np.array_split(order, max(1, round(number / rows))) if number else []
