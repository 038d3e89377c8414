import json
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.errors import BadInputError
from evenkeel.files import mark_folder
from evenkeel.tensor_files import write_tensor_folder, write_tensors
from evenkeel.vectors.vector import Separation, SteeringVector
from evenkeel.vectors.vector_set import VectorSet

FIELDS: dict[str, Any] = {
    "axis": "gender",
    "method": "caa",
    "site": "resid_post",
    "layer": 2,
    "stream_norm": 7.5,
}


def vector(seed: int = 0, **changes: Any) -> SteeringVector:
    raw = torch.randn(8, generator=torch.Generator().manual_seed(seed))
    return SteeringVector.of(raw, **(FIELDS | changes))


@given(
    st.lists(
        st.floats(-(2.0**60), 2.0**60, width=32, allow_subnormal=False), min_size=1, max_size=20
    )
)
def test_of_gives_a_unit_vector_in_the_same_sense(values: list[float]) -> None:
    raw = torch.tensor(values)
    if not raw.any():
        with pytest.raises(BadInputError, match="gender/caa/resid_post/2: the difference is zero"):
            SteeringVector.of(raw, **FIELDS)
        return
    made = SteeringVector.of(raw, **FIELDS)
    assert float(made.direction.norm()) == pytest.approx(1, abs=1e-5)
    assert float(made.project(raw)) == pytest.approx(float(raw.double().norm()), rel=1e-4)


def test_projection_of_a_batch_is_the_dot_product() -> None:
    made = vector()
    x = torch.randn(2, 3, 8)
    assert torch.allclose(made.project(x), torch.einsum("btd,d->bt", x, made.direction))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"direction": torch.ones(4)}, "norm 2, not 1"),
        ({"direction": torch.zeros(4)}, "norm 0, not 1"),
        ({"direction": torch.tensor([1.0, float("nan")])}, "NaN or an infinity"),
        ({"direction": torch.ones(1, dtype=torch.float64)}, "one float32 vector"),
        ({"direction": torch.ones(1, 1)}, "one float32 vector"),
        ({"stream_norm": 0.0}, "stream_norm is 0.0"),
        ({"stream_norm": float("inf")}, "stream_norm is inf"),
        ({"layer": -1}, "layers count from 0"),
    ],
)
def test_an_invalid_vector_cannot_be_made(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        SteeringVector(**(FIELDS | {"direction": torch.ones(1)} | changes))


def test_a_file_reads_back_exactly_and_is_the_same_bytes_again(tmp_path: Path) -> None:
    made = vector(
        separation=Separation("neutral - biased", 0.875, (0.8, 0.925), 48),
        metadata={"model": {"name": "tiny", "revision": None}, "seed": 3},
    )
    made.save(tmp_path / "a")
    made.save(tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    read = SteeringVector.load(tmp_path / "a")
    assert torch.equal(read.direction, made.direction)
    assert read.record() == made.record()
    assert read.separation == made.separation


def test_a_set_is_sorted_found_by_key_and_reads_back_exactly(tmp_path: Path) -> None:
    made = [vector(i, layer=layer) for i, layer in enumerate((10, 2))]
    vectors = VectorSet.of(made)
    assert [v.layer for v in vectors] == [2, 10]
    vectors.save(tmp_path / "set")
    read = VectorSet.load(tmp_path / "set")
    assert len(read) == 2
    assert [v.record() for v in read] == [v.record() for v in vectors]
    assert torch.equal(read.get("gender", "caa", "resid_post", 10).direction, made[0].direction)
    with pytest.raises(BadInputError, match=r"no steering vector gender/pca.*gender/caa"):
        read.get("gender", "pca", "resid_post", 2)


def test_a_set_refuses_doubles_and_nothing() -> None:
    with pytest.raises(BadInputError, match="two steering vectors for gender/caa/resid_post/2"):
        VectorSet.of([vector(0), vector(1)])
    with pytest.raises(BadInputError, match="at least one"):
        VectorSet.of([])


def test_wrong_records_are_refused_by_file(tmp_path: Path) -> None:
    path = tmp_path / "v.safetensors"
    kind = {"kind": "steering vector", "version": 1}
    direction = {"direction": vector().direction}
    write_tensors(path, direction, vector().record() | {"extra": 1}, **kind)
    with pytest.raises(BadInputError, match=r"v\.safetensors: vector: unknown field 'extra'"):
        SteeringVector.load(path)
    write_tensors(path, direction, vector().record() | {"layer": -1}, **kind)
    with pytest.raises(BadInputError, match=r"v\.safetensors: .*layers count from 0"):
        SteeringVector.load(path)
    write_tensors(path, {"other": torch.ones(1)}, vector().record(), **kind)
    with pytest.raises(BadInputError, match=r"holds tensors \['other'\]"):
        SteeringVector.load(path)


def test_a_set_of_the_first_version_acts_on_sinks_as_it_did(tmp_path: Path) -> None:
    old = {
        f"gender/caa/resid_post/{layer}": vector(layer, layer=layer).record() for layer in (2, 3)
    }
    for record in old.values():
        del record["sinks"]
    tensors = {name: vector(int(name[-1]), layer=int(name[-1])).direction for name in old}
    write_tensor_folder(tmp_path / "old", tensors, old, kind="set of steering vectors", version=1)
    loaded = VectorSet.load(tmp_path / "old").vectors
    assert [(each.layer, each.sinks) for each in loaded] == [(2, "include"), (3, "include")]


def test_a_set_whose_two_files_disagree_is_refused(tmp_path: Path) -> None:
    VectorSet.of([vector(0), vector(1, layer=3)]).save(tmp_path / "a")
    VectorSet.of([vector(0)]).save(tmp_path / "b")
    (tmp_path / "b" / "record.json").replace(tmp_path / "a" / "record.json")
    with pytest.raises(BadInputError, match=r"record\.json: damaged, or changed after Evenkeel"):
        VectorSet.load(tmp_path / "a")
    mark_folder(tmp_path / "a")
    with pytest.raises(BadInputError, match="list different vectors"):
        VectorSet.load(tmp_path / "a")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layer": 2}, "what is kept as .* is "),
        ({"layer": "1"}, "layer: Input should be a valid integer"),
        ({"layer": True}, "layer: Input should be a valid integer"),
        ({"axis": 3}, "axis: Input should be a valid string"),
        ({"stream_norm": "1"}, "stream_norm: Input should be a valid number"),
        ({"separation": [1]}, "separation: "),
        ({"metadata": []}, "metadata: "),
    ],
)
def test_mixed_fields_are_refused_by_name(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    VectorSet.of([vector(0, layer=1)]).save(tmp_path / "a")
    path = tmp_path / "a" / "record.json"
    content = json.loads(path.read_text())
    (record,) = content["record"].values()
    record |= change
    path.write_text(json.dumps(content))
    mark_folder(tmp_path / "a")
    with pytest.raises(BadInputError, match=message):
        VectorSet.load(tmp_path / "a")


def test_no_bit_flips_unseen(tmp_path: Path) -> None:
    path = tmp_path / "v.safetensors"
    vector().save(path)
    whole = path.read_bytes()
    for place in range(0, len(whole), 7):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        with pytest.raises(BadInputError, match=r"v\.safetensors: "):
            SteeringVector.load(path)
