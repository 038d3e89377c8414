"""Answers in the shape of OpenAI's API: whole ones, and chunks of streams."""

import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from evenkeel.models.encoding import TextEncoder
from evenkeel.serving.asked import Meant
from evenkeel.serving.batch import Drawn
from evenkeel.serving.jobs import Finish, Piece


class Answer(ABC):
    """One answer, told piece by piece or as a whole."""

    kind: str
    chunk_kind: str
    prefix: str

    def __init__(
        self, model: str, fingerprint: str, encoder: TextEncoder, steering: Meant, logprobs: bool
    ) -> None:
        """Begin an answer.

        Args:
            model: its name.
            fingerprint: of the model.
            encoder: of the model.
            steering: what is done to it.
            logprobs: whether the request wants log-probabilities.
        """
        self._encoder = encoder
        self._logprobs = logprobs
        self._head = {
            "id": f"{self.prefix}-{uuid.uuid4().hex}",
            "created": int(time.time()),
            "model": model,
            "system_fingerprint": f"fp_{fingerprint[:16]}",
        }
        self._steering = steering.model_dump()
        self._offsets: dict[int, int] = {}

    def whole(self, pieces: Sequence[Sequence[Piece]], usage: dict[str, Any]) -> dict[str, Any]:
        """The answer, from the pieces of each of its texts."""
        choices = []
        for index, of_one in enumerate(pieces):
            drawn = [piece.drawn for piece in of_one if piece.drawn]
            text = "".join(piece.text for piece in of_one)
            choices.append(self._choice(index, text, drawn, of_one[-1].finish))
        said = {"object": self.kind, "choices": choices, "usage": usage}
        return self._head | said | {"steering": self._steering}

    def chunk(self, piece: Piece) -> dict[str, Any]:
        """A chunk of the answer as a stream."""
        drawn = [piece.drawn] if piece.drawn else []
        choice = self._part(piece.index, piece.text, drawn, piece.finish)
        return self._head | {"object": self.chunk_kind, "choices": [choice]}

    def usage_chunk(self, usage: dict[str, Any]) -> dict[str, Any]:
        """The last chunk, where the request wants the numbers of tokens."""
        return self._head | {"object": self.chunk_kind, "choices": [], "usage": usage}

    def opening(self, index: int) -> dict[str, Any] | None:
        """The chunk that a text begins with, if any."""
        return None

    @abstractmethod
    def _choice(
        self, index: int, text: str, drawn: list[Drawn], finish: Finish | None
    ) -> dict[str, Any]:
        """A text, whole."""

    @abstractmethod
    def _part(
        self, index: int, text: str, drawn: list[Drawn], finish: Finish | None
    ) -> dict[str, Any]:
        """What is new of a text."""


class CompletionAnswer(Answer):
    """To /v1/completions"""

    kind = chunk_kind = "text_completion"
    prefix = "cmpl"

    def _choice(
        self, index: int, text: str, drawn: list[Drawn], finish: Finish | None
    ) -> dict[str, Any]:
        return {
            "index": index,
            "text": text,
            "logprobs": self._told(index, drawn) if self._logprobs else None,
            "finish_reason": finish,
        }

    _part = _choice

    def _told(self, index: int, drawn: list[Drawn]) -> dict[str, Any]:
        spelling = self._encoder.spelling
        texts = [spelling.text(one.token) for one in drawn]
        offset = self._offsets.get(index, 0)
        offsets = []
        for text in texts:
            offsets.append(offset)
            offset += len(text)
        self._offsets[index] = offset
        return {
            "tokens": texts,
            "token_logprobs": [one.logprob for one in drawn],
            "top_logprobs": [
                {spelling.text(token): value for token, value in one.top} for one in drawn
            ],
            "text_offset": offsets,
        }


class ChatAnswer(Answer):
    """To /v1/chat/completions"""

    kind = "chat.completion"
    chunk_kind = "chat.completion.chunk"
    prefix = "chatcmpl"

    def opening(self, index: int) -> dict[str, Any]:
        """Who speaks."""
        choice = {
            "index": index,
            "delta": {"role": "assistant", "content": ""},
            "logprobs": None,
            "finish_reason": None,
        }
        return self._head | {"object": self.chunk_kind, "choices": [choice]}

    def _choice(
        self, index: int, text: str, drawn: list[Drawn], finish: Finish | None
    ) -> dict[str, Any]:
        return {
            "index": index,
            "message": {"role": "assistant", "content": text, "refusal": None},
            "logprobs": self._told(drawn),
            "finish_reason": finish,
        }

    def _part(
        self, index: int, text: str, drawn: list[Drawn], finish: Finish | None
    ) -> dict[str, Any]:
        return {
            "index": index,
            "delta": {"content": text} if text else {},
            "logprobs": self._told(drawn),
            "finish_reason": finish,
        }

    def _told(self, drawn: list[Drawn]) -> dict[str, Any] | None:
        if not self._logprobs:
            return None
        told = []
        for one in drawn:
            assert one.logprob is not None
            top = [self._token(token, value) for token, value in one.top]
            told.append(self._token(one.token, one.logprob) | {"top_logprobs": top})
        return {"content": told, "refusal": None}

    def _token(self, token: int, logprob: float) -> dict[str, Any]:
        spelling = self._encoder.spelling
        return {
            "token": spelling.text(token),
            "logprob": logprob,
            "bytes": list(spelling.bytes_of(token)),
        }
