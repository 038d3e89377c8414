"""Steering vectors that something else made: from its file to a vector for each block."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from evenkeel.errors import BadInputError
from evenkeel.export.control_vector import read_control_vector
from evenkeel.export.easysteer import read_easysteer
from evenkeel.files import require_file
from evenkeel.files.json_files import parse_json
from evenkeel.files.lines import text_of
from evenkeel.steering.intervention import Add
from evenkeel.tensor_files import open_tensors

ByLayer = dict[int, Float[Tensor, " width"]]
_PICKLES = (".pt", ".pth", ".bin", ".pkl", ".pickle", ".ckpt")
_LAYER = re.compile(r"(?:^|[^0-9])([0-9]{1,6})[^0-9]*$")
"""The last number of a tensor's name: direction.13, layer_13, model.layers.13.resid, 13."""


def read_foreign(path: Path, layer: int | None = None) -> ByLayer:
    """The vectors of a file, by the block after which they are added.

    Files of llama.cpp and repeng (.gguf); EasySteer's specs, the layers that steering-vectors keeps
    under `layer_activations`, and lists by layer (.json); arrays of numpy (.npy, .npz) and tensors
    (.safetensors), one a layer, or one for `layer`.

    Args:
        path: the file; its suffix says what it is.
        layer: of a file that holds one vector and does not say where; or the one to take of many.

    Raises:
        BadInputError: the file is missing, damaged, a pickle or of an unknown kind; or it does not
            say for which layer a vector is.
    """
    if path.suffix in _PICKLES:
        raise BadInputError(
            f"{path}: a pickle, which can run code when it is read; where you trust it, write the "
            'tensors into safetensors: python -c "import torch, safetensors.torch as s; '
            f"v = torch.load({path.name!r}, weights_only=True); "
            "s.save_file({'13': v}, 'vector.safetensors')\" (13: its layer)"
        )
    readers = {
        ".gguf": read_control_vector,
        ".json": _of_json,
        ".npy": lambda file: _of_rows(file, _array(file, _numpy(file))),
        ".npz": lambda file: _named(file, _arrays(file), layer),
        ".safetensors": lambda file: _named(file, open_tensors(file)[0], layer),
    }
    if path.suffix not in readers:
        raise BadInputError(f"{path}: unknown kind of file; known: {', '.join(readers)}")
    require_file(path)
    found: ByLayer = readers[path.suffix](path)
    for vector in found.values():
        if vector.dtype == torch.bool or vector.is_complex():
            raise BadInputError(f"{path}: {vector.dtype}; numbers are needed")
    found = {place: vector.float() for place, vector in found.items()}
    if _ANY in found:
        if layer is None:
            raise BadInputError(f"{path}: it does not say for which layer it is; give --layer")
        found = {layer: found[_ANY]}
    elif layer is not None:
        if layer not in found:
            there = ", ".join(map(str, sorted(found)))
            raise BadInputError(f"{path}: no vector for layer {layer}; there are: {there}")
        found = {layer: found[layer]}
    for place, vector in found.items():
        if vector.dim() != 1 or not len(vector) or not bool(vector.isfinite().all()):
            raise BadInputError(
                f"{path}: layer {place}: shape {list(vector.shape)}; one finite vector is needed"
            )
    if not found:
        raise BadInputError(f"{path}: no vector in it")
    # Control vectors are stored for every layer, and zero where nothing is to be done.
    return {place: vector for place, vector in sorted(found.items()) if bool(vector.any())}


_ANY = -1
"""The layer of a vector whose file does not say it."""


def _of_json(path: Path) -> ByLayer:
    try:
        record: Any = parse_json(text_of(path))
    except ValueError as error:
        raise BadInputError(f"{path}: cannot be read as JSON ({error})") from error
    if isinstance(record, dict) and "vectors" in record:
        found: ByLayer = {}
        for item in read_easysteer(path):
            assert isinstance(item, Add)
            if item.positions != "all":
                raise BadInputError(f"{path}: only vectors at all positions can be audited")
            added = item.direction * item.scale
            found[item.layer] = found.get(item.layer, torch.zeros_like(added)) + added
        return found
    layers = record.get("layer_activations", record) if isinstance(record, dict) else record
    refused = BadInputError(f'{path}: no vectors by layer, as in {{"13": [0.1, ...]}}')
    try:
        if isinstance(layers, list):
            return _of_rows(path, _array(path, np.array(layers)))
        found = {}
        for name, vector in layers.items():
            if not re.fullmatch("[0-9]{1,6}", name) or int(name) in found:
                raise refused
            found[int(name)] = torch.tensor(vector)
    except (ValueError, TypeError, AttributeError, RuntimeError) as error:
        raise refused from error
    return found


def _numpy(path: Path) -> Any:
    """What a file of numpy holds, all of it read: an array, or arrays by name."""
    try:
        found = np.load(path, allow_pickle=False)
        return found if isinstance(found, np.ndarray) else dict(found)
    except Exception as error:  # numpy, zipfile, zlib and tokenize each raise their own
        raise BadInputError(f"{path}: cannot be read as numpy's ({error})") from error


def _arrays(path: Path) -> dict[str, Tensor]:
    found = _numpy(path)
    if not isinstance(found, dict):
        raise BadInputError(f"{path}: one array, where arrays by name are needed; call it .npy")
    return {name: _array(path, value) for name, value in found.items()}


def _array(path: Path, array: Any) -> Tensor:
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu":
        what = getattr(array, "dtype", "arrays by name, or text")
        raise BadInputError(f"{path}: {what}; numbers are needed")
    with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused as that
        return torch.from_numpy(array.astype(np.float32))


def _of_rows(path: Path, rows: Tensor) -> ByLayer:
    if rows.dim() not in (1, 2):
        raise BadInputError(
            f"{path}: shape {list(rows.shape)} of {rows.dtype}; it must be one vector, or one a "
            "layer"
        )
    return {_ANY: rows} if rows.dim() == 1 else dict(enumerate(rows))


def _named(path: Path, tensors: Mapping[str, Tensor], layer: int | None) -> ByLayer:
    """Tensors whose names end in their layer; or one of any name."""
    if len(tensors) == 1:
        ((name, tensor),) = tensors.items()
        rows = _of_rows(path, tensor)
        if list(rows) != [_ANY] or layer is not None or not _LAYER.search(name):
            return rows
    found: ByLayer = {}
    for name, tensor in tensors.items():
        match = _LAYER.search(name)
        place = int(match[1]) if match else _ANY
        if match is None or place in found:
            raise BadInputError(
                f"{path}: tensor {json.dumps(name)}: its name does not end in a layer of its own, "
                "as direction.13 does"
            )
        found[place] = tensor
    return found
