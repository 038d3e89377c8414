"""Writing so that a reader sees the old file or the new one, never half of one."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from evenkeel.files.inputs import real_path
from evenkeel.files.markers import mark_folder
from evenkeel.files.outputs import explained, require_replaceable
from evenkeel.files.unfinished import put_in_place, unfinished


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path to write; it becomes `path` unless the block raises.

    Raises:
        BadInputError: the file cannot be written there (why).
    """
    with explained(path), unfinished(path) as part:
        yield part / path.name
        (part / path.name).replace(path)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder to fill; it takes `path`'s place unless the block raises.

    Raises:
        BadInputError: at `path` is something that Evenkeel did not write, or the folder cannot be
            written there (why).
    """
    if path.is_dir():
        path = real_path(path)  # where a link leads, not the link, is replaced
    with explained(path), unfinished(path) as part:
        require_replaceable(path)
        folder = part / path.name
        folder.mkdir()
        yield folder
        mark_folder(folder)
        require_replaceable(path)
        put_in_place(part, path)


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, atomically."""
    with atomic_file(path) as part:
        part.write_text(text, encoding="utf-8", newline="\n")
