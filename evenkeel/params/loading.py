"""Read params.yaml, or say what is wrong with it."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from evenkeel.errors import BadInputError
from evenkeel.files import read_yaml
from evenkeel.params.auto import ModelShape, resolve_auto, rule_of
from evenkeel.params.whole import Params

SectionType = TypeVar("SectionType", bound=BaseModel)
_ANY = ModelShape(layers=1, d_model=1)
_SHOWN = 20
"""Problems that a message names."""


def load_params(path: Path, *sections: str, model: ModelShape | None = None) -> tuple[Any, ...]:
    """Check params.yaml whole and return the named sections, in the order asked for.

    Args:
        path: the YAML file.
        sections: dotted paths, such as "seed" or "activations.corpus".
        model: that `auto` is resolved for; needed by sections in which it stands.

    Raises:
        BadInputError: the file is missing, is not YAML, or holds an unknown key, a wrong type or a
            value out of range; the message lists each by its path.
    """
    raw = _read(path)
    params = _checked(path, raw, Params, model)
    values = []
    for section in sections:
        rules = [rule_of(path) for path in auto_values(raw, [section], model or _ANY)]
        assert model or not any(rule.needs_model for rule in rules), f"{section}: of what model?"
        followed = [name for rule in rules for name in rule.follows]
        for name in (section, *(name for name in followed if not _within(name, sections))):
            sys.audit("evenkeel.params", name)  # lets a test compare what is read with dvc.yaml
        value: Any = params
        for name in section.split("."):
            if isinstance(value, dict) and name not in value:
                raise BadInputError(f"{path}: {section} is not there; name it there to use it")
            value = value[name] if isinstance(value, dict) else getattr(value, name)
        values.append(value)
    return tuple(values)


def read_auto(path: Path, model: ModelShape, *sections: str) -> dict[str, Any]:
    """What `auto` stands for in the named sections of params.yaml, by path: for the record.

    Raises:
        BadInputError: the file is missing or is not YAML.
    """
    return auto_values(_read(path), sections, model)


def auto_values(raw: Any, sections: Sequence[str], model: ModelShape) -> dict[str, Any]:
    """The same of parameters that were read before."""
    found = resolve_auto(raw, model)[1]
    return {path: value for path, value in found.items() if _within(path, sections)}


def _within(path: str, sections: Sequence[str]) -> bool:
    return any(path == name or path.startswith(f"{name}.") for name in sections)


def read_params(path: Path, kind: type[SectionType]) -> SectionType:
    """Check a parameter file whole.

    Raises:
        BadInputError: as of `load_params`.
    """
    return _checked(path, _read(path), kind, None)


def _read(path: Path) -> Any:
    return read_yaml(path, "run from the project's root or pass --params")


def _checked(
    path: Path, raw: Any, kind: type[SectionType], model: ModelShape | None
) -> SectionType:
    try:
        return kind.model_validate(raw, context={"model": model})
    except ValidationError as error:
        found = error.errors()
        lines = [f"  {_explain(problem, kind)}" for problem in found[:_SHOWN]]
        if len(found) > _SHOWN:
            lines.append(f"  and {len(found) - _SHOWN} more")
        raise BadInputError("\n".join([f"{path} cannot be used:", *lines])) from None


def _explain(problem: Any, kind: type[BaseModel]) -> str:
    """One line: the key's path, what is wrong, what it was given."""
    loc = [part for part in problem["loc"] if not _is_union_tag(part)]
    where = ".".join(map(str, loc)) or "params"
    if problem["type"] == "extra_forbidden":
        known = ", ".join(sorted(_fields_at(kind, loc[:-1])))
        return f"{where}: unknown key; known here: {known}"
    if problem["type"] == "missing":
        return f"{where}: missing"
    message = _shortened(problem["msg"].removeprefix("Value error, "), 300)
    # A check of a whole section names its own values; a URL may hold credentials.
    if isinstance(problem["input"], dict) or problem["type"] == "secret_url":
        return f"{where}: {message}"
    return f"{where}: {message} (given: {_shortened(repr(problem['input']), 80)})"


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."


def _is_union_tag(part: Any) -> bool:
    """pydantic names the branch of a union in the path: literal['all'], list[...]."""
    return isinstance(part, str) and "[" in part


def _fields_at(model: type[BaseModel], loc: list[Any]) -> list[str]:
    """Keys of the section at a path, which may lead through lists and through unions of kinds."""
    inside: Any = model
    for part in loc:
        if isinstance(part, int):
            (inside,) = get_args(inside)
        elif isinstance(inside, type) and issubclass(inside, BaseModel):
            inside = inside.model_fields[part].annotation
        else:
            inside = next(kind for kind in _sections_in(inside) if _is_kind(kind, part))
    return [field for kind in _sections_in(inside) for field in kind.model_fields]


def _sections_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _sections_in(inner)


def _is_kind(section: type[BaseModel], tag: str) -> bool:
    return tag in get_args(section.model_fields["kind"].annotation)
