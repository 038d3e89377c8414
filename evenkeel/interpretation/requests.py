"""One question to a language model."""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from evenkeel.interpretation.answers import Answer, response_format
from evenkeel.interpretation.usage import Usage
from evenkeel.params import ChatParams

# Beyond the bytes of the messages: roles and separators, and what a server adds of its own.
_OVERHEAD_TOKENS = 64


@dataclass(frozen=True)
class Request:
    """A chat completion to ask for."""

    purpose: str
    """explain, judge or ask: for the ledger; not part of the content."""
    base_url: str
    body: dict[str, Any]
    """As the API takes it."""

    @classmethod
    def build(
        cls, purpose: str, params: ChatParams, system: str, user: str, answer: type[Answer]
    ) -> "Request":
        """Ask `user`, under the instructions `system`, for JSON in the schema of `answer`."""
        body: dict[str, Any] = {
            "model": params.model,
            "messages": [
                {"role": "system", "content": system},
                {"role": "user", "content": user},
            ],
            "response_format": response_format(answer),
            "max_completion_tokens": params.max_output_tokens,
        }
        if params.temperature is not None:
            body["temperature"] = params.temperature
        return cls(purpose, params.base_url, body)

    @cached_property
    def key(self) -> str:
        """SHA-256 of everything that the answer depends on."""
        content = {"base_url": self.base_url, "body": self.body}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    @cached_property
    def _bytes(self) -> int:
        # ASCII JSON is never shorter than the text in UTF-8, escapes included.
        return len(json.dumps([self.body["messages"], self.body["response_format"]]))

    @property
    def most(self) -> Usage:
        """An upper bound: a byte-level tokenizer makes no more tokens than there are bytes."""
        return Usage(
            prompt_tokens=self._bytes + _OVERHEAD_TOKENS,
            completion_tokens=self.body["max_completion_tokens"],
        )

    @property
    def likely(self) -> Usage:
        """A guess: four bytes a token, and answers that take a quarter of what they may."""
        return Usage(
            prompt_tokens=self._bytes // 4, completion_tokens=self.most.completion_tokens // 4
        )
