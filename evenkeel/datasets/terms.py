"""Where a term stands in a text."""

import re
import unicodedata

from evenkeel.datasets.records import Prompt
from evenkeel.errors import BadInputError

_UNSPACED = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "THAI", "LAO", "KHMER", "MYANMAR")
"""Scripts, as the names of their letters begin, in which a word may stand right after another."""


def find_term(text: str, term: str) -> slice | None:
    """The first place where a term stands as a whole word (or words), in any case.

    "man" is not found in "The manager"; "nurse" is in "A nurse's day". Places are those of the
    text as it is: lower-casing may change its length ("İ" becomes two characters).
    """
    # A lookahead, so that a place which overlaps one that is no whole word is found as well.
    for found in re.finditer(rf"(?=({re.escape(term)}))", text, re.IGNORECASE):
        start, stop = found.span(1)
        if not (_goes_on(text, start) or _goes_on(text, stop)):
            return slice(start, stop)
    return None


def item_place(prompt: Prompt, otherwise: str) -> slice:
    """Where a prompt's item stands in its text, which its lead-in is no part of.

    Raises:
        BadInputError: nowhere; the message goes on with what the place is for, and what to do.
    """
    place = find_term(prompt.text, prompt.item)
    if place is None:
        raise BadInputError(
            f"prompt {prompt.id}: its text does not hold its item {prompt.item!r}, {otherwise}"
        )
    return place


def _goes_on(text: str, place: int) -> bool:
    """Whether a word that ends before `place` would go on after it."""
    return 0 < place < len(text) and all(map(_joins, (text[place - 1], text[place])))


def _joins(character: str) -> bool:
    """Whether a character makes one word with the letters beside it; combining marks do."""
    kind = unicodedata.category(character)[0]
    if character == "_":
        return True
    return kind in "LMN" and not unicodedata.name(character, "").startswith(_UNSPACED)
