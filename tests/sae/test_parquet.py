"""A table is read as it was written, or refused: no flipped bit changes what is read."""

import random
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from evenkeel.errors import BadInputError
from evenkeel.sae.parquet import read_parquet, write_parquet

TABLE = pd.DataFrame(
    {"feature": range(40), "words": [["a", " b"]] * 40, "share": [0.1, None] * 20, "yes": True}
)


def written(folder: Path) -> Path:
    path = folder / "table.parquet"
    write_parquet(path, TABLE)
    return path


def test_what_is_written_is_read_here_and_elsewhere_and_its_bytes_are_the_same(
    tmp_path: Path,
) -> None:
    path = written(tmp_path)
    pd.testing.assert_frame_equal(
        read_parquet(path, "write it").assign(words=TABLE["words"]), TABLE
    )
    pd.testing.assert_frame_equal(pd.read_parquet(path), read_parquet(path, "write it"))
    before = path.read_bytes()
    assert written(tmp_path).read_bytes() == before


def test_no_flipped_bit_changes_what_is_read(tmp_path: Path) -> None:
    """Neither in pages nor in the footer, of which the format has no checksum."""
    path = written(tmp_path)
    whole, whole_table = path.read_bytes(), read_parquet(path, "write it")
    refused = 0
    for place in random.Random(0).sample(range(len(whole)), 400):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 16]) + whole[place + 1 :])
        try:
            found = read_parquet(path, "write it")
        except BadInputError as error:
            refused += "table.parquet" in str(error)
        else:  # a byte of the key itself: the table is whole
            pd.testing.assert_frame_equal(found, whole_table)
    assert refused > 390


def test_a_table_of_another_program_is_read(tmp_path: Path) -> None:
    TABLE.to_parquet(tmp_path / "other.parquet")
    assert len(read_parquet(tmp_path / "other.parquet", "write it")) == 40


def test_what_pandas_says_of_a_table_is_no_traceback(tmp_path: Path) -> None:
    path = written(tmp_path)
    table = pq.read_table(path)
    for said in (b"{{{", b'{"index_columns": ["none"], "columns": []}', b"[" * 9999):
        pq.write_table(table.replace_schema_metadata({b"pandas": said}), path)
        with pytest.raises(BadInputError, match=r"table\.parquet: damaged or no Parquet file"):
            read_parquet(path, "write it")


@pytest.mark.parametrize("size", [0, 2, 2**40])
def test_a_file_without_the_end_mark_is_refused_unread(tmp_path: Path, size: int) -> None:
    path = written(tmp_path)
    with path.open("r+b") as file:
        file.truncate(size)  # longer ones are sparse
    with pytest.raises(BadInputError, match=r"table\.parquet: damaged .*\(no end mark\); write it"):
        read_parquet(path, "write it")
