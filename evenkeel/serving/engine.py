"""The thread that runs the model: it admits and retires texts between forward passes."""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from evenkeel.errors import BadInputError
from evenkeel.models.loading import LoadedModel
from evenkeel.serving.batch import Drawn, Row, RowBatch
from evenkeel.serving.jobs import Choice, EngineError, Job, OutOfTimeError, Piece, TooBusyError
from evenkeel.serving.limits import Limits
from evenkeel.serving.measures import Measures
from evenkeel.steering.hooks import steer_rows

log = logging.getLogger(__name__)
Result = TypeVar("Result")
_PROMPT_TOKENS = 4096
"""Padding included, that are read in one forward pass while other texts wait for their next."""


class Engine:
    """One model, in a thread of its own.

    What is handed in from the event loop comes back as events of a `Job`.
    """

    def __init__(self, loaded: LoadedModel, limits: Limits, measures: Measures) -> None:
        """Take a model; nothing runs before `start`."""
        self.loaded = loaded
        self._limits = limits
        self._measures = measures
        self._waiting: deque[Job] = deque()
        self._calls: deque[tuple[Callable[[], Any], Future[Any]]] = deque()
        self._running: dict[Row, tuple[Job, int]] = {}
        self._changed = threading.Condition()
        self._ending = False
        self._told: list[tuple[Job, Piece | Exception]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to work; events are delivered in `loop`."""
        self._loop = loop
        self._thread.start()

    def end(self) -> None:
        """Finish what is running and waiting, take nothing new, and wait until all is done."""
        with self._changed:
            self._ending = True
            self._changed.notify()
        self._thread.join()

    @property
    def alive(self) -> bool:
        """Whether it works and takes requests."""
        return self._thread.is_alive() and not self._ending

    def submit(self, job: Job) -> None:
        """Let a job run as soon as there is room.

        Raises:
            TooBusyError: too many wait already, or the engine is ending.
        """
        with self._changed:
            if self._ending or len(self._waiting) >= self._limits.queue:
                raise TooBusyError
            self._waiting.append(job)
            self._measures.waiting.set(len(self._waiting))
            self._changed.notify()

    def cancel(self, job: Job) -> None:
        """Let go of a job whose answer nobody waits for."""
        with self._changed:
            job.cancelled = True
            self._changed.notify()

    async def call(self, function: Callable[[], Result]) -> Result:
        """Do something else with the model between two steps, unsteered.

        Raises:
            TooBusyError: too many wait already, or the engine is ending.
        """
        future: Future[Result] = Future()
        with self._changed:
            if self._ending or len(self._calls) >= self._limits.queue:
                raise TooBusyError
            self._calls.append((function, future))
            self._changed.notify()
        return await asyncio.wrap_future(future)

    def _run(self) -> None:
        tokenizer = self.loaded.tokenizer
        with steer_rows(self.loaded.model) as steering:
            batch = RowBatch(self.loaded.model, steering, tokenizer.pad_token_id or 0)
            while self._wait():
                try:
                    self._answer_calls(batch)
                    self._release(batch)
                    self._admit(batch)
                    if batch.rows:
                        self._take(batch.rows, batch.step())
                except Exception:
                    log.exception("a step failed")
                    self._fail_all(batch)
                self._tell()

    def _wait(self) -> bool:
        """Wait until there is something to do; False when there is nothing more, ever."""
        with self._changed:
            while not (self._waiting or self._running or self._calls):
                if self._ending:
                    return False
                self._changed.wait()
        return True

    def _answer_calls(self, batch: RowBatch) -> None:
        while self._calls:
            function, future = self._calls.popleft()
            if not future.set_running_or_notify_cancel():
                continue
            batch.pause()
            try:
                future.set_result(function())
            except Exception as error:
                future.set_exception(error)

    def _release(self, batch: RowBatch) -> None:
        """Let go of rows whose text is done, whose asker has gone or whose time is over."""
        now = time.monotonic()
        for job in {id(job): job for job, _ in self._running.values()}.values():
            if not job.cancelled and not job.done and now > job.deadline:
                self._told.append((job, OutOfTimeError()))
                job.cancelled = True
        kept = [
            row
            for row, (job, index) in self._running.items()
            if not job.cancelled and not job.choices[index].finish
        ]
        if len(kept) < len(self._running):
            self._running = {row: self._running[row] for row in kept}
            batch.keep(kept)
        self._measures.running.set(len(kept))

    def _admit(self, batch: RowBatch) -> None:
        """Read the prompts of as many waiting jobs as there is room for, the first come first."""
        now, tokens = time.monotonic(), 0
        jobs: list[Job] = []
        with self._changed:
            while self._waiting:
                job = self._waiting[0]
                if job.cancelled or now > job.deadline:
                    if not job.cancelled:
                        self._told.append((job, OutOfTimeError()))
                    self._waiting.popleft()
                    continue
                busy = len(self._running) + sum(len(one.choices) for one in jobs)
                tokens += job.prompt_tokens
                room = busy + len(job.choices) <= self._limits.rows
                if not room or (jobs and tokens > _PROMPT_TOKENS):
                    break
                jobs.append(self._waiting.popleft())
            self._measures.waiting.set(len(self._waiting))
        if not jobs:
            return
        for job in jobs:
            self._running |= {choice.row: (job, i) for i, choice in enumerate(job.choices)}
        rows = [choice.row for job in jobs for choice in job.choices]
        self._take(rows, batch.admit(rows))
        self._release(batch)

    def _take(self, rows: list[Row], drawn: list[Drawn]) -> None:
        for row, token in zip(rows, drawn, strict=True):
            job, index = self._running[row]
            choice: Choice = job.choices[index]
            if not choice.finish:
                self._told.append((job, choice.take(index, token)))
        self._measures.generated.inc(len(rows))

    def _fail_all(self, batch: RowBatch) -> None:
        for job in {id(job): job for job, _ in self._running.values()}.values():
            self._told.append((job, EngineError()))
        self._running = {}
        batch.keep([])

    def _tell(self) -> None:
        """Deliver what happened, in one turn of the event loop."""
        told, self._told = self._told, []
        if told:
            assert self._loop is not None
            self._loop.call_soon_threadsafe(_deliver, told)


def _deliver(told: list[tuple[Job, Piece | Exception]]) -> None:
    for job, event in told:
        job.events.put_nowait(event)


def check_spec(engine: Engine, spec: Any) -> None:
    """Refuse a spec that does not fit the engine's model.

    Raises:
        BadInputError: it does not.
    """
    from evenkeel.steering.plan import check_fit
    from evenkeel.steering.spec import interventions_in

    interventions = interventions_in(spec)
    if any(item.positions == "mask" for item in interventions):
        raise BadInputError("an intervention acts at positions='mask', which a server has none of")
    check_fit(engine.loaded.model, interventions)
