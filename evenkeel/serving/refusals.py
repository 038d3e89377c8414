"""Errors in the shape of OpenAI's API, one clear sentence each."""

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from evenkeel.errors import BadInputError
from evenkeel.serving.jobs import EngineError, OutOfTimeError, TooBusyError
from evenkeel.serving.json_answers import AsciiJson


class Problem(BaseModel):
    message: str
    """What is wrong, and what to do."""
    type: str
    param: str | None = None
    """Which part of the request."""
    code: str | None = None


class ErrorBody(BaseModel):
    """What every refusal answers with."""

    error: Problem


REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"model": ErrorBody, "description": "The request is wrong."},
    401: {"model": ErrorBody, "description": "No API key, or a wrong one."},
    404: {"model": ErrorBody, "description": "No such model."},
    413: {"model": ErrorBody, "description": "The body is too large."},
    421: {"model": ErrorBody, "description": "The request was meant for another host."},
    429: {"model": ErrorBody, "description": "Too many requests wait."},
    500: {"model": ErrorBody, "description": "A fault of the server."},
    503: {"model": ErrorBody, "description": "The server is ending."},
    504: {"model": ErrorBody, "description": "Not done in the time that the server allows."},
}
"""For the OpenAPI description of a route."""

_TYPES = {401: "authentication_error", 404: "not_found_error", 429: "rate_limit_error"}


class NoSuchModelError(Exception):
    """A request names a model that this server has not."""


class ClientGoneError(Exception):
    """Whoever asked has gone."""


def refusal(
    status: int,
    message: str,
    *,
    param: str | None = None,
    code: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """An answer that says no."""
    kind = _TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
    body = ErrorBody(error=Problem(message=message, type=kind, param=param, code=code))
    return AsciiJson(body.model_dump(), status, headers)


def refusal_of(error: Exception) -> JSONResponse:
    """What an exception answers with."""
    match error:
        case BadInputError():
            return refusal(400, str(error))
        case NoSuchModelError():
            return refusal(404, str(error), param="model", code="model_not_found")
        case TooBusyError():
            return refusal(
                429,
                "too many requests wait already; try again later",
                code="too_many_requests",
                headers={"Retry-After": "1"},
            )
        case OutOfTimeError():
            return refusal(
                504, "not done in the time that this server allows; ask for fewer tokens"
            )
        case ClientGoneError():
            return refusal(499, "the client has gone")
        case EngineError():
            return refusal(500, "the server failed; its log says why")
    raise error


def _nearest(errors: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Of the first field that is wrong, what is wrong by the form that was most likely meant.

    Where a field takes several forms, pydantic tells one error of each: most of them only that
    another form was given.
    """
    field = errors[0]["loc"][:2]
    own = [error for error in errors if error["loc"][:2] == field]
    return max(own, key=lambda error: (not error["type"].endswith("_type"), len(error["loc"])))


def _place(error: Mapping[str, Any], body: Any) -> list[str]:
    """Keys and indices that lead to an error, without pydantic's names of the forms between."""
    parts = []
    for part in error["loc"]:
        inside = isinstance(body, Mapping) and part in body
        if inside or (isinstance(body, list) and isinstance(part, int) and part < len(body)):
            body = body[part]
            parts.append(str(part))
    if error["type"] == "missing":
        parts.append(str(error["loc"][-1]))
    return parts


def answer_errors(app: FastAPI) -> None:
    """Have an app answer every error in this shape."""

    async def invalid(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        found = _nearest(error.errors())
        where = ".".join(_place(found, error.body))
        reason = found.get("ctx", {}).get("error") if found["type"] == "json_invalid" else None
        message = ": ".join(
            filter(None, [where, found["msg"].removeprefix("Value error, "), reason])
        )
        return refusal(400, message[:2000], param=where[:200] or None)

    async def http(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        return refusal(error.status_code, str(error.detail), headers=error.headers)

    async def ours(_: Request, error: Exception) -> JSONResponse:
        return refusal_of(error)

    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)
    for kind in (
        BadInputError, NoSuchModelError, TooBusyError, OutOfTimeError, ClientGoneError, EngineError
    ):  # fmt: skip
        app.add_exception_handler(kind, ours)
