"""What is computed on a GPU is what a processor computes, up to rounding; where there is a GPU."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor

from evenkeel.activations.capture import recording
from evenkeel.activations.dtypes import gathered
from evenkeel.activations.positions import selector
from evenkeel.models.sites import SITES, HookPoint
from evenkeel.steering.bias_edit import bias_edit
from evenkeel.steering.hooks import steer
from evenkeel.steering.intervention import Ablate, Add
from evenkeel.steering.wrapper import wrap
from evenkeel.vectors.vector import SteeringVector
from tests.devices.test_two_gpus import CASES, LAYERS
from tests.models.test_architecture import tiny_model

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
GPU = "cuda"
IDS = torch.arange(10).view(2, 5) + 7


@pytest.fixture
def on_cpu() -> Any:
    return tiny_model("llama")


@pytest.fixture
def on_gpu(on_cpu: Any) -> Any:
    """The same weights."""
    return deepcopy(on_cpu).to(GPU)


@torch.no_grad()
def logits(model: Any) -> Tensor:
    found: Tensor = model(input_ids=IDS.to(model.device), use_cache=False).logits
    return found.cpu()


def assert_close(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("backend", [steer, wrap])
def test_steering(on_cpu: Any, on_gpu: Any, backend: Callable[..., Any], name: str) -> None:
    mask = torch.tensor([[True] * 5, [False, False, True, True, True]])
    interventions = CASES[name]()
    with backend(on_cpu, interventions, mask=mask):
        expected = logits(on_cpu)

    with backend(on_gpu, interventions, mask=mask):
        assert_close(logits(on_gpu), expected)
    assert_close(logits(on_gpu), logits(on_cpu))


def test_weights_hold_what_hooks_do(on_cpu: Any, on_gpu: Any) -> None:
    everywhere = [
        Ablate(torch.randn(2, 32), layer=1, site="attn_out", sinks="include"),
        Add(torch.randn(32), layer=2, site="resid_post", sinks="include"),
    ]
    with steer(on_cpu, everywhere):
        expected = logits(on_cpu)

    with bias_edit(on_gpu, everywhere):
        assert_close(logits(on_gpu), expected)


def test_activations(on_cpu: Any, on_gpu: Any) -> None:
    points = [HookPoint.of(site, layer) for site in SITES for layer in LAYERS]
    select = selector(torch.tensor([5, 3]), "all")
    kept = []
    for model in (on_cpu, on_gpu):
        with recording(model, points) as forward:
            kept.append(gathered(forward(IDS, select), "float32"))

    for point in points:
        assert_close(kept[1][point], kept[0][point])


def test_a_vector_is_kept_on_the_processor() -> None:
    vector = SteeringVector.of(
        torch.randn(8, device=GPU),
        axis="gender", method="caa", site="resid_post", layer=0, stream_norm=1.0,
    )  # fmt: skip

    assert vector.direction.device.type == "cpu"
