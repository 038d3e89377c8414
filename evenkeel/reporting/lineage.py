"""How the results came about: the stages of all pipeline files, and which waits for which."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evenkeel.errors import BadInputError
from evenkeel.files import read_yaml


@dataclass(frozen=True)
class StageNode:
    """A stage of the pipeline."""

    name: str
    desc: str
    writes: tuple[str, ...]
    parents: tuple[str, ...]
    """Stages that it waits for, less those that one of its other parents waits for already."""
    level: int
    """Length of the longest way to it from a stage that waits for none."""


def read_lineage(path: Path, params: Mapping[str, Any]) -> list[StageNode]:
    """Read the stages of a dvc.yaml and of pipelines/*/ beside it, in an order that can run.

    A stage that is repeated (`foreach`, `matrix`) is one node; it is left out where it is repeated
    for nothing.

    Args:
        path: of the dvc.yaml.
        params: what `${section.name}` stands for.

    Raises:
        BadInputError: a file is missing, is no pipeline, or stages wait in a circle.
    """
    stages: dict[str, dict[str, Any]] = {}
    for file in (path, *sorted(path.parent.glob("pipelines/*/dvc.yaml"))):
        try:
            declared = read_yaml(file, "run from the project's root")["stages"]
            unrolled = {name: _unrolled(body, params) for name, body in declared.items()}
        except (KeyError, TypeError, AttributeError) as error:
            raise BadInputError(f"{file}: not a pipeline of DVC ({error!r})") from error
        stages |= {name: stage for name, stage in unrolled.items() if stage["items"]}
    needs = {
        name: {other for other in stages if other != name and _feeds(stages[other], body)}
        for name, body in stages.items()
    }
    return _ordered(path, stages, needs)


def _unrolled(body: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
    """desc, deps and outs of a stage; those of a repeated one for all its items."""
    inner = body.get("do", body)
    items: list[dict[str, Any]] = [{}]
    if "foreach" in body:
        repeated = _value(body["foreach"], params)
        pairs = (
            repeated.items()
            if isinstance(repeated, Mapping)
            else ((item, item) for item in repeated)
        )
        items = [{"key": key, "item": item} for key, item in pairs]
    elif "matrix" in body:
        for name, values in body["matrix"].items():
            items = [
                item | {f"item.{name}": value} for item in items for value in _value(values, params)
            ]
    outs = [entry for kind in ("outs", "metrics", "plots") for entry in inner.get(kind, [])]
    return {
        "desc": inner.get("desc", ""),
        "items": len(items),
        "deps": _filled(inner.get("deps", []), items),
        "outs": _filled(outs, items),
    }


def _value(given: Any, params: Mapping[str, Any]) -> Any:
    """What is given, or the parameters that `${section.name}` stands for."""
    if not isinstance(given, str):
        return given
    value: Any = params
    for key in given.removeprefix("${").removesuffix("}").split("."):
        value = value[key]
    return value


def _filled(entries: list[Any], items: list[dict[str, Any]]) -> list[str]:
    paths = [next(iter(entry)) if isinstance(entry, Mapping) else entry for entry in entries]
    return list(dict.fromkeys(_resolved(path, item) for item in items for path in paths))


def _resolved(path: str, item: Mapping[str, Any]) -> str:
    return re.sub(r"\$\{(.+?)\}", lambda name: str(item.get(name[1], name[0])), path)


def _feeds(upstream: Mapping[str, Any], downstream: Mapping[str, Any]) -> bool:
    return any(
        dep == out or dep.startswith(out + "/") or out.startswith(dep + "/")
        for out in upstream["outs"]
        for dep in downstream["deps"]
    )


def _ordered(
    path: Path, stages: Mapping[str, dict[str, Any]], needs: Mapping[str, set[str]]
) -> list[StageNode]:
    nodes: dict[str, StageNode] = {}
    before: dict[str, set[str]] = {}  # all that a stage waits for, directly or not
    while len(nodes) < len(stages):
        ready = [name for name in stages if name not in nodes and needs[name] <= set(nodes)]
        if not ready:
            raise BadInputError(f"{path}: its stages wait for one another in a circle")
        for name in ready:
            direct = needs[name]
            before[name] = direct.union(*(before[other] for other in direct))
            far: set[str] = set().union(*(before[other] for other in direct))
            nodes[name] = StageNode(
                name=name,
                desc=stages[name]["desc"],
                writes=tuple(stages[name]["outs"]),
                parents=tuple(sorted(direct - far)),
                level=1 + max((nodes[other].level for other in direct), default=-1),
            )
    return list(nodes.values())
