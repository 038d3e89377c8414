"""Where shards are kept while no folder is shared: an object store such as S3, through fsspec."""

import os
import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from evenkeel.errors import BadInputError


@dataclass(frozen=True)
class ObjectStorage:
    """Files under a URL such as s3://bucket/prefix; one appears whole or not at all.

    Keys, endpoint and region are those that the SDK finds: environment, profile, or the machine's
    role.
    """

    url: str

    @cached_property
    def _system(self) -> tuple[Any, str]:
        """The file system and the prefix in it.

        Raises:
            BadInputError: no package for such a URL is installed, or it is none.
        """
        try:
            from fsspec.core import url_to_fs

            return url_to_fs(self.url, use_listings_cache=False)
        except (ImportError, ValueError) as error:
            raise BadInputError(
                f"--storage {self.url}: {error}; for S3: pip install 'evenkeel[s3]'"
            ) from error

    def check(self) -> None:
        """Find out before anything is computed whether files can be put there.

        Raises:
            BadInputError: they cannot (why).
        """
        with tempfile.NamedTemporaryFile() as empty:
            self.put(Path(empty.name), ".evenkeel")

    def has(self, name: str) -> bool:
        """Whether a file was put there."""
        system, prefix = self._system
        try:
            return bool(system.exists(f"{prefix}/{name}"))
        except Exception as error:  # each SDK raises its own
            raise self._failed(error) from error

    def put(self, path: Path, name: str) -> None:
        """Copy a file there; who looks meanwhile does not see it.

        Raises:
            BadInputError: it cannot be written.
        """
        system, prefix = self._system
        try:
            system.put_file(os.fspath(path), f"{prefix}/{name}")
        except Exception as error:
            raise self._failed(error) from error

    def get(self, name: str, path: Path) -> None:
        """Copy a file from there to `path`, atomically.

        Raises:
            BadInputError: it is not there, or cannot be read.
        """
        system, prefix = self._system
        path.parent.mkdir(exist_ok=True)
        part = path.with_name(f"{path.name}.fetched")
        try:
            system.get_file(f"{prefix}/{name}", os.fspath(part))
        except Exception as error:
            part.unlink(missing_ok=True)
            raise self._failed(error) from error
        part.replace(path)

    def _failed(self, error: Exception) -> BadInputError:
        return BadInputError(
            f"--storage {self.url}: {type(error).__name__}: {error}; check the URL, the keys and "
            "the endpoint (AWS_ENDPOINT_URL). What was finished is kept there"
        )


def scratch_folder() -> Path:
    """A folder of this user alone on this machine, for shards on their way to a storage.

    The same one each time, so that a worker that died on this machine is not begun anew.

    Raises:
        BadInputError: it belongs to somebody else.
    """
    folder = Path(tempfile.gettempdir()) / f"evenkeel-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if found.st_uid != os.getuid() or found.st_mode & 0o077 or not folder.is_dir():
        raise BadInputError(f"{folder}: open to others; remove it, or set TMPDIR to another folder")
    return folder
