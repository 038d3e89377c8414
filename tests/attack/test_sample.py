"""A sample of the attacks of `make attack`, on what every stage that reads activations reads."""

import os
import random
from pathlib import Path

import pytest

from stages import train_probes
from tests.attack.harness import GOOD, Attack, attacks_on, run
from tests.attack.invoking import invoke
from tests.attack.targets import target_of
from tests.stages.conftest import saved_workspace, workspace  # noqa: F401

SAMPLE = 24


def attacks(folder: Path) -> list[Attack]:
    arguments = ["--activations", "statements.h5", "--output", "probes", "--metrics", "probes.json"]
    arguments += ["--plots", "probes.csv", "--projections", "projections.csv"]
    target = target_of("train_probes", train_probes.main, arguments, folder)
    assert invoke(target.command, target.arguments, folder).exit_code == 0
    assert {str(path) for path in target.inputs} == {"params.yaml", "statements.h5"}
    return attacks_on(target, times=6)


def test_every_mutation_of_a_sample_is_refused_clearly(workspace: Path) -> None:  # noqa: F811
    every = attacks(workspace)
    assert len(every) > 40
    bad = []
    for attack in random.Random(0).sample(every, SAMPLE):
        outcome = run(attack)
        if outcome.verdict not in GOOD:
            bad.append(f"{outcome.verdict}: {attack}: {outcome.said}")
    assert not bad


@pytest.fixture
def missing(workspace: Path) -> Attack:  # noqa: F811
    (attack,) = [each for each in attacks(workspace) if str(each).endswith(".h5: missing (0)")]
    return attack


def test_the_harness_sees_what_is_wrong(missing: Attack, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(missing).verdict == "clear message"
    monkeypatch.setattr("evenkeel.activations.shard.require_file", lambda *_: 1 / 0)
    assert run(missing).verdict == "traceback"
    monkeypatch.setattr(
        train_probes.main, "callback", lambda **_: Path("probes.json").write_text("{}")
    )
    assert run(missing).verdict == "silently wrong"
    monkeypatch.setattr(train_probes.main, "callback", lambda **_: os._exit(77))
    assert run(missing).verdict == "traceback"
    monkeypatch.setattr("tests.attack.harness.SECONDS", 1)
    monkeypatch.setattr(train_probes.main, "callback", lambda **_: [0 for _ in iter(int, 1)])
    assert run(missing).verdict == "endless"
