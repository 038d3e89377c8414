"""`evenkeel inspect`: what an artifact of the pipeline is and where it came from."""

from pathlib import Path
from typing import Any

import click

from evenkeel.cli.options import json_option, print_json, print_rows
from evenkeel.errors import BadInputError


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@json_option
def inspect(path: Path, as_json: bool) -> None:
    """Say what the file or folder PATH is, which model it belongs to, and what it holds.

    Knows models, activation stores, probes, steering vectors and interventions. Of the latter it
    says what each does, in the order in which they act, and for which axis it was selected.

    \b
    Examples:
      evenkeel inspect data/activations/statements.h5
      evenkeel inspect reports/evaluation_joint/intervention
    """
    if not path.exists():
        raise BadInputError(f"{path}: no such file or folder")
    found = _describe(path)
    if as_json:
        print_json([found])
        return
    if acts := found.pop("acts", []):
        print_rows(
            f"{path}: {len(acts)} interventions, in the order in which they act",
            list(acts[0]),
            [[str(value) for value in act.values()] for act in acts],
        )
        found["record"] = {"metadata": found["record"]["metadata"]}
    print_rows(f"{path}: {found['kind']}", ["what", "value"], _flat(found))


def _describe(path: Path) -> dict[str, Any]:
    from evenkeel.files import read_object, require_intact
    from evenkeel.models.provenance import read_provenance

    if path.suffix == ".h5" or (path / "manifest.json").exists():
        return _describe_store(path)
    if (path / "evenkeel.json").exists():
        read_provenance(path)  # refuses what is no record of a model
        return {"kind": "model"} | read_object(path / "evenkeel.json")
    if (path / "record.json").exists():
        require_intact(path, "run the stage that writes it again")
        found = _describe_tensors(path / "tensors.safetensors", read_object(path / "record.json"))
        return found | ({"acts": _acts(path)} if found.get("kind") == "intervention spec" else {})
    if path.suffix == ".safetensors":
        return _describe_tensors(path, None)
    raise BadInputError(
        f"{path}: not an artifact of Evenkeel; known: a model, an activation store (.h5), and "
        "folders or .safetensors files of probes, steering vectors and interventions"
    )


def _describe_tensors(path: Path, record: dict[str, Any] | None) -> dict[str, Any]:
    """A safetensors file, with the record beside it or else that of its header."""
    from evenkeel.tensor_files import open_tensors

    tensors, header = open_tensors(path)
    return {
        "kind": "tensors",
        **(record or header),
        "tensors": {
            name: {
                "shape": list(tensor.shape),
                "dtype": str(tensor.dtype).removeprefix("torch."),
                "norm": float(tensor.double().norm()),
                "not_finite": int((~tensor.isfinite()).sum()),
            }
            for name, tensor in sorted(tensors.items())
        },
    }


def _acts(path: Path) -> list[dict[str, Any]]:
    """What each intervention of a spec does, where, when, and the axis that it was selected for."""
    from evenkeel.files import read_json
    from evenkeel.steering.spec import InterventionSpec

    spec = InterventionSpec.load(path)  # refuses what is no spec
    rows = read_json(path / "record.json")["record"]["interventions"]
    axes = spec.metadata.get("selected_for", [spec.metadata.get("axis")] * len(rows))
    return [
        {
            "axis": axis or "unknown",
            "does": row["kind"],
            "layer": row["layer"],
            "site": row["site"],
            "positions": row["positions"],
            "gates": ", ".join(gate["kind"] for gate in row["gates"]) or "none",
            "with": ", ".join(
                f"{name} {value}"
                for name, value in row.items()
                if name not in ("kind", "layer", "site", "positions", "gates", "sae")
            ),
        }
        for row, axis in zip(rows, axes, strict=True)
    ]


def _describe_store(path: Path) -> dict[str, Any]:
    from dataclasses import asdict

    from evenkeel.activations.inspect import inspect_store

    found = asdict(inspect_store(path))
    points = found.pop("points")
    return {
        "kind": "activation store",
        **found,
        "points": {f"{point.pop('site')} of layer {point.pop('layer')}": point for point in points},
    }


def _flat(value: Any, name: str = "") -> list[tuple[str, str]]:
    """Nested JSON as rows: a.b and what it is."""
    if isinstance(value, dict) and value:
        return [
            row
            for key, inner in value.items()
            for row in _flat(inner, f"{name}.{key}" if name else str(key))
        ]
    return [(name, f"{value:.6g}" if isinstance(value, float) else str(value))]
