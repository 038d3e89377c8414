"""A context-free grammar that writes sentences: variety from short lists."""

import random
import re
from collections.abc import Mapping

_SLOT = re.compile(r"\{(\w+)\}")
_SENTENCE_START = re.compile(r"(?:^|[.?!] )[a-z]")


class Grammar:
    """Symbols and their alternatives, where `{symbol}` in an alternative is written out in turn."""

    def __init__(self, rules: Mapping[str, tuple[str, ...]], given: tuple[str, ...] = ()) -> None:
        """Check that every slot has a rule.

        Args:
            rules: alternatives of each symbol, equally likely.
            given: symbols that `write` is handed.
        """
        self.rules = rules
        known = {*rules, *given}
        for symbol, alternatives in rules.items():
            for alternative in alternatives:
                unknown = set(_SLOT.findall(alternative)) - known
                assert not unknown, f"rule {symbol!r} uses {sorted(unknown)}, which have no rule"

    def write(self, symbol: str, rng: random.Random, **given: str) -> str:
        """One random text of `symbol`, its sentences capitalized.

        Args:
            symbol: where to start.
            rng: source of every choice.
            **given: text of symbols that is fixed throughout.
        """
        return sentence_case(self._expand(rng.choice(self.rules[symbol]), rng, given))

    def _expand(self, text: str, rng: random.Random, given: Mapping[str, str]) -> str:
        def fill(match: re.Match[str]) -> str:
            symbol = match.group(1)
            if symbol in given:
                return given[symbol]
            return self._expand(rng.choice(self.rules[symbol]), rng, given)

        return _SLOT.sub(fill, text)


def sentence_case(text: str) -> str:
    """`text` with the first letter of each sentence in upper case."""
    return _SENTENCE_START.sub(lambda match: match.group().upper(), text)


def with_article(noun: str) -> str:
    """`noun` after "a" or "an", by its first letter."""
    return f"an {noun}" if noun[0] in "aeiouAEIOU" else f"a {noun}"
