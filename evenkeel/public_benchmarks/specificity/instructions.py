"""Instructions whose answers a program can check, as IFEval has them (arXiv 2311.07911).

An answer is what a model wrote, without white space at its ends. An empty one follows nothing.
"""

import re
from abc import ABC, abstractmethod
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt


class _Check(BaseModel, ABC):
    model_config = ConfigDict(extra="forbid", frozen=True)
    kind: str

    def met(self, answer: str) -> bool:
        """Whether an answer does what was asked."""
        answer = answer.strip()
        return bool(answer) and self._met(answer)

    @abstractmethod
    def _met(self, answer: str) -> bool: ...


class _Cased(_Check):
    kind: Literal["lower_case", "upper_case"]

    def _met(self, answer: str) -> bool:
        return answer.islower() if self.kind == "lower_case" else answer.isupper()


class _Worded(_Check):
    """What the answer begins or ends with, has in it or has not; whole words, in any case."""

    kind: Literal["begins", "ends", "contains", "excludes"]
    text: str = Field(min_length=1)

    def _met(self, answer: str) -> bool:
        text = re.escape(self.text)
        # No word boundary beside a mark: "?" is one wherever it stands.
        word = rf"(?<!\w){text}" if self.text[0].isalnum() else text
        word = rf"{word}(?!\w)" if self.text[-1].isalnum() else word
        pattern = {"begins": rf"\A{word}", "ends": rf"{word}\Z"}.get(self.kind, word)
        return (re.search(pattern, answer, re.IGNORECASE) is not None) != (self.kind == "excludes")


class _Short(_Check):
    kind: Literal["words"]
    most: PositiveInt

    def _met(self, answer: str) -> bool:
        return len(answer.split()) <= self.most


class _Counted(_Check):
    """So many sentences, each ended; or so many lines, each of them a bullet."""

    kind: Literal["sentences", "bullets"]
    number: PositiveInt

    def _met(self, answer: str) -> bool:
        if self.kind == "sentences":
            ended = re.findall(r"[.!?]+[\"')]*(?=\s|\Z)", answer)
            return len(ended) == self.number and re.search(r"[.!?][\"')]*\Z", answer) is not None
        lines = [line for line in answer.split("\n") if line.strip()]  # U+2028 ends none
        return len(lines) == self.number and all(line.startswith("- ") for line in lines)


class _Quoted(_Check):
    kind: Literal["quoted"]

    def _met(self, answer: str) -> bool:
        return re.fullmatch(r"\"[^\"]+\"|“[^“”]+”", answer) is not None


Check = _Cased | _Worded | _Short | _Counted | _Quoted
