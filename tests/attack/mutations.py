"""Ways to spoil an input, by the kind of file: each is a row of a table.

A mutation is given the path, which it changes in place, and a generator of random numbers. It is
harmless if the stage must go on as if nothing had happened.
"""

import json
import os
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

Change = Callable[[Path, random.Random], None]
BINARY = {".h5", ".safetensors", ".parquet", ".gguf"}
TEXT = {".json", ".jsonl", ".csv", ".tsv", ".yaml", ".txt", ".md"}


@dataclass(frozen=True)
class Mutation:
    name: str
    change: Change
    harmless: bool = False


def _missing(path: Path, rng: random.Random) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def _instead(make: Callable[[Path], object]) -> Change:
    """Something else in the place of what is there."""

    def change(path: Path, rng: random.Random) -> None:
        _missing(path, rng)
        make(path)

    return change


def _rewritten(edit: Callable[[bytes, random.Random], bytes]) -> Change:
    """A file with other bytes; a new file, for the old one may have other names."""

    def change(path: Path, rng: random.Random) -> None:
        data = path.read_bytes()
        path.unlink()
        path.write_bytes(edit(data, rng))

    return change


def _truncated(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(1, max(2, len(data)))]


def _flipped(data: bytes, rng: random.Random) -> bytes:
    place = rng.randrange(len(data))
    return data[:place] + bytes([data[place] ^ 1 << rng.randrange(8)]) + data[place + 1 :]


def _zeroed(data: bytes, rng: random.Random) -> bytes:
    place = rng.randrange(len(data))
    return data[:place] + bytes(min(512, len(data) - place)) + data[place + 512 :]


def _garbled(data: bytes, rng: random.Random) -> bytes:
    place = rng.randrange(len(data))
    return data[:place] + rng.randbytes(64) + data[place + 64 :]


def _in_a_line(insert: bytes) -> Callable[[bytes, random.Random], bytes]:
    """Bytes put into the middle of some line that is not blank."""

    def edit(data: bytes, rng: random.Random) -> bytes:
        lines = data.split(b"\n")
        index = rng.choice([number for number, line in enumerate(lines) if len(line) > 1])
        place = rng.randrange(1, len(lines[index]))
        lines[index] = lines[index][:place] + insert + lines[index][place:]
        return b"\n".join(lines)

    return edit


def _cut_in_a_line(data: bytes, rng: random.Random) -> bytes:
    """The rest of the file is gone, from the first byte of some line on."""
    starts = [0] + [place + 1 for place, byte in enumerate(data[:-2]) if byte == 10]
    return data[: rng.choice(starts) + 1]


def _row(edit: Callable[[dict[str, object]], object]) -> Change:
    """One row of a JSON Lines file, or a whole JSON file, with another content."""

    def change(path: Path, rng: random.Random) -> None:
        data = path.read_text(encoding="utf-8")
        lines = data.splitlines() if path.suffix == ".jsonl" else [data]
        index = rng.randrange(len(lines))
        value = json.loads(lines[index])
        lines[index] = json.dumps(edit(value) if isinstance(value, dict) else [value])
        path.unlink()
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")

    return change


def _without_a_key(row: dict[str, object]) -> object:
    return dict(list(row.items())[1:])


def _foreign_version(path: Path, rng: random.Random) -> None:
    import h5py
    from safetensors.torch import load_file, save_file

    if path.suffix == ".h5":
        with h5py.File(path, "r+") as file:
            file.attrs["schema"] = 999
    elif path.suffix == ".safetensors":
        save_file(load_file(path), path, metadata={"evenkeel": '{"kind": "x", "version": 999}'})
    else:
        _rewritten(lambda data, _: b"PAR9" + data[4:])(path, rng)


def _deep(path: Path) -> None:
    path.write_text("[" * 200_000)


ANYTHING = (
    Mutation("missing", _missing),
    Mutation("circle of links", _instead(lambda path: path.symlink_to(path.name))),
    Mutation("dangling link", _instead(lambda path: path.symlink_to("nowhere"))),
    Mutation("pipe", _instead(os.mkfifo)),
)
FILE = (
    *ANYTHING,
    Mutation("empty", _instead(Path.touch)),
    Mutation("folder", _instead(Path.mkdir)),
    Mutation("random bytes", _rewritten(lambda data, rng: rng.randbytes(4096))),
    Mutation("NUL bytes", _rewritten(lambda data, rng: bytes(len(data)))),
    Mutation("a sparse terabyte", _instead(lambda path: _sparse(path))),
)
FOLDER = (
    *ANYTHING,
    Mutation("empty folder", _instead(Path.mkdir)),
    Mutation("file", _instead(lambda path: path.write_text("a file"))),
)
OF_BINARY = (
    Mutation("truncated", _rewritten(_truncated)),
    Mutation("bit flip", _rewritten(_flipped)),
    Mutation("zeroed sector", _rewritten(_zeroed)),
    Mutation("garbled", _rewritten(_garbled)),
)
ONCE_OF_BINARY = (Mutation("foreign version", _foreign_version),)
OF_TEXT = (
    Mutation("no UTF-8", _rewritten(_in_a_line(b"\xff"))),
    Mutation("NUL", _rewritten(_in_a_line(b"\0"))),
    Mutation("cut in a line", _rewritten(_cut_in_a_line)),
)
ONCE_OF_TEXT = (
    Mutation("byte-order mark", _rewritten(lambda data, rng: b"\xef\xbb\xbf" + data), True),
    Mutation("CRLF", _rewritten(lambda data, rng: data.replace(b"\n", b"\r\n")), True),
    Mutation("blank lines at the end", _rewritten(lambda data, rng: data + b"\n\n"), True),
    Mutation("UTF-16", _rewritten(lambda data, rng: data.decode().encode("utf-16"))),
)
OF_JSON = (
    Mutation("without a key", _row(_without_a_key)),
    Mutation("other type", _row(lambda row: list(row))),
    Mutation("NaN", _row(lambda row: row | {next(iter(row)): float("nan")})),
)
ONCE_OF_JSON = (Mutation("nested deeply", _instead(_deep)),)


def _sparse(path: Path) -> None:
    path.touch()
    os.truncate(path, 1 << 40)


def mutations_of(path: Path, times: int) -> list[tuple[Mutation, int]]:
    """Every mutation of a path, those that depend on chance `times` over, with its number."""
    if path.is_dir():
        return [(mutation, 0) for mutation in FOLDER]
    once, often = list(FILE), []
    if path.suffix in BINARY:
        once += ONCE_OF_BINARY
        often += OF_BINARY
    elif path.suffix in TEXT:
        once += ONCE_OF_TEXT
        often += OF_TEXT
        if path.suffix in (".json", ".jsonl"):
            once += ONCE_OF_JSON
            often += OF_JSON
    return [(each, 0) for each in once] + [(each, n) for each in often for n in range(times)]
