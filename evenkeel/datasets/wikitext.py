"""WikiText-2 as plain texts that a model may meet: joined up again, and cut into short pieces."""

import random
import re
from collections.abc import Iterator

PIECE_WORDS = 60
"""A piece ends with the sentence in which it comes to as many words."""
LEAST_WORDS = 8
"""What is left of a paragraph is a piece from so many words on."""
HELD_OUT = 5
"""Every fifth article is held out."""
_TITLE = re.compile(r"^ = [^=].*[^=] = $")
_HEADING = re.compile(r"^ = .* = $")
_SENTENCE_END = re.compile(r"(?<= [.!?]) (?=[A-Z\"'])")
_JOINED = (
    (re.compile(r" @([-,.])@ "), r"\1"),
    (re.compile(r" ([.,;:!?)\]%]|'s\b|n't\b|'(?:re|ve|ll|d|m)\b)"), r"\1"),
    (re.compile(r"([(\[$£]) "), r"\1"),
    (re.compile(r'" ([^"]*) "'), r'"\1"'),
)


def wikitext_pieces(text: str, seed: int) -> tuple[list[str], list[str]]:
    """Cut WikiText into training and held-out texts, each in a random order.

    Sentences with a rare word, which stands there as <unk>, are left out. No article is in both.

    Args:
        text: of the file, markup included.
        seed: of the orders.
    """
    train: list[str] = []
    held_out: list[str] = []
    for number, article in enumerate(_articles(text)):
        pieces = held_out if number % HELD_OUT == HELD_OUT - 1 else train
        for paragraph in article:
            pieces += _pieces(paragraph)
    for name, pieces in (("train", train), ("heldout", held_out)):
        random.Random(f"{seed}/wikitext/{name}").shuffle(pieces)
    return train, held_out


def _articles(text: str) -> Iterator[list[str]]:
    """Paragraphs of each article, headings left out."""
    paragraphs: list[str] = []
    for line in text.split("\n"):
        if _TITLE.match(line) and paragraphs:
            yield paragraphs
            paragraphs = []
        if line.strip() and not _HEADING.match(line):
            paragraphs.append(line.strip())
    if paragraphs:
        yield paragraphs


def _pieces(paragraph: str) -> Iterator[str]:
    piece: list[str] = []
    for sentence in _SENTENCE_END.split(paragraph):
        if "<unk>" not in sentence:
            piece.append(sentence)
            if sum(len(part.split()) for part in piece) >= PIECE_WORDS:
                yield _joined(" ".join(piece))
                piece = []
    if sum(len(part.split()) for part in piece) >= LEAST_WORDS:
        yield _joined(" ".join(piece))


def _joined(text: str) -> str:
    """A text whose tokens stand apart, as people write it."""
    for pattern, joined in _JOINED:
        text = pattern.sub(joined, text)
    return text
