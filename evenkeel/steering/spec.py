"""The intervention spec: what is to be done to a model, in one file that every backend takes."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Self, get_type_hints

import torch
from pydantic import TypeAdapter, ValidationError
from torch import Tensor

from evenkeel.errors import BadInputError
from evenkeel.params import Sinks
from evenkeel.sae.loading import LoadedSae
from evenkeel.sae.part import from_record, record_of
from evenkeel.steering.erasure import Erase, MeanAblate
from evenkeel.steering.gates import BandGate, Gate, ProbeGate, TokenGate
from evenkeel.steering.intervention import Ablate, Add, Intervention
from evenkeel.steering.latents import Clamp, Scale
from evenkeel.steering.loreft import Loreft
from evenkeel.steering.rotation import Rotate
from evenkeel.tensor_files import read_tensor_folder, write_tensor_folder

KIND = "intervention spec"
VERSION = 2
"""Version 1 had no `sinks`: its interventions act at attention sinks, too."""

INTERVENTIONS: dict[str, type[Intervention]] = {
    "ablate": Ablate,
    "add": Add,
    "clamp": Clamp,
    "erase": Erase,
    "loreft": Loreft,
    "mean_ablate": MeanAblate,
    "rotate": Rotate,
    "scale": Scale,
}
GATES: dict[str, type[Gate]] = {"band": BandGate, "probe": ProbeGate, "token": TokenGate}


@dataclass(frozen=True, eq=False)
class InterventionSpec:
    """Interventions, in the order in which they act, and where they come from."""

    interventions: tuple[Intervention, ...]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """Any JSON: the model that they were made on, what they were selected for."""

    def save(self, path: Path) -> None:
        """Write the folder `path`: record.json, readable, and tensors.safetensors.

        The same spec gives the same bytes.

        Raises:
            BadInputError: an intervention or a gate is of a class that no spec knows.
        """
        tensors: dict[str, Tensor] = {}
        rows = [
            _to_row(item, INTERVENTIONS, str(index), tensors)
            for index, item in enumerate(self.interventions)
        ]
        record = {"interventions": rows, "metadata": dict(self.metadata)}
        write_tensor_folder(path, tensors, record, kind=KIND, version=VERSION)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a folder that `save` wrote.

        Raises:
            BadInputError: a file is missing, truncated, foreign or of another version; a kind, a
                field or a tensor is unknown, missing or out of range.
        """
        tensors, record = read_tensor_folder(
            path, kind=KIND, version=VERSION, upgrades={1: _with_sinks}
        )
        where = str(path / "record.json")
        if not isinstance(record, dict) or record.keys() != {"interventions", "metadata"}:
            raise BadInputError(
                f"{where}: the record must hold interventions and metadata, nothing else"
            )
        interventions = _from_rows(record["interventions"], INTERVENTIONS, "", tensors, where)
        if tensors:
            raise BadInputError(
                f"{path}: tensors that no intervention uses: {', '.join(sorted(tensors))}; "
                "write the spec again"
            )
        return cls(interventions, record["metadata"])


def _with_sinks(record: Any) -> Any:
    """The record of a spec of version 1 as one of version 2."""
    rows = record.get("interventions") if isinstance(record, dict) else None
    if not isinstance(rows, list):
        return record
    told = [row | {"sinks": "include"} if isinstance(row, dict) else row for row in rows]
    return record | {"interventions": told}


Steering = InterventionSpec | Intervention | Sequence[Intervention]
"""What every backend and every export takes."""


def interventions_in(spec: Steering) -> tuple[Intervention, ...]:
    """The interventions, in the order in which they act."""
    if isinstance(spec, InterventionSpec):
        return spec.interventions
    return (spec,) if isinstance(spec, Intervention) else tuple(spec)


def with_sinks(spec: InterventionSpec, sinks: Sinks) -> InterventionSpec:
    """The spec with attention sinks left alone, or edited like all else, by each intervention.

    An SAE that was not trained on first tokens leaves them alone in any case.
    """
    return replace(
        spec, interventions=tuple(replace(item, sinks=sinks) for item in spec.interventions)
    )


