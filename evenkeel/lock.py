"""One writer at a time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from evenkeel.errors import BadInputError


@contextmanager
def writing_alone(path: Path) -> Iterator[None]:
    """Hold the lock of `path` while the block runs; a process that dies lets go of it.

    Raises:
        BadInputError: another process holds it.
    """
    lock = path.with_name(f".{path.name}.lock")
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Who held it until now may have removed the file that we opened: then it locks nothing.
            ours = lock.exists() and os.path.samestat(os.fstat(descriptor), lock.stat())
        except BlockingIOError:
            ours = False
        if not ours:
            raise BadInputError(
                f"{path}: another process is writing it; wait until it ends, then run again"
            )
        try:
            yield
        finally:
            lock.unlink()
    finally:
        os.close(descriptor)
