"""Numbers, and text of models and files, as a reader can take them at face value."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

UNKNOWN = "unknown"
RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
MAX_SHOWN = 600
"""Characters of a text that are shown."""


def number(value: float | None, digits: int = 2) -> str:
    """A number with a true minus sign, a large one as a power of ten, or "unknown"."""
    if value is None:
        return UNKNOWN
    if abs(value) >= 1e6:
        mantissa, exponent = f"{value:.{digits}e}".split("e")
        return f"{mantissa} × 10{exponent[1:].lstrip('0').translate(RAISED)}".replace("-", "−")
    text = f"{value:.{digits}f}"
    if float(text) == 0:
        text = text.lstrip("-")  # there is no minus zero in prose
    return text.replace("-", "−")


def percent(value: float | None, digits: int = 0) -> str:
    """A share in percent, which no line is broken within, or "unknown"."""
    return UNKNOWN if value is None else f"{number(100 * value, digits)}\N{NO-BREAK SPACE}%"


def tokens(count: int | None) -> str:
    """How many tokens, to three significant digits; none are a dash."""
    if count is None:
        return UNKNOWN
    for size, unit in ((1_000_000, "\N{NO-BREAK SPACE}M"), (1_000, "\N{NO-BREAK SPACE}k")):
        if count >= size:
            return f"{float(f'{count / size:.3g}'):g}{unit}"
    return str(count) if count else "–"


def added(operations: float, tokens_before: int) -> str:
    """What running a condition adds: to each token in percent, and before each text."""
    share = float(f"{100 * operations:.2g}")
    parts = [f"{share:g}\N{NO-BREAK SPACE}%"] if share else []
    if tokens_before:
        parts.append(f"{tokens_before} tokens")
    return " + ".join(parts) or "–"


def p_value(value: float | None) -> str:
    """A p-value to two significant digits; never 0."""
    if value is None:
        return UNKNOWN
    return "< 0.0001" if value < 0.0001 else f"{value:.2g}"


def p_equals(value: float | None) -> str:
    """A p-value in a sentence."""
    text = p_value(value)
    return f"p {text}" if value is None or text.startswith("<") else f"p = {text}"


def interval_of(ends: Sequence[float], digits: int = 2, scale: float = 1) -> str:
    """The ends of an interval, as "[low, high]"."""
    return f"[{number(scale * ends[0], digits)}, {number(scale * ends[1], digits)}]"


def listed(parts: Sequence[str]) -> str:
    """Parts in a sentence: "a, b and c"."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


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
    here, there = (re.findall(r"\s*\S+|\s+$", visible(version)) for version in (text, other))
    pieces = []
    before, after = ([word.strip() for word in version] for version in (there, here))
    matcher = SequenceMatcher(a=before, b=after, autojunk=False)
    for operation, _, _, start, stop in matcher.get_opcodes():
        run = "".join(here[start:stop])
        words_of_run = run.lstrip()
        space = run[: len(run) - len(words_of_run)]  # not marked: nobody sees that a space changed
        changed = operation != "equal"
        pieces += [Piece(space, False), Piece(words_of_run, changed)]
    return [piece for piece in pieces if piece.text]
