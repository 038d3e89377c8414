"""A steered model as a Hugging Face folder that brings its own code: for what weights cannot hold.

`AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=True)` is all that it needs, and no
Evenkeel. Without trust_remote_code it is refused, never read as the unsteered model: its
`model_type` is one that transformers does not know.
"""

import inspect
import os
import subprocess
import sys
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from jaxtyping import Float, Int
from safetensors.torch import load_file, save_file
from torch import Tensor

from evenkeel.activations.capture import measure_sinks
from evenkeel.activations.sinks import SinkProbe
from evenkeel.errors import BadInputError
from evenkeel.export import modeling_steered
from evenkeel.files import atomic_folder, write_text
from evenkeel.models.devices import input_device
from evenkeel.models.encoding import front_noted
from evenkeel.steering.erasure import Erase, MeanAblate
from evenkeel.steering.gates import BandGate, ProbeGate
from evenkeel.steering.hooks import steer
from evenkeel.steering.intervention import Ablate, Add, Intervention
from evenkeel.steering.loreft import Loreft
from evenkeel.steering.plan import check_fit
from evenkeel.steering.spec import Steering, interventions_in
from evenkeel.steering.subspace import orthonormal_basis, unit

MODULE = "modeling_steered"
_CLASSES = """
from transformers import {config}, {model}  # noqa: E402


class SteeredConfig({config}):
    model_type = "{kind}"


class SteeredForCausalLM(Steered, {model}):
    config_class = SteeredConfig
"""
_READ_BACK = """
import sys
sys.modules["evenkeel"] = None
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM
given = load_file(sys.argv[2])
model = AutoModelForCausalLM.from_pretrained(sys.argv[1], trust_remote_code=True).eval()
with torch.inference_mode():
    before = model(input_ids=given["before"], use_cache=True)
    after = model(input_ids=given["after"], past_key_values=before.past_key_values)
save_file({"logits": torch.cat([before.logits, after.logits], 1).double()}, sys.argv[3])
"""
_SMALL = 1e-4
"""Difference of logits that never matters."""
_UNITS = 32
"""Roundings of the largest logit by which two runs of the same sums may differ."""
Bounds = tuple[float | None, float | None]


@dataclass(frozen=True)
class _Edit:
    """An intervention as `modeling_steered.Edit` takes it."""

    tensors: dict[str, Tensor]
    gates: Float[Tensor, "gates width"]
    bounds: tuple[Bounds, ...]
    """What the projection on each gate's weight lies between where it is open."""


def write_model_with_code(path: Path, model: Any, tokenizer: Any, spec: Steering) -> None:
    """Write a model, a spec and the code that applies it into a new folder, and read it back.

    It is read back by a fresh interpreter in which Evenkeel cannot be imported, and has to give the
    logits of the steered model, also on top of a KV cache.

    Args:
        path: the folder; it must not exist, or be empty.
        model: a causal LM whose class is one of transformers; it is not changed.
        tokenizer: saved beside it.
        spec: interventions at all positions, but for attention sinks: any but edits of latents,
            gated by probes and bands.

    Raises:
        BadInputError: the folder is not empty, an intervention does not fit the model or is not
            one of those, the model brings code of its own, or what is read back differs.
    """
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise BadInputError(f"{path} is there already; name a new folder")
    base = type(model)
    if not base.__module__.startswith("transformers."):
        raise BadInputError(
            f"{base.__name__} is no class of transformers: this folder would need the code that "
            "the model brings, too; steer through hooks"
        )
    with front_noted(model, tokenizer), atomic_folder(path) as part:
        steered = _with_steering(model, spec)
        steered.save_pretrained(part)
        tokenizer.save_pretrained(part)
        source = inspect.getsource(modeling_steered)
        write_text(part / f"{MODULE}.py", source + _CLASSES.format(
            config=type(model.config).__name__,
            model=base.__name__,
            kind=steered.config.model_type,
        ))  # fmt: skip
        _check(part, model, spec)


def _with_steering(model: Any, spec: Steering) -> Any:
    """The model with the edits among its weights, which it shares with the one given."""
    interventions = interventions_in(spec)
    targets = check_fit(model, interventions)
    names = {module: name for name, module in model.named_modules()}
    probes = measure_sinks(model, [item.point for item in interventions if item.sinks == "exclude"])
    rows, state = [], dict(model.state_dict())
    for number, item in enumerate(interventions):
        edit = _edit_of(item, probes.get(item.point))
        target = targets[item.point]
        rows.append({
            "module": names[target.module],
            "side": target.side,
            "width": item.width,
            "rank": len(edit.tensors["write"]) if "write" in edit.tensors else 0,
            "first": item.first_position,
            "bounds": edit.bounds,
        })  # fmt: skip
        tensors = edit.tensors | {"gates": edit.gates}
        state |= {f"steering.{number}.{name}": each.float() for name, each in tensors.items()}
    if not rows:
        raise BadInputError("the spec holds no intervention; there is nothing to export")
    known = type(model.config)
    kind = f"steered_{model.config.model_type}"
    config_class = type("SteeredConfig", (known,), {"model_type": kind})
    config: Any = deepcopy(model.config)
    config.__class__ = config_class
    config.steering = rows
    config.auto_map = {
        "AutoConfig": f"{MODULE}.SteeredConfig",
        "AutoModelForCausalLM": f"{MODULE}.SteeredForCausalLM",
    }
    steered_class: Any = type(
        "SteeredForCausalLM",
        (modeling_steered.Steered, type(model)),
        {"config_class": config_class},
    )
    with torch.device("meta"):
        steered = steered_class(config)
    steered.load_state_dict(state, assign=True)
    steered.tie_weights()
    steered.generation_config = deepcopy(model.generation_config)
    return steered.eval()


