import pytest
import torch
from torch import Tensor

from evenkeel.errors import BadInputError
from evenkeel.steering.erasure import Erase, MeanAblate
from evenkeel.steering.intervention import Ablate, Add, Intervention
from evenkeel.steering.loreft import Loreft
from evenkeel.steering.rotation import Rotate

PLACE = {"layer": 0, "site": "resid_post"}


@pytest.fixture
def stream() -> Tensor:
    return torch.randn(3, 5, 8, dtype=torch.float64)


def every_kind() -> list[Intervention]:
    return [
        Add(torch.randn(8), 2.0, **PLACE),
        Ablate(torch.randn(2, 8), **PLACE),
        MeanAblate(torch.randn(8), torch.randn(8), **PLACE),
        Erase(torch.randn(8, 2), torch.randn(2, 8), torch.randn(8), **PLACE),
        Rotate(torch.randn(2, 8), 0.5, **PLACE),
        Loreft(torch.eye(8)[1:3], torch.randn(2, 8), torch.randn(2), **PLACE),
    ]


def test_add_moves_by_scale_times_direction(stream: Tensor) -> None:
    direction = torch.randn(8, dtype=torch.float64)
    moved = Add(direction, -1.5, **PLACE)(stream)
    torch.testing.assert_close(moved - stream, (-1.5 * direction).expand(3, 5, 8))


@pytest.mark.parametrize("count", [1, 3])
def test_ablated_stream_has_no_component_left_and_keeps_the_rest(
    stream: Tensor, count: int
) -> None:
    directions = torch.randn(count, 8, dtype=torch.float64)
    ablate = Ablate(directions, **PLACE)
    ablated = ablate(stream)
    assert (stream @ directions.T).abs().max() > 0.1
    assert (ablated @ directions.T).abs().max() < 1e-12
    taken = (stream - ablated).flatten(0, 1)
    assert torch.linalg.matrix_rank(torch.cat([directions, taken])) == count
    torch.testing.assert_close(ablate(ablated), ablated)


def test_ablate_at_half_halves_and_at_two_mirrors(stream: Tensor) -> None:
    direction = torch.randn(8, dtype=torch.float64)
    projection = stream @ direction
    half, mirrored = (Ablate(direction, m, **PLACE)(stream) @ direction for m in (0.5, 2.0))
    torch.testing.assert_close(half, projection / 2)
    torch.testing.assert_close(mirrored, -projection)


def test_ablate_depends_on_the_span_only(stream: Tensor) -> None:
    directions = torch.randn(2, 8, dtype=torch.float64)
    mixed = torch.tensor([[3.0, 1.0], [-2.0, 5.0]], dtype=torch.float64) @ directions
    torch.testing.assert_close(Ablate(mixed, **PLACE)(stream), Ablate(directions, **PLACE)(stream))


def test_mean_ablate_gives_the_means_component_and_keeps_the_rest(stream: Tensor) -> None:
    directions, mean = torch.randn(2, 8, dtype=torch.float64), torch.randn(8, dtype=torch.float64)
    replaced = MeanAblate(directions, mean, **PLACE)(stream)
    torch.testing.assert_close(replaced @ directions.T, (directions @ mean).expand(3, 5, 2))
    away = Ablate(directions, **PLACE)
    torch.testing.assert_close(away(replaced), away(stream))


@pytest.mark.parametrize("count", [1, 3])
def test_a_rotated_stream_keeps_its_norm_and_what_it_was_beside_the_span(
    stream: Tensor, count: int
) -> None:
    directions = torch.randn(count, 8, dtype=torch.float64)
    rotated = Rotate(directions, **PLACE)(stream)
    torch.testing.assert_close(rotated.norm(dim=-1), stream.norm(dim=-1))
    ablated = Ablate(directions, **PLACE)(stream)
    cosine = torch.nn.functional.cosine_similarity(rotated, ablated, dim=-1)
    torch.testing.assert_close(cosine, torch.ones_like(cosine))
    torch.testing.assert_close(Rotate(directions, 0.0, **PLACE)(stream), stream)
    mirrored = Rotate(directions, 2.0, **PLACE)(stream)
    torch.testing.assert_close(mirrored, Ablate(directions, 2.0, **PLACE)(stream))
    torch.testing.assert_close(
        _angle(Rotate(directions, 0.5, **PLACE)(stream), directions), _angle(stream, directions) / 2
    )


