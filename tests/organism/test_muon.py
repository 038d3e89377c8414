import pytest
import torch

from evenkeel.organism.muon import Muon, orthogonalized


@pytest.mark.parametrize("shape", [(8, 8), (8, 24), (24, 8), (128, 384)])
def test_singular_values_come_near_one_and_directions_stay(shape: tuple[int, int]) -> None:
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(shape, generator=generator)
    made = orthogonalized(matrix)
    assert made.shape == shape
    values = torch.linalg.svdvals(made)
    assert values.min() > 0.5
    assert values.max() < 1.3
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    in_place = left.T @ made @ right.T
    off_diagonal = in_place - torch.diag(in_place.diagonal())
    assert off_diagonal.abs().max() < 1e-3


def test_scale_does_not_matter() -> None:
    matrix = torch.randn(6, 9, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(
        orthogonalized(matrix), orthogonalized(1000 * matrix), atol=1e-4, rtol=1e-4
    )


def test_a_step_moves_against_the_gradient_by_the_rate() -> None:
    weight = torch.nn.Parameter(torch.zeros(4, 4))
    optimizer = Muon([weight], lr=0.1)
    weight.grad = torch.diag(torch.tensor([1.0, 2.0, 3.0, 4.0]))
    optimizer.step()
    assert (weight.diagonal() < -0.05).all()
    assert (weight.diagonal() > -0.13).all()


def test_weight_decay_shrinks_by_its_share_of_the_rate() -> None:
    weight = torch.nn.Parameter(torch.full((3, 5), 2.0))
    weight.grad = torch.zeros(3, 5)
    Muon([weight], lr=0.1, weight_decay=0.5).step()
    torch.testing.assert_close(weight.detach(), torch.full((3, 5), 2 * (1 - 0.1 * 0.5)))


def test_it_solves_a_matrix_regression() -> None:
    generator = torch.Generator().manual_seed(0)
    target = torch.randn(16, 8, generator=generator)
    weight = torch.nn.Parameter(torch.zeros(16, 8))
    optimizer = Muon([weight], lr=0.1)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1, 0.01, total_iters=200)
    for _ in range(200):
        optimizer.zero_grad()
        (weight - target).square().mean().backward()
        optimizer.step()
        schedule.step()
    torch.testing.assert_close(weight.detach(), target, atol=0.05, rtol=0)


def test_a_matrix_without_a_gradient_stays() -> None:
    weight = torch.nn.Parameter(torch.ones(2, 2))
    Muon([weight], lr=0.1).step()
    assert torch.equal(weight, torch.ones(2, 2))
