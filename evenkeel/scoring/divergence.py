"""How far a model is moved on ordinary text, by steering or by what stands before the text."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor, nn

from evenkeel.models.batching import length_sorted, padded
from evenkeel.models.logits import logits_at, rows_of_logits
from evenkeel.scoring.prefix_reuse import first_affected, recorded, resumed
from evenkeel.scoring.prompt_set import PromptSet
from evenkeel.scoring.result_cache import NOT_KEPT, ResultCache
from evenkeel.steering.hooks import steer
from evenkeel.steering.intervention import Intervention
from evenkeel.steering.spec import digest_of

Places = Int[Tensor, " places"]


def text_divergences(
    model: nn.Module,
    edits: Sequence[Sequence[Intervention]],
    prompt_set: PromptSet,
    batch_size: int,
    cache: ResultCache = NOT_KEPT,
) -> Float[ndarray, "edits texts"]:
    """KL(unsteered || steered) of the next token, in nats, summed over the places of each text.

    The places are those whose next token the perplexity scores. The unsteered model runs once for
    all edits, and from the first block that an edit reaches on for each.

    Args:
        model: the unsteered model; it is the same object, unhooked, afterwards.
        edits: interventions that act together.
        prompt_set: that the texts are of.
        batch_size: rows in a forward pass.
        cache: keeps what each pass gives.
    """
    texts, unscored = prompt_set.texts, prompt_set.unscored
    lengths = [len(text) for text in texts]
    batches = length_sorted(lengths, batch_size, rows_of_logits(model))
    sizes = [len(members) for members in batches]

    def task(number: int, passes: slice) -> _Divergences:
        own = [texts[index] for index in batches[number]]
        first = [unscored[index] for index in batches[number]]
        return _Divergences(own, first, edits[passes])

    def run(number: int, begun: int) -> Iterator[Float[ndarray, " texts"]]:
        return task(number, slice(begun, None)).run(model)

    def question() -> list[Any]:
        return ["divergences", [digest_of(edit) for edit in edits], texts, unscored, batch_size]

    result = np.zeros((len(edits), len(texts)))
    found = cache.results("divergence", question, sizes, len(edits), run, task)
    for batch, number, divergences in found:
        result[number, batches[batch]] = divergences
    return result


@dataclass(frozen=True)
class _Divergences:
    """Texts of one batch, under one edit after the other."""

    texts: Sequence[Sequence[int]]
    unscored: Sequence[int]
    edits: Sequence[Sequence[Intervention]]

    def run(self, model: Any) -> Iterator[Float[ndarray, " texts"]]:
        inputs = padded(self.texts)
        row, column = _scored(inputs, self.unscored)
        with recorded(model) as outputs:
            base = _log_probs(model, inputs, row, column)
        probs = base.exp()
        for interventions in self.edits:
            start = first_affected(interventions)
            with steer(model, interventions), resumed(model, outputs, start):
                steered = _log_probs(model, inputs, row, column)
            yield _summed(probs, base - steered, row, len(self.texts))


def changed_divergences(
    model: nn.Module,
    change: Callable[[], AbstractContextManager[Any]],
    alone: PromptSet,
    behind: PromptSet,
    batch_size: int,
) -> Float[ndarray, " texts"]:
    """KL(text alone || as a changed model reads it, behind a prefix) of the next token, by text.

    In nats, summed over the places of the text's own tokens, which both sets score.

    Args:
        model: the unsteered model.
        change: gives what is read in its place while a block runs.
        alone: the prompt set without a prefix.
        behind: the same prompt set behind the prefix; the same where there is none.
        batch_size: rows in a forward pass.
    """
    result = np.zeros(len(alone.texts))
    lengths = [len(text) for text in alone.texts]
    for batch in length_sorted(lengths, batch_size, rows_of_logits(model)):
        inputs = padded([alone.texts[index] for index in batch])
        row, column = _scored(inputs, [alone.unscored[index] for index in batch])
        base = _log_probs(model, inputs, row, column)
        before = torch.tensor([behind.unscored[i] - alone.unscored[i] for i in batch])
        inputs = padded([behind.texts[index] for index in batch])
        with change() as changed:
            moved = _log_probs(changed, inputs, row, column + before[row])
        result[batch] = _summed(base.exp(), base - moved, row, len(batch))
    return result


def _scored(inputs: dict[str, Tensor], unscored: Sequence[int]) -> tuple[Places, Places]:
    """Row and column of every token that a scored one follows."""
    row, column = inputs["attention_mask"][:, 1:].nonzero(as_tuple=True)
    kept = column + 1 >= torch.tensor(unscored)[row]
    return row[kept], column[kept]


def _summed(
    probs: Float[Tensor, "places vocab"],
    log_ratios: Float[Tensor, "places vocab"],
    row: Places,
    texts: int,
) -> Float[ndarray, " texts"]:
    """Mean log-ratio under `probs`, summed over the places of each text."""
    divergence = (probs * log_ratios).sum(dim=-1)
    return np.bincount(row, weights=divergence.double().cpu(), minlength=texts)


@torch.inference_mode()
def _log_probs(
    model: nn.Module, inputs: dict[str, Tensor], row: Places, column: Places
) -> Float[Tensor, "places vocab"]:
    return logits_at(model, inputs, row, column).float().log_softmax(dim=-1)
