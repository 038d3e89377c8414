"""Answers that were paid for, kept for good: one JSON file a request, named by its content hash.

The folder is nobody's output: it outlives every rerun, and a file is complete or not there.
"""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from evenkeel.errors import BadInputError
from evenkeel.files import read_json, write_json
from evenkeel.interpretation.replies import Reply
from evenkeel.interpretation.requests import Request


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    request: dict[str, object]
    reply: Reply


class RequestCache:
    """Replies by request, in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, request: Request) -> Reply | None:
        """The reply to `request`, if it was ever answered.

        Raises:
            BadInputError: as `find` does.
        """
        return self.find(request.key)

    def find(self, key: str) -> Reply | None:
        """The reply to the request with this content hash, if it was ever answered.

        Raises:
            BadInputError: the file is damaged. It is not asked for again: that costs money.
        """
        path = self._path(key)
        if not path.exists():
            return None
        try:
            return _Entry.model_validate(read_json(path)).reply
        except (BadInputError, ValidationError):
            raise BadInputError(
                f"{path}: no complete answer; delete it to ask (and pay) for it again"
            ) from None

    def put(self, request: Request, reply: Reply) -> None:
        """Keep a reply, whatever it says: refusals and malformed answers cost money too."""
        content = {"base_url": request.base_url, "body": request.body}
        write_json(
            self._path(request.key), {"request": content, "reply": reply.model_dump(mode="json")}
        )

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.json"
