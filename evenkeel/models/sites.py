"""The names that TransformerLens and SAELens give to the places of a model."""

import re
from typing import NamedTuple

from evenkeel.errors import BadInputError
from evenkeel.params import Site

_HOOKS: dict[Site, str] = {
    "resid_pre": "hook_resid_pre",
    "resid_post": "hook_resid_post",
    "attn_out": "hook_attn_out",
    "mlp_out": "hook_mlp_out",
    "head_z": "attn.hook_z",
}
"""None for ln1_out and ln2_out: ln1.hook_normalized comes before the norm's scale and bias, where
adding v / scale does what adding v to the norm's output does."""
_SITES = {hook: site for site, hook in _HOOKS.items()}


class Place(NamedTuple):
    """A site of a layer."""

    site: Site
    layer: int

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


def parse_hook_name(name: str) -> Place:
    """The place that TransformerLens calls `name`, such as blocks.8.hook_resid_pre.

    Raises:
        BadInputError: it names no site that Evenkeel knows.
    """
    match = re.fullmatch(r"blocks\.(\d+)\.(\S+)", name, re.ASCII)
    site = _SITES.get(match[2]) if match else None
    if match is None or site is None:
        known = ", ".join(f"blocks.<layer>.{hook}" for hook in _SITES)
        raise BadInputError(f"hook name {name!r}: no such place; known are {known}")
    return Place(site, int(match[1]))
