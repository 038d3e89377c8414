from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from evenkeel.errors import BadInputError
from evenkeel.tensor_files import (
    read_tensor_folder,
    read_tensors,
    write_tensor_folder,
    write_tensors,
)

TENSORS = {"b": torch.randn(3, 4), "a": torch.arange(5, dtype=torch.bfloat16)}
RECORD = {"z": [1, 2.5, None], "a": "é"}


def test_a_file_reads_back_exactly_and_is_the_same_bytes_again(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_tensors(tmp_path / name, TENSORS, RECORD, kind="thing", version=1)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    tensors, record = read_tensors(tmp_path / "one", kind="thing", version=1)
    assert record == RECORD
    assert set(tensors) == set(TENSORS)
    for name, tensor in TENSORS.items():
        assert torch.equal(tensors[name], tensor)
        assert tensors[name].dtype == tensor.dtype


def test_a_folder_reads_back_exactly_and_replaces_an_older_one(tmp_path: Path) -> None:
    write_tensor_folder(tmp_path / "f", {"old": torch.zeros(1)}, None, kind="thing", version=1)
    write_tensor_folder(tmp_path / "f", TENSORS, RECORD, kind="thing", version=1)
    tensors, record = read_tensor_folder(tmp_path / "f", kind="thing", version=1)
    assert record == RECORD
    assert set(tensors) == set(TENSORS)
    assert sorted(path.name for path in tmp_path.rglob("*")) == [
        ".evenkeel",
        "f",
        "record.json",
        "tensors.safetensors",
    ]


def test_nan_in_a_record_is_refused_and_the_old_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "x"
    write_tensors(path, TENSORS, RECORD, kind="thing", version=1)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="JSON compliant"):
        write_tensors(path, TENSORS, {"bad": float("nan")}, kind="thing", version=1)
    assert path.read_bytes() == before


def test_bad_files_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    with pytest.raises(BadInputError, match=r"x\.safetensors: no such file"):
        read_tensors(path, kind="thing", version=1)
    write_tensors(path, TENSORS, RECORD, kind="thing", version=1)
    with pytest.raises(BadInputError, match=r"not a file of kind other: it is of kind thing"):
        read_tensors(path, kind="other", version=1)
    with pytest.raises(BadInputError, match="layout version 1, this Evenkeel reads 2"):
        read_tensors(path, kind="thing", version=2)
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(BadInputError, match="truncated, or no safetensors file"):
        read_tensors(path, kind="thing", version=1)
    save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(BadInputError, match="Evenkeel did not write it"):
        read_tensors(path, kind="thing", version=1)
    save_file({"a": torch.zeros(1)}, path, metadata={"evenkeel": "{"})
    with pytest.raises(BadInputError, match="header is not JSON"):
        read_tensors(path, kind="thing", version=1)
    with pytest.raises(BadInputError, match="no such folder"):
        read_tensor_folder(tmp_path / "none", kind="thing", version=1)
