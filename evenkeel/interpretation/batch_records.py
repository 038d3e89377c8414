"""What a Batch API says of a batch and of each request in it, and our own notes of batches."""

from typing import Any

from pydantic import BaseModel, ConfigDict

from evenkeel.interpretation.api_errors import ApiError, of_words, unreadable
from evenkeel.interpretation.error_bodies import ErrorBody, read_error_body
from evenkeel.interpretation.records import Failure
from evenkeel.interpretation.replies import NotACompletionError, Reply, read_completion
from evenkeel.interpretation.response_json import parse_response
from evenkeel.interpretation.secret import Secret
from evenkeel.interpretation.usage import read_usage

_ENDED = frozenset({"completed", "failed", "expired", "cancelled", "canceled"})


class UploadedFile(BaseModel):
    """A file on the server."""

    id: str


class Batch(BaseModel):
    """A batch on the server."""

    id: str
    status: str
    input_file_id: str | None = None
    output_file_id: str | None = None
    error_file_id: str | None = None
    errors: Any = None

    @property
    def has_ended(self) -> bool:
        """Whether no further answer will come."""
        return self.status in _ENDED

    def unanswered(self) -> ApiError:
        """What becomes of a request that the batch holds no answer to, with the server's words."""
        words = read_error_body(self.errors, is_error=True) if self.errors else None
        reason = f": {words.message}" if words else ""
        message = f"batch {self.status} without an answer to it{reason}"
        ends_run = words is not None and words.is_quota
        return ApiError(Failure(kind="server", message=message), ends_run=ends_run)


class BatchList(BaseModel):
    """Batches on the server, the newest first."""

    data: list[Batch]


class NotedRequest(BaseModel):
    """A request of a batch, as a note holds it."""

    model_config = ConfigDict(extra="forbid")

    purpose: str
    base_url: str
    body: dict[str, Any]
    attempt: str = ""
    """As in the ledger; notes of early versions have none."""


class Note(BaseModel):
    """A batch that is about to be submitted, or was and is not yet collected."""

    model_config = ConfigDict(extra="forbid")

    id: str | None
    """None until the server has named it: a run that was killed then may have submitted it."""
    base_url: str
    input_file_id: str | None = None
    """The uploaded file, by which the batch is found again."""
    requests: list[NotedRequest]


def read_line(line: str, secret: Secret) -> tuple[str, Reply | ApiError]:
    """The id of a request and its outcome, from a line of a batch's files.

    Raises:
        ValueError: the line is cut off, or names no request.
    """
    raw = parse_response(line, secret)
    custom_id = raw.get("custom_id") if isinstance(raw, dict) else None
    if not isinstance(custom_id, str):
        raise ValueError("names no request")
    response = raw.get("response")
    response = response if isinstance(response, dict) else {}
    body = response.get("body")
    if isinstance(body, str):
        try:
            body = parse_response(body, secret)
        except ValueError:
            body = body or None
    status = _status(response.get("status_code"))
    if status is None or status == 200:
        try:
            return custom_id, read_completion(body)
        except NotACompletionError as unread:
            words = unread.error or read_error_body(raw)
            return custom_id, unreadable(NotACompletionError(str(unread), words, unread.usage))
    words = read_error_body(body, is_error=True) or read_error_body(raw)
    failed = of_words(words or ErrorBody(f"HTTP {status} in the batch"), status)
    usage = read_usage(body.get("usage")) if isinstance(body, dict) else None
    return custom_id, ApiError(failed.failure, ends_run=failed.ends_run, usage=usage)


def _status(value: object) -> int | None:
    """A status of HTTP, also where it was written as a string."""
    try:
        return int(value) if isinstance(value, int | float | str) else None
    except (ValueError, OverflowError):
        return None
