"""Where outputs may go: what is not ours is never replaced, and what cannot be written is said."""

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from evenkeel.errors import BadInputError
from evenkeel.files.markers import MARKER, marked_files
from evenkeel.files.unfinished import remove_leftovers

_OF_THE_SYSTEM = {".DS_Store", "Thumbs.db"}
_LEAST_BYTES = 1 << 20

_REASONS = {
    errno.ENOSPC: "the disk is full; free space and run again",
    errno.EDQUOT: "the disk quota is used up; free space and run again",
    errno.EROFS: "the file system is read-only; name another path",
    errno.EACCES: "no permission; change the mode of its folder, or name another path",
    errno.EPERM: "not permitted; change the mode of its folder, or name another path",
    errno.ENOTDIR: "a part of its path is a file, not a folder; name another path",
    errno.EEXIST: "a part of its path is a file, not a folder; name another path",
    errno.EISDIR: "a folder is there; name another path",
    errno.ENAMETOOLONG: "its name is too long; name another path",
    errno.ELOOP: "its links lead in a circle; name another path",
    errno.EFBIG: "larger than a file may be there; name another path",
    errno.EIO: "the disk reports an error; name another path",
}


def require_replaceable(path: Path) -> None:
    """Refuse to replace a folder that holds what Evenkeel did not write.

    Raises:
        BadInputError: `path` is a file, or a folder without our marker, or with a file that the
            marker does not list.
    """
    if not os.path.lexists(path):
        return
    if not path.is_dir():
        raise BadInputError(f"{path}: a file, where a folder is to be written; name another path")
    there = {
        file.relative_to(path).as_posix()
        for file in path.rglob("*")
        if file.is_symlink() or not file.is_dir()
    }
    ours = {MARKER, *listed} if (listed := marked_files(path)) is not None else set()
    foreign = {name for name in there if Path(name).name not in _OF_THE_SYSTEM} - ours
    if foreign:
        raise BadInputError(
            f"{path}: holds {min(foreign)}, which Evenkeel did not write there; nothing was "
            "changed: name another folder, or move that one away"
        )


def check_output(path: Path, *, folder: bool) -> None:
    """Find out before anything is computed whether an output can be written.

    What killed writers of it left is removed. A trial file shows whether the place can be written;
    an output is taken to need as much space as the one that it replaces.

    Args:
        path: the output.
        folder: whether it replaces a folder, not a file.

    Raises:
        BadInputError: what is there is not ours, or the place is read-only, forbidden or full.
    """
    with explained(path):
        if folder:
            require_replaceable(path)
        elif path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        place = path.parent
        while not os.path.lexists(place):
            place = place.parent
        if place == path.parent:
            remove_leftovers(path)
        _try_to_write(place, max(_LEAST_BYTES, _size(path)))


def check_place(folder: Path) -> None:
    """As `check_output`, for a folder into which files are put and whose other files stay.

    Raises:
        BadInputError: it cannot be written.
    """
    check_output(folder / MARKER, folder=False)


def _try_to_write(place: Path, size: int) -> None:
    try:
        with tempfile.TemporaryFile(dir=place) as file:  # no trace, even if this process dies
            file.write(b"\0" * _LEAST_BYTES)
            file.flush()
            free = shutil.disk_usage(place).free + _LEAST_BYTES
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(place)) from error
    if free < size:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(place))


def _size(path: Path) -> int:
    if path.is_dir():
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return path.stat().st_size if path.is_file() else 0


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what the system says of an output that cannot be written into one message.

    Raises:
        BadInputError: naming the output and the reason.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _REASONS or not _concerns(error, path):
            raise
        raise BadInputError(f"{path}: cannot be written: {_REASONS[error.errno]}") from error
    except Exception as error:
        reason = _of_safetensors(error)
        if reason is None:
            raise
        raise BadInputError(f"{path}: cannot be written: {reason}") from error


def _concerns(error: OSError, path: Path) -> bool:
    """Whether an error is about an output or what leads to it, and not about an input."""
    if error.filename is None or isinstance(error.filename, int):
        return True
    named, output = Path(os.fsdecode(error.filename)).absolute(), path.absolute()
    beside = f".{path.name}."  # what is not finished yet lies there
    return output.is_relative_to(named) or any(
        parent.parent == output.parent and (parent == output or parent.name.startswith(beside))
        for parent in (named, *named.parents)
    )


def _of_safetensors(error: Exception) -> str | None:
    """The reason in an error of safetensors, which hides the system's in its text."""
    if type(error).__name__ != "SafetensorError":
        return None
    _, found, number = str(error).rpartition("(os error ")
    code = number.rstrip(")")
    return _REASONS.get(int(code)) if found and code.isdigit() else None
