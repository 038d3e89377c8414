"""One stage killed twice, once early and once late; `make kills` does the rest."""

from pathlib import Path

from stages import train_probes
from tests.attack.kills import survives
from tests.attack.targets import target_of
from tests.stages.conftest import saved_workspace, workspace  # noqa: F401


def test_a_killed_stage_starts_again_and_leaves_nothing(workspace: Path) -> None:  # noqa: F811
    arguments = ["--activations", "statements.h5", "--output", "probes", "--metrics", "probes.json"]
    arguments += ["--plots", "probes.csv", "--projections", "projections.csv"]
    target = target_of("train_probes", train_probes.main, arguments, workspace)
    killed, wrong = survives(target, kills=2)
    assert killed > 0
    assert not wrong
