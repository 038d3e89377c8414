"""A spec for hotwire, a plugin of vLLM that adds vectors per request: one matrix, and what to ask.

hotwire (PyPI: hotwire-vllm, read at 0.1.2) reads HOTWIRE_VECTORS, files that torch.load opens with
weights_only=True: a matrix [layers, width] whose row N is added to what decoder layer N returns.
A request names the file and a layer, at `vllm_xargs`, key `hotwire`, as JSON in a string.
"""

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from evenkeel.errors import BadInputError
from evenkeel.files import atomic_file, read_json, require_file, write_json
from evenkeel.models.architecture import architecture_of
from evenkeel.steering.intervention import SINKS_HINT, Add, Intervention
from evenkeel.steering.plan import check_fit
from evenkeel.steering.spec import Steering, interventions_in

SUFFIX = ".pt"
_BLOCK = "DecoderLayer"
"""How the class of a block must end for hotwire to find it in vLLM."""


def write_hotwire(path: Path, model: Any, spec: Steering) -> None:
    """Write the matrix that hotwire reads, and beside it, as .json, what requests have to say.

    Args:
        path: ends in .pt; its name is the vector's id.
        model: a causal LM of transformers that the spec is for.
        spec: vectors added to the residual stream between blocks, at every position.

    Raises:
        BadInputError: the path does not end in .pt, hotwire finds no blocks in such a model, an
            intervention does not fit the model, or hotwire cannot do it.
    """
    if path.suffix != SUFFIX:
        raise BadInputError(f"{path}: hotwire reads {SUFFIX} files; name it so")
    interventions = interventions_in(spec)
    check_fit(model, interventions)
    blocks = architecture_of(model).blocks(model)
    name = type(blocks[0]).__name__
    if not name.endswith(_BLOCK):
        raise BadInputError(
            f"hotwire steers blocks whose class is named *{_BLOCK}, and those of this "
            f"{model.config.model_type} model are {name}: it would do nothing there"
        )
    matrix: Tensor | None = None
    for item in interventions:
        layer, vector = _vector(item)
        matrix = torch.zeros(len(blocks), len(vector)).double() if matrix is None else matrix
        matrix[layer] += vector
    if matrix is None:
        raise BadInputError("the spec holds no intervention; there is nothing to export")
    buffer = BytesIO()  # into a path, torch.save would write the path's name, too
    torch.save(matrix.float(), buffer)
    with atomic_file(path) as part:
        part.write_bytes(buffer.getvalue())
    used = torch.nonzero(matrix.any(1)).flatten().tolist()
    asked = [{"id": path.stem, "layer": layer, "scale": 1.0} for layer in used]
    write_json(path.with_suffix(".json"), {"vllm_xargs": {"hotwire": json.dumps(asked)}})
    found = read_hotwire(path)
    assert [item.layer for item in found] == used
    assert all(torch.equal(item.direction, matrix[item.layer].float()) for item in found)


def read_hotwire(path: Path) -> list[Add]:
    """The additions that requests of the .json file beside a matrix ask for.

    Raises:
        BadInputError: a file is missing or damaged, or asks for another vector.
    """
    require_file(path, "export it again")
    try:
        matrix: Float[Tensor, "layers width"] = torch.load(path, weights_only=True)
        asked = json.loads(read_json(path.with_suffix(".json"))["vllm_xargs"]["hotwire"])
        rows = [(one["id"], one["layer"], float(one["scale"])) for one in asked]
        if any(name != path.stem for name, _, _ in rows):
            raise ValueError("it names another vector")
        return [
            Add(matrix[layer], scale, layer=layer, site="resid_post", sinks="include")
            for _, layer, scale in rows
        ]
    except BadInputError:
        raise
    except Exception as error:  # torch.load raises whatever a damaged file makes it
        raise BadInputError(f"{path}: no export for hotwire ({error}); export it again") from error


def _vector(item: Intervention) -> tuple[int, Float[Tensor, " width"]]:
    """The block after which a vector is added, and the vector in float64."""
    layer = item.layer - (item.site == "resid_pre")
    if not isinstance(item, Add):
        raise _impossible(item, "it can only add")
    if not item.everywhere:
        raise _impossible(item, f"it acts at all positions and knows no gates{SINKS_HINT}")
    if item.site not in ("resid_pre", "resid_post") or layer < 0:
        raise _impossible(item, "it adds to what a block returns (resid_post)")
    return layer, item.direction.detach().double().cpu() * item.scale


def _impossible(item: Intervention, why: str) -> BadInputError:
    return BadInputError(
        f"{type(item).__name__} at layer {item.layer}, {item.site} cannot be done by hotwire: "
        f"{why}. Export something else, or steer through hooks"
    )
