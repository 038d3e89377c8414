"""TransformerLens names and our places are the same thing."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.errors import BadInputError
from evenkeel.models.sites import Place, parse_hook_name
from evenkeel.params import Site

NORMS = ("ln1_out", "ln2_out")


@given(st.sampled_from([site for site in get_args(Site) if site not in NORMS]), st.integers(0, 200))
def test_parsing_undoes_naming(site: Site, layer: int) -> None:
    assert parse_hook_name(Place(site, layer).hook_name) == (site, layer)


@pytest.mark.parametrize("site", NORMS)
def test_transformer_lens_has_no_name_for_a_scaled_norm(site: Site) -> None:
    with pytest.raises(BadInputError, match=f"names no hook for {site} of layer 1"):
        _ = Place(site, 1).hook_name


def test_names_are_those_of_transformer_lens() -> None:
    assert parse_hook_name("blocks.8.hook_resid_pre") == Place("resid_pre", 8)
    assert parse_hook_name("blocks.0.attn.hook_z") == Place("head_z", 0)


@pytest.mark.parametrize(
    "name",
    ["", "hook_embed", "blocks.x.hook_resid_pre", "blocks.1.hook_resid_mid", "blocks.-1.hook_z"],
)
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(
        BadInputError, match=r"no such place; known are blocks\.<layer>\.hook_resid"
    ):
        parse_hook_name(name)
