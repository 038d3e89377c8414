"""Where each benchmark officially lives, pinned to a commit, and fetching it from there."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict

from evenkeel.errors import BadInputError
from evenkeel.files import atomic_file
from evenkeel.params import BenchmarkName

HOST = "https://raw.githubusercontent.com"
SILENCE = 60.0
"""Seconds without a byte after which a download is given up."""


class Source(BaseModel):
    """A repository at a commit, and a benchmark's files in it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    repository: str
    commit: str
    license: str
    files: dict[str, str | None]
    """SHA-256 of each file, by its path in the repository; null where we never had the file."""

    @property
    def checksums(self) -> dict[str, str | None]:
        """The same by file name, which is what a file is called here."""
        return {PurePosixPath(path).name: checksum for path, checksum in self.files.items()}

    def knows(self, file: "SourceFile") -> bool | None:
        """Whether a file is the official one; None where we have no checksum to tell."""
        if file.sha256 in self.checksums.values():
            return True
        return None if self.checksums.get(file.name, "") is None else False


@dataclass(frozen=True)
class SourceFile:
    """One file of a benchmark as it is here."""

    name: str
    bytes: int
    sha256: str

    @classmethod
    def of(cls, file: Path) -> "SourceFile":
        with file.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        return cls(file.name, file.stat().st_size, digest)

    @classmethod
    def all_of(cls, path: Path) -> list["SourceFile"]:
        """A file, or all files of a folder."""
        files = sorted(path.iterdir()) if path.is_dir() else [path]
        return [cls.of(file) for file in files if file.is_file()]


@cache
def source_of(name: BenchmarkName) -> Source | None:
    """The official source of a benchmark; None of one that is read from your own files alone."""
    known = json.loads((files(__package__) / "sources.json").read_text()).get(name)
    return None if known is None else Source.model_validate(known)


def download(
    name: BenchmarkName, folder: Path, given: Mapping[str, str], *, host: str = HOST
) -> list[SourceFile]:
    """Fetch a benchmark's files into a folder.

    Args:
        name: of the benchmark.
        folder: an existing one.
        given: SHA-256 by file name, for files of which none is known.
        host: serves files under /repository/commit/path.

    Raises:
        BadInputError: a file cannot be had, is cut short or is not the one with the checksum,
            `given` names a file that the benchmark has not, or one whose checksum is known, or no
            source of the benchmark is known.
    """
    source = source_of(name)
    if source is None:
        raise BadInputError(
            f"benchmarks.download.{name}: no source is known to fetch it from; name your file in "
            f"benchmarks.run.{name}"
        )
    open_files = [file for file, checksum in source.checksums.items() if checksum is None]
    if foreign := sorted(given.keys() - set(open_files)):
        raise BadInputError(
            f"benchmarks.download.{name}: {foreign[0]} needs no checksum; "
            f"files without a known one: {', '.join(open_files) or 'none'}"
        )
    found = []
    for path, known in source.files.items():
        url = f"{host}/{source.repository}/{source.commit}/{quote(path)}"
        target = folder / PurePosixPath(path).name
        _fetch(url, target)
        file = SourceFile.of(target)
        expected = known or given.get(file.name)
        if expected not in (None, file.sha256):
            raise BadInputError(
                f"{url}: SHA-256 is {file.sha256}, expected {expected}; "
                "the file has changed or was tampered with on its way"
            )
        found.append(file)
    return found


@contextmanager
def fetched(name: BenchmarkName, path: str | None, parameter: str) -> Iterator[Path]:
    """A benchmark's file or folder: the one that is named, or for the moment one just downloaded.

    Args:
        name: of the benchmark.
        path: a local copy; None downloads it.
        parameter: where `path` was given, for the message.

    Raises:
        BadInputError: as of `download`; the message says how to name a local copy.
    """
    if path is not None:
        yield Path(path)
        return
    with TemporaryDirectory() as folder:
        try:
            download(name, Path(folder), {})
        except BadInputError as error:
            raise BadInputError(
                str(error).replace("in benchmarks.run", f"in {parameter}")
            ) from error
        yield Path(folder)


def _fetch(url: str, target: Path) -> None:
    import pooch
    from requests import RequestException

    try:
        with atomic_file(target) as part:
            pooch.retrieve(
                url,
                known_hash=None,  # compared by who calls, whose message says what to do
                fname=part.name,
                path=part.parent,
                downloader=pooch.HTTPDownloader(timeout=SILENCE),
            )
    except (RequestException, OSError, ValueError) as error:
        raise BadInputError(
            f"{url}: cannot be fetched ({error}); check the network, or name a local copy "
            "in benchmarks.run"
        ) from error
