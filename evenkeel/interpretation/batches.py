"""Requests sent through the Batch API: one file up, a wait of up to a day, one file back.

A batch is noted on disk before it is submitted, with what it asks, and struck off when its answers
are in the cache: a run that was killed in between finds it again, and does not pay twice.
"""

import json
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import openai
from pydantic import BaseModel, ValidationError

from evenkeel.errors import BadInputError
from evenkeel.files import read_json, write_json
from evenkeel.interpretation.account import Account, Attempt
from evenkeel.interpretation.api_errors import ApiError, end_of_run, of_exception, of_words
from evenkeel.interpretation.batch_records import (
    Batch,
    BatchList,
    Note,
    NotedRequest,
    UploadedFile,
    read_line,
)
from evenkeel.interpretation.error_bodies import read_error_body
from evenkeel.interpretation.records import Failure
from evenkeel.interpretation.replies import Reply
from evenkeel.interpretation.requests import Request
from evenkeel.interpretation.response_json import parse_response
from evenkeel.interpretation.secret import Secret

logger = logging.getLogger(__name__)
Outcome = Reply | ApiError
Value = TypeVar("Value", bound=BaseModel)


class _CallError(BadInputError):
    """A call to the server that failed."""

    def __init__(self, error: ApiError, base_url: str) -> None:
        super().__init__(end_of_run(error.failure, base_url))
        self.error = error


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
        """Wait for the batches that an earlier run left behind; their answers go to the cache.

        Raises:
            BadInputError: a note is damaged, or its batch cannot be had from the server.
        """
        for path in sorted(self._folder.glob("*.json")):
            try:
                note = Note.model_validate(read_json(path))
            except (BadInputError, ValidationError):
                raise BadInputError(
                    f"{path}: no note of a batch; delete it to ask (and pay) for it again"
                ) from None
            if note.base_url != self._account.params.base_url:
                continue
            attempts = [
                Attempt(noted.attempt, Request(noted.purpose, noted.base_url, noted.body))
                for noted in note.requests
            ]
            try:
                batch_id = note.id or self._find(note)
                if batch_id is None:
                    for attempt in attempts:
                        self._account.close(attempt, may_be_billed=False, reserved=False)
                else:
                    logger.info("waiting for batch %s of an earlier run (%s)", batch_id, path)
                    self._collect(batch_id, attempts, reserved=False)
            except BadInputError as error:
                raise BadInputError(
                    f"{path}: the batch of an earlier run cannot be collected; run again, or "
                    f"delete this note to ask (and pay) for it again. {error}"
                ) from None
            path.unlink()

    def send(self, requests: Sequence[Request]) -> Iterator[tuple[Request, Reply | Failure]]:
        """Ask what has been reserved, as one batch; blocks until it has ended.

        Raises:
            BadInputError: the server cannot be reached or refuses the batch.
        """
        batch_id, attempts, note = self._submit(requests)
        for attempt, outcome in self._collect(batch_id, attempts, reserved=True):
            if isinstance(outcome, ApiError) and outcome.ends_run:
                note.unlink()
                raise BadInputError(end_of_run(outcome.failure, self._account.params.base_url))
            yield attempt.request, outcome if isinstance(outcome, Reply) else outcome.failure
        note.unlink()

    def _submit(self, requests: Sequence[Request]) -> tuple[str, list[Attempt], Path]:
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
            UploadedFile,
            lambda: self._client.files.with_raw_response.create(
                file=("requests.jsonl", content), purpose="batch"
            ),
        )
        attempts = self._account.begin(requests, in_batch=True)
        note = Note(
            id=None,
            base_url=self._account.params.base_url,
            input_file_id=file.id,
            requests=[
                NotedRequest(purpose=r.purpose, base_url=r.base_url, body=r.body, attempt=a.id)
                for a, r in zip(attempts, requests, strict=True)
            ],
        )
        path = self._folder / f"{requests[0].key}.json"
        write_json(path, note.model_dump(mode="json"))
        try:
            # Not retried: an attempt that seems lost may have started a batch, which is paid for.
            # The note is there to find it by.
            batch = self._parsed(
                Batch,
                lambda: self._once.batches.with_raw_response.create(
                    input_file_id=file.id,
                    endpoint="/v1/chat/completions",
                    completion_window="24h",
                    extra_headers={"Idempotency-Key": file.id},
                ),
            )
        except _CallError as failed:
            if not (failed.error.may_be_billed or failed.error.retry):
                path.unlink()
                for attempt in attempts:
                    self._account.close(attempt, may_be_billed=False)
            raise
        write_json(path, note.model_copy(update={"id": batch.id}).model_dump(mode="json"))
        logger.info("batch %s: %d requests submitted, noted in %s", batch.id, len(requests), path)
        return batch.id, attempts, path

    def _find(self, note: Note) -> str | None:
        """The batch that was made of a note's file, if the server has one."""
        batches = self._parsed(
            BatchList, lambda: self._client.batches.with_raw_response.list(limit=100)
        )
        return next((b.id for b in batches.data if b.input_file_id == note.input_file_id), None)

    def _collect(
        self, batch_id: str, attempts: Sequence[Attempt], reserved: bool
    ) -> list[tuple[Attempt, Outcome]]:
        """Wait for a batch and book what became of each attempt."""
        batch = self._wait(batch_id)
        rows: list[tuple[str, Outcome]] = []
        is_damaged = False
        for file_id in filter(None, (batch.output_file_id, batch.error_file_id)):
            lines, damaged = self._download(file_id)
            rows += lines
            is_damaged |= damaged
        # Of several lines about one request, an answer counts before anything else.
        outcomes = dict(sorted(rows, key=lambda row: isinstance(row[1], Reply)))
        result = []
        for attempt in attempts:
            key = attempt.request.key
            outcome = outcomes.get(key, batch.unanswered())
            if isinstance(outcome, Reply):
                self._account.keep(attempt, outcome, reserved)
            else:
                # A line that is damaged may have held the answer to any that has none.
                may_be_billed = outcome.may_be_billed or (is_damaged and key not in outcomes)
                self._account.close(
                    attempt, may_be_billed=may_be_billed, usage=outcome.usage, reserved=reserved
                )
            result.append((attempt, outcome))
        return result

    def _wait(self, batch_id: str) -> Batch:
        while True:
            batch = self._parsed(
                Batch, lambda: self._client.batches.with_raw_response.retrieve(batch_id)
            )
            if batch.has_ended:
                logger.info("batch %s: %s", batch.id, batch.status)
                return batch
            time.sleep(self._account.params.poll_seconds)

    def _download(self, file_id: str) -> tuple[list[tuple[str, Outcome]], bool]:
        """Outcomes by request, and whether a line could not be read however often it was fetched.

        Raises:
            BadInputError: nothing in the file can be read; the note stays, for another try.
        """
        rows: list[tuple[str, Outcome]] = []
        for _ in range(self._account.params.max_retries + 1):
            text = self._text(lambda: self._client.files.with_raw_response.content(file_id))
            damaged = 0
            # At line feeds only: U+2028 and its like may stand inside a JSON string.
            for line in filter(str.strip, text.split("\n")):
                try:
                    rows.append(read_line(line, self._secret))
                except ValueError:
                    damaged += 1
            if not damaged:
                return rows, False
            logger.warning("batch file %s: %d lines are cut off or garbled", file_id, damaged)
        if not rows:
            raise BadInputError(
                f"{self._account.params.base_url}: batch file {file_id} holds no line of a batch"
            )
        return rows, True

    def _parsed(self, model: type[Value], call: Callable[[], Any]) -> Value:
        text = self._text(call)
        try:
            body = parse_response(text, self._secret)
        except ValueError:
            body = None
        try:
            return model.model_validate(body)
        except ValidationError:
            words = read_error_body(body)
        if words is not None:
            raise _CallError(of_words(words), self._account.params.base_url)
        raise BadInputError(
            f"{self._account.params.base_url} has no Batch API that answers as it should; "
            "set interpretation.openai.batch to false"
        )

    def _text(self, call: Callable[[], Any]) -> str:
        try:
            return str(call().text)
        except openai.OpenAIError as error:
            failed = of_exception(error, self._secret)
        # Raised out here, so that no traceback leads back to the request and its headers.
        raise _CallError(failed, self._account.params.base_url)