def _angle(stream: Tensor, directions: Tensor) -> Tensor:
    """Between a stream and what is at right angles to the directions."""
    outside = Ablate(directions, **PLACE)(stream)
    return torch.atan2((stream - outside).norm(dim=-1), outside.norm(dim=-1))


def test_a_stream_within_the_span_has_no_plane_to_turn_in_and_stays() -> None:
    directions = torch.eye(8, dtype=torch.float64)[:2]
    stream = torch.zeros(1, 3, 8, dtype=torch.float64)
    stream[0, 0, 0], stream[0, 1, 5] = 3.0, 2.0
    rotated = Rotate(directions, **PLACE)(stream)
    assert torch.equal(rotated, stream)


def test_erase_agrees_with_concept_erasure() -> None:
    leace = pytest.importorskip("concept_erasure")
    data, labels = torch.randn(200, 8, dtype=torch.float64), torch.arange(200) % 2
    data += labels[:, None] * torch.linspace(0, 2, 8, dtype=torch.float64)
    eraser = leace.LeaceEraser.fit(data, labels)
    erased = Erase(eraser.proj_left, eraser.proj_right, eraser.bias, **PLACE)(data[None])
    torch.testing.assert_close(erased[0], eraser(data))
    gap = data[labels == 1].mean(0) - data[labels == 0].mean(0)
    gap_after = erased[0, labels == 1].mean(0) - erased[0, labels == 0].mean(0)
    assert gap.norm() > 1
    assert gap_after.norm() < 1e-6


@pytest.mark.parametrize("index", range(6))
def test_keep_leaves_the_other_positions_bit_for_bit(stream: Tensor, index: int) -> None:
    intervention = every_kind()[index]
    keep = torch.rand(3, 5) < 0.5
    before = stream.clone()
    edited = intervention(stream, keep)
    assert torch.equal(stream, before), "the stream was edited in place"
    assert torch.equal(edited[~keep], stream[~keep])
    assert torch.equal(edited[keep], intervention(stream)[keep])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize("index", range(6))
def test_the_streams_type_is_kept(index: int, dtype: torch.dtype) -> None:
    assert every_kind()[index](torch.randn(2, 3, 8, dtype=dtype)).dtype == dtype


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Add(torch.randn(2, 8), **PLACE), r"Add: direction has shape \[2, 8\]"),
        (lambda: Add(torch.full((8,), float("nan")), **PLACE), "holds NaN or infinity"),
        (lambda: Add(torch.ones(8), float("inf"), **PLACE), "Add: scale is inf"),
        (lambda: Ablate(torch.zeros(8), **PLACE), "Ablate: directions is zero"),
        (lambda: Ablate(torch.ones(2, 8), **PLACE), "2 directions span only 1 dimensions"),
        (lambda: Rotate(torch.zeros(8), **PLACE), "Rotate: directions is zero"),
        (lambda: Rotate(torch.ones(8), float("nan"), **PLACE), "Rotate: multiplier is nan"),
        (lambda: Ablate(torch.ones(0, 8), **PLACE), "not empty"),
        (
            lambda: MeanAblate(torch.ones(8), torch.ones(7), **PLACE),
            "widths differ: {'directions': 8, 'mean': 7}",
        ),
        (
            lambda: Erase(torch.ones(8, 2), torch.ones(8, 2), torch.ones(8), **PLACE),
            r"must be \[width, rank\] and \[rank, width\]",
        ),
    ],
)
def test_bad_tensors_are_refused(make: object, message: str) -> None:
    with pytest.raises(BadInputError, match=message.replace("{", r"\{")):
        make()  # type: ignore[operator]
