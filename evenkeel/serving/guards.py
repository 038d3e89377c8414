"""What is looked at before a request reaches its route: host, key, size; and what is logged after.

Plain ASGI, so that an answer streams through unchanged and a client that goes is noticed.
"""

import hmac
import json
import logging
import time
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any

from evenkeel.interpretation.secret import Secret
from evenkeel.serving.measures import Measures
from evenkeel.serving.refusals import refusal

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

log = logging.getLogger("evenkeel.requests")

OPEN_PATHS = frozenset({"/", "/healthz"})
"""Need no key: the page asks for it, and says nothing by itself."""


class BodyTooLargeError(Exception):
    """A body went on beyond the limit."""


class Guard:
    """Refuses what is for another host, brings no key, or is too large."""

    def __init__(
        self, app: App, *, hosts: frozenset[str] | None, key: Secret | None, body: int
    ) -> None:
        """Stand before an app.

        Args:
            app: what requests go on to.
            hosts: that a request may name. A page on another site can have a browser ask a server
                on loopback by a name of its own (DNS rebinding); this refuses it. None takes all.
            key: that a request has to bring; None lets everybody in.
            body: most bytes of a request.
        """
        self._app = app
        self._hosts = hosts
        self._key = key
        self._body = body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name.lower(): value for name, value in scope["headers"]}
        refused = self._refused(scope["path"], headers)
        if refused is not None:
            await refused(scope, receive, send)
            return
        read = 0

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self._body:
                raise BodyTooLargeError
            return message

        async def unless_too_large(message: Message) -> None:
            # The app makes an answer of its own out of an error while it reads a body.
            if read <= self._body:
                await send(message)

        with suppress(BodyTooLargeError):
            await self._app(scope, counted, unless_too_large)
        if read > self._body:
            await self._too_large()(scope, receive, send)

    def _refused(self, path: str, headers: dict[bytes, bytes]) -> Any:
        host = headers.get(b"host", b"").decode("latin-1")
        if self._hosts is not None and _name(host) not in self._hosts:
            return refusal(421, "this server answers for other hosts only; see --allowed-host")
        if self._key is not None and path not in OPEN_PATHS:
            given = headers.get(b"authorization", b"")
            expected = f"Bearer {self._key.reveal()}".encode()
            if not hmac.compare_digest(given, expected):
                return refusal(
                    401,
                    "give the API key of this server in the header Authorization: Bearer ...",
                    code="invalid_api_key",
                    headers={"WWW-Authenticate": "Bearer"},
                )
        length = headers.get(b"content-length", b"0")
        if length.isdigit() and int(length[:20]) > self._body:
            return self._too_large()
        return None

    def _too_large(self) -> Any:
        return refusal(413, f"the body has more than {self._body} bytes")


def _name(host: str) -> str:
    """The host without its port: localhost:80, 127.0.0.1 or [::1]:80."""
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0].lower()


class Account:
    """Logs one line of JSON for each request, without what was asked, and counts it."""

    def __init__(self, app: App, measures: Measures) -> None:
        """Stand before an app."""
        self._app = app
        self._measures = measures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, status = time.perf_counter(), 500
        number = uuid.uuid4().hex
        told: dict[str, Any] = {}
        scope.setdefault("state", {})["told"] = told

        async def noticed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", number.encode())]
            await send(message)

        try:
            await self._app(scope, receive, noticed)
        finally:
            seconds = time.perf_counter() - begun
            route = getattr(scope.get("route"), "path", "other")
            self._measures.requests.labels(route, str(status)).inc()
            self._measures.seconds.labels(route).observe(seconds)
            line = {
                "event": "request",
                "id": number,
                "method": scope["method"],
                "route": route,
                "status": status,
                "milliseconds": round(seconds * 1000, 1),
            }
            log.info(json.dumps(line | told))
