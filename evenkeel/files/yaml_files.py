"""YAML as people mean it: one value a key, plain numbers, nothing that runs.

Numbers and booleans are those of YAML 1.2, which DVC and Hydra read too: 1e-4 is a number, `on` and
1:30 are text (in YAML 1.1: true, and 90). So are lines: U+0085, U+2028 and U+2029 end none.
"""

import math
import re
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import yaml

from evenkeel.errors import BadInputError
from evenkeel.files.lines import text_of

_DEEPEST = 40
_MOST_NODES = 100_000
_LONGEST_INTEGER = 2**63 - 1
_LARGEST_FLOAT = 3.4e38  # float32's
_NO_BREAKS = "\x85\u2028\u2029"
"""Characters that PyYAML takes for ends of lines."""
_PRIVATE = range(0x10F000, 0x10FFFE)
_SCALARS = {f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null")}
_STRING = "tag:yaml.org,2002:str"


class _Loader(yaml.SafeLoader):
    """Finds out what a scalar is as YAML 1.2's core schema does."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012


for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|", "~nN\0"),
    ("int", r"[-+]?(0|[1-9][0-9]*)", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+.0123456789"),
    ("float", r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", "-+."),
):
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}",
        re.compile(rf"(?:{_pattern})\Z"),
        [character.replace("\0", "") for character in _first],
    )


def read_yaml(path: Path, advice: str) -> Any:
    """Read a YAML file.

    Args:
        path: the file.
        advice: what the user can do if it is not there.

    Raises:
        BadInputError: the file is missing, is not YAML, names a key twice (where), is nested too
            deeply, or holds a number that is too large or a type that is not plain; the message
            has the line, and the path of the key.
    """
    text = text_of(path, advice)
    stand_ins = "".join(islice((c for c in map(chr, _PRIVATE) if c not in text), len(_NO_BREAKS)))
    text = text.translate(str.maketrans(_NO_BREAKS, stand_ins))
    meant = str.maketrans(stand_ins, _NO_BREAKS)
    try:
        _check_depth(path, text)
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f", line {mark.line + 1}" if mark else ""
        raise BadInputError(f"{path}{where}: not YAML ({error.problem or error.context})") from None
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # "\U00110000" is no character
        raise BadInputError(f"{path}: not YAML ({error})".replace("\n", " ")) from None
    return None if node is None else _Builder(path, meant).value(node, [])


def _check_depth(path: Path, text: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            line = event.start_mark.line + 1 if event.start_mark else 0
            raise BadInputError(f"{path}, line {line}: nested deeper than {_DEEPEST} levels")


class _Builder:
    """Makes values of nodes, and knows where it is."""

    def __init__(self, path: Path, meant: Mapping[int, int]) -> None:
        self._path, self._meant = path, meant
        self._nodes = 0

    def value(self, node: yaml.Node, keys: list[str]) -> Any:
        """What a node says; `keys` lead to it."""
        self._nodes += 1
        if self._nodes > _MOST_NODES or len(keys) > _DEEPEST:
            raise self._wrong(node, keys, "its aliases (*name) repeat too much; write it out")
        if isinstance(node, yaml.MappingNode) and node.tag == "tag:yaml.org,2002:map":
            return self._mapping(node, keys)
        if isinstance(node, yaml.SequenceNode) and node.tag == "tag:yaml.org,2002:seq":
            return [self.value(inner, [*keys, str(i)]) for i, inner in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode) and node.tag in _SCALARS:
            return self._scalar(node, keys)
        raise self._wrong(node, keys, f"{node.tag} is no plain type; use text, numbers, true, null")

    def _mapping(self, node: yaml.MappingNode, keys: list[str]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        lines: dict[str, int] = {}
        for key, inner in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise self._wrong(key, keys, "a key must be text")
            name = key.value.translate(self._meant)
            if name in found:
                both = f"on lines {lines[name]} and {key.start_mark.line + 1}"
                raise self._wrong(key, [*keys, name], f"is there twice, {both}; keep one")
            lines[name] = key.start_mark.line + 1
            found[name] = self.value(inner, [*keys, name])
        return found

    def _scalar(self, node: yaml.ScalarNode, keys: list[str]) -> Any:
        text, kind = node.value.translate(self._meant), node.tag.rpartition(":")[2]
        if node.tag != _STRING and node.tag != _implied(text):
            raise self._wrong(node, keys, f"{text[:40]!r} is no {kind}")
        if kind == "int":
            if len(text) > 20 or abs(int(text)) > _LONGEST_INTEGER:
                raise self._wrong(node, keys, "the integer does not fit into 64 bits")
            return int(text)
        if kind == "float":
            number = float(re.sub(r"^([-+]?)\.(inf|nan)$", r"\1\2", text, flags=re.IGNORECASE))
            if math.isfinite(number) and abs(number) > _LARGEST_FLOAT:
                raise self._wrong(node, keys, f"{text[:40]} is beyond what 32 bits hold")
            return number
        if kind == "bool":
            return text.lower() == "true"
        return None if kind == "null" else text

    def _wrong(self, node: yaml.Node, keys: list[str], problem: str) -> BadInputError:
        line = node.start_mark.line + 1
        return BadInputError(f"{self._path}, line {line}: {'.'.join(keys) or 'params'}: {problem}")


def _implied(text: str) -> str:
    """The tag of a plain scalar of that text."""
    for tag, pattern in _Loader.yaml_implicit_resolvers.get(text[:1], []):
        if pattern.match(text):
            return tag
    return _STRING
