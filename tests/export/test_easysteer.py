import json
from pathlib import Path
from typing import Any

import pytest
import torch

from evenkeel.errors import BadInputError
from evenkeel.export.easysteer import read_easysteer, write_easysteer
from evenkeel.steering.gates import TokenGate
from evenkeel.steering.hooks import steer
from evenkeel.steering.intervention import Ablate, Add, Intervention

pytest.importorskip("gguf")
IDS = torch.tensor([[5, 9, 2, 7, 30]])
ONES = torch.ones(32)


@torch.no_grad()
def test_what_is_read_back_steers_alike(tiny_gpt2: Any, tmp_path: Path) -> None:
    given = [
        Add(torch.randn(32), 2.0, layer=0, site="resid_post", sinks="include"),
        Add(torch.randn(32), -1.0, layer=2, site="resid_pre", sinks="include"),
        Add(torch.randn(32), 3.0, layer=1, site="resid_post", positions="last", sinks="include"),
        Add(torch.randn(32), 5.0, layer=1, site="resid_post", positions="last", sinks="include"),
    ]
    write_easysteer(tmp_path / "spec.json", tiny_gpt2, given)
    found = read_easysteer(tmp_path / "spec.json")
    for inputs in (IDS, IDS[:, :2]):
        with steer(tiny_gpt2, given):
            expected = tiny_gpt2.generate(inputs, max_new_tokens=5, do_sample=False)
            logits = tiny_gpt2(inputs).logits
        with steer(tiny_gpt2, found):
            torch.testing.assert_close(tiny_gpt2(inputs).logits, logits, atol=1e-5, rtol=1e-5)
            again = tiny_gpt2.generate(inputs, max_new_tokens=5, do_sample=False)
        assert torch.equal(again, expected)


def test_the_file_is_in_the_words_of_easysteer(tiny_gpt2: Any, tmp_path: Path) -> None:
    add = Add(ONES, 0.5, layer=1, site="resid_post", positions="generated", sinks="include")
    write_easysteer(tmp_path / "spec.json", tiny_gpt2, add)
    assert json.loads((tmp_path / "spec.json").read_text()) == {
        "conflict": "sequential",
        "vectors": [
            {
                "apply": {"generation": "all"},
                "layers": [1],
                "normalize": False,
                "scale": 1.0,
                "source": "spec-generated.gguf",
            }
        ],
    }


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (Ablate(ONES, layer=1, site="resid_post", sinks="include"), "only added vectors"),
        (Add(ONES, layer=1, site="mlp_out", sinks="include"), "what a block returns"),
        (Add(ONES, layer=0, site="resid_pre", sinks="include"), "what a block returns"),
        (Add(ONES, layer=1, site="resid_post"), "--include-sinks"),
        (
            Add(ONES, layer=1, site="resid_post", gates=(TokenGate((1,)),), sinks="include"),
            "no gates",
        ),
    ],
)
def test_what_it_cannot_do_is_refused(
    tiny_gpt2: Any, tmp_path: Path, given: Intervention, message: str
) -> None:
    with pytest.raises(BadInputError, match=message):
        write_easysteer(tmp_path / "spec.json", tiny_gpt2, given)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("source", ["../../etc/passwd", "/etc/passwd", 3])
def test_a_source_elsewhere_is_not_read(tmp_path: Path, source: Any) -> None:
    vector = {"source": source, "apply": {"prompt": "all", "generation": "all"}}
    (tmp_path / "spec.json").write_text(json.dumps({"vectors": [vector]}))
    with pytest.raises(BadInputError, match="must name a file in this folder"):
        read_easysteer(tmp_path / "spec.json")
