"""Opening what is read: absent, forbidden and of the wrong kind are three different answers."""

import os
import stat
from pathlib import Path
from typing import BinaryIO

from evenkeel.errors import BadInputError

BY_A_STAGE = "run the stage that writes it"
"""The usual advice about an input that is not there."""


def real_path(path: Path) -> Path:
    """The path with every link in it followed; one that leads in a circle stays as it is."""
    return Path(os.path.realpath(path))


def require_file(path: Path, advice: str = BY_A_STAGE) -> None:
    """Refuse a path at which there is no regular file, or none that can be looked at.

    Args:
        path: to be read.
        advice: what the user can do if it is not there.

    Raises:
        BadInputError: naming the path, and whether it is absent, forbidden, a folder or a device.
    """
    mode = _mode(path, "file", advice)
    if stat.S_ISDIR(mode):
        raise BadInputError(f"{path}: a folder, where a file is needed; {advice}")
    if not stat.S_ISREG(mode):
        raise BadInputError(f"{path}: a pipe or device, where a file is needed; copy it to a file")


def require_folder(path: Path, advice: str = BY_A_STAGE) -> None:
    """Refuse a path at which there is no folder, or none that can be looked into.

    Raises:
        BadInputError: naming the path, and whether it is absent, forbidden or no folder.
    """
    if not stat.S_ISDIR(_mode(path, "folder", advice)):
        raise BadInputError(f"{path}: no such folder, but a file; {advice}")
    if not os.access(path, os.R_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
        raise forbidden(path)


def open_input(path: Path, advice: str = BY_A_STAGE) -> BinaryIO:
    """Open a regular file for reading.

    Raises:
        BadInputError: as `require_file`.
    """
    require_file(path, advice)
    try:
        return path.open("rb")
    except PermissionError as error:
        raise forbidden(path) from error


def forbidden(path: Path) -> BadInputError:
    """The error of a path that is there, or may be, but not for this user."""
    return BadInputError(f"{path}: no permission to read it; ask its owner, or change its mode")


def _mode(path: Path, what: str, advice: str) -> int:
    try:
        return path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError) as error:
        raise BadInputError(f"{path}: no such {what}; {advice}") from error
    except PermissionError as error:
        raise forbidden(path) from error
    except (OSError, ValueError) as error:  # a circle of links, a name that is too long, a NUL
        raise BadInputError(f"{path}: cannot be read ({error}); {advice}") from error
