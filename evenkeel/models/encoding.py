"""From texts to token ids and back, the one way in which everything does it.

A tokenizer may put special tokens around a text. What it puts in front (BOS) belongs there and is
kept, once; what it puts behind (EOS, by `add_eos_token` or a post-processor) does not: the last
token of a prompt would be EOS, and what the model says next would be said after a text's end. So it
is left out, of prompts, statements, benchmarks and captured texts alike.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self
from weakref import WeakKeyDictionary

import numpy as np
from jaxtyping import Int

from evenkeel.errors import BadInputError, BadTextError
from evenkeel.models.batching import context_length
from evenkeel.models.chat import CHAT_DATE, prints_the_date, render_message
from evenkeel.models.spelling import Spelling, incomplete_tail

Tokens = tuple[int, ...]
TokenIds = Int[np.ndarray, " tokens"]

_PROBES = ("The nurse said that", "In 1984, 12 trains left.")
"""Texts that show what a tokenizer adds: two, for it has to be the same around both."""


@dataclass(frozen=True)
class AddedTokens:
    """The special tokens that a tokenizer puts around every text."""

    front: Tokens
    """Kept: the model was trained to see them before a text."""
    behind: Tokens
    """Left out: they say that the text is over."""


_ADDED: WeakKeyDictionary[Any, AddedTokens] = WeakKeyDictionary()


def added_tokens(tokenizer: Any) -> AddedTokens:
    """What a tokenizer puts around a text, found by encoding probe texts with it and without it.

    Raises:
        BadInputError: it is not the same around every text, or the text's own tokens change.
    """
    if tokenizer not in _ADDED:
        found = {_added(tokenizer, probe) for probe in _PROBES}
        if len(found) > 1:
            raise BadInputError(
                f"the tokenizer {tokenizer.name_or_path!r} puts other special tokens around "
                f"{_PROBES[0]!r} than around {_PROBES[1]!r}, so that no two texts can be compared; "
                "use a tokenizer that treats all texts alike"
            )
        _ADDED[tokenizer] = found.pop()
    return _ADDED[tokenizer]


def _require_unicode(text: str, what: str) -> None:
    """Refuse half a surrogate pair: bytes of a command line that are no UTF-8, escapes of JSON."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise BadTextError(
            f"{what} is no Unicode text: character {error.start} (from 0) of {text[:60]!r} is half "
            "a surrogate pair; give it as UTF-8"
        ) from None


def _added(tokenizer: Any, text: str) -> AddedTokens:
    own = tuple(tokenizer(text, add_special_tokens=False)["input_ids"])
    whole = tuple(tokenizer(text)["input_ids"])
    for start in range(len(whole) - len(own) + 1):
        if whole[start : start + len(own)] == own:
            return AddedTokens(whole[:start], whole[start + len(own) :])
    raise BadTextError(
        f"the tokenizer {tokenizer.name_or_path!r} does not keep the tokens of {text!r} together "
        "when it adds special ones; use a tokenizer whose post-processor only puts tokens around "
        "a text"
    )


_FRONT = "evenkeel_front"


def remember_front(model: Any, tokenizer: Any) -> None:
    """Note at a model what its tokenizer puts before every text; copies of the model keep it.

    Raises:
        BadInputError: as `added_tokens` does.
    """
    setattr(model, _FRONT, added_tokens(tokenizer).front)


@contextmanager
def front_noted(model: Any, tokenizer: Any) -> Iterator[None]:
    """`remember_front` while the block runs; afterwards the model is what it was.

    Raises:
        BadInputError: as `added_tokens` does.
    """
    known = front_of(model)
    remember_front(model, tokenizer)
    try:
        yield
    finally:
        if known is None:
            delattr(model, _FRONT)
        else:
            setattr(model, _FRONT, known)


def front_of(model: Any) -> Tokens | None:
    """What the tokenizer of a model puts before every text; None if none has come with it."""
    front: Tokens | None = getattr(model, _FRONT, None)
    return front


