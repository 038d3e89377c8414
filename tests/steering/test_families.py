"""Steering on a tiny random model of every known family."""

from typing import Any

import pytest
import torch

from evenkeel.steering.hooks import steer
from evenkeel.steering.intervention import Ablate, Add, Positions
from tests.models.families import SAMPLE, tiny_model


@pytest.mark.parametrize("positions", ["all", "generated", "last"])
@pytest.mark.parametrize("family", SAMPLE)
@torch.no_grad()
def test_cached_and_batched_decoding_is_uncached_and_single(
    family: str, positions: Positions
) -> None:
    model: Any = tiny_model(family)
    model.generation_config.eos_token_id = None
    ids = torch.tensor([[0, 0, 7, 9, 30], [5, 9, 2, 7, 11]])
    real = (ids != 0).long()
    interventions = [
        Add(torch.randn(32), 3.0, layer=0, site="resid_post", positions=positions),
        Ablate(torch.randn(32), layer=1, site="resid_pre", positions=positions),
    ]

    def logits(rows: slice, columns: slice, use_cache: bool) -> torch.Tensor:
        found = model.generate(
            ids[rows, columns],
            attention_mask=real[rows, columns],
            max_new_tokens=4,
            do_sample=False,
            use_cache=use_cache,
            output_logits=True,
            return_dict_in_generate=True,
        )
        return torch.stack(found.logits, dim=1)

    plain = logits(slice(None), slice(None), True)
    with steer(model, interventions):
        cached = logits(slice(None), slice(None), True)
        uncached = logits(slice(None), slice(None), False)
        alone = logits(slice(0, 1), slice(2, None), True)
    torch.testing.assert_close(cached, uncached, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(cached[:1], alone, atol=1e-5, rtol=1e-4)
    changed = (plain - cached).abs().amax(dim=(0, 2)) > 1e-4
    assert changed.tolist() == [positions != "generated", True, True, True]
