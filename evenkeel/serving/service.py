"""From a request to a job of the engine, and back to an answer."""

import secrets
import threading
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from evenkeel.errors import BadInputError
from evenkeel.models.chat import CHAT_DATE
from evenkeel.models.chat_templates import render_chat
from evenkeel.models.decoding import end_tokens
from evenkeel.models.encoding import TextEncoder
from evenkeel.probes.probe_set import ProbeSet
from evenkeel.serving.answers import Answer, ChatAnswer, CompletionAnswer
from evenkeel.serving.asked import Meant, meant
from evenkeel.serving.batch import Row
from evenkeel.serving.catalogue import Catalogue
from evenkeel.serving.engine import Engine, check_spec
from evenkeel.serving.features import Features
from evenkeel.serving.jobs import Choice, Job, Piece
from evenkeel.serving.json_answers import to_json
from evenkeel.serving.limits import Limits
from evenkeel.serving.measures import Measures
from evenkeel.serving.refusals import NoSuchModelError, refusal_of
from evenkeel.serving.schemas import ChatRequest, CompletionRequest, Generating
from evenkeel.serving.text import TextStream
from evenkeel.steering.row_sampling import RowSampler

_COMPLETION_TOKENS = 16
"""New tokens of a completion that does not say, as of OpenAI."""

_RENDERING = threading.Lock()
"""One process renders all chat templates."""


@dataclass(frozen=True)
class Service:
    """What a server has."""

    engine: Engine
    catalogue: Catalogue
    limits: Limits
    measures: Measures
    name: str
    """Of the model, in requests and answers."""
    log_prompts: bool = False
    probes: ProbeSet | None = None
    """For the playground."""
    features: Features | None = None
    """For the playground, too."""

    @cached_property
    def encoder(self) -> TextEncoder:
        return self.engine.loaded.encoder

    @cached_property
    def ends(self) -> frozenset[int]:
        """Tokens that end a text."""
        loaded = self.engine.loaded
        return frozenset(end_tokens(loaded.model, loaded.tokenizer))

    @property
    def chats(self) -> bool:
        """Whether the model has a chat template."""
        return bool(self.engine.loaded.tokenizer.chat_template)

    def completion(self, request: CompletionRequest) -> tuple[Job, Answer, Meant]:
        """What POST /v1/completions asks for.

        Raises:
            BadInputError, NoSuchModelError, TooBusyError: what is wrong with it.
        """
        prompts = [self._tokens(prompt) for prompt in request.prompts]
        most = request.max_tokens or _COMPLETION_TOKENS
        return self._job(request, prompts, most, request.top_logprobs, CompletionAnswer)

    def chat(self, request: ChatRequest) -> tuple[Job, Answer, Meant]:
        """What POST /v1/chat/completions asks for.

        Raises:
            BadInputError, NoSuchModelError, TooBusyError: what is wrong with it.
        """
        text = self.chat_text([(item.role, item.text) for item in request.messages])
        prompt = list(self.encoder.plain(text))
        context = self.encoder.context or self.limits.tokens
        room = max(1, context - len(prompt) + 1)
        most = request.max_completion_tokens or request.max_tokens or min(self.limits.tokens, room)
        top = request.top_logprobs or 0 if request.logprobs else None
        return self._job(request, [prompt], most, top, ChatAnswer)

    def chat_text(self, messages: list[tuple[str, str]]) -> str:
        """A chat as the model reads it, the start of the answer included.

        Raises:
            BadInputError: the model is no chat model, or its template refuses these messages.
        """
        tokenizer = self.engine.loaded.tokenizer
        if not self.chats:
            raise BadInputError(
                "this model's tokenizer has no chat template, so it is no chat model's; "
                "use /v1/completions"
            )
        turns = [
            {"role": "system" if role == "developer" else role, "content": text}
            for role, text in messages
        ]
        with _RENDERING:
            return render_chat(tokenizer, turns, now=CHAT_DATE)

    def _tokens(self, prompt: str | list[int]) -> list[int]:
        if isinstance(prompt, str):
            return list(self.encoder.encode(prompt))
        rows = self.engine.loaded.model.get_input_embeddings().weight.shape[0]
        if max(prompt) >= rows:
            raise BadInputError(
                f"prompt: token {max(prompt)}; the model has tokens 0 to {rows - 1}"
            )
        return prompt

    def _job(
        self,
        request: Generating,
        prompts: list[list[int]],
        most: int,
        top: int | None,
        kind: Callable[..., Answer],
    ) -> tuple[Job, Answer, Meant]:
        if request.model != self.name:
            raise NoSuchModelError(
                f"there is no model {request.model!r} here; there is {self.name!r}"
            )
        if most > self.limits.tokens:
            raise BadInputError(f"max_tokens is {most}; this server writes {self.limits.tokens}")
        if len(prompts) * request.n > self.limits.rows:
            raise BadInputError(
                f"{len(prompts)} prompts, {request.n} texts each: this server writes "
                f"{self.limits.rows} texts at once"
            )
        for number, prompt in enumerate(prompts):
            self.encoder.require_room(len(prompt), f"prompt {number} (from 0)", most)
        row, what = meant(request.steering, self.catalogue)
        if row.share:
            check_spec(self.engine, row.spec)
        seed = secrets.randbits(62) if request.seed is None else request.seed
        choices = [
            Choice(
                Row(
                    prompt,
                    row,
                    RowSampler(request.temperature, request.top_p, seed + number),
                    top,
                ),
                TextStream(self.encoder, request.stops),
                most,
                frozenset() if request.ignore_eos else self.ends,
            )
            for prompt in prompts
            for number in range(request.n)
        ]
        job = Job(choices, time.monotonic() + self.limits.seconds)
        self.engine.submit(job)
        self.measures.prompt.inc(job.prompt_tokens)
        self.measures.steered.labels(what.name if row.share and what.name else "none").inc()
        fingerprint = self.engine.loaded.fingerprint
        return job, kind(self.name, fingerprint, self.encoder, what, top is not None), what

    async def pieces(self, job: Job) -> AsyncIterator[list[Piece]]:
        """What comes of a job, as it comes: all that is there at a time.

        Raises:
            Exception: what ended the job before its texts were done.
        """
        open_texts = len(job.choices)
        first = True
        while open_texts:
            events = [await job.events.get()]
            while not job.events.empty():
                events.append(job.events.get_nowait())
            if first:
                self.measures.first_token.observe(time.monotonic() - job.begun)
                first = False
            found = []
            for event in events:
                if isinstance(event, Exception):
                    raise event
                found.append(event)
                open_texts -= event.finish is not None
            yield found


