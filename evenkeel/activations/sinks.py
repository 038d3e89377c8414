"""Attention sinks: positions that attention rests on, left out of what is measured and edited.

The residual stream there is 10 to 130 times as large as elsewhere (Xiao et al. 2024, "Efficient
Streaming Language Models with Attention Sinks"; Sun et al. 2024, "Massive Activations in Large
Language Models"): a mean over positions is theirs, and an edit of them breaks the model. The rule:

1. The first token of a text that attention sees is a sink, at every layer and site.
2. A later token is one at a hook point where it is like the first and unlike the others. That is so
   where the mean activation of first tokens is at least `NORM_RATIO` times as long as the median of
   the others, and the later token's projection on that mean is at least `SHARE` of its length and
   `STANDS_OUT` times that median. Without the last condition a stream of which every token shares
   the first one's direction, as in Gemma 3, would be half sinks.

Both look at one position only, so that they decide alike with and without a KV cache, in a batch
and alone, padded on either side.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Self
from weakref import WeakKeyDictionary

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from evenkeel.models.encoding import Tokens
from evenkeel.models.sites import HookPoint
from evenkeel.params import Sinks

FIRST_TOKENS = 1
"""Tokens at a text's start that are sinks, whatever their activations."""
NORM_RATIO = 4.0
SHARE = 0.25
STANDS_OUT = 2.0
RULE = 2
"""Version of what sinks are found: part of the identity of what is cached."""
_TEXTS, _TOKENS = 4, 32


def first_tokens(sinks: Sinks) -> int:
    """Tokens at a text's start that are left out, padding not counted."""
    return FIRST_TOKENS if sinks == "exclude" else 0


def random_texts(
    vocabulary: int, context: int | None, front: Tokens | None, bos: Any
) -> Int[Tensor, "texts length"]:
    """Texts of random tokens that a model's sinks are measured on, begun as its texts are.

    A token beyond the vocabulary, as a config that was shrunk may name for BOS, stands nowhere.

    Args:
        vocabulary: tokens that the model has embeddings of.
        context: most tokens that it reads, if it says.
        front: what its encoder puts before every text; None where no encoder is known: every other
            text is then begun with BOS.
        bos: the model's beginning-of-text token, if it has one.
    """
    generator = torch.Generator().manual_seed(0)
    size = (_TEXTS, min(_TOKENS, context or _TOKENS))
    ids = torch.randint(vocabulary, size, generator=generator)
    begun = ids[::2] if front is None else ids
    tokens = (bos,) if front is None else front
    known = [each for each in tokens if isinstance(each, int) and 0 <= each < vocabulary]
    known = known[: size[1]]
    begun[:, : len(known)] = torch.tensor(known, dtype=torch.long)
    return ids


@dataclass(frozen=True, eq=False)
class SinkProbe:
    """Tells later sinks from other tokens at one hook point."""

    direction: Float[Tensor, " width"]
    """Unit norm, float32: where the first token's mean activation points."""
    threshold: float
    """A token that projects this far on it is a sink."""

    @classmethod
    def of(
        cls, first: Float[Tensor, "texts width"], other_norms: Float[Tensor, " tokens"]
    ) -> Self | None:
        """Fit to activations at one hook point; None where first tokens do not stand out.

        Args:
            first: activations of first tokens.
            other_norms: norms of the activations of tokens that are not first.
        """
        mean = first.double().mean(0)
        length = mean.norm()
        if not bool(length.isfinite()) or not other_norms.numel():
            return None
        others = float(other_norms.double().median())
        if float(length) < NORM_RATIO * others or not float(length):
            return None
        return cls((mean / length).float(), max(SHARE * float(length), STANDS_OUT * others))

    def to(self, device: torch.device) -> "SinkProbe":
        return SinkProbe(self.direction.to(device), self.threshold)

    def __call__(self, x: Float[Tensor, "*batch width"]) -> Bool[Tensor, "*batch"]:
        """Where `x` is the activation of a sink, on any device."""
        # Multiplied and summed, because autocast rounds every matrix product.
        return (x.float() * self.direction.to(x.device)).sum(-1) >= self.threshold


@dataclass
class SinkMeasurement:
    """The probes of one model as it is without steering, found while it may be steered."""

    probes: dict[Tokens | None, dict[HookPoint, SinkProbe | None]] = field(default_factory=dict)
    """By what was put before the texts that they were measured on."""
    runs: bool = False
    """Whether the model is run to find them: no edit acts then."""

    @contextmanager
    def running(self) -> Iterator[None]:
        """Let the edits of the model rest while the block runs."""
        self.runs = True
        try:
            yield
        finally:
            self.runs = False


_MEASUREMENTS: WeakKeyDictionary[Any, SinkMeasurement] = WeakKeyDictionary()


def measurement_of(model: Any) -> SinkMeasurement:
    """The one of a model, for as long as the model lives."""
    return _MEASUREMENTS.setdefault(model, SinkMeasurement())


def kept_rows(
    rows: Float[np.ndarray, "tokens width"],
    offsets: Int[np.ndarray, " texts_and_end"],
    sinks: Sinks,
    probe: SinkProbe | None,
) -> Bool[np.ndarray, " tokens"]:
    """Which tokens of whole texts are no sinks, given the activations at one hook point.

    Where a text holds nothing but sinks, its tokens after the first count, or else the first.

    Args:
        rows: activations of every token, text after text.
        offsets: text i is rows offsets[i] to offsets[i + 1].
        sinks: "include" keeps all.
        probe: of this hook point.
    """
    kept = np.ones(len(rows), dtype=bool)
    if sinks == "include" or not len(rows):
        return kept
    lengths = np.diff(offsets)
    later = np.arange(len(rows)) - offsets[:-1].repeat(lengths) >= np.minimum(
        FIRST_TOKENS, lengths - 1
    ).repeat(lengths)
    kept = later if probe is None else later & ~probe(torch.from_numpy(rows)).numpy()
    nothing_left = np.add.reduceat(kept, offsets[:-1], dtype=np.int64) == 0
    kept |= later & nothing_left.repeat(lengths)
    return kept


def probe_of_rows(
    rows: Float[np.ndarray, "tokens width"], offsets: Int[np.ndarray, " texts_and_end"]
) -> SinkProbe | None:
    """The probe that whole texts give, from the activations of their tokens at one hook point."""
    first = np.zeros(len(rows), dtype=bool)
    first[offsets[:-1]] = True
    norms = np.linalg.norm(rows[~first], axis=1)
    return SinkProbe.of(torch.from_numpy(rows[first]), torch.from_numpy(norms))
