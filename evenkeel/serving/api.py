"""The routes of the server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.types import Receive, Scope, Send

from evenkeel import __version__
from evenkeel.interpretation.secret import Secret
from evenkeel.serving.answers import Answer
from evenkeel.serving.asked import Meant
from evenkeel.serving.engine import Engine
from evenkeel.serving.guards import Account, Guard
from evenkeel.serving.jobs import Job, Piece
from evenkeel.serving.json_answers import AsciiJson
from evenkeel.serving.playground import add_playground
from evenkeel.serving.refusals import (
    REFUSALS,
    ClientGoneError,
    NoSuchModelError,
    answer_errors,
    refusal,
)
from evenkeel.serving.schemas import ChatRequest, CompletionRequest, Generating
from evenkeel.serving.service import Service, server_sent, usage_of

HEADER = "X-Evenkeel-Intervention"


def build_app(
    service: Service, *, key: Secret | None = None, hosts: frozenset[str] | None = None
) -> FastAPI:
    """The server as an ASGI application; it runs the engine while it is up.

    Args:
        service: what is served.
        key: that requests have to bring; None lets everybody in.
        hosts: names that requests may call the server by; None takes all.
    """

    @asynccontextmanager
    async def running(_: FastAPI) -> AsyncIterator[None]:
        service.engine.start(asyncio.get_running_loop())
        yield
        await asyncio.to_thread(service.engine.end)

    # No page of documentation: FastAPI's fetches scripts from elsewhere.
    app = FastAPI(
        title="Evenkeel",
        version=__version__,
        description="Language models, steered by request; the shape is that of OpenAI's API.",
        lifespan=running,
        docs_url=None,
        redoc_url=None,
        default_response_class=AsciiJson,
    )
    app.add_middleware(Guard, hosts=hosts, key=key, body=service.limits.body)
    app.add_middleware(Account, measures=service.measures)
    answer_errors(app)
    _add_state_routes(app, service)
    _add_model_routes(app, service)
    add_playground(app, service)
    return app


def _add_state_routes(app: FastAPI, service: Service) -> None:
    @app.get("/healthz", responses={503: REFUSALS[503]})
    async def healthz() -> JSONResponse:
        """Whether the server takes requests."""
        if not service.engine.alive:
            return refusal(503, "the server is ending")
        return AsciiJson({"status": "ok"})

    @app.get("/metrics", responses={200: {"content": {"text/plain": {}}}, 401: REFUSALS[401]})
    async def metrics() -> Response:
        """Counters in the text format of Prometheus."""
        return Response(service.measures.text(), media_type="text/plain; version=0.0.4")

    @app.get("/v1/models", responses={401: REFUSALS[401]})
    async def models() -> JSONResponse:
        """The one model that there is."""
        return AsciiJson({"object": "list", "data": [_model(service)]})

    @app.get("/v1/models/{name:path}", responses={404: REFUSALS[404], 401: REFUSALS[401]})
    async def model(name: str) -> JSONResponse:
        """The model, if that is its name."""
        if name != service.name:
            raise NoSuchModelError(f"there is no model {name!r} here; there is {service.name!r}")
        return AsciiJson(_model(service))

    @app.get("/v1/interventions", responses={401: REFUSALS[401]})
    async def interventions() -> JSONResponse:
        """What requests can be steered by, by name."""
        data = [
            {
                "name": named.name,
                "sha256": named.sha256,
                "default": named.name == service.catalogue.default,
                "interventions": [
                    {
                        "kind": type(item).__name__,
                        "site": item.site,
                        "layer": item.layer,
                        "positions": item.positions,
                        "gates": [type(gate).__name__ for gate in item.gates],
                    }
                    for item in named.spec.interventions
                ],
            }
            for named in service.catalogue.interventions.values()
        ]
        return AsciiJson({"object": "list", "data": data})


def _model(service: Service) -> dict[str, Any]:
    return {"id": service.name, "object": "model", "created": 0, "owned_by": "evenkeel"}


def _add_model_routes(app: FastAPI, service: Service) -> None:
    @app.post("/v1/completions", responses=REFUSALS)
    async def completions(request: Request, body: CompletionRequest) -> Response:
        """Continue a text, or several."""
        return await _answered(service, request, body, *service.completion(body))

    @app.post("/v1/chat/completions", responses=REFUSALS)
    async def chat(request: Request, body: ChatRequest) -> Response:
        """Answer in a chat."""
        # The template is rendered in a process of its own, which may take its time.
        asked = await asyncio.to_thread(service.chat, body)
        return await _answered(service, request, body, *asked)


async def _answered(
    service: Service, request: Request, body: Generating, job: Job, answer: Answer, what: Meant
) -> Response:
    headers = {HEADER: what.header}
    told: dict[str, Any] = request.scope["state"]["told"]
    told |= {"intervention": what.header, "prompt_tokens": usage_of(job)["prompt_tokens"]}
    if service.log_prompts:
        told["request"] = body.model_dump(exclude_defaults=True)
    watch = asyncio.ensure_future(_gone(request, job))
    try:
        pieces = service.pieces(job)
        first = await anext(pieces)  # an error before it is an answer with a status of its own
        if body.stream:
            with_usage = body.stream_options is not None and body.stream_options.include_usage
            events = server_sent(job, answer, _begun(first, pieces), with_usage=with_usage)
            return _JobStream(service.engine, job, events, headers, told)
        texts: list[list[Piece]] = [[] for _ in job.choices]
        async for found in _begun(first, pieces):
            for piece in found:
                texts[piece.index].append(piece)
    except BaseException:
        service.engine.cancel(job)
        raise
    finally:
        watch.cancel()
    usage = usage_of(job)
    told["completion_tokens"] = usage["completion_tokens"]
    return AsciiJson(answer.whole(texts, usage), headers=headers)


async def _gone(request: Request, job: Job) -> None:
    """End the job's events when its client has gone."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
    job.events.put_nowait(ClientGoneError())


async def _begun(
    first: list[Piece], rest: AsyncIterator[list[Piece]]
) -> AsyncIterator[list[Piece]]:
    yield first
    async for pieces in rest:
        yield pieces


class _JobStream(StreamingResponse):
    """A stream whose job is let go of when it ends, however it ends."""

    def __init__(
        self,
        engine: Engine,
        job: Job,
        events: AsyncIterator[str],
        headers: dict[str, str],
        told: dict[str, Any],
    ) -> None:
        super().__init__(
            events, media_type="text/event-stream", headers=headers | {"Cache-Control": "no-cache"}
        )
        self._engine = engine
        self._job = job
        self._told = told

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._told["completion_tokens"] = usage_of(self._job)["completion_tokens"]
            self._engine.cancel(self._job)
