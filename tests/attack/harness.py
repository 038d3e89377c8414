"""One attack: an input is spoiled, the command is run, and what came of it is judged."""

import hashlib
import multiprocessing
import random
import resource
import shutil
import signal
from dataclasses import dataclass
from functools import cache
from multiprocessing.connection import Connection
from pathlib import Path
from traceback import format_exception
from typing import Literal

from evenkeel.files.markers import MARKER
from tests.attack.invoking import invoke
from tests.attack.mutations import Mutation, mutations_of
from tests.attack.targets import Target

SECONDS = 120
"""Of processor time, so that other work on the machine makes no run endless; ten times that of a
clock, for what waits for ever."""
LARGEST = 1 << 30
"""Bytes of a file that is written, so that no copy of a sparse terabyte fills the disk."""
Verdict = Literal[
    "clear message", "right result", "traceback", "silently wrong", "unclear", "endless"
]
GOOD: tuple[Verdict, ...] = ("clear message", "right result")


@dataclass(frozen=True)
class Attack:
    """A mutation of an input of a target; the number seeds what is random in it."""

    target: Target
    path: Path
    mutation: Mutation
    number: int

    def __str__(self) -> str:
        return f"{self.target.name}: {self.path}: {self.mutation.name} ({self.number})"


@dataclass(frozen=True)
class Outcome:
    attack: Attack
    verdict: Verdict
    said: str


@dataclass(frozen=True)
class Ending:
    """How a command line ended."""

    status: int | None
    """Exit status, negative if a signal ended it, None if it went on for too long."""
    printed: str
    """On both streams."""
    result: str
    """On stdout."""
    raised: str


def attacks_on(target: Target, times: int) -> list[Attack]:
    """Every mutation of every input, those that depend on chance `times` over.

    What is harmless makes a stage run to its end, so one file of each kind in a folder stands for
    all. In folders that carry checksums, and are read with them, it is not harmless.
    """
    kinds: dict[tuple[Path, str], Path] = {}
    for path in target.inputs:
        kinds.setdefault((path.parent, path.suffix), path)
    return [
        Attack(target, path, mutation, number)
        for path in target.inputs
        for mutation, number in mutations_of(target.folder / path, times)
        if not mutation.harmless or (path in kinds.values() and not _checked(target, path))
    ]


def _checked(target: Target, path: Path) -> bool:
    return (target.folder / path).with_name(MARKER).exists()


def run(attack: Attack) -> Outcome:
    """Spoil, run, judge, and put everything back.

    Outputs are copied once a target, and read and put back only where the file system says that
    they were touched.
    """
    target = attack.target
    spoiled = target.folder / attack.path
    kept = target.folder.with_name(f"{target.folder.name}-kept")
    if not kept.exists():
        for number, path in enumerate(target.outputs):
            _copy(target.folder / path, kept / str(number))
        kept.mkdir(exist_ok=True)
    untouched, before = _states(target), contents_of(target)
    aside = kept / "input"
    spoiled.rename(aside)
    try:
        _copy(aside, spoiled)
        attack.mutation.change(spoiled, random.Random(str(attack)))
        ending = ending_of(target)
        touched = _states(target) != untouched
        after = contents_of(target) if touched else before
        left = [path for path in target.folder.rglob(".*.part") if path.parent != spoiled]
    finally:
        _remove(spoiled)
        aside.rename(spoiled)
        if _states(target) != untouched:
            for number, path in enumerate(target.outputs):
                _remove(target.folder / path)
                _copy(kept / str(number), target.folder / path)
    said = ending.printed.strip()
    if ending.status is None:
        return Outcome(attack, "endless", said[-300:])
    if ending.status == target.status and not ending.raised:
        same = before == after or (attack.mutation.harmless and _quotes_its_inputs(target))
        same &= target.printed in (None, ending.result)
        return Outcome(attack, "right result" if same else "silently wrong", said[-300:])
    if ending.status != 2:
        return Outcome(attack, "traceback", f"status {ending.status}: {ending.raised[-600:]}")
    # Hydra, and DVC with it, reads no configuration behind a byte-order mark.
    refused = not attack.mutation.harmless or "begins with a byte-order mark" in said
    clear = refused and _names(said, attack.path) and "Traceback" not in said
    fine = clear and before == after and not left
    return Outcome(attack, "clear message" if fine else "unclear", said[-300:])


def ending_of(target: Target) -> Ending:
    """Run a command in a fork, so that a crash or an endless loop in C ends nothing else."""
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_report, args=(target, sender))
    process.start()
    sender.close()
    told = Ending(None, "", "", "")
    try:
        if receiver.poll(10 * SECONDS):
            told = receiver.recv()
    except EOFError:  # it died
        process.join()
        if process.exitcode != -signal.SIGXCPU:
            told = Ending(process.exitcode, "", "", "")
    process.kill()
    process.join()
    return told


def _report(target: Target, sender: Connection) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 10))
    resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST, LARGEST))
    result = invoke(target.command, target.arguments, target.folder, target.patches)
    raised = result.exception
    told = "" if raised is None or isinstance(raised, SystemExit) else format_exception(raised)
    sender.send(Ending(result.exit_code, result.output, result.stdout, "".join(told)))


def _names(said: str, path: Path) -> bool:
    """Whether a message names the file, or the folder of ours that it lies in."""
    text = said.replace("\n", " ")
    return "rror: " in text and any(
        str(part) in text for part in (path, *path.parents) if part != Path()
    )


def _quotes_its_inputs(target: Target) -> bool:
    """The report and a benchmark's figures have the checksums of their inputs in them."""
    return target.name.startswith(("report", "benchmark"))


def _states(target: Target) -> dict[str, tuple[int, ...]]:
    """What the file system says of every output, without reading it."""
    states = {}
    for place in (target.folder / path for path in target.outputs):
        for file in [place, *(place.rglob("*") if place.is_dir() else ())]:
            if file.exists():
                status = file.stat()
                found = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
                states[str(file)] = found
    return states


@cache
def _contents(state: tuple[tuple[str, tuple[int, ...]], ...]) -> dict[str, str]:
    return {
        path: hashlib.sha256(Path(path).read_bytes()).hexdigest()
        for path, _ in state
        if Path(path).is_file()
    }


def contents_of(target: Target) -> dict[str, str]:
    """SHA-256 of every output file."""
    found = _contents(tuple(_states(target).items()))
    return {str(Path(path).relative_to(target.folder)): sha256 for path, sha256 in found.items()}


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target)
    elif source.exists():
        shutil.copyfile(source, target)
