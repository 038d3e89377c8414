"""The playground: one page that asks this server, and what the page asks beside OpenAI's API."""

import base64
import hashlib
import re
from importlib.resources import files
from typing import Annotated, Any

from fastapi import FastAPI
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import Field

from evenkeel.axes import AXES
from evenkeel.errors import BadInputError
from evenkeel.serving.asked import Steering, Strict, meant
from evenkeel.serving.engine import check_spec
from evenkeel.serving.json_answers import AsciiJson
from evenkeel.serving.reading import Text, read_text
from evenkeel.serving.refusals import REFUSALS
from evenkeel.serving.service import Service


class ReadRequest(Strict):
    """POST /playground/read"""

    prompt: Annotated[str, Field(max_length=100_000)]
    chat: bool = False
    """Whether the prompt is a user's message of a chat."""
    continuation: Annotated[str, Field(max_length=100_000)] = ""
    axis: Annotated[str, Field(max_length=64)]
    steering: Steering | None = None


def add_playground(app: FastAPI, service: Service) -> None:
    """Serve the page at /."""
    page = files("evenkeel.serving").joinpath("playground.html").read_text("utf-8")
    headers = {
        "Content-Security-Policy": _policy(page),
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }

    @app.get("/", response_class=HTMLResponse, include_in_schema=False)
    async def playground() -> HTMLResponse:
        return HTMLResponse(page, headers=headers)

    @app.get("/playground/about", responses={401: REFUSALS[401]})
    async def about() -> JSONResponse:
        """What the page can choose from."""
        return AsciiJson(_about(service))

    @app.post("/playground/read", responses=REFUSALS)
    async def read(body: ReadRequest) -> JSONResponse:
        """How the model reads a text, token by token, and what it expects next."""
        if body.axis not in AXES:
            raise BadInputError(f"axis: there is no {body.axis!r}; there are: {', '.join(AXES)}")
        row, _ = meant(body.steering, service.catalogue)
        if row.share:
            check_spec(service.engine, row.spec)
        text = _text(service, body)
        service.encoder.require_room(len(text.ids), "the text")
        loaded, probes = service.engine.loaded, service.probes
        found = await service.engine.call(
            lambda: read_text(loaded, text, body.axis, row, probes, service.features)
        )
        return AsciiJson(found)


def _about(service: Service) -> dict[str, Any]:
    detectors = service.probes.detectors if service.probes else ()
    return {
        "model": service.name,
        "chat": service.chats,
        "axes": [{"name": axis.name, "groups": axis.group_names} for axis in AXES.values()],
        "features": str(service.features.sae.place) if service.features else None,
        "probes": [detector.axis for detector in detectors],
        "interventions": [
            {"name": named.name, "sha256": named.sha256}
            for named in service.catalogue.interventions.values()
        ],
        "default": service.catalogue.default,
        "max_tokens": service.limits.tokens,
    }


def _text(service: Service, body: ReadRequest) -> Text:
    encoder = service.encoder
    if body.chat:
        before = service.chat_text([("user", body.prompt)])
        prompt = encoder.plain(before)
        ids = encoder.plain(before + body.continuation)
    else:
        before = body.prompt
        prompt = encoder.encode(before)
        ids = encoder.encode(before + body.continuation)
    if not prompt:
        raise BadInputError("prompt is empty: no token to read; give it some text")
    shared = next(
        (place for place, (a, b) in enumerate(zip(prompt, ids, strict=False)) if a != b),
        min(len(prompt), len(ids)),
    )
    return Text(before + body.continuation, ids, max(1, shared))


def _policy(page: str) -> str:
    """A Content-Security-Policy under which the page's own script and style run, and nothing else.

    The page asks this server and no other, and no page may frame it.
    """
    script, style = (
        base64.b64encode(hashlib.sha256(block.encode()).digest()).decode()
        for block in (_block(page, "script"), _block(page, "style"))
    )
    return (
        f"default-src 'none'; script-src 'sha256-{script}'; style-src 'sha256-{style}'; "
        "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )


def _block(page: str, tag: str) -> str:
    found = re.search(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
    assert found, f"the page has no {tag}"
    return found[1]
