"""Requests in the shape of OpenAI's API."""

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from evenkeel.serving.asked import Steering, Strict

Stop = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Token = Annotated[int, Field(ge=0)]


class StreamOptions(Strict):
    include_usage: bool = False
    """A last chunk with the numbers of tokens."""
    include_obfuscation: bool = False
    """Taken, and without effect."""


class Generating(Strict):
    """What both kinds of requests have; what this server cannot do is refused, not left out."""

    model: Annotated[str, Field(max_length=200)]
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)] = 1.0
    """0 is greedy."""
    top_p: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] = 1.0
    n: Annotated[int, Field(ge=1)] = 1
    """Texts for each prompt; the i-th is drawn from the seed + i."""
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    """The same seed draws the same random numbers, steered or not."""
    stop: Stop | Annotated[list[Stop], Field(max_length=4)] | None = None
    stream: bool = False
    stream_options: StreamOptions | None = None
    steering: Steering | None = None
    ignore_eos: bool = False
    """Go on behind the end of a text, as of vLLM: for measurements of equal length."""
    user: Annotated[str, Field(max_length=1000)] | None = None
    """Taken, and neither used nor kept."""
    frequency_penalty: Literal[0, None] = None
    presence_penalty: Literal[0, None] = None
    logit_bias: Annotated[dict[str, float], Field(max_length=0)] | None = None

    @property
    def stops(self) -> list[str]:
        """Stop sequences; there may be none."""
        if self.stop is None:
            return []
        return [self.stop] if isinstance(self.stop, str) else self.stop


class CompletionRequest(Generating):
    """POST /v1/completions"""

    prompt: (
        str
        | Annotated[list[Token], Field(min_length=1)]
        | Annotated[list[str], Field(min_length=1)]
        | Annotated[list[Annotated[list[Token], Field(min_length=1)]], Field(min_length=1)]
    )
    logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    echo: Literal[False, None] = None
    suffix: Literal[None] = None
    best_of: Literal[1, None] = None

    @property
    def prompts(self) -> list[str] | list[list[int]]:
        """One or several, each as text or as token ids."""
        prompt: Any = self.prompt
        if isinstance(prompt, str) or isinstance(prompt[0], int):
            return [prompt]
        return prompt

    @property
    def top_logprobs(self) -> int | None:
        return self.logprobs


class TextPart(Strict):
    type: Literal["text"]
    text: str


class Message(Strict):
    """One turn of a chat."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str | Annotated[list[TextPart], Field(min_length=1)]
    name: str | None = None
    """Taken, and not told to the model."""

    @property
    def text(self) -> str:
        """Its parts put together."""
        if isinstance(self.content, str):
            return self.content
        return "".join(part.text for part in self.content)


class ChatRequest(Generating):
    """POST /v1/chat/completions"""

    messages: Annotated[list[Message], Field(min_length=1, max_length=1000)]
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    tools: Annotated[list[Any], Field(max_length=0)] | None = None
    response_format: Literal[None] = None
