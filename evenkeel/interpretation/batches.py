"""Requests sent through the Batch API: one file up, a wait of up to a day, one file back.

A batch is noted on disk when it is submitted, with what it asks, and struck off when its answers
are in the cache: a run that was killed in between finds it again, and does not pay twice.
"""

import json
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import openai
from pydantic import BaseModel, ConfigDict, ValidationError

from evenkeel.errors import BadInputError
from evenkeel.files import read_json, write_json
from evenkeel.interpretation.account import Account
from evenkeel.interpretation.records import Failure
from evenkeel.interpretation.replies import NotACompletionError, Reply, read_completion
from evenkeel.interpretation.requests import Request
from evenkeel.interpretation.secret import Secret
from evenkeel.interpretation.setbacks import explain_stop, understand

logger = logging.getLogger(__name__)
Outcome = Reply | Failure
Value = TypeVar("Value", bound=BaseModel)
_ENDED = frozenset({"completed", "failed", "expired", "cancelled"})


class _File(BaseModel):
    id: str


class _Batch(BaseModel):
    id: str
    status: str
    output_file_id: str | None = None
    error_file_id: str | None = None


class _Response(BaseModel):
    status_code: int
    body: Any = None


class _Line(BaseModel):
    custom_id: str
    response: _Response | None = None
    error: Any = None


class _Pending(BaseModel):
    """A batch that was submitted and not yet collected."""

    model_config = ConfigDict(extra="forbid")

    id: str
    base_url: str
    requests: list[dict[str, Any]]


class BatchSender:
    """Asks through the Batch API of the server behind `client`; notes batches in `folder`."""

    def __init__(
        self, client: openai.OpenAI, secret: Secret, account: Account, folder: Path
    ) -> None:
        # Uploading, polling and downloading cost nothing, so that the package's own retries do.
        self._client = client.with_options(max_retries=account.params.max_retries)
        self._once = client
        self._secret = secret
        self._account = account
        self._folder = folder

    def resume(self) -> None:
        """Wait for the batches that an earlier run left behind; their answers go to the cache."""
        for path in sorted(self._folder.glob("*.json")):
            try:
                pending = _Pending.model_validate(read_json(path))
            except ValidationError:
                raise BadInputError(
                    f"{path}: no note of a batch; delete it to ask (and pay) for it again"
                ) from None
            if pending.base_url != self._account.params.base_url:
                continue
            logger.info("waiting for batch %s of an earlier run (%s)", pending.id, path)
            requests = [Request(**content) for content in pending.requests]
            for request, outcome in self._collect(pending.id, requests):
                if isinstance(outcome, Reply):
                    self._account.keep(request, outcome, reserved=False)
            path.unlink()

    def send(self, requests: Sequence[Request]) -> Iterator[tuple[Request, Outcome]]:
        """Ask what has been reserved, as one batch; blocks until it has ended.

        Raises:
            BadInputError: the server cannot be reached or refuses the batch.
        """
        batch_id, note = self._submit(requests)
        for request, outcome in self._collect(batch_id, requests):
            if isinstance(outcome, Reply):
                self._account.keep(request, outcome)
            else:
                self._account.release(request)
            yield request, outcome
        note.unlink()

    def _submit(self, requests: Sequence[Request]) -> tuple[str, Path]:
        lines = [
            json.dumps(
                {
                    "custom_id": request.key,
                    "method": "POST",
                    "url": "/v1/chat/completions",
                    "body": request.body,
                }
            )
            for request in requests
        ]
        content = ("\n".join(lines) + "\n").encode()
        file = self._parsed(
            _File,
            lambda: self._client.files.with_raw_response.create(
                file=("requests.jsonl", content), purpose="batch"
            ),
        )
        # Not retried: an attempt that seems lost may have started a batch, which is paid for.
        batch = self._parsed(
            _Batch,
            lambda: self._once.batches.with_raw_response.create(
                input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h"
            ),
        )
        note = self._folder / f"{requests[0].key}.json"
        pending = _Pending(
            id=batch.id,
            base_url=self._account.params.base_url,
            requests=[
                {"purpose": r.purpose, "base_url": r.base_url, "body": r.body} for r in requests
            ],
        )
        write_json(note, pending.model_dump(mode="json"))
        logger.info("batch %s: %d requests submitted, noted in %s", batch.id, len(requests), note)
        return batch.id, note

    def _collect(
        self, batch_id: str, requests: Sequence[Request]
    ) -> Iterator[tuple[Request, Outcome]]:
        batch = self._wait(batch_id)
        outcomes: dict[str, Outcome] = {}
        for file_id in (batch.output_file_id, batch.error_file_id):
            if file_id:
                outcomes |= self._download(file_id)
        for request in requests:
            lost = Failure(kind="server", message=f"batch {batch.status} without an answer to it")
            yield request, outcomes.get(request.key, lost)

    def _wait(self, batch_id: str) -> _Batch:
        while True:
            batch = self._parsed(
                _Batch, lambda: self._client.batches.with_raw_response.retrieve(batch_id)
            )
            if batch.status in _ENDED:
                logger.info("batch %s: %s", batch.id, batch.status)
                return batch
            time.sleep(self._account.params.poll_seconds)

    def _download(self, file_id: str) -> dict[str, Outcome]:
        text = self._text(lambda: self._client.files.with_raw_response.content(file_id))
        outcomes = {}
        for row in text.splitlines():
            try:
                line = _Line.model_validate_json(row)
            except ValidationError:
                logger.warning("a line of batch file %s is cut off or garbled: skipped", file_id)
                continue
            outcomes[line.custom_id] = _outcome(line)
        return outcomes

    def _parsed(self, model: type[Value], call: Callable[[], Any]) -> Value:
        text = self._text(call)
        try:
            return model.model_validate_json(text)
        except ValidationError:
            raise BadInputError(
                f"{self._account.params.base_url} has no Batch API that answers as it should; "
                "set interpretation.openai.batch to false"
            ) from None

    def _text(self, call: Callable[[], Any]) -> str:
        try:
            return self._secret.scrub(call().text)
        except openai.OpenAIError as error:
            failure = understand(error, self._secret).failure
        # Raised out here, so that no traceback leads back to the request and its headers.
        raise BadInputError(explain_stop(failure, self._account.params.base_url))


def _outcome(line: _Line) -> Outcome:
    if line.response is None or line.response.status_code != 200:
        status = line.response.status_code if line.response else "no response"
        return Failure(kind="server", message=f"failed in the batch ({status})")
    try:
        return read_completion(json.dumps(line.response.body))
    except NotACompletionError as error:
        return Failure(kind="malformed", message=f"no chat completion came back: {error}")
