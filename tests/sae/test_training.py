"""SAELens's trainer behind our data: every architecture learns, and the seed decides all."""

import itertools

import pytest
import torch

from evenkeel.sae.training import train_module

from .conftest import PLACE, WIDTH, trained_module, training_params

ARCHITECTURES = ["standard", "topk", "batchtopk", "jumprelu", "matryoshka_batchtopk"]


def sparse_rows(count: int) -> torch.Tensor:
    """Rows that are sums of two of twelve directions."""
    generator = torch.Generator().manual_seed(0)
    directions = torch.randn(12, WIDTH, generator=generator)
    chosen = torch.rand(count, 12, generator=generator).argsort(1)[:, :2]
    return directions[chosen].sum(1)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture_learns(architecture: str) -> None:
    rows = sparse_rows(2048)
    params = training_params(architecture)
    batches = itertools.cycle(rows.split(params.batch_tokens))
    module = train_module(batches, 300 * 64, WIDTH, PLACE, "tiny", params, seed=0).eval()
    with torch.no_grad():
        residue = (rows - module.decode(module.encode(rows))).square().sum()
    assert residue < 0.15 * (rows - rows.mean(0)).square().sum()


def test_the_seed_decides_the_weights() -> None:
    first, again = trained_module(), trained_module()
    for name, tensor in first.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name]), name


def test_training_leaves_the_callers_random_numbers_alone() -> None:
    before = torch.get_rng_state()
    trained_module(steps=1)
    assert torch.equal(torch.get_rng_state(), before)


def test_an_average_normalization_is_folded_into_the_weights() -> None:
    module = trained_module(normalize_activations="expected_average_only_in")
    assert module.cfg.normalize_activations == "none"
    assert module.cfg.metadata.hook_name == PLACE.hook_name
    assert module.cfg.metadata.seqpos_slice == [1, None]
    assert module.cfg.metadata.model_name == "tiny"
