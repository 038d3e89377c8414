"""The list of a store's shards: a store is one file, or a folder of files with a manifest."""

import shutil
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, PositiveInt

from evenkeel.errors import BadInputError
from evenkeel.files import mark_folder, read_record, require_replaceable, write_json

MANIFEST_FILE = "manifest.json"


class ShardEntry(BaseModel):
    """A shard as the manifest knows it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: Annotated[str, Field(pattern=r"^[0-9]+\.h5$")]
    texts: PositiveInt
    tokens: PositiveInt
    bytes: PositiveInt
    identity: str
    """SHA-256 of its texts and of all that decides its activations."""


class Manifest(BaseModel):
    """All shards, in the order of their texts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    shards: tuple[ShardEntry, ...]


def read_manifest(folder: Path) -> tuple[ShardEntry, ...]:
    """The shards of a store that is a folder, each there and of the right size.

    Raises:
        BadInputError: the folder's manifest is missing or wrong, or a shard is not all there.
    """
    manifest = read_record(folder / MANIFEST_FILE, Manifest, "run cache_activations again")
    names = [entry.file for entry in manifest.shards]
    if not names or len(set(names)) < len(names):
        raise BadInputError(
            f"{folder / MANIFEST_FILE}: lists no shard, or one twice; run cache_activations again"
        )
    for entry in manifest.shards:
        file = folder / entry.file
        if not file.is_file() or file.stat().st_size != entry.bytes:
            raise BadInputError(
                f"{file}: missing or cut short: the manifest says {entry.bytes} bytes; "
                "run cache_activations again, or dvc pull it"
            )
    return manifest.shards


def publish(work: Path, path: Path, entries: list[ShardEntry]) -> None:
    """Give the store its name: one shard as a file, more as a folder with a manifest."""
    kept = {entry.file for entry in entries}
    for file in work.iterdir():
        if file.name not in kept:  # of an earlier run with other texts or parameters
            file.unlink()
    if len(entries) > 1:
        write_json(work / MANIFEST_FILE, Manifest(shards=tuple(entries)).model_dump())
        mark_folder(work)
    source = work if len(entries) > 1 else work / entries[0].file
    old = path.with_name(f".{path.name}.old")
    _remove(old)
    if path.is_dir():
        require_replaceable(path)
    if path.is_dir() or (path.exists() and source.is_dir()):
        path.replace(old)  # a folder takes nothing's place, and nothing takes a full folder's
    source.replace(path)
    _remove(old)
    _remove(work)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
