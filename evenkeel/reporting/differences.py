"""Text of models and files on the page: what is invisible shown, what has changed marked."""

import re
import unicodedata
from dataclasses import dataclass
from difflib import SequenceMatcher

MAX_SHOWN = 600


@dataclass(frozen=True)
class Piece:
    """A run of text that is in both versions, or in this one only."""

    text: str
    changed: bool


def visible(text: str, limit: int = MAX_SHOWN) -> str:
    """The text with control and formatting characters spelt out, cut where it gets long.

    A bidirectional override would otherwise turn the page around, and a zero-width space hide.
    """
    shown = "".join(
        f"\\u{ord(character):04x}"
        if unicodedata.category(character) in ("Cc", "Cf", "Co", "Cs") and character not in "\n\t"
        else character
        for character in text[:limit]
    )
    return shown + ("…" if len(text) > limit else "")


def marked(text: str, other: str) -> list[Piece]:
    """`text` in pieces, changed where its words are not those of `other`."""
    own, theirs = (re.findall(r"\s*\S+|\s+$", visible(version)) for version in (text, other))
    pieces = []
    before, after = ([word.strip() for word in version] for version in (theirs, own))
    matcher = SequenceMatcher(a=before, b=after, autojunk=False)
    for operation, _, _, start, stop in matcher.get_opcodes():
        run = "".join(own[start:stop])
        words_of_run = run.lstrip()
        space = run[: len(run) - len(words_of_run)]  # not marked: nobody sees that a space changed
        changed = operation != "equal"
        pieces += [Piece(space, False), Piece(words_of_run, changed)]
    return [piece for piece in pieces if piece.text]
