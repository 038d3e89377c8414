import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import evenkeel
from evenkeel.errors import BadInputError
from evenkeel.files.markers import mark_folder
from evenkeel.steering.erasure import Erase, MeanAblate
from evenkeel.steering.gates import BandGate, ProbeGate, TokenGate
from evenkeel.steering.hooks import steer
from evenkeel.steering.intervention import Ablate, Add
from evenkeel.steering.latents import Clamp, Scale
from evenkeel.steering.loreft import Loreft
from evenkeel.steering.rotation import Rotate
from evenkeel.steering.spec import InterventionSpec
from tests.steering.saes import random_sae

IDS = torch.tensor([[5, 9, 2, 7, 30], [8, 8, 1, 40, 3]])


@pytest.fixture
def spec() -> InterventionSpec:
    shared = torch.randn(32)
    gates = (
        ProbeGate(torch.randn(32), 0.5, threshold=-1.0),
        BandGate(shared, 0.0, 50.0),
        TokenGate((8, 9, 1)),
    )
    return InterventionSpec(
        (
            Add(shared, 2, layer=1, site="resid_pre", gates=gates),
            Add(shared, -1.0, layer=2, site="mlp_out", positions="last"),
            Ablate(torch.randn(2, 32), 0.5, layer=1, site="resid_post"),
            MeanAblate(torch.randn(32), torch.randn(32), layer=0, site="head_z"),
            Erase(
                torch.randn(32, 2),
                torch.randn(2, 32),
                torch.randn(32),
                0.5,
                layer=0,
                site="attn_out",
                gates=gates[:1],
            ),
            Clamp.of(random_sae("resid_post", 1), (3, 8), value=2.0),
            Scale.of(random_sae("resid_post", 1, "topk"), (3, 8), factor=0.125, positions="last"),
            Rotate(torch.randn(2, 32), 0.5, layer=2, site="resid_post"),
            Loreft(torch.eye(32)[:2], torch.randn(2, 32), torch.randn(2), layer=1, site="mlp_out"),
        ),
        {"model": "tiny", "selected": {"bias_reduction": 0.9}},
    )


@torch.no_grad()
def test_a_loaded_spec_does_the_same_to_the_last_bit(
    spec: InterventionSpec, tiny_gpt2: Any, tmp_path: Path
) -> None:
    spec.save(tmp_path / "spec")
    loaded = evenkeel.InterventionSpec.load(tmp_path / "spec")
    assert loaded.metadata == spec.metadata
    with evenkeel.steer(tiny_gpt2, spec):
        expected = tiny_gpt2(IDS).logits
    with evenkeel.steer(tiny_gpt2, loaded):
        assert torch.equal(tiny_gpt2(IDS).logits, expected)
    assert not torch.allclose(tiny_gpt2(IDS).logits, expected)


def test_the_same_spec_gives_the_same_bytes(spec: InterventionSpec, tmp_path: Path) -> None:
    spec.save(tmp_path / "one")
    InterventionSpec.load(tmp_path / "one").save(tmp_path / "two")
    for name in ("record.json", "tensors.safetensors"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def change(*path: str | int, to: Any) -> Callable[[Any], None]:
    def apply(record: Any) -> None:
        for key in path[:-1]:
            record = record[key]
        record[path[-1]] = to

    return apply


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (change("version", to=3), "of layout version 3, this Evenkeel reads 1, 2"),
        (change("record", "note", to=""), "must hold interventions and metadata"),
        (change("record", "interventions", to={}), "interventions must be a list"),
        (change("record", "interventions", 0, "kind", to="sub"), "0: kind 'sub' is unknown"),
        (change("record", "interventions", 1, "scael", to=1), "1: unknown field 'scael'; known:"),
        (change("record", "interventions", 1, "scale", to=True), "1: scale: .*given: True"),
        (change("record", "interventions", 1, "layer", to=1.5), "1: layer: .*given: 1.5"),
        (change("record", "interventions", 1, "site", to="mid"), "1: site: Input should be 'resid"),
        (change("record", "interventions", 1, "positions", to="al"), "1: positions: Input should"),
        (
            change("record", "interventions", 0, "gates", 1, "bound", to=-1.0),
            "0/gates/1: BandGate: bound is -1.0",
        ),
        (change("record", "interventions", 0, "gates", to=[]), "no intervention uses: 0/gates/0/w"),
        (
            change("record", "interventions", 2, to={"kind": "ablate", "layer": 1}),
            "2: missing: site",
        ),
        (change("record", "interventions", 5, "layer", to=2), "5: Clamp .* belongs at layer 1, re"),
        (change("record", "interventions", 5, "sae", "features", to=[3]), "5: sae: features must"),
        (change("record", "interventions", 5, "sae", to=7), "5: sae: not an SAE .*write the spec"),
        (
            change("record", "interventions", 5, "sae", "config", "d_sae", to=3),
            "5: sae: not an SAE .*SAE",
        ),
        (
            change("record", "interventions", 6, "sae", "config", "architecture", to="os.system"),
            "6: sae: not an SAE",
        ),
    ],
)
def test_a_spec_that_says_something_else_is_refused(
    spec: InterventionSpec, tmp_path: Path, spoil: Callable[[Any], None], message: str
) -> None:
    spec.save(tmp_path / "spec")
    record = json.loads((tmp_path / "spec/record.json").read_text())
    spoil(record)
    (tmp_path / "spec/record.json").write_text(json.dumps(record))
    mark_folder(tmp_path / "spec")  # as if it had been written so
    with pytest.raises(BadInputError, match=message):
        InterventionSpec.load(tmp_path / "spec")


def test_unknown_positions_are_refused() -> None:
    with pytest.raises(BadInputError, match="positions 'first' is unknown; known: all, prompt"):
        Add(torch.ones(4), layer=0, site="resid_pre", positions="first")  # type: ignore[arg-type]


def test_a_kind_of_ones_own_cannot_be_written(tmp_path: Path) -> None:
    class Own(Add):
        pass

    own = InterventionSpec((Own(torch.ones(4), layer=0, site="resid_pre"),))
    with pytest.raises(
        BadInputError, match="a Own cannot be written; known: Ablate, Add, Clamp, Erase"
    ):
        own.save(tmp_path / "spec")
    assert not (tmp_path / "spec").exists()


def test_importing_evenkeel_does_not_import_torch() -> None:
    code = "import evenkeel, sys; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert evenkeel.steer is steer
