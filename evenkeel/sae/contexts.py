"""Pieces of text in which a latent fires, and pieces in which it does not."""

from typing import Literal

from evenkeel.synthesis.records import Record


class Context(Record):
    """A window of a text, with one latent's activation on each token."""

    feature: int
    kind: Literal["top", "silent"]
    """top: the latent fires; silent: it fires nowhere in the text."""
    rank: int
    """Of the top contexts by peak activation, from 0, no text twice; of the silent ones no order."""
    tokens: tuple[str, ...]
    """The text of each token, leading space included."""
    activations: tuple[float, ...]
    """On each token; all 0 in a silent context."""
    peak: int
    """Index of the token with the largest activation; in a silent context of any token."""