def usage_of(job: Job) -> dict[str, Any]:
    """Tokens read and drawn, in the words of OpenAI; a prompt counts once, however many texts."""
    prompts = {id(choice.row.prompt): len(choice.row.prompt) for choice in job.choices}
    drawn = sum(len(choice.row.ids) for choice in job.choices)
    read = sum(prompts.values())
    return {
        "prompt_tokens": read,
        "completion_tokens": drawn,
        "total_tokens": read + drawn,
    }


async def server_sent(
    job: Job, answer: Answer, pieces: AsyncIterator[list[Piece]], *, with_usage: bool
) -> AsyncIterator[str]:
    """An answer as server-sent events; an error after the first of them is an event, too."""
    openings = [answer.opening(index) for index in range(len(job.choices))]
    yield "".join(_event(opening) for opening in openings if opening)
    try:
        async for found in pieces:
            # A token whose text is not yet certain is nothing to tell.
            told = [piece for piece in found if piece.text or piece.finish or piece.drawn]
            yield "".join(_event(answer.chunk(piece)) for piece in told)
    except Exception as error:
        body = refusal_of(error).body
        yield f"data: {bytes(body).decode()}\n\n"
        return
    if with_usage:
        yield _event(answer.usage_chunk(usage_of(job)))
    yield "data: [DONE]\n\n"


def _event(chunk: Any) -> str:
    return f"data: {to_json(chunk)}\n\n"
