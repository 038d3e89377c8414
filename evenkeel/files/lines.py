"""The one reader of text: UTF-8, with or without a byte-order mark, lines ended by LF or CRLF.

Nothing else ends a line. `str.splitlines` also cuts at U+2028, U+2029, U+0085, form feeds and other
characters that occur inside texts; universal newlines also cut at a lone carriage return.
"""

import codecs
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from evenkeel.errors import BadInputError
from evenkeel.files.inputs import BY_A_STAGE, open_input

LONGEST = 64 << 20
"""Bytes of a line; a file of one endless line would fill the memory."""


def lines_of(path: Path, advice: str = BY_A_STAGE) -> Iterator[tuple[int, str]]:
    """Lines of a text file with their numbers, from 1; blank ones are left out.

    Args:
        path: the file; it is read as the lines are asked for, never whole.
        advice: what the user can do if it is not there.

    Raises:
        BadInputError: there is no such file, or a line is not UTF-8, holds a NUL or is of more than
            `LONGEST` bytes (which).
    """
    with open_input(path, advice) as file:
        for number, raw in _raw_lines(path, file):
            line = _decoded(path, number, raw).removesuffix("\n").removesuffix("\r")
            if line.strip():
                yield number, line


def text_of(path: Path, advice: str = BY_A_STAGE) -> str:
    """A text file whole, its lines ended by LF.

    Raises:
        BadInputError: as `lines_of`.
    """
    with open_input(path, advice) as file:
        text = "".join(_decoded(path, number, raw) for number, raw in _raw_lines(path, file))
    return text.replace("\r\n", "\n")


def _raw_lines(path: Path, file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    for number, raw in enumerate(iter(lambda: file.readline(LONGEST + 1), b""), start=1):
        if b"\0" in raw and not raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise BadInputError(
                f"{path}, line {number}: a NUL byte, so this is no text; replace it"
            )
        if len(raw) > LONGEST:
            raise BadInputError(f"{path}, line {number}: longer than {LONGEST} bytes; split it")
        yield number, raw


def _decoded(path: Path, number: int, raw: bytes) -> str:
    while raw.startswith(codecs.BOM_UTF8):  # one a file, and files are joined
        raw = raw.removeprefix(codecs.BOM_UTF8)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        wide = raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        found = "it begins like UTF-16" if wide else f"byte 0x{raw[error.start]:02x}"
        raise BadInputError(
            f"{path}, line {number}: not UTF-8 text ({found}); save it as UTF-8"
        ) from error
