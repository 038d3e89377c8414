"""TransformerLens names and our places are the same thing."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.errors import BadInputError
from evenkeel.models.sites import SITES, HookPoint
from evenkeel.params import Site

NORMS = ("ln1_out", "ln2_out")


@given(st.sampled_from([site for site in get_args(Site) if site not in NORMS]), st.integers(0, 200))
def test_parsing_undoes_naming(site: Site, layer: int) -> None:
    assert HookPoint.parse(HookPoint(site, layer).hook_name) == HookPoint(site, layer)


@pytest.mark.parametrize("site", NORMS)
def test_transformer_lens_has_no_name_for_a_scaled_norm(site: Site) -> None:
    with pytest.raises(BadInputError, match=f"names no hook for {site} of layer 1"):
        _ = HookPoint(site, 1).hook_name


def test_names_are_those_of_transformer_lens() -> None:
    assert HookPoint.parse("blocks.8.hook_resid_pre") == HookPoint("resid_pre", 8)
    assert HookPoint.parse("blocks.0.attn.hook_z") == HookPoint("head_z", 0)


@pytest.mark.parametrize(
    "name",
    ["", "hook_embed", "blocks.x.hook_resid_pre", "blocks.1.hook_resid_mid", "blocks.-1.hook_z"],
)
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(
        BadInputError, match=r"no such hook point; known are blocks\.<layer>\.hook_resid"
    ):
        HookPoint.parse(name)


@given(st.sampled_from(SITES), st.integers(0, 200))
def test_our_own_names_are_read_back(site: Site, layer: int) -> None:
    point = HookPoint(site, layer)
    for name in (str(point), f"{site}/{layer}", f"blocks.{layer}.{site}"):
        assert HookPoint.parse(name) == point
    assert HookPoint.of(str(site), layer) == point


def test_a_site_that_is_only_a_name_is_checked() -> None:
    with pytest.raises(BadInputError, match=r"site 'resid_mid' does not exist; sites are: resid_p"):
        HookPoint.of("resid_mid", 0)
