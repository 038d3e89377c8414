"""From tokens to text while they come: whole characters, and an end at a stop sequence."""

from collections.abc import Sequence

from evenkeel.models.encoding import TextEncoder

_UNFINISHED = "\ufffd"
"""What a decoder puts where bytes of a character are missing."""


class TextStream:
    """The text of one row, handed out as soon as nothing that comes can change it."""

    def __init__(self, encoder: TextEncoder, stops: Sequence[str] = ()) -> None:
        """Start with no text.

        Args:
            encoder: of the model.
            stops: the text ends before the first that appears in it.
        """
        self._encoder = encoder
        self._stops = [stop for stop in stops if stop]
        self._special = set(encoder.tokenizer.all_special_ids)
        self._ids: list[int] = []
        self._start = self._read = 0  # of the tokens: decoded from there, handed out up to there
        self._held = ""  # decoded, but it may be the beginning of a stop sequence
        self.stopped = False

    def add(self, token: int) -> str:
        """Text that is certain now that `token` has come; special tokens are no text."""
        if token in self._special:
            return ""
        self._ids.append(token)
        # Some tokens before are decoded along: a tokenizer may strip the space that begins a text.
        known = self._encoder.decode(self._ids[self._start : self._read])
        text = self._encoder.decode(self._ids[self._start :])
        if text.endswith(_UNFINISHED) and len(self._ids) - self._read < 4:
            return ""
        new = text[len(known) :]
        self._start, self._read = self._read, len(self._ids)
        return self._without_stops(new)

    def end(self) -> str:
        """What was held back; bytes of a character that never became whole are left out."""
        tail = ""
        if self._read < len(self._ids) and not self.stopped:
            known = self._encoder.decode(self._ids[self._start : self._read])
            text = self._encoder.decode(self._ids[self._start :], cut=True)
            tail = self._without_stops(text[len(known) :])
        held, self._held = self._held, ""
        return tail if self.stopped else tail + held

    def _without_stops(self, new: str) -> str:
        if not self._stops:
            return new
        text = self._held + new
        found = [place for stop in self._stops if (place := text.find(stop)) >= 0]
        if found:
            self.stopped, self._held = True, ""
            return text[: min(found)]
        hold = max(
            (
                length
                for stop in self._stops
                for length in range(1, min(len(stop), len(text) + 1))
                if text.endswith(stop[:length])
            ),
            default=0,
        )
        self._held = text[len(text) - hold :]
        return text[: len(text) - hold]
