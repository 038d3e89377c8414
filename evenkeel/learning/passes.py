"""Batches as training reads them: run once unsteered, and again as what is trained changes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from torch import Tensor

from evenkeel.models.batching import context_length, length_sorted
from evenkeel.models.devices import input_device, quick_gradients
from evenkeel.models.encoding import Tokens
from evenkeel.models.loading import LoadedModel
from evenkeel.models.logits import logits_at
from evenkeel.scoring.group_reads import EncodedPrompt, GroupReads
from evenkeel.scoring.prefix_reuse import recorded, resumed
from evenkeel.scoring.token_reads import Reads, read_batches, text_reads
from evenkeel.steering.hooks import steer
from evenkeel.steering.intervention import Intervention

LogProbs = Float[Tensor, "places vocab"]
IndexArray = Int[ndarray, " rows"]
ROWS_OF_TEXT = 0.25
"""Texts in a batch, in units of its prompts: they are longer, and probabilities of all their tokens
are read."""


class Rows:
    """One batch of rows, read from a model as it is at the time, with gradients.

    Args:
        model: that is read.
        rows: token ids.
        reads: tokens whose probabilities matter; they say which places have logits.
    """

    def __init__(self, model: Any, rows: Sequence[Tokens], reads: Reads) -> None:
        (batch,) = read_batches(rows, reads, len(rows))
        order = torch.from_numpy(batch.place).argsort()
        self._model, self._inputs = model, batch.inputs
        self._row, self._column = torch.from_numpy(batch.row), torch.from_numpy(batch.column)
        self.at: Int[Tensor, " reads"] = torch.from_numpy(batch.at)[order]
        """Place that each read is read at."""
        self.token: Int[Tensor, " reads"] = torch.from_numpy(batch.token)[order]

    def log_probs(self) -> LogProbs:
        """Log-probabilities at the places."""
        with quick_gradients(input_device(self._model)):
            logits = logits_at(self._model, self._inputs, self._row, self._column)
        return logits.float().log_softmax(dim=-1)

    def of_tokens(self, log_probs: LogProbs) -> Float[Tensor, " reads"]:
        """Log-probability of each token that is read."""
        return log_probs[self.at, self.token]


class Pass(Rows):
    """Rows that run once unsteered, and again under edits from their first block on.

    Args:
        model: the unsteered model.
        rows: token ids.
        reads: tokens whose probabilities matter.
        start: first block that an edit reaches.
    """

    def __init__(self, model: Any, rows: Sequence[Tokens], reads: Reads, start: int) -> None:
        super().__init__(model, rows, reads)
        self._start = start
        with torch.no_grad(), recorded(model) as outputs:
            self.unsteered: LogProbs = self.log_probs()
        self._outputs = outputs[start - 1 : start] * start  # only the last of them is read

    def steered(self, edits: Sequence[Intervention]) -> LogProbs:
        """Log-probabilities at the places, through which gradients flow to the edits."""
        with steer(self._model, edits), resumed(self._model, self._outputs, self._start):
            return self.log_probs()


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
        return self.groups.scores(self.read.of_tokens(log_probs))

    def divergence(self, log_probs: LogProbs, *, merged: bool) -> Float[Tensor, ""]:
        """Mean KL(unsteered || steered) of the next token, in nats.

        Merged: what the groups' continuations begin with counts as one token, so that only what is
        not said of a group costs.
        """
        sides = [self.read.unsteered[self.context], log_probs[self.context]]
        if merged:
            sides = [_merged(side, self.begins.to(side.device)) for side in sides]
        return divergence(*sides)


def text_batches(
    loaded: LoadedModel, texts: Sequence[str], rows: int, generator: np.random.Generator
) -> list[list[Tokens]]:
    """Plain texts in batches of like length, in random order; those of one token are left out.

    Args:
        loaded: the model; texts are cut where its context ends.
        texts: to be read.
        rows: prompts of the batches beside which they are read, of which `ROWS_OF_TEXT` are taken.
        generator: of the order.
    """
    limit = context_length(loaded.model)
    encoded = (loaded.encoder.encode(text)[:limit] for text in texts)
    tokens = [each for each in encoded if len(each) > 1]
    parts = length_sorted(list(map(len, tokens)), max(1, round(rows * ROWS_OF_TEXT)))
    return [[tokens[i] for i in parts[number]] for number in generator.permutation(len(parts))]


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


def shuffled_parts(number: int, rows: int, generator: np.random.Generator) -> list[IndexArray]:
    """Indices in random batches of about so many rows."""
    order = generator.permutation(number)
    return np.array_split(order, max(1, round(number / rows))) if number else []
