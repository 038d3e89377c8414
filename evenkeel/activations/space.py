"""Whether a store fits on the disk."""

import shutil
from pathlib import Path

from evenkeel.errors import BadInputError
from evenkeel.files import work_folder

_ADVICE = "free space, or keep fewer sites, layers or texts, positions last, or dtype float16"


def refuse_if_too_large(path: Path, needed: int) -> None:
    """Refuse to begin what will not fit.

    Args:
        path: the store to be.
        needed: bytes still to be written.

    Raises:
        BadInputError: the file system has less room than that.
    """
    free = shutil.disk_usage(path.parent).free
    if needed > free:
        raise BadInputError(
            f"{path} needs about {size_text(needed)} more, but {path.parent} has "
            f"{size_text(free)} free; {_ADVICE}"
        )


def disk_full(path: Path) -> BadInputError:
    """The error to raise when the disk filled up on the way."""
    return BadInputError(
        f"the disk is full: {path} could not be finished; {_ADVICE}. What was computed is kept in "
        f"{work_folder(path)}, and the next run goes on from there"
    )


def size_text(size: int) -> str:
    """Bytes as people read them."""
    for unit, scale in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if size >= scale:
            return f"{size / scale:.1f} {unit}"
    return f"{size} bytes"
