"""Hashes of a model's files: computed in full once, and again where a file changed."""

import hashlib
import os
from pathlib import Path

_REMEMBERED = 1 << 20
"""Bytes from which on a file's hash is remembered; a smaller one is hashed each time."""
_WEIGHTS = ("config.json", "*.safetensors", "*.py")
_TOKENIZER = ("tokenizer*", "*.model", "vocab*", "merges.txt")


def fingerprint_of(folder: Path) -> str:
    """SHA-256 over the names and bytes of config.json, the weights and any code of the model's."""
    return _hash_files(folder, _WEIGHTS)


def tokenizer_hash_of(folder: Path) -> str:
    """SHA-256 of tokenizer.json, or of the tokenizer's files where it has none."""
    whole = (folder / "tokenizer.json").is_file()
    return _hash_files(folder, ("tokenizer.json",) if whole else _TOKENIZER)


def sha256_of(file: Path) -> str:
    """SHA-256 of a file, in hexadecimal.

    That of a large file is kept in the user's cache folder under what the file system says of it
    (device, inode, size, times of modification and of status change), never beside the file: the
    folder of a model may be read-only, and holds what DVC put there and nothing else.
    """
    status = file.stat()
    if status.st_size < _REMEMBERED:
        return _digest(file)
    key = "-".join(
        str(part)
        for part in (
            status.st_dev,
            status.st_ino,
            status.st_size,
            status.st_mtime_ns,
            status.st_ctime_ns,  # a program can set back the other time, but not this one
        )
    )
    kept = _cache() / key
    try:
        known = kept.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        known = ""
    if len(known) == 64:
        return known
    found = _digest(file)
    _remember(kept, found)
    return found


def _cache() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "evenkeel" / "sha256"


def _remember(kept: Path, digest: str) -> None:
    part = kept.with_name(f"{kept.name}.{os.getpid()}")
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(digest, encoding="ascii")
        part.replace(kept)
    except OSError:  # no home, or one that cannot be written: the next run hashes again
        return


def _digest(file: Path) -> str:
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _hash_files(folder: Path, patterns: tuple[str, ...]) -> str:
    digest = hashlib.sha256()
    found = {file for pattern in patterns for file in folder.glob(pattern) if file.is_file()}
    for file in sorted(found):
        digest.update(file.name.encode() + b"\0")
        digest.update(bytes.fromhex(sha256_of(file)))
    return digest.hexdigest()
