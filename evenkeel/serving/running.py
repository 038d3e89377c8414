"""The server as a process: what it is made of, and how it ends."""

import logging
import os
import re
import socket
from collections.abc import Mapping
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from evenkeel.errors import BadInputError
from evenkeel.interpretation.secret import Secret
from evenkeel.serving.limits import Limits
from evenkeel.terminal import PrintableFormatter

KEY_VARIABLE = "EVENKEEL_API_KEY"
LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
_KEY = re.compile(r"[\x21-\x7e]{16,512}")


def server_key(environ: Mapping[str, str], path: Path | None) -> Secret | None:
    """The API key that requests have to bring: that of a file, or of the environment, if any.

    Raises:
        BadInputError: the file cannot be read, or the key is too short to be one; the message does
            not repeat it.
    """
    if path is None:
        value, where = environ.get(KEY_VARIABLE), KEY_VARIABLE
        if value is None:
            return None
    else:
        where = str(path)
        try:
            value = path.read_text("ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise BadInputError(f"--api-key-file {path}: cannot be read; mend that") from error
    if not _KEY.fullmatch(value):
        raise BadInputError(
            f"{where}: an API key has 16 to 512 printable characters and no space; make one, for "
            "example by: openssl rand -hex 32"
        )
    return Secret(value)


def allowed_hosts(host: str, further: tuple[str, ...]) -> frozenset[str] | None:
    """The names that requests may call the server by; None where it listens to the network.

    Who listens to the network has to have an API key instead: a server is known there by names that
    it cannot know.
    """
    bare = f"[{host}]" if ":" in host else host
    if bare in LOOPBACK:
        return LOOPBACK | {name.lower() for name in further}
    return frozenset({bare, *(name.lower() for name in further)}) if further else None


def run_server(app: FastAPI, listening: socket.socket, limits: Limits) -> None:
    """Serve at a bound socket until SIGTERM or SIGINT; what is running then is finished."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=int(limits.seconds) + 5,
        timeout_keep_alive=10,
    )
    uvicorn.Server(config).run(sockets=[listening])


def bound(host: str, port: int) -> socket.socket:
    """A socket at an address; port 0 is a free one.

    Raises:
        BadInputError: the port is taken, or the host is not one of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise BadInputError(
            f"cannot listen at {host} port {port} ({error.strerror}); "
            "choose another with --host and --port"
        ) from error
    return listening


def log_to_stderr() -> None:
    """Requests as lines of JSON, and what goes wrong, on stderr."""
    handler = logging.StreamHandler()
    handler.setFormatter(PrintableFormatter("%(message)s"))
    for name, level in (("evenkeel", logging.INFO), ("uvicorn.error", logging.WARNING)):
        logger = logging.getLogger(name)
        logger.addHandler(handler)
        logger.setLevel(level)
        logger.propagate = False


def environment() -> Mapping[str, str]:
    """Where the API key may be."""
    return os.environ
