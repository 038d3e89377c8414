"""One writer at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from evenkeel.errors import BadInputError


@contextmanager
def writing_alone(path: Path, wait: float = 0.0) -> Iterator[None]:
    """Hold the lock of `path` while the block runs; a process that dies lets go of it.

    Args:
        path: what is written.
        wait: seconds to wait for a process that holds it.

    Raises:
        BadInputError: another process holds it.
    """
    lock = FileLock(path.with_name(f".{path.name}.lock"), thread_local=False)
    try:
        lock.acquire(timeout=wait)
    except Timeout:
        raise BadInputError(
            f"{path}: another process is writing it; wait until it ends, then run again"
        ) from None
    try:
        yield
    finally:
        # Before it is released: who opened the file meanwhile finds it without a name, and retries.
        Path(lock.lock_file).unlink(missing_ok=True)
        lock.release()
