"""What is being written lies beside its output in a folder that its writer holds by a lock.

A writer that was killed no longer holds it, so anyone can tell, and remove what it left.
"""

import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

_NAME = re.compile(r"\.(?P<output>.+)\.[0-9a-f]{8}\.part")


def work_folder(path: Path) -> Path:
    """Where what takes long to write lies until it is whole, for the next run to go on from."""
    return path.with_name(f".{path.name}.part")


@contextmanager
def unfinished(path: Path) -> Iterator[Path]:
    """A new folder beside `path` while the block runs; nobody else removes it meanwhile."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part, lock = _held(path)
    try:
        yield part
    finally:
        shutil.rmtree(part, ignore_errors=True)
        lock.release()


def put_in_place(part: Path, path: Path) -> None:
    """Let the folder `path.name`, complete in `part`, take the place of `path`.

    A folder cannot be renamed over a full one, so an earlier one is set aside first. Who is killed
    between the two renames leaves it there, and `remove_leftovers` puts it back.
    """
    if path.exists():
        path.replace(_set_aside(part, path.name))
    (part / path.name).replace(path)


def remove_leftovers(path: Path) -> list[Path]:
    """Remove what killed writers of `path` left beside it.

    Returns:
        What was removed.
    """
    return [part for part in sorted(path.parent.glob(".*.part")) if _is_left_of(part, path.name)]


def remove_all_leftovers(folder: Path) -> list[Path]:
    """Remove what killed writers left anywhere in a folder.

    Returns:
        What was removed.
    """
    return [part for part in sorted(folder.rglob(".*.part")) if _is_left_of(part)]


def resumable_in(folder: Path) -> list[Path]:
    """The work folders in a folder that no living process holds."""
    found = [path for path in sorted(folder.rglob(".*.part")) if not _NAME.fullmatch(path.name)]
    return [path for path in found if path.is_dir() and not _is_written(path)]


def _is_written(work: Path) -> bool:
    lock = FileLock(work.with_name(f"{work.name.removesuffix('.part')}.lock"), thread_local=False)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return True
    Path(lock.lock_file).unlink(missing_ok=True)
    lock.release()
    return False


def _held(path: Path) -> tuple[Path, FileLock]:
    while True:
        part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
        part.mkdir()
        lock = _lock(part, path.name)
        try:
            lock.acquire(blocking=False)
        except (Timeout, FileNotFoundError):
            continue  # another process took it for a leftover before it was locked
        if part.exists():
            return part, lock
        lock.release()


def _is_left_of(part: Path, output: str | None = None) -> bool:
    """Whether a folder was left by a killed writer (of `output`); if so, it is gone now."""
    named = _NAME.fullmatch(part.name)
    if named is None or output not in (None, named["output"]):
        return False
    if part.is_symlink() or not part.is_dir():
        return False
    path = part.with_name(named["output"])
    lock = _lock(part, path.name)
    try:
        lock.acquire(blocking=False)
    except (Timeout, OSError):  # held, or not ours to touch
        return False
    try:
        earlier = _set_aside(part, path.name)
        if earlier.exists() and not path.exists():
            earlier.replace(path)
        shutil.rmtree(part, ignore_errors=True)
    finally:
        lock.release()
    return not part.exists()


def _lock(part: Path, output: str) -> FileLock:
    return FileLock(part / f"{output}.lock", thread_local=False)


def _set_aside(part: Path, output: str) -> Path:
    return part / f"{output}.earlier"
