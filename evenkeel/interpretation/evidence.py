"""What is known of a feature: what an explanation may rest on, and what tests it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from evenkeel.params import Axis
from evenkeel.sae.results import Context


@dataclass(frozen=True)
class Evidence:
    """One feature. No text is both shown and in the test."""

    feature: int
    axes: tuple[Axis, ...]
    """Axes with which it is associated."""
    promoted: tuple[str, ...]
    """Tokens that it makes more likely, the strongest first."""
    shown: tuple[Context, ...]
    """Contexts in which it fires, for the explainer."""
    contrast: tuple[Context, ...]
    """Non-activating contexts, for the explainer."""
    test: tuple[Context, ...]
    """As many of the one kind as of the other, shuffled, for the judge."""


def gather_evidence(
    feature: int,
    axes: tuple[Axis, ...],
    promoted: Sequence[str],
    contexts: Sequence[Context],
    *,
    shown: int,
    heldout: int,
    seed: int,
) -> Evidence:
    """Divide a feature's contexts between the explainer and the judge.

    Every other context is held out, so that both see strong and weak activations. Texts that occur
    more than once count once: a copy of what was shown would test nothing.

    Args:
        contexts: those of `feature`, of both kinds, in any order.
        shown: most contexts of a kind for the explainer.
        heldout: most contexts of a kind for the judge.
        seed: of the test's order.
    """
    activating = _distinct(c for c in contexts if c.kind == "top")
    non_activating = _distinct(c for c in contexts if c.kind == "silent")
    pairs = min(len(activating) // 2, len(non_activating) // 2, heldout)
    test = [*activating[1::2][:pairs], *non_activating[1::2][:pairs]]
    order = np.random.default_rng([seed, feature]).permutation(len(test))
    return Evidence(
        feature=feature,
        axes=axes,
        promoted=tuple(promoted),
        shown=tuple(activating[::2][:shown]),
        contrast=tuple(non_activating[::2][:shown]),
        test=tuple(test[i] for i in order),
    )


def _distinct(contexts: Iterable[Context]) -> list[Context]:
    """By rank, the first of each text."""
    first: dict[str, Context] = {}
    for context in sorted(contexts, key=lambda context: context.rank):
        first.setdefault(text_of(context), context)
    return list(first.values())


def text_of(context: Context) -> str:
    """The text of a context. Half a character at either end can be no more than U+FFFD."""
    return "".join(context.tokens).encode("utf-8", "replace").decode()
