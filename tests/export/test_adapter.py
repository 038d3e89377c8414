from pathlib import Path
from typing import Any

import pytest
import torch

from evenkeel.errors import BadInputError
from evenkeel.export.adapter import write_adapter
from evenkeel.steering.hooks import steer
from evenkeel.steering.intervention import Ablate, Add
from tests.models.families import tiny_model

peft = pytest.importorskip("peft", reason="peft is not installed")
IDS = torch.tensor([[5, 9, 2, 7, 30], [8, 8, 1, 40, 3]])


def ablation(count: int = 1) -> list[Ablate]:
    direction = torch.randn(count, 32)
    places: list[Any] = [(0, "resid_pre")]
    places += [(layer, site) for layer in range(3) for site in ("attn_out", "mlp_out")]
    return [Ablate(direction, layer=layer, site=site, sinks="include") for layer, site in places]


@pytest.mark.parametrize("count", [1, 3])
@torch.no_grad()
def test_an_ablation_is_an_adapter(tiny_gpt2: Any, tmp_path: Path, count: int) -> None:
    for parameter in ("bias",):  # an adapter holds no bias, so that there must be none to ablate
        for block in tiny_gpt2.transformer.h:
            for module in (block.attn.c_proj, block.mlp.c_proj):
                getattr(module, parameter).zero_()
    spec = ablation(count)
    plain = tiny_gpt2(IDS).logits
    write_adapter(tmp_path / "adapter", tiny_gpt2, spec)
    with steer(tiny_gpt2, spec):
        expected = tiny_gpt2(IDS).logits
    adapted = peft.PeftModel.from_pretrained(tiny_gpt2, tmp_path / "adapter").eval()
    torch.testing.assert_close(adapted(IDS).logits, expected, atol=1e-4, rtol=1e-4)
    assert (expected - plain).abs().max() > 1e-2
    assert adapted.peft_config["default"].r == count


def test_linear_layers_without_a_bias(tmp_path: Path) -> None:
    model, spec = tiny_model("llama"), ablation()
    spec = [item for item in spec if item.layer < model.config.num_hidden_layers]
    write_adapter(tmp_path / "adapter", model, spec)
    with steer(model, spec), torch.no_grad():
        expected = model(IDS).logits
    adapted = peft.PeftModel.from_pretrained(model, tmp_path / "adapter").eval()
    torch.testing.assert_close(adapted(IDS).logits, expected, atol=1e-4, rtol=1e-4)


def test_a_bias_and_a_folder_that_holds_something_are_refused(
    tiny_gpt2: Any, tmp_path: Path
) -> None:
    add = Add(torch.randn(32), layer=1, site="resid_post", sinks="include")
    with pytest.raises(BadInputError, match=r"changes the bias of transformer\.h\.1"):
        write_adapter(tmp_path / "adapter", tiny_gpt2, add)
    (tmp_path / "precious.txt").write_text("mine")
    with pytest.raises(BadInputError, match="is there already"):
        write_adapter(tmp_path, tiny_gpt2, ablation())
    assert [path.name for path in tmp_path.iterdir()] == ["precious.txt"]
