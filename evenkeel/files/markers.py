"""The marker in every folder that Evenkeel wrote: which files are ours, and what was in them."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

from evenkeel.errors import BadInputError
from evenkeel.files.inputs import open_input, require_file

MARKER = ".evenkeel"


def mark_folder(folder: Path) -> None:
    """Note size and SHA-256 of a folder's files, and give them the mode that the umask leaves.

    safetensors and others write files that only their owner can read.
    """
    marker = folder / MARKER
    files = {
        file.relative_to(folder).as_posix(): file
        for file in sorted(folder.rglob("*"))
        if not file.is_dir() and file != marker
    }
    sums = {name: _sha256(file) for name, file in files.items()}
    sizes = {name: file.stat().st_size for name, file in files.items()}
    text = json.dumps({"bytes": sizes, "sha256": sums}, indent=0, sort_keys=True) + "\n"
    marker.write_text(text, encoding="utf-8", newline="\n")
    mode = marker.stat().st_mode & 0o666
    for file in files.values():
        if not file.is_symlink():
            file.chmod(file.stat().st_mode | mode)


def marked_files(folder: Path) -> dict[str, str] | None:
    """SHA-256 of each file that Evenkeel wrote into a folder; None if no marker of ours is there.

    Raises:
        OSError: the marker cannot be read.
    """
    try:
        sums = json.loads((folder / MARKER).read_text(encoding="utf-8"))["sha256"]
        return {str(name): str(checksum) for name, checksum in sums.items()}
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def require_intact(folder: Path, advice: str, sha256: Callable[[Path], str] | None = None) -> None:
    """Refuse a folder of ours of which a file is missing or was changed since it was written.

    A folder without a marker is of another program: of that nothing is known.

    Args:
        folder: with a marker or without.
        advice: what to do about it.
        sha256: hashes a file that is there; by default it is read.

    Raises:
        BadInputError: naming the file.
    """
    if not (folder / MARKER).exists():
        return
    sums, sizes = marked_files(folder), _sizes(folder)
    if sums is None or sizes is None:
        raise BadInputError(f"{folder / MARKER}: damaged; {advice}")
    for name, checksum in sums.items():
        file = folder / name
        require_file(file, advice)
        size = file.stat().st_size
        if size != sizes.get(name, size):  # seen at once, where hashing a terabyte takes an hour
            raise BadInputError(
                f"{file}: damaged, or changed after Evenkeel wrote it ({size} bytes, where "
                f"{MARKER} says {sizes[name]}); {advice}"
            )
        found = sha256(file) if sha256 else _sha256(file, advice)
        if found != checksum:
            raise BadInputError(
                f"{file}: damaged, or changed after Evenkeel wrote it (its SHA-256 is not "
                f"that of {MARKER}); {advice}"
            )


def _sizes(folder: Path) -> dict[str, int] | None:
    """Bytes of each marked file; none are known of folders that earlier versions wrote."""
    try:
        sizes = json.loads((folder / MARKER).read_text(encoding="utf-8")).get("bytes", {})
        return {str(name): int(size) for name, size in sizes.items()}
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None


def _sha256(file: Path, advice: str = "") -> str:
    digest = hashlib.sha256()
    with open_input(file, advice) as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
