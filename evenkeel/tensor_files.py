"""Tensors on disk, in safetensors files and folders that say what they are.

A single file carries its record (any JSON) in the safetensors header, under one key: with several,
their order, and so the bytes, would change from run to run. A folder keeps the record beside the
tensors as a JSON file that people can read. Nothing is ever unpickled.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from evenkeel.errors import BadInputError
from evenkeel.files import (
    atomic_file,
    atomic_folder,
    read_object,
    require_file,
    require_folder,
    require_intact,
    write_json,
)
from evenkeel.files.json_files import parse_json

_KEY = "evenkeel"
Upgrades = Mapping[int, Callable[[Any], Any]]
"""By older version of a layout: its record to one of today's version."""


def write_tensors(
    path: Path, tensors: Mapping[str, Tensor], record: Any, *, kind: str, version: int
) -> None:
    """Write one safetensors file, atomically; the same input gives the same bytes.

    Args:
        path: the file.
        tensors: by name.
        record: anything that JSON holds, except NaN and infinity.
        kind: what the file is, as in "steering vector"; checked when it is read.
        version: of this kind's layout; checked when it is read.
    """
    payload = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    described = {"kind": kind, "record": record, "version": version}
    described["sha256"] = _checksum(described, payload)
    header = json.dumps(described, sort_keys=True, allow_nan=False)
    with atomic_file(path) as part:
        part.write_bytes(save(payload, metadata={_KEY: header}))


def read_tensors(
    path: Path, *, kind: str, version: int, upgrades: Upgrades | None = None
) -> tuple[dict[str, Tensor], Any]:
    """Read what `write_tensors` wrote: the tensors by name, and the record.

    Args:
        path: the file.
        kind: as it was written.
        version: today's version of this kind's layout.
        upgrades: older versions that can be read, too.

    Raises:
        BadInputError: the file is missing, truncated, no safetensors, of another kind or version.
    """
    tensors, header = open_tensors(path)
    record = _record_of(path, header, kind, version, upgrades or {})
    described = {key: header.get(key) for key in ("kind", "record", "version")}
    if header["version"] == version and header.get("sha256") != _checksum(described, tensors):
        raise BadInputError(
            f"{path}: damaged, or changed after Evenkeel wrote it: its contents do not match their "
            "SHA-256; write it again"
        )
    return tensors, record


def open_tensors(path: Path) -> tuple[dict[str, Tensor], Any]:
    """The tensors of a safetensors file by name, and our header: kind, version and record, if any.

    Raises:
        BadInputError: the file is missing, truncated or no safetensors.
    """
    require_file(path)
    try:
        with safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get(_KEY)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise BadInputError(
            f"{path}: truncated, or no safetensors file ({error}); write it again"
        ) from error
    try:
        header = parse_json(text or "{}")
    except ValueError as error:
        raise BadInputError(f"{path}: its header is not JSON ({error}); write it again") from error
    return tensors, header


def write_tensor_folder(
    path: Path, tensors: Mapping[str, Tensor], record: Any, *, kind: str, version: int
) -> None:
    """Write tensors.safetensors and record.json into a folder that appears complete or not at all.

    Args: as of `write_tensors`.
    """
    with atomic_folder(path) as part:
        write_tensors(part / "tensors.safetensors", tensors, None, kind=kind, version=version)
        write_json(part / "record.json", {"kind": kind, "record": record, "version": version})


def read_tensor_folder(
    path: Path, *, kind: str, version: int, upgrades: Upgrades | None = None
) -> tuple[dict[str, Tensor], Any]:
    """Read what `write_tensor_folder` wrote: the tensors by name, and the record.

    Args: as of `read_tensors`.

    Raises:
        BadInputError: a file is missing, truncated, of another kind or version.
    """
    require_folder(path)
    require_intact(path, "run the stage that writes it again")
    file = path / "tensors.safetensors"
    none = dict.fromkeys(upgrades or {}, lambda record: record)  # the tensors carry no record
    tensors, _ = read_tensors(file, kind=kind, version=version, upgrades=none)
    header = read_object(path / "record.json")
    return tensors, _record_of(path / "record.json", header, kind, version, upgrades or {})


def _checksum(described: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256(json.dumps(described, sort_keys=True, allow_nan=False).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name}{tensor.dtype}{list(tensor.shape)}".encode())
        digest.update(tensor.flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _record_of(path: Path, header: Any, kind: str, version: int, upgrades: Upgrades) -> Any:
    found = header.get("kind") if isinstance(header, dict) else None
    if found != kind:
        what = f"it is of kind {found}" if found else "Evenkeel did not write it"
        raise BadInputError(f"{path}: not a file of kind {kind}: {what}; give another path")
    written, record = header.get("version"), header.get("record")
    if type(written) is int and written == version:
        return record
    if type(written) is int and written in upgrades:
        return upgrades[written](record)
    raise BadInputError(
        f"{path}: a {kind} of layout version {written}, this Evenkeel reads "
        f"{', '.join(map(str, [*upgrades, version]))}; write it again"
    )