def digest_of(spec: Steering) -> str:
    """SHA-256 of what the interventions do: where it is equal, they are.

    Raises:
        BadInputError: an intervention or a gate is of a class that no spec knows.
    """
    digest = hashlib.sha256()
    for item in interventions_in(spec):
        tensors: dict[str, Tensor] = {}
        row = _to_row(item, INTERVENTIONS, "", tensors)
        shapes = {name: [str(tensor.dtype), *tensor.shape] for name, tensor in tensors.items()}
        digest.update(json.dumps([row, shapes]).encode())
        for tensor in tensors.values():
            digest.update(tensor.cpu().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _to_row(
    item: Any, kinds: Mapping[str, type], name: str, tensors: dict[str, Tensor]
) -> dict[str, Any]:
    """An intervention's or a gate's fields as JSON; its tensors go to `tensors` under `name`."""
    by_type = {kind_type: kind for kind, kind_type in kinds.items()}
    if type(item) not in by_type:
        raise BadInputError(
            f"a {type(item).__name__} cannot be written; known: "
            f"{', '.join(kind_type.__name__ for kind_type in by_type)}"
        )
    row: dict[str, Any] = {"kind": by_type[type(item)]}
    hints = get_type_hints(type(item))
    for spec in fields(item):
        value = getattr(item, spec.name)
        if isinstance(value, Tensor):
            # A copy: safetensors refuses memory that two tensors share, as layers often do.
            tensors[f"{name}/{spec.name}"] = value.detach().clone()
        elif isinstance(value, LoadedSae):
            row[spec.name], weights = record_of(value)
            tensors |= {f"{name}/{spec.name}/{key}": weights[key].clone() for key in weights}
        elif spec.name == "gates":
            row["gates"] = [
                _to_row(gate, GATES, f"{name}/gates/{index}", tensors)
                for index, gate in enumerate(value)
            ]
        else:
            row[spec.name] = _checked(value, hints[spec.name], f"{name}/{spec.name}")
    return row


def _from_rows(
    rows: Any, kinds: Mapping[str, type], prefix: str, tensors: dict[str, Tensor], where: str
) -> tuple[Any, ...]:
    if not isinstance(rows, list):
        raise BadInputError(f"{where}: {prefix or 'interventions'} must be a list")
    return tuple(
        _from_row(row, kinds, f"{prefix}{index}", tensors, where) for index, row in enumerate(rows)
    )


def _from_row(
    row: Any, kinds: Mapping[str, type], name: str, tensors: dict[str, Tensor], where: str
) -> Any:
    """Undo `_to_row`, taking the tensors out of `tensors`."""
    where = f"{where}: {name}"
    kind = row.get("kind") if isinstance(row, dict) else None
    made = kinds.get(str(kind))
    if made is None:
        raise BadInputError(f"{where}: kind {kind!r} is unknown; known: {', '.join(kinds)}")
    hints = get_type_hints(made)
    known = {spec.name: spec for spec in fields(made)}
    given = {f"{name}/{key}": key for key in known}
    values: dict[str, Any] = {
        key: tensors.pop(full) for full, key in given.items() if full in tensors
    }
    for key, value in row.items():
        if key == "kind":
            continue
        if key not in known or key in values:
            raise BadInputError(f"{where}: unknown field {key!r}; known: {', '.join(known)}")
        if key == "gates":
            values[key] = _from_rows(value, GATES, f"{name}/gates/", tensors, where)
        elif hints[key] is LoadedSae:
            inside = f"{name}/{key}/"
            names = [full for full in tensors if full.startswith(inside)]
            weights = {full.removeprefix(inside): tensors.pop(full) for full in names}
            values[key] = from_record(value, weights, f"{where}: {key}")
        else:
            values[key] = _checked(value, hints[key], f"{where}: {key}")
    missing = [key for key, spec in known.items() if spec.default is MISSING and key not in values]
    if missing:
        raise BadInputError(f"{where}: missing: {', '.join(missing)}; write the spec again")
    try:
        return made(**values)
    except BadInputError as error:
        raise BadInputError(f"{where}: {error}") from None


def _checked(value: Any, hint: Any, where: str) -> Any:
    try:
        # As JSON, so that a list may be a tuple and 1 a float, but true is no number.
        return TypeAdapter(hint).validate_json(json.dumps(value), strict=True)
    except ValidationError as error:
        problem = error.errors()[0]["msg"]
        raise BadInputError(f"{where}: {problem} (given: {value!r})") from None
