"""What is found inside one block: where each site's tensor passes, and the weights beside it.

Found by what the parts do in a forward pass, not by a table of families. The residual stream's path
leads from the block's input to its output through sums; what else enters a sum is what attention or
the MLP adds. Names only tell attention from MLP.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from torch import nn

from evenkeel.models.dataflow import Call, Dataflow
from evenkeel.params import Site

Side = Literal["input", "output"]
Kind = Literal["attention", "MLP"]
_KINDS: dict[Kind, re.Pattern[str]] = {
    "attention": re.compile("attention|attn", re.I),
    "MLP": re.compile(r"(mlp|mlp_block|ffn|feed_?forward|moe|moe_?block|experts?|^fc\d)$", re.I),
}
"""In the name of a module, or of its class."""
_ADDED: dict[Kind, Site] = {"attention": "attn_out", "MLP": "mlp_out"}
_READ: dict[Kind, Site] = {"attention": "ln1_out", "MLP": "ln2_out"}


@dataclass(frozen=True)
class Part:
    """Where a site's tensor passes."""

    path: str
    """Of the module within the block; "" is the block."""
    side: Side
    width: int


@dataclass(frozen=True)
class BlockParts:
    """The sites of one block."""

    sites: Mapping[Site, Part]
    missing: Mapping[Site, str]
    """Why it lacks the other sites."""
    writers: Mapping[Site, str]
    """Paths of the modules that return, untouched, what attn_out and mlp_out add."""
    readers: Mapping[Site, frozenset[str]]
    """Paths of the modules that compute from ln1_out and ln2_out."""
    sums_only: bool
    """Whether the residual stream passes the block through sums alone, and no norm or scale."""


def find_parts(flow: Dataflow, block: nn.Module, path: str) -> BlockParts:
    """Find the sites of the block at `path`, which was called once."""
    return _Search(flow, block, path).result()


