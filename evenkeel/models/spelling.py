"""The text of single tokens, of which some are parts of a character."""

import codecs
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any

_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")
"""How SentencePiece names a byte that has no piece of its own."""


class Spelling:
    """What the tokens of a tokenizer stand for; each is looked up once."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._byte_level = _is_byte_level(tokenizer)
        self._added = {
            int(token): str(added)
            for token, added in getattr(tokenizer, "added_tokens_decoder", {}).items()
        }
        self._known: dict[int, bytes] = {}

    def bytes_of(self, token: int) -> bytes:
        """The UTF-8 bytes of a token, leading space included: not always whole characters.

        Empty for an id without a token, of which models often have some.
        """
        if token not in self._known:
            self._known[token] = self._bytes_of(token)
        return self._known[token]

    def text(self, token: int) -> str:
        """A token alone, as a reader can see it.

        Bytes that are no whole character are written as `\\xe4`, an id without a token as
        `[id 50260]`.
        """
        if self._tokenizer.convert_ids_to_tokens(token) is None:
            return f"[id {token}]"
        return _shown(self.bytes_of(token))

    def texts(self, ids: Iterable[int]) -> dict[int, str]:
        """`text` of each different id."""
        return {token: self.text(token) for token in sorted(set(ids))}

    def runs(self, ids: Sequence[int]) -> Iterator[tuple[str, slice]]:
        """Successive tokens, those that share a character together, with the text of each run.

        Bytes that stay half a character, since a window begins or ends within it, are written as
        `\\xe4`.

        Yields:
            The text, and which of `ids` it is of. The slices cover `ids`, in order.
        """
        start, pending = 0, b""
        for place, token in enumerate(ids):
            piece = self.bytes_of(token)
            # Half a character that nothing continues is a run of its own.
            if pending and not (piece and piece[0] & 0b1100_0000 == 0b1000_0000):
                yield _shown(pending), slice(start, place)
                start, pending = place, b""
            pending += piece
            if not incomplete_tail(pending):
                yield _shown(pending) if pending else self.text(token), slice(start, place + 1)
                start, pending = place + 1, b""
        if pending:
            yield _shown(pending), slice(start, len(ids))

    def in_place(self, ids: Sequence[int]) -> list[str]:
        """The text of each token of a text; joined, they are the text.

        A character that tokens share stands at the last of them, where the model knows it; those
        before have no text.
        """
        found = [""] * len(ids)
        for text, where in self.runs(ids):
            found[where.stop - 1] = text
        return found

    def _bytes_of(self, token: int) -> bytes:
        piece = self._added.get(token) or self._tokenizer.convert_ids_to_tokens(token)
        if piece is None:
            return b""
        if token not in self._added:
            if self._byte_level and all(character in _byte_alphabet() for character in piece):
                return bytes(_byte_alphabet()[character] for character in piece)
            if byte := _BYTE.fullmatch(piece):
                return bytes([int(byte[1], 16)])
            # Decoding a single SentencePiece token would lose its leading space.
            piece = piece.replace("▁", " ") if "▁" in piece else self._tokenizer.decode([token])
        return str(piece).encode("utf-8", "replace")


def incomplete_tail(data: bytes) -> bytes:
    """The bytes at the end that begin a character of UTF-8 and do not finish it."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    decoder.decode(data)
    return bytes(decoder.getstate()[0])


def _shown(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace")


def _is_byte_level(tokenizer: Any) -> bool:
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return hasattr(tokenizer, "byte_decoder")
    if backend.decoder is None:
        return False
    state = json.loads(backend.decoder.__getstate__())
    return "ByteLevel" in {state["type"], *(part["type"] for part in state.get("decoders", []))}


@cache
def _byte_alphabet() -> dict[str, int]:
    """The byte that each character of a byte-level piece stands for (GPT-2's bytes_to_unicode)."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {
        chr(256 + number): byte for number, byte in enumerate(others)
    }
