"""What a file must be before any of it is read as a shard of ours."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any

import h5py
import numpy as np
from jaxtyping import Int
from pydantic import Field, NonNegativeInt, PositiveInt, TypeAdapter, ValidationError

from evenkeel.activations.content import SCHEMA, Header
from evenkeel.activations.layout import FORMAT
from evenkeel.errors import BadInputError
from evenkeel.files.json_files import parse_json, problem_of
from evenkeel.models.sites import HookPoint

AGAIN = "run cache_activations again, or dvc pull it"
_Points = TypeAdapter(
    Annotated[tuple[tuple[str, NonNegativeInt, PositiveInt], ...], Field(min_length=1)]
)
_Fields = TypeAdapter(list[str])
_Header = TypeAdapter(Header)


@dataclass(frozen=True)
class Description:
    """What a shard says about itself."""

    header: Header
    first_text: int
    identity: str
    fields: list[str]
    """Of the texts."""
    strings: list[str]
    """Those of the fields that are strings."""


def describe(path: Path, attributes: dict[str, Any]) -> Description:
    """Read the attributes of a file.

    Raises:
        BadInputError: the file is not ours, of another version, or says what cannot be.
    """
    if attributes.get("format") != FORMAT:
        raise BadInputError(f"{path}: an HDF5 file, but not an activation store of ours; {AGAIN}")
    if attributes.get("schema") != SCHEMA:
        raise BadInputError(
            f"{path}: an activation store of schema {attributes.get('schema')}, but this version "
            f"reads schema {SCHEMA}; {AGAIN}"
        )
    try:
        values = {field.name: attributes[field.name] for field in fields(Header)}
        points = _Points.validate_python(parse_json(values["points"]))
        for site, layer, _ in points:
            HookPoint.of(site, layer)  # refuses sites that no model has
        header = _Header.validate_python(values | {"points": points})
        first_text = int(attributes["first_text"])
        if first_text < 0:
            raise ValueError("first_text is negative")
        return Description(
            header,
            first_text,
            str(attributes["identity"]),
            _Fields.validate_python(parse_json(attributes["fields"])),
            _Fields.validate_python(parse_json(attributes["strings"])),
        )
    except ValidationError as error:
        problem = problem_of(error)
    except (KeyError, TypeError, ValueError, BadInputError) as error:
        problem = repr(error)
    raise BadInputError(f"{path}: its attributes are not those of a store ({problem}); {AGAIN}")


def arrays_of(description: Description) -> list[str]:
    """Names of the arrays that a shard must hold."""
    points = (f"{site}/{layer}" for site, layer, _ in description.header.points)
    texts = (f"texts/{name}" for name in description.fields)
    ends = (f"ends/{name}" for name in description.strings)
    return ["tokens/input_ids", "texts/offsets", "checksums", *texts, *ends, *points]


def require_own_arrays(path: Path, file: h5py.File, names: list[str]) -> None:
    """Refuse a file whose arrays lie anywhere but in the file itself, byte for byte.

    HDF5 lets a file name others: by links, as storage of an array, or as parts of a virtual one.
    What is read then would depend on, or reveal, files that nobody meant. It lets values lie in a
    heap, or pass filters, that a file made to do harm leaves with no end or no limit of size.

    Raises:
        BadInputError: an array is missing, is elsewhere, or is not of plain numbers.
    """
    size = path.stat().st_size
    for name in names:
        group: Any = file
        for part in name.split("/"):
            link = group.get(part, getlink=True) if isinstance(group, h5py.Group) else None
            if link is None:
                raise BadInputError(f"{path}: cut short or damaged: no array {name!r}; {AGAIN}")
            if not isinstance(link, h5py.HardLink):
                raise BadInputError(
                    f"{path}: {name!r} is a link, not an array in this file; {AGAIN}"
                )
            group = group[part]
        if not isinstance(group, h5py.Dataset):
            raise BadInputError(f"{path}: {name!r} is no array; {AGAIN}")
        if group.external or group.is_virtual:
            raise BadInputError(f"{path}: {name!r} is kept in another file; {AGAIN}")
        plain = group.dtype.kind in "biuf" and group.id.get_create_plist().get_nfilters() == 0
        if not plain or group.nbytes > size:
            raise BadInputError(
                f"{path}: {name!r} is not the plain numbers that cache_activations writes: the "
                f"file was rewritten by another program; {AGAIN}"
            )


def require_sound(
    path: Path, ids: Int[np.ndarray, " tokens"], offsets: Int[np.ndarray, " texts_and_end"]
) -> None:
    """Refuse tokens and texts that do not belong together.

    Raises:
        BadInputError: an id is negative, or the offsets do not divide the tokens.
    """
    if ids.ndim != 1 or ids.dtype.kind not in "iu" or (len(ids) and ids.min() < 0):
        raise BadInputError(f"{path}: its token ids are not numbers from 0; {AGAIN}")
    whole = offsets.ndim == 1 and offsets.dtype.kind in "iu" and len(offsets) > 1
    if not whole or offsets[0] != 0 or offsets[-1] != len(ids) or (np.diff(offsets) < 0).any():
        raise BadInputError(f"{path}: its texts do not divide its tokens; {AGAIN}")


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what HDF5 says of a file that it cannot read into a message with a way out."""
    try:
        yield
    except BadInputError:
        raise
    except PermissionError as error:
        raise BadInputError(f"{path}: no permission to read it; ask its owner") from error
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EWOULDBLOCK) or "unable to lock" in str(error):
            raise BadInputError(
                f"{path}: another process has it open for writing; wait until it ends, then run "
                "again (the file itself is not damaged)"
            ) from error
        raise _damaged(path, error) from error
    except (
        RuntimeError, KeyError, ValueError, TypeError, AttributeError, IndexError, OverflowError,
        MemoryError,
    ) as error:  # fmt: skip
        raise _damaged(path, error) from error


def _damaged(path: Path, error: BaseException) -> BadInputError:
    return BadInputError(f"{path}: cut short, damaged or no HDF5 file ({error}); {AGAIN}")