class _Search:
    def __init__(self, flow: Dataflow, block: nn.Module, path: str) -> None:
        self._flow, self._path = flow, path
        self._modules = dict(block.named_modules())
        called = flow.once(path)
        assert called is not None
        self._block: Call = called
        self._calls = {
            name: call for name in self._modules if name and (call := flow.once(f"{path}.{name}"))
        }
        self._made: dict[int, list[str]] = {}
        """Modules that return a value, the outermost first."""
        for name, call in sorted(self._calls.items(), key=lambda item: item[0].count(".")):
            if call.output not in (None, call.input):  # dropout hands on what it was given
                self._made.setdefault(call.output, []).append(name)
        self._sums_only = True
        self._sites: dict[Site, Part] = {}
        self._missing: dict[Site, str] = {}
        self._writers: dict[Site, str] = {}
        self._readers: dict[Site, frozenset[str]] = {}

    def result(self) -> BlockParts:
        width = self._block.shape[-1]
        self._sites["resid_pre"] = Part("", "input", width)
        self._sites["resid_post"] = Part("", "output", width)
        output = self._block.output
        added = (self._added(output) if output is not None else None) or []
        for kind in _KINDS:
            self._find_added(kind, added)
            self._find_norm(kind)
        return BlockParts(self._sites, self._missing, self._writers, self._readers, self._sums_only)

    def _added(self, value: int) -> list[int] | None:
        """What is added to the block's input on the way to a value, None if it is not there."""
        if value == self._block.input:
            return []
        if value in self._flow.sums:
            one, other = self._flow.sums[value]
            for on_the_way, beside in ((one, other), (other, one)):
                found = self._added(on_the_way)
                if found is not None:
                    return found + self._terms(beside)
            return None
        before = [self._flow.scaled[value]] if value in self._flow.scaled else []
        for name in self._made.get(value, []):
            if self._is_norm(name) and (given := self._calls[name].input) is not None:
                before.append(given)
        for candidate in before:
            found = self._added(candidate)
            if found is not None:
                self._sums_only = False
                return found
        return None

    def _terms(self, value: int) -> list[int]:
        if value in self._made or value not in self._flow.sums:
            return [value]
        return [term for part in self._flow.sums[value] for term in self._terms(part)]

    def _find_added(self, kind: Kind, added: list[int]) -> None:
        """attn_out or mlp_out, and for attention head_z."""
        site = _ADDED[kind]
        makers = {value: maker for value in added if (maker := self._maker(value, kind))}
        if kind == "attention":
            self._find_heads(set(makers.values()))
        if len(makers) != 1:
            self._missing[site] = self._why_none(kind, len(makers))
            return
        ((value, maker),) = makers.items()
        writer = self._made[self._output(maker)][-1]
        if value not in self._made:
            self._missing[site] = f"what its {kind} returns is scaled before it is added"
            return
        if writer in self._made[value]:
            self._writers[site] = writer
        self._add_part(site, self._made[value][0], "output")

    def _find_heads(self, makers: set[str]) -> None:
        for maker in makers:
            writer = self._made[self._output(maker)][-1]
            call = self._calls[writer]
            if len(makers) == 1 and "." in writer and call.input not in (None, call.output):
                self._add_part("head_z", writer, "input")
                return
        self._missing["head_z"] = (
            "its attention ends in no linear layer of its own"
            if makers
            else self._why_none("attention", 0)
        )

    def _find_norm(self, kind: Kind) -> None:
        """ln1_out or ln2_out: the norm whose output attention, or the MLP, alone reads."""
        site = _READ[kind]
        found, shared = [], False
        for name, call in self._calls.items():
            if "." in name or not self._is_norm(name) or call.output is None:
                continue
            readers = self._readers_of(call.output)
            kinds = {self._kind(reader) for reader in readers}
            if kinds == {kind}:
                found.append((name, readers))
            shared = shared or kind in kinds
        if len(found) == 1:
            ((name, readers),) = found
            self._readers[site] = readers
            self._add_part(site, name, "output")
        elif found:
            self._missing[site] = f"its {kind} reads {len(found)} norms"
        elif shared:
            self._missing[site] = f"the norm that its {kind} reads is read by other parts, too"
        elif any(self._kind(name) == kind for name in self._calls):
            self._missing[site] = f"its {kind} reads no norm of its own"
        else:
            self._missing[site] = self._why_none(kind, 0)

    def _add_part(self, site: Site, name: str, side: Side) -> None:
        call = self._calls[name]
        shape = call.input_shape if side == "input" else call.shape
        if len(shape) != 3 or shape[:2] != self._block.shape[:2]:
            self._missing[site] = f"{name} handles tokens of all texts in one flat row"
            return
        self._sites[site] = Part(name, side, shape[-1])

    def _maker(self, value: int, kind: Kind) -> str | None:
        """The module of that kind that returns a value, before a norm or a scale of it."""
        value = value if value in self._made else self._flow.scaled.get(value, value)
        for name in self._made.get(value, []):
            if self._is_norm(name) and not self._kind(name.rpartition(".")[0]):
                given = self._calls[name].input
                return None if given is None else self._maker(given, kind)
            if self._kind(name) == kind:
                return name
        return None

    def _output(self, name: str) -> int:
        output = self._calls[name].output
        assert output is not None
        return output

    def _readers_of(self, value: int) -> frozenset[str]:
        prefix = f"{self._path}."
        return frozenset(
            path.removeprefix(prefix) if path.startswith(prefix) else ""
            for path in self._flow.readers.get(value, ())
        )

    def _is_norm(self, name: str) -> bool:
        return "norm" in type(self._modules[name]).__name__.lower()

    def _kind(self, name: str) -> Kind | None:
        """Whether a module is attention, MLP or a part of one, by the first name that says so."""
        for outer in _prefixes(name):
            if self._is_norm(outer):
                return None
            for text in (outer.rpartition(".")[2], type(self._modules[outer]).__name__):
                for kind, pattern in _KINDS.items():
                    if pattern.search(text):
                        return kind
        return None

    def _why_none(self, kind: Kind, makers: int) -> str:
        if makers:
            return f"{makers} parts of kind {kind} add to the residual stream there"
        if any(self._kind(name) == kind for name in self._calls):
            return f"no module returns what its {kind} adds to the residual stream"
        parts = {
            type(self._modules[name]).__name__
            for name in self._calls
            if "." not in name and not self._is_norm(name)
        }
        return f"it has no {kind}; its parts are {', '.join(sorted(parts)) or 'not modules'}"


def _prefixes(name: str) -> Iterator[str]:
    parts = name.split(".") if name else []
    for count in range(1, len(parts) + 1):
        yield ".".join(parts[:count])
