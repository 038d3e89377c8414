"""Vectors that others made are read as they are, and nothing is unpickled."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from evenkeel.errors import BadInputError
from evenkeel.export.control_vector import write_control_vector
from evenkeel.export.easysteer import write_easysteer
from evenkeel.export.foreign import read_foreign
from evenkeel.steering.intervention import Add

VECTORS = {1: torch.arange(32.0), 2: torch.arange(32.0) - 7}


def adds() -> list[Add]:
    return [
        Add(vector / 2, 2.0, layer=layer, site="resid_post", sinks="include")
        for layer, vector in VECTORS.items()
    ]


def written(path: Path, tiny_gpt2: Any) -> None:
    lists = {str(layer): vector.tolist() for layer, vector in VECTORS.items()}
    match path.name:
        case "repeng.gguf":
            pytest.importorskip("gguf")
            write_control_vector(path, tiny_gpt2, adds())
        case "easysteer.json":
            pytest.importorskip("gguf")
            write_easysteer(path, tiny_gpt2, adds())
        case "steering_vectors.json":
            path.write_text(json.dumps({"layer_activations": lists, "layer_type": "decoder_block"}))
        case "plain.json":
            path.write_text(json.dumps(lists), encoding="utf-8-sig")
        case "named.safetensors":
            save_file({f"direction.{layer}": vector for layer, vector in VECTORS.items()}, path)
        case "named.npz":
            np.savez(path, **{f"layer_{layer}": vector for layer, vector in VECTORS.items()})
        case "rows.npy":
            np.save(path, torch.stack([torch.zeros(32), *VECTORS.values()]).numpy())


FILES = (
    "repeng.gguf", "easysteer.json", "steering_vectors.json", "plain.json", "named.safetensors",
    "named.npz", "rows.npy",
)  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_every_format_is_read(tiny_gpt2: Any, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    written(path, tiny_gpt2)
    found = read_foreign(path)
    assert found.keys() == VECTORS.keys()
    for layer, vector in VECTORS.items():
        assert torch.equal(found[layer], vector)
    assert read_foreign(path, 2).keys() == {2}
    with pytest.raises(BadInputError, match="no vector for layer 9"):
        read_foreign(path, 9)


@pytest.mark.parametrize("suffix", ["npy", "npz", "safetensors"])
def test_one_vector_needs_a_layer(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"one.{suffix}"
    vector = VECTORS[1]
    if suffix == "safetensors":
        save_file({"direction": vector}, path)
    elif suffix == "npz":
        np.savez(path, direction=vector)
    else:
        np.save(path, vector.numpy())
    with pytest.raises(BadInputError, match="give --layer"):
        read_foreign(path)
    assert torch.equal(read_foreign(path, 4)[4], vector)


@pytest.mark.parametrize("suffix", ["pt", "pth", "bin", "pkl"])
def test_a_pickle_is_refused_with_the_way_to_convert_it(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"caa.{suffix}"
    path.write_bytes(b"cos\nsystem\n(S'touch owned'\ntR.")
    with pytest.raises(BadInputError, match=r"a pickle.*weights_only=True.*safetensors"):
        read_foreign(path)
    objects = tmp_path / "objects.npy"
    np.save(objects, np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(BadInputError, match="cannot be read as numpy's"):
        read_foreign(objects)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"", "unknown kind of file"),
        ("a.json", b"{", "cannot be read as JSON"),
        ("a.json", b'{"x": [1]}', "no vectors by layer"),
        ("a.json", b'{"3": [[1, 2]]}', "one finite vector is needed"),
        ("a.json", b"{}", "no vector in it"),
        ("a.json", b'{"3": [true]}', "numbers are needed"),
        ("a.json", b'{"-3": [1]}', "no vectors by layer"),
        ("a.json", b'{"3": [1], "03": [2]}', "no vectors by layer"),
        ("a.json", b'{"3": [99999999999999999999]}', "no vectors by layer"),
        ("a.json", b'{"%s": [1]}' % (b"9" * 5000), "no vectors by layer"),
        ("a.npz", b"damaged", "cannot be read as numpy's"),
        ("a.npy", b"PK\x03\x04", "cannot be read as numpy's"),
        ("a.npy", b"damaged", "cannot be read as numpy's"),
        ("a.safetensors", b"damaged", "no safetensors"),
    ],
)
def test_what_is_damaged_is_refused(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadInputError, match=message):
        read_foreign(tmp_path / name)
    with pytest.raises(BadInputError):
        read_foreign(tmp_path / "missing.npy")


@pytest.mark.parametrize("name", ["named.npz", "rows.npy"])
def test_an_array_with_any_byte_changed_or_missing_is_refused_or_read(
    tiny_gpt2: Any, tmp_path: Path, name: str
) -> None:
    """numpy, zipfile, zlib and tokenize each raise their own errors."""
    path = tmp_path / name
    written(path, tiny_gpt2)
    whole = path.read_bytes()
    spoiled = [whole[:end] for end in range(0, len(whole), 5)]
    spoiled += [whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :] for at in range(len(whole))]
    for data in spoiled:
        path.write_bytes(data)
        with suppress(BadInputError):
            read_foreign(path)


def test_tensors_of_types_that_numpy_does_not_know_are_read(tmp_path: Path) -> None:
    path = tmp_path / "half.safetensors"
    save_file({f"layer.{layer}": vector.bfloat16() for layer, vector in VECTORS.items()}, path)
    found = read_foreign(path)
    for layer, vector in VECTORS.items():
        assert torch.equal(found[layer], vector)


def test_numbers_without_end_and_claims_beyond_the_file_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "huge.npy"
    np.save(path, np.zeros(1, np.float32))
    path.write_bytes(path.read_bytes().replace(b"(1,), }" + b" " * 15, b"(1000000000000000,), }"))
    with pytest.raises(BadInputError, match="cannot be read as numpy's"):
        read_foreign(path)
    np.save(path, np.array([1e300]))
    with pytest.raises(BadInputError, match="one finite vector is needed"):
        read_foreign(path, 1)


@pytest.mark.parametrize("changed", [{"layers": 5}, {"layers": [[1]]}, {"scale": "much"}])
def test_an_easysteer_spec_of_odd_types_is_refused(
    tiny_gpt2: Any, tmp_path: Path, changed: dict[str, Any]
) -> None:
    path = tmp_path / "easysteer.json"
    written(path, tiny_gpt2)
    record = json.loads(path.read_text())
    record["vectors"][0] |= changed
    path.write_text(json.dumps(record))
    with pytest.raises(BadInputError, match=r"easysteer\.json"):
        read_foreign(path)
