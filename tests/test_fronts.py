"""Which tokens are attention sinks follows from what a tokenizer puts before a text.

Of a model whose first token is long behind BOS alone, as in Gemma 3, with a tokenizer that puts BOS
there and with one that does not.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from evenkeel.activations import content
from evenkeel.activations.capture import measure_sinks
from evenkeel.activations.content import ShardContent
from evenkeel.activations.shard_job import header_of
from evenkeel.activations.sinks import RULE, measurement_of
from evenkeel.activations.writer import write_store
from evenkeel.evaluation.bias_check import check_axis
from evenkeel.export.with_code import write_model_with_code
from evenkeel.models.encoding import front_of
from evenkeel.models.loading import LoadedModel, load_model
from evenkeel.models.provenance import record_provenance
from evenkeel.models.sites import HookPoint
from evenkeel.scoring.result_cache import cache_beside
from evenkeel.steering.backends import steered
from evenkeel.steering.hooks import steer
from evenkeel.steering.intervention import Add
from evenkeel.steering.spec import InterventionSpec
from tests.activations.conftest import capture_params
from tests.conftest import _tiny_gpt2
from tests.evaluation.samples import make_prompts
from tests.special_tokens import framed

POINT = HookPoint("resid_post", 0)
FRONTS = {"$A": 0, "<bos> $A <eos>": 1}
TEXTS = ["<bos>The nurse said <bos>", "<bos>My father was <bos> tired"]
ROWS = [{"text": text} for text in TEXTS]
"""Which both tokenizers make the same tokens of."""


def long_behind_bos(tokenizer: Any) -> Any:
    model = _tiny_gpt2(tokenizer)
    model.config.bos_token_id = tokenizer.bos_token_id
    with torch.no_grad():
        model.transformer.wte.weight[tokenizer.bos_token_id, 3] += 60
    return model


@pytest.fixture
def of_kind(tokenizer: Any, tmp_path: Path) -> Callable[[str], LoadedModel]:
    def load(kind: str) -> LoadedModel:
        folder = tmp_path / f"model-{FRONTS[kind]}"
        if not folder.exists():
            own = framed(tokenizer, kind)
            long_behind_bos(own).save_pretrained(folder)
            own.save_pretrained(folder)
            record_provenance(folder, "local", "tiny", "float32")
        return load_model(folder, "cpu")

    return load


def push(point: HookPoint = POINT) -> Add:
    direction = torch.randn(32, generator=torch.Generator().manual_seed(1))
    return Add(direction, 3.0, layer=point.layer, site=point.site)


def test_models_that_differ_in_their_front_alone_have_other_sinks_and_another_identity(
    of_kind: Callable[[str], LoadedModel],
) -> None:
    found = {}
    for kind in FRONTS:
        loaded = of_kind(kind)
        ids = loaded.encoder.encode_all(TEXTS)
        identity = ShardContent(header_of(loaded, capture_params()), 0, ROWS, ids).identity
        later = measure_sinks(loaded.model, [POINT])[POINT] is not None
        found[kind] = loaded.fingerprint, [each.tolist() for each in ids], later, identity
    (one, own, sinks, identity), (other, others, more, another) = found.values()
    assert (one, own) == (other, others)
    assert (sinks, more) == (False, True)
    assert identity != another


def test_the_rule_of_sinks_is_part_of_the_identity(
    of_kind: Callable[[str], LoadedModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = of_kind("$A")
    header, ids = header_of(loaded, capture_params()), loaded.encoder.encode_all(TEXTS)
    identities = set()
    for rule in (RULE, RULE, RULE + 1):
        monkeypatch.setattr(content, "RULE", rule)
        identities.add(ShardContent(header, 0, ROWS, ids).identity)
    assert len(identities) == 2


@pytest.mark.parametrize("changed", ["nothing", "front", "rule"])
def test_shards_that_an_earlier_run_left_are_taken_under_the_same_sinks_alone(
    of_kind: Callable[[str], LoadedModel],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    changed: str,
) -> None:
    params = capture_params(positions="mean", layers=[0])
    path, earlier = tmp_path / "means.h5", tmp_path / "earlier.h5"
    with monkeypatch.context() as then:
        if changed == "rule":
            then.setattr(content, "RULE", RULE - 1)
        write_store(
            earlier, of_kind("$A" if changed == "front" else "<bos> $A <eos>"), ROWS, params
        )
    loaded = of_kind("<bos> $A <eos>")
    write_store(tmp_path / "whole.h5", loaded, ROWS, params)
    (tmp_path / ".means.h5.part").mkdir()
    earlier.replace(tmp_path / ".means.h5.part" / "00000.h5")
    runs: list[int] = []
    loaded.model.transformer.h[0].register_forward_pre_hook(lambda *_: runs.append(1))

    write_store(path, loaded, ROWS, params)

    measuring = 1  # of the width
    assert (len(runs) > measuring) == (changed != "nothing")
    assert path.read_bytes() == (tmp_path / "whole.h5").read_bytes()


def test_results_of_another_front_are_not_taken(
    of_kind: Callable[[str], LoadedModel], tmp_path: Path
) -> None:
    """Of the same weights, asked the same of the same tokens."""
    output, ran = tmp_path / "evaluation", []

    class KilledError(Exception):
        pass

    def ask(kind: str) -> None:
        loaded = of_kind(kind)

        def run(batch: int, begun: int) -> Any:
            ran.append(kind)
            yield torch.zeros(1, dtype=torch.float64).numpy()

        with cache_beside(output, loaded) as cache:
            list(cache.results("", lambda: "the same", [1], 1, run))
            raise KilledError

    for kind in ("$A", "$A", "<bos> $A <eos>", "<bos> $A <eos>"):
        with pytest.raises(KilledError):
            ask(kind)
    assert ran == ["$A", "<bos> $A <eos>"]


@pytest.mark.parametrize("kind", list(FRONTS))
def test_whoever_steers_a_bare_model_finds_the_sinks_of_its_tokenizer(
    tokenizer: Any, kind: str, tmp_path: Path
) -> None:
    """A model and a tokenizer of transformers, which no `LoadedModel` has brought together."""
    own = framed(tokenizer, kind)
    ids = torch.tensor([own("The nurse <bos> said", add_special_tokens=False)["input_ids"]])
    loaded = LoadedModel(long_behind_bos(own), own, provenance=None)  # type: ignore[arg-type]
    with torch.no_grad(), steer(loaded.model, push()):
        expected = loaded.model(ids).logits

    bare = long_behind_bos(own)
    with torch.no_grad(), steered("hooks", bare, own, InterventionSpec((push(),))):
        torch.testing.assert_close(bare(ids).logits, expected)

    bare = long_behind_bos(own)
    test = [prompt for prompt in make_prompts() if prompt.split == "test"]
    spec = InterventionSpec((push(),))
    check_axis(bare, own, "gender", test, alpha=0.05, max_spread=1.0, spec=spec)
    assert set(measurement_of(bare).probes) == {front_of(loaded.model)}
    assert front_of(bare) is None

    bare = long_behind_bos(own)
    write_model_with_code(tmp_path / "steered", bare, own, InterventionSpec((push(),)))
    config = json.loads((tmp_path / "steered" / "config.json").read_text())
    assert len(config["steering"][0]["bounds"]) == FRONTS[kind]


@pytest.mark.parametrize("kind", list(FRONTS))
@torch.no_grad()
def test_transformer_lens_finds_the_same_sinks(
    of_kind: Callable[[str], LoadedModel], kind: str
) -> None:
    pytest.importorskip("transformer_lens")
    from evenkeel.steering.lens import bridged, steer_lens

    loaded = of_kind(kind)
    own = loaded.tokenizer
    ids = torch.tensor([own("The nurse <bos> said", add_special_tokens=False)["input_ids"]])
    with steer(loaded.model, push()):
        expected = loaded.model(ids).logits
    bridge = bridged(loaded.model, own)
    with steer_lens(bridge, push()):
        found = bridge.original_model(ids).logits
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    plain = bridge.original_model(ids).logits
    place = int((ids[0] == own.bos_token_id).nonzero())
    moved = (found - plain)[0].abs().amax(-1) > 1e-3
    assert not moved[0]
    assert bool(moved[place]) or kind != "$A"
