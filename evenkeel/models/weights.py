"""Whether weights that were loaded are all there, all used, and numbers."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from torch import nn

from evenkeel.errors import BadInputError

_NAMED = 3


def check_keys(folder: Path, info: Mapping[str, Any]) -> None:
    """Refuse weights that do not fit the model's config exactly.

    Args:
        folder: where they are.
        info: what transformers says of a load (output_loading_info). Tied weights and what a family
            is known to leave out are not in it.

    Raises:
        BadInputError: tensors are missing, left over or of another shape; some are named.
    """
    complaints = {
        "missing": "are not in the file, and would be made up",
        "unexpected": "are of no part of the model that config.json describes",
        "mismatched": "have another shape than config.json asks for",
    }
    for kind, complaint in complaints.items():
        found = sorted(_name(key) for key in info.get(f"{kind}_keys") or ())
        if found:
            raise BadInputError(
                f"{_weights(folder)}: {len(found)} tensors {complaint}: {_some(found)}; get the "
                "model again, or correct its config.json"
            )


def check_finite(folder: Path, model: nn.Module) -> None:
    """Refuse weights that hold NaN or infinity.

    Raises:
        BadInputError: some do; the message names them.
    """
    bad = [
        name
        for name, tensor in (*model.named_parameters(), *model.named_buffers())
        if tensor.is_floating_point()
        and not tensor.is_meta
        and tensor.element_size() > 1  # 8-bit floats know no isfinite, and are scaled anyway
        and not bool(tensor.isfinite().all())
        and not _is_mask(tensor)
    ]
    if bad:
        raise BadInputError(
            f"{_weights(folder)}: NaN or infinity in {len(bad)} tensors: {_some(bad)} (as "
            f"{str(next(model.parameters()).dtype).removeprefix('torch.')}); the file is damaged, "
            "or a wider model.dtype is needed"
        )


def _is_mask(tensor: Any) -> bool:
    """Whether it is a constant that masks attention: infinities and zeros alone."""
    return not tensor.requires_grad and bool((tensor.isinf() | (tensor == 0)).all())


def _weights(folder: Path) -> Path:
    """The file that a message about weights names: the only one, or the index of several."""
    index = folder / "model.safetensors.index.json"
    files = sorted(folder.glob("*.safetensors"))
    return files[0] if len(files) == 1 else index if index.exists() else folder


def _name(key: Any) -> str:
    """Mismatched keys come with both shapes."""
    if isinstance(key, tuple | list):
        name, *shapes = key
        return f"{name} ({' for '.join(str(list(shape)) for shape in shapes)})"
    return str(key)


def _some(names: Iterable[str]) -> str:
    names = list(names)
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
