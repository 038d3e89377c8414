"""Hook points: a site of a layer, under one name everywhere, and as TransformerLens names it."""

import re
from dataclasses import dataclass
from typing import Self, get_args

from evenkeel.errors import BadInputError
from evenkeel.params import Site

SITES: tuple[Site, ...] = get_args(Site)

_HOOKS: dict[Site, str] = {
    "resid_pre": "hook_resid_pre",
    "resid_post": "hook_resid_post",
    "attn_out": "hook_attn_out",
    "mlp_out": "hook_mlp_out",
    "head_z": "attn.hook_z",
}
"""None for ln1_out and ln2_out: ln1.hook_normalized comes before the norm's scale and bias, where
adding v / scale does what adding v to the norm's output does."""
_NAMES: dict[str, Site] = {site: site for site in SITES} | {h: s for s, h in _HOOKS.items()}
_PATTERNS = (
    r"blocks\.(?P<layer>\d+)\.(?P<site>[\w.]+)",
    r"(?P<site>\w+)/(?P<layer>\d+)",
    r"(?P<site>\w+) of layer (?P<layer>\d+)",
)


@dataclass(frozen=True, order=True)
class HookPoint:
    """A site of a layer."""

    site: Site
    layer: int
    """Index of the block, from 0."""

    @classmethod
    def of(cls, site: str, layer: int) -> Self:
        """The hook point of a site that is known by name only.

        Raises:
            BadInputError: there is no such site.
        """
        if site not in SITES:
            raise BadInputError(f"site {site!r} does not exist; sites are: {', '.join(SITES)}")
        return cls(site, layer)

    @classmethod
    def parse(cls, name: str) -> Self:
        """The hook point of a name: `blocks.8.hook_resid_pre` (TransformerLens, SAELens),
        `blocks.8.resid_pre`, `resid_pre/8` (activation stores) or `resid_pre of layer 8`.

        Raises:
            BadInputError: it names no site that Evenkeel knows.
        """
        for pattern in _PATTERNS:
            match = re.fullmatch(pattern, name, re.ASCII)
            if match and match["site"] in _NAMES:
                return cls(_NAMES[match["site"]], int(match["layer"]))
        known = ", ".join(f"blocks.<layer>.{hook}" for hook in _HOOKS.values())
        raise BadInputError(f"hook name {name!r}: no such hook point; known are {known}")

    @property
    def hook_name(self) -> str:
        """As TransformerLens names it: blocks.8.hook_resid_pre.

        Raises:
            BadInputError: it has no name for the site.
        """
        if self.site not in _HOOKS:
            raise BadInputError(
                f"TransformerLens names no hook for {self}; it has hooks for {', '.join(_HOOKS)}"
            )
        return f"blocks.{self.layer}.{_HOOKS[self.site]}"

    def __str__(self) -> str:
        return f"{self.site} of layer {self.layer}"
