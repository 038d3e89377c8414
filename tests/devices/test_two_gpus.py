"""The hot path of every stage on one GPU, and on a model that is spread over two."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import unset_fake_temporarily as real_tensors

from evenkeel.activations.capture import recording
from evenkeel.activations.dtypes import gathered
from evenkeel.activations.positions import selector
from evenkeel.activations.sinks import SinkProbe
from evenkeel.learning.passes import PromptPass, text_pass
from evenkeel.models.architecture import architecture_of
from evenkeel.models.devices import input_device
from evenkeel.models.logits import logits_at
from evenkeel.models.sites import SITES, HookPoint
from evenkeel.sae.loading import LoadedSae
from evenkeel.sae.splice import reconstruct, replaced_stream
from evenkeel.scoring.group_reads import EncodedPrompt
from evenkeel.steering.erasure import Erase, MeanAblate
from evenkeel.steering.gates import BandGate, ProbeGate, TokenGate
from evenkeel.steering.hooks import steer
from evenkeel.steering.intervention import Ablate, Add, Intervention
from evenkeel.steering.latents import Clamp, Scale
from evenkeel.steering.loreft import Loreft
from evenkeel.steering.rows import RowSpec
from evenkeel.steering.wrapper import wrap
from tests.devices.fake_gpus import FIRST, SECOND, fake_gpus, move, spread
from tests.models.test_architecture import tiny_model
from tests.steering.saes import random_sae

LAYERS = range(3)
LENGTHS = torch.tensor([5, 3])
POINTS = [HookPoint.of(site, layer) for site in SITES for layer in LAYERS]


def probes(width: int = 32) -> dict[HookPoint, SinkProbe]:
    return {point: SinkProbe(torch.randn(width), 1.0) for point in POINTS}


@pytest.fixture(params=["one GPU", "two GPUs", "two GPUs in turn"])
def model(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A llama of fake tensors; that sinks cannot be measured on them is all that is replaced."""
    if torch.cuda.is_available():
        pytest.skip("fake tensors would ask the runtime of the GPU that is here; see test_gpu.py")
    monkeypatch.setattr("evenkeel.steering.plan.measure_sinks", lambda _model, _points: probes())
    monkeypatch.setattr("evenkeel.sae.splice.measure_sinks", lambda _model, _points: probes())
    made = tiny_model("llama")
    architecture_of(made)  # told from the numbers of a forward pass, and remembered
    with fake_gpus():
        if request.param == "one GPU":
            move(made, FIRST)
        else:
            spread(made, in_turn=request.param.endswith("turn"))
        yield made


@torch.no_grad()
def logits(model: Any, **options: Any) -> Tensor:
    ids = torch.ones(2, 5, dtype=torch.long, device=input_device(model))
    found: Tensor = model(input_ids=ids, use_cache=False, **options).logits
    return found


def test_a_mistake_of_placement_is_found(model: Any) -> None:
    elsewhere = torch.ones(32, device=SECOND)
    first = model.model.layers[0]
    with (
        first.register_forward_hook(lambda _module, _args, output: output + elsewhere),
        pytest.raises(RuntimeError, match=r"cuda:0.*cuda:1|cuda:1.*cuda:0"),
    ):
        logits(model)


def ablations(**where: Any) -> list[Intervention]:
    return [Ablate(torch.randn(2, 32), layer=layer, **where) for layer in LAYERS]