@dataclass(frozen=True, eq=False)
class TextEncoder:
    """A model's tokenizer, checked, and how long a text may be."""

    tokenizer: Any
    added: AddedTokens
    context: int | None
    """Most tokens that the model reads; None where it does not say."""

    @classmethod
    def of(cls, tokenizer: Any, model: Any = None) -> Self:
        """Probe a tokenizer.

        Args:
            tokenizer: of transformers.
            model: says how much fits into its context; without one nothing is too long.

        Raises:
            BadInputError: as `added_tokens` does.
        """
        limit = None if model is None else context_length(model)
        return cls(tokenizer, added_tokens(tokenizer), limit)

    @cached_property
    def spelling(self) -> Spelling:
        """The texts of single tokens."""
        return Spelling(self.tokenizer)

    def encode(self, text: str) -> Tokens:
        """Token ids of a text, after what the tokenizer puts in front; nothing is put behind.

        A text that begins with the BOS string itself gets no second one.

        Raises:
            BadInputError: it is no Unicode text.
        """
        return self._begun(self.plain(text))

    def plain(self, text: str) -> Tokens:
        """Token ids of a text alone.

        Raises:
            BadInputError: it is no Unicode text.
        """
        _require_unicode(text, "the text")
        return tuple(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def encode_all(self, texts: Sequence[str], first: int = 0) -> list[TokenIds]:
        """`encode` of many texts at once, as int32.

        Args:
            texts: what to encode.
            first: number of texts[0] in the whole set, for messages.

        Raises:
            BadInputError: a text has no tokens, or more than the model can read, or is no Unicode.
                Nothing is truncated: the last token of a truncated text would stand for a sentence
                that it does not end.
        """
        if not texts:
            return []
        for number, text in enumerate(texts, start=first):
            _require_unicode(text, f"text {number} (from 0)")
        encoded = self.tokenizer(
            list(texts), add_special_tokens=False, return_attention_mask=False, verbose=False
        )["input_ids"]
        begun = (self._begun(tuple(ids)) for ids in encoded) if self.added.front else encoded
        rows = [np.array(ids, dtype=np.int32) for ids in begun]
        for number, (text, row) in enumerate(zip(texts, rows, strict=True), start=first):
            self.require_room(len(row), f"text {number} (from 0, {text[:60]!r})")
        return rows

    def message(self, text: str) -> Tokens:
        """Token ids of a user's message in the tokenizer's chat template, the answer to follow.

        A template that prints the date prints `CHAT_DATE`.

        Raises:
            BadInputError: as `render_message` does.
        """
        return self.plain(render_message(self.tokenizer, text))

    def require_room(self, tokens: int, what: str, new: int = 0) -> None:
        """Refuse a text of no tokens, and one that does not fit with `new` tokens to follow.

        Raises:
            BadTextError: naming `what`.
        """
        if not tokens:
            raise BadTextError(
                f"{what} is empty: no token to read; give it some text, or remove it"
            )
        # The last new token is never read.
        needed = tokens + max(0, new - 1)
        if self.context is not None and needed > self.context:
            more = f" and {new} new ones are to follow" if new else ""
            cure = "shorten or split it" + (" or lower max_new_tokens" if new else "")
            raise BadTextError(
                f"{what} has {tokens} tokens{more}, but the model reads at most {self.context}; "
                f"{cure}"
            )

    def decode(self, ids: Sequence[int], *, cut: bool = False) -> str:
        """The text of token ids.

        Args:
            ids: of one text.
            cut: a limit ended the text, not the model: a character of which only some bytes are
                there is then left out, where it would otherwise become U+FFFD.
        """
        kept, pending = list(ids), 0
        if cut:
            pieces = [self.spelling.bytes_of(token) for token in kept[-4:]]
            pending = len(incomplete_tail(b"".join(pieces)))
            while kept and pending and len(pieces[-1]) <= pending:
                pending -= len(pieces.pop())
                kept.pop()
        text = str(self.tokenizer.decode(kept, clean_up_tokenization_spaces=False))
        # What is left of it shares a token with what comes before.
        return text.removesuffix("\ufffd") if pending else text

    def describe(self) -> dict[str, Any]:
        """What is put in front and left out behind, as text, and the date that chats are told."""
        return {
            "put_in_front": self._names(self.added.front),
            "left_out_behind": self._names(self.added.behind),
            "chat_date": f"{CHAT_DATE:%Y-%m-%d}" if prints_the_date(self.tokenizer) else None,
        }

    def _begun(self, own: Tokens) -> Tokens:
        """A text's own tokens after what is put in front, some of which they may begin with."""
        front = self.added.front
        lengths = range(len(front), 0, -1)
        brought = (n for n in lengths if own[:n] in (front[:n], front[-n:]))
        return front + own[next(brought, 0) :]

    def _names(self, tokens: Iterable[int]) -> list[str]:
        return [str(self.tokenizer.convert_ids_to_tokens(token)) for token in tokens]