def _edit_of(item: Intervention, sinks: SinkProbe | None) -> _Edit:
    """The intervention in the one form that the code of the folder knows.

    Raises:
        BadInputError: it has none.
    """
    if item.positions != "all":
        raise _impossible(item, f"it acts at all positions, not {item.positions!r}")
    match item:
        case Add():
            tensors = {"shift": item.direction.detach().double().cpu() * item.scale}
        case Ablate():
            basis = orthonormal_basis("directions", item.directions)
            tensors = _affine(basis.mT, torch.zeros(len(basis)), -basis * item.multiplier)
        case MeanAblate():
            basis = orthonormal_basis("directions", item.directions)
            mean = basis @ item.mean.detach().to(basis)
            tensors = _affine(basis.mT, -mean, -basis * item.multiplier)
        case Erase():
            right = item.proj_right.detach().double().mT
            at_bias = item.bias.detach().double() @ right
            tensors = _affine(right, -at_bias, -item.proj_left.detach().mT * item.multiplier)
        case Loreft():
            read = (item.source - item.rotation).detach().mT
            tensors = _affine(read, item.bias.detach(), item.rotation.detach() * item.multiplier)
        case _:
            raise _impossible(item, "it knows edits that are linear, without an autoencoder")
    weights: list[Tensor] = []
    bounds: list[Bounds] = []
    for gate in item.gates:
        match gate:
            case ProbeGate():
                weights.append(gate.weight.detach())
                bounds.append((gate.threshold - gate.bias, None))
            case BandGate():
                weights.append(unit("direction", gate.direction))
                bounds.append((gate.centre - gate.bound, gate.centre + gate.bound))
            case _:
                raise _impossible(item, f"it knows no {type(gate).__name__}")
    if item.sinks == "exclude" and sinks is not None:
        weights.append(sinks.direction)
        bounds.append((None, sinks.threshold))
    rows = [weight.float().cpu() for weight in weights]
    gates = torch.stack(rows) if rows else torch.zeros(0, item.width)
    return _Edit(tensors, gates, tuple(bounds))


def _affine(
    read: Float[Tensor, "width rank"],
    offset: Float[Tensor, " rank"],
    write: Float[Tensor, "rank width"],
) -> dict[str, Tensor]:
    """What is added to x: (x @ read + offset) @ write."""
    tensors = {"read": read, "offset": offset, "write": write}
    return {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}


def _impossible(item: Intervention, why: str) -> BadInputError:
    return BadInputError(
        f"{type(item).__name__} at layer {item.layer}, {item.site} cannot go into a folder with "
        f"code: {why}. Steer through hooks, or serve it (evenkeel serve)"
    )


def _check(folder: Path, model: Any, spec: Steering) -> None:
    """Compare the logits of a folder, in a fresh interpreter, with those of the steered model.

    Raises:
        BadInputError: it cannot be read, or they differ by more than rounding explains.
    """
    vocabulary = model.config.get_text_config().vocab_size
    generator = torch.Generator().manual_seed(0)
    ids: Int[Tensor, "texts position"] = torch.randint(1, vocabulary, (4, 20), generator=generator)
    before, after = ids.split(16, dim=1)
    with TemporaryDirectory() as scratch:
        given, found = Path(scratch, "given"), Path(scratch, "found")
        save_file({"before": before.contiguous(), "after": after.contiguous()}, given)
        places = {"HF_MODULES_CACHE": str(Path(scratch, "modules")), "HF_HUB_OFFLINE": "1"}
        command = [sys.executable, "-c", _READ_BACK, str(folder.resolve()), str(given), str(found)]
        done = subprocess.run(  # noqa: S603  # our own interpreter and program
            command, env=os.environ | places, capture_output=True, text=True, check=False
        )
        if done.returncode:
            lines = done.stderr.strip().splitlines()
            raise BadInputError(
                f"a fresh interpreter cannot read the {model.config.model_type} model with code "
                f"({lines[-1] if lines else done.returncode}); steer through hooks"
            )
        logits = load_file(found)["logits"]
    start = input_device(model)
    with torch.inference_mode(), steer(model, spec):
        first = model(input_ids=before.to(start), use_cache=True)
        second = model(input_ids=after.to(start), past_key_values=first.past_key_values)
    expected = torch.cat([first.logits, second.logits], 1)
    rounding = _UNITS * torch.finfo(expected.dtype).eps * float(expected.abs().max())
    difference = float((logits - expected.double().cpu()).abs().max())
    if difference > max(_SMALL, rounding):
        raise BadInputError(
            f"the {model.config.model_type} model with code differs from the steered one by "
            f"{difference:.2g} in its logits; steer through hooks"
        )