GATES = [ProbeGate(torch.randn(32), 0.0), BandGate(torch.randn(32), 0.0, 1.0), TokenGate((3, 4))]
CASES: dict[str, Callable[[], list[Intervention]]] = {
    **{site: lambda site=site: ablations(site=site) for site in SITES},  # type: ignore[misc]
    **{
        f"{where} positions": lambda where=where: ablations(site="resid_pre", positions=where)  # type: ignore[misc]
        for where in ("last", "prompt", "mask")
    },
    "sinks included": lambda: ablations(site="resid_post", sinks="include"),
    **{
        type(gate).__name__: lambda gate=gate: ablations(site="resid_pre", gates=(gate,))  # type: ignore[misc]
        for gate in GATES
    },
    "all gates": lambda: ablations(site="resid_post", gates=tuple(GATES), positions="last"),
    "add": lambda: [Add(torch.randn(32), layer=layer, site="resid_post") for layer in LAYERS],
    "mean ablate": lambda: [
        MeanAblate(torch.randn(32), torch.randn(32), layer=layer, site="resid_pre")
        for layer in LAYERS
    ],
    "erase": lambda: [
        Erase(torch.randn(32, 1), torch.randn(1, 32), torch.randn(32), layer=layer, site="mlp_out")
        for layer in LAYERS
    ],
    "clamp": lambda: [
        Clamp.of(random_sae("resid_pre", layer), (3,), value=2.0) for layer in LAYERS
    ],
    "scale": lambda: [
        Scale.of(random_sae("resid_post", layer, "topk"), (3,), factor=0.5) for layer in LAYERS
    ],
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("backend", [steer, wrap])
@pytest.mark.parametrize("model", ["two GPUs", "two GPUs in turn"], indirect=True)
def test_constants_follow_the_stream(model: Any, backend: Any, name: str) -> None:
    """A single GPU does with every block what the first of the two does with its own."""
    mask = torch.zeros(2, 5, dtype=torch.bool)
    real = torch.ones(2, 5, dtype=torch.long, device=FIRST)
    with real_tensors():  # what is checked of their values is known on every machine
        interventions = CASES[name]()
    with backend(model, interventions, mask=mask):
        assert logits(model).shape == (2, 5, 120)
        assert logits(model, attention_mask=real).shape == (2, 5, 120)


def test_rows_are_steered_where_the_stream_is(model: Any) -> None:
    with real_tensors():
        spec = CASES["all gates"]()
    with steer(model, [RowSpec(spec), RowSpec(spec, 0.5)]):
        assert logits(model).shape == (2, 5, 120)


@pytest.mark.parametrize("positions", ["all", "last", "mean"])
def test_activations_of_all_layers_come_together(model: Any, positions: Any) -> None:
    ids = torch.ones(2, 5, dtype=torch.long)
    points = [HookPoint("resid_post", layer) for layer in LAYERS]
    with real_tensors():  # lengths of texts are numbers
        kept = selector(LENGTHS, positions, "exclude", probes())
    with recording(model, points) as forward:
        found = gathered(forward(ids, kept), "bfloat16")
    rows = 8 if positions == "all" else 2
    assert {tensor.shape for tensor in found.values()} == {(rows, 32)}
    assert {tensor.device.type for tensor in found.values()} == {"cpu"}


def test_an_sae_that_was_trained_elsewhere_reconstructs_the_stream(model: Any) -> None:
    for layer in LAYERS:
        with real_tensors():
            sae: LoadedSae = random_sae("resid_post", layer)
        with replaced_stream(model, sae, lambda stream, sae=sae: reconstruct(sae, stream)):
            assert logits(model).shape == (2, 5, 120)
        assert sae.module.W_dec.device.type == "cpu"


def test_learned_edits_are_trained_where_the_logits_are(model: Any) -> None:
    with real_tensors():
        prompts = [
            EncodedPrompt(((3, 4, 5),) * 2, (((6,), (7, 8)), ((9,),))),
            EncodedPrompt(((3, 4),) * 2, (((6,),), ((9,),))),
        ]
        batch = PromptPass.of(tiny_model("llama"), prompts, 1)
        edit = Loreft(
            torch.eye(32)[:2], torch.eye(32)[:2], torch.ones(2), layer=0, site="resid_post"
        )
    assert text_pass(model, [(3, 4, 5), (4, 6)], 1).steered([edit]).shape == (3, 120)
    steered = torch.randn(batch.read.unsteered.shape, device=SECOND)
    batch.read.unsteered = torch.randn(batch.read.unsteered.shape, device=SECOND)
    assert batch.scores(steered).device == SECOND
    for merged in (False, True):
        assert batch.divergence(steered, merged=merged).device == SECOND


def test_logits_are_read_where_they_are_asked_for(model: Any) -> None:
    inputs = {
        "input_ids": torch.ones(2, 5, dtype=torch.long),
        "attention_mask": torch.ones(2, 5, dtype=torch.long),
    }
    row, column = torch.tensor([0, 1]), torch.tensor([4, 2])
    assert logits_at(model, inputs, row, column).shape == (2, 120)
