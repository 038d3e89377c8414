"""An evaluation that was killed goes on where it was, and says what it would have said."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evenkeel.errors import BadInputError
from evenkeel.models.loading import LoadedModel, load_model
from evenkeel.models.provenance import record_provenance
from evenkeel.scoring import result_cache as cache_module
from evenkeel.scoring.divergence import text_divergences
from evenkeel.scoring.prompt_set import PromptSet
from evenkeel.scoring.result_cache import ResultCache, cache_beside
from evenkeel.scoring.steered_reads import SteeredReads
from evenkeel.steering.intervention import Ablate, Add
from evenkeel.steering.latents import Clamp, Scale
from evenkeel.steering.spec import digest_of
from tests.execution.elsewhere import pickled
from tests.steering.saes import random_sae

EDITS = [
    [Add(torch.arange(32.0), scale, layer=layer, site="resid_post")]
    for scale, layer in ((0.1, 0), (0.2, 1), (0.3, 2))
]
MODELS = 1 + len(EDITS)
Ask = Callable[[ResultCache], np.ndarray]


class Killed(BaseException):
    """Ends a process for want of anything that would handle it."""


class Passes:
    """Counts the forward passes of a model, and ends it in one of them."""

    def __init__(self, model: Any) -> None:
        self.count, self.last = 0, -1
        model.register_forward_pre_hook(self._begin)

    def _begin(self, *_: Any) -> None:
        if self.count == self.last:
            raise Killed
        self.count += 1


@pytest.fixture
def passes(tiny_gpt2: Any) -> Passes:
    return Passes(tiny_gpt2)


@pytest.fixture(params=["readings", "divergences"])
def ask(request: pytest.FixtureRequest, tiny_gpt2: Any, prompt_set: PromptSet) -> Ask:
    """A question of several batches, its answer as numbers."""

    def readings(cache: ResultCache) -> np.ndarray:
        reads = SteeredReads(tiny_gpt2, prompt_set, 6, cache)
        return np.array(
            [
                [*r.stereotypical.ravel(), *r.definitional.ravel(), *r.losses]
                for r in (reads.baseline, *reads.steered(EDITS, ""))
            ]
        )

    def divergences(cache: ResultCache) -> np.ndarray:
        return text_divergences(tiny_gpt2, EDITS, prompt_set, 2, cache)

    return {"readings": readings, "divergences": divergences}[request.param]


def test_killed_in_any_pass_it_goes_on(ask: Ask, passes: Passes, tmp_path: Path) -> None:
    expected = ask(ResultCache())
    passes.count = 0  # the first question also looks for the model's blocks and attention sinks
    np.testing.assert_array_equal(ask(ResultCache()), expected)
    total = passes.count
    assert total % MODELS == 0
    assert total > 2 * MODELS
    for last in range(total):
        folder = tmp_path / str(last)
        passes.count, passes.last = 0, last
        with pytest.raises(Killed):
            ask(ResultCache(folder))
        passes.count, passes.last = 0, -1
        np.testing.assert_array_equal(ask(ResultCache(folder)), expected)
        # The unsteered model runs again on batches that are not done, for what its blocks return.
        assert total - last <= passes.count <= total - last + total // MODELS


@contextmanager
def elsewhere(model: Any) -> Iterator[Any]:
    """A worker that sees only what was pickled, and works from the last task back."""
    worker = deepcopy(model)

    def running(tasks: Any) -> Iterator[Any]:
        for task in reversed(list(tasks)):
            results = list(pickled(task).run(worker))
            yield task, results

    yield running


def test_who_runs_the_passes_changes_no_bit(
    ask: Ask, tiny_gpt2: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same answers, and the same file: either goes on where the other was."""
    monkeypatch.setattr(cache_module, "PASSES_AT_ONCE", 2)
    expected = ask(ResultCache(tmp_path / "here"))
    with elsewhere(tiny_gpt2) as running:
        found = ask(ResultCache(tmp_path / "there", running=running))
        np.testing.assert_array_equal(found, expected)
        for file in (tmp_path / "here").iterdir():
            whole = file.read_bytes()
            assert (tmp_path / "there" / file.name).read_bytes() == whole
            (tmp_path / "there" / file.name).write_bytes(whole[: len(whole) // 2])
        again = ask(ResultCache(tmp_path / "there", running=running))
    np.testing.assert_array_equal(again, expected)
    for file in (tmp_path / "here").iterdir():
        assert (tmp_path / "there" / file.name).read_bytes() == file.read_bytes()


def test_edits_of_latents_go_to_other_processes() -> None:
    sae = random_sae("resid_post", 1, "topk", first=1)
    edits = [Clamp.of(sae, [2, 5], value=0.5), Scale.of(sae, [3], factor=2.0)]
    stream = torch.randn(2, 3, 32)
    again = pickled(edits)
    for edit, other in zip(edits, again, strict=True):
        assert torch.equal(other(stream), edit(stream))
        assert (digest_of(other), other.first_position) == (digest_of(edit), 1)
    assert again[0].sae is again[1].sae  # an SAE goes once, however many edits share it


def test_what_is_done_does_not_run_again(ask: Ask, passes: Passes, tmp_path: Path) -> None:
    first = ask(ResultCache(tmp_path))
    ran = passes.count
    np.testing.assert_array_equal(ask(ResultCache(tmp_path)), first)
    assert passes.count == ran


SIZES = [2, 0, 1]
ENDS = np.cumsum(np.repeat([4 + 8 * size for size in SIZES], 3))
"""Where in the file each of nine results ends: three passes over each batch."""


@given(cut=st.integers(0, int(ENDS[-1])), flipped=st.integers(0, int(ENDS[-1])))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_a_damaged_file_is_used_up_to_the_damage(tmp_path: Path, cut: int, flipped: int) -> None:
    ran: list[int] = []

    def run(batch: int, begun: int) -> Iterator[np.ndarray]:
        for number in range(begun, 3):
            ran.append(number)
            yield np.full(SIZES[batch], 10.0 * batch + number)

    def answers() -> list[tuple[int, int, list[float]]]:
        ran.clear()
        found = ResultCache(tmp_path).results("", list, SIZES, 3, run)
        return [(batch, number, result.tolist()) for batch, number, result in found]

    whole = answers()
    (file,) = tmp_path.iterdir()
    data = bytearray(file.read_bytes())
    assert len(data) == ENDS[-1]
    del data[cut:]
    if flipped < len(data):
        data[flipped] ^= 1
    file.write_bytes(data)
    assert answers() == whole
    assert len(ran) == 9 - (min(cut, flipped) >= ENDS).sum()
    assert answers() == whole
    assert not ran


def test_the_bar_starts_at_what_is_done(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    bars = []

    def bar(results: Any, *_: Any, **options: Any) -> Any:
        bars.append(options["initial"])
        return results

    monkeypatch.setattr(cache_module, "Progress", bar)

    def run(batch: int, begun: int) -> Iterator[np.ndarray]:
        yield from np.zeros((3 - begun, 1))

    found = ResultCache(tmp_path).results("", list, [1, 1], 3, run)
    for _ in range(4):
        next(found)
    found.close()
    list(ResultCache(tmp_path).results("", list, [1, 1], 3, run))
    assert bars == [0, 4]


def test_other_questions_are_not_answered(
    passes: Passes, prompt_set: PromptSet, tiny_gpt2: Any, tmp_path: Path
) -> None:
    def asked(edits: Any, asker: str = "model", batch_size: int = 6) -> int:
        passes.count = 0
        cache = ResultCache(tmp_path, asker)
        SteeredReads(tiny_gpt2, prompt_set, batch_size, cache).steered(edits, "")
        return passes.count

    push = {"directions": torch.arange(32.0), "layer": 1, "site": "resid_post"}
    assert asked([[Ablate(**push)]]) > 0
    assert asked([[Ablate(**push)]]) == 0
    others = [
        {"directions": torch.arange(32.0).roll(1)},
        {"layer": 2},
        {"multiplier": 0.5},
        {"positions": "last"},
    ]
    for other in others:
        assert asked([[Ablate(**(push | other))]]) > 0
    assert asked([[Ablate(**push)]], asker="another model") > 0
    assert asked([[Ablate(**push)]], batch_size=5) > 0


@pytest.fixture
def loaded(tiny_folder: Path) -> LoadedModel:
    record_provenance(tiny_folder, "local", "tiny", "float32")
    return load_model(tiny_folder, "cpu")


def test_it_is_removed_once_its_stage_is_done(loaded: LoadedModel, tmp_path: Path) -> None:
    output = tmp_path / "reports" / "evaluation"
    values = drawn(output, loaded, killed=True)
    assert [file.name for file in output.parent.iterdir()] == [".evaluation.part"]
    assert drawn(output, loaded) == values
    assert list(output.parent.iterdir()) == []
    assert drawn(output, loaded) != values


def test_other_code_does_not_go_on(
    loaded: LoadedModel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    values = drawn(tmp_path / "evaluation", loaded, killed=True)
    monkeypatch.setattr(cache_module, "_code", lambda: "mended")
    assert drawn(tmp_path / "evaluation", loaded) != values


def test_one_evaluation_at_a_time(loaded: LoadedModel, tmp_path: Path) -> None:
    output = tmp_path / "evaluation"
    with (
        cache_beside(output, loaded),
        pytest.raises(BadInputError, match="another process is writing it"),
    ):
        drawn(output, loaded)


def drawn(output: Path, loaded: LoadedModel, *, killed: bool = False) -> list[float]:
    """Random numbers, drawn under a cache: the same again only where it kept them."""

    def run(batch: int, begun: int) -> Iterator[np.ndarray]:
        yield np.random.default_rng().normal(size=3)

    found: list[float] = []
    with suppress(Killed), cache_beside(output, loaded) as cache:
        for _, _, result in cache.results("", list, [3], 1, run):
            found += result.tolist()
        if killed:
            raise Killed
    return found
