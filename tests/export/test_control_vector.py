from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch

from evenkeel.errors import BadInputError
from evenkeel.export.control_vector import read_control_vector, write_control_vector
from evenkeel.steering.gates import TokenGate
from evenkeel.steering.hooks import steer
from evenkeel.steering.intervention import Ablate, Add, Intervention
from tests.models.families import tiny_model

gguf = pytest.importorskip("gguf")
IDS = torch.tensor([[5, 9, 2, 7, 30]])
ONES = torch.ones(32)


@torch.no_grad()
def test_what_is_read_back_steers_alike(tiny_gpt2: Any, tmp_path: Path) -> None:
    given = [
        Add(torch.randn(32), 2.0, layer=1, site="resid_post", sinks="include"),
        Add(torch.randn(32), -1.0, layer=2, site="resid_pre", sinks="include"),
        Add(torch.randn(32), 3.0, layer=2, site="resid_post", sinks="include"),
    ]
    path = tmp_path / "vector.gguf"
    write_control_vector(path, tiny_gpt2, given)
    found = read_control_vector(path)
    assert found.keys() == {1, 2}
    as_read = [
        Add(vector, layer=layer, site="resid_post", sinks="include")
        for layer, vector in found.items()
    ]
    with steer(tiny_gpt2, given):
        expected = tiny_gpt2(IDS).logits
    with steer(tiny_gpt2, as_read):
        torch.testing.assert_close(tiny_gpt2(IDS).logits, expected, atol=1e-5, rtol=1e-5)


def test_the_header_is_what_llama_cpp_reads(tiny_gpt2: Any, tmp_path: Path) -> None:
    write_control_vector(
        tmp_path / "a", tiny_gpt2, Add(ONES, layer=1, site="resid_post", sinks="include")
    )
    write_control_vector(
        tmp_path / "b", tiny_gpt2, Add(ONES, layer=1, site="resid_post", sinks="include")
    )
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    reader = gguf.GGUFReader(tmp_path / "a")
    fields = {
        name: reader.get_field(name).contents()
        for name in (
            "general.architecture",
            "controlvector.model_hint",
            "controlvector.layer_count",
        )
    }
    assert list(fields.values()) == ["controlvector", "gpt2", 1]
    (tensor,) = reader.tensors
    assert (tensor.name, tensor.tensor_type.name, tensor.data.shape) == (
        "direction.1",
        "F32",
        (32,),
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            Ablate(ONES, layer=1, site="resid_post", sinks="include"),
            "Ablate at layer 1, resid_post.*can only add",
        ),
        (
            Add(ONES, layer=0, site="resid_post", sinks="include"),
            "resid_post of layers 1 to 2 only",
        ),
        (Add(ONES, layer=1, site="resid_pre", sinks="include"), "resid_post of layers 1 to 2 only"),
        (Add(ONES, layer=1, site="mlp_out", sinks="include"), "acts on the stream between blocks"),
        (
            Add(ONES, layer=1, site="resid_post", positions="last", sinks="include"),
            "acts at all positions",
        ),
        (
            Add(ONES, layer=1, site="resid_post", gates=(TokenGate((1,)),), sinks="include"),
            "knows no gates",
        ),
        (Add(ONES, layer=1, site="resid_post"), "acts at all positions .*--include-sinks"),
        ([], "holds no intervention"),
    ],
)
def test_what_it_cannot_hold_is_refused(
    tiny_gpt2: Any, tmp_path: Path, given: Intervention, message: str
) -> None:
    with pytest.raises(BadInputError, match=message):
        write_control_vector(tmp_path / "vector.gguf", tiny_gpt2, given)
    assert list(tmp_path.iterdir()) == []


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.gguf"
    path.write_bytes(b"something else that is long enough to have a header")
    with pytest.raises(BadInputError, match="cannot be read as GGUF"):
        read_control_vector(path)
    with pytest.raises(BadInputError, match="no such file"):
        read_control_vector(tmp_path / "missing.gguf")


@pytest.mark.filterwarnings("ignore:overflow encountered")  # in gguf, which adds what is damaged
def test_a_damaged_file_is_refused_or_read(tiny_gpt2: Any, tmp_path: Path) -> None:
    """Cut anywhere, or with counts, lengths and types that its header makes up."""
    path = tmp_path / "vector.gguf"
    write_control_vector(path, tiny_gpt2, Add(ONES, layer=1, site="resid_post", sinks="include"))
    whole = path.read_bytes()
    spoiled = [whole[:end] for end in range(len(whole))]
    spoiled += [whole[:at] + b"\xff" * 8 + whole[at + 8 :] for at in range(len(whole) - 8)]
    for data in spoiled:
        path.write_bytes(data)
        with suppress(BadInputError):
            assert read_control_vector(path).keys() == {1}


@pytest.mark.parametrize("family", ["opt", "gpt_neo"])
def test_a_family_that_llama_cpp_does_not_know_is_refused(family: str, tmp_path: Path) -> None:
    add = Add(ONES, layer=1, site="resid_post", sinks="include")
    with pytest.raises(BadInputError, match=f"llama.cpp knows no {family} models"):
        write_control_vector(tmp_path / "vector.gguf", tiny_model(family), add)
    assert not list(tmp_path.iterdir())
