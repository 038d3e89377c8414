"""SIGKILLs of the long stages: `python -m tests.attack.kills [KILLS] [--executor ray]`.

Each stage is killed at KILLS moments spread over its run, each time from the state that the last
kill left, run again to its end, and compared with an undisturbed run: the same bytes, nothing left.
With --executor ray it is the driver of a cluster of two nodes that is killed, and takes its actors
along; workers are killed in tests/execution/on_ray/.
"""

import gc
import multiprocessing
import shutil
import sys
import tempfile
import time
import warnings
from contextlib import ExitStack
from multiprocessing.process import BaseProcess
from pathlib import Path

import click
import pytest

from tests.attack.harness import contents_of
from tests.attack.invoking import invoke
from tests.attack.targets import Target, build
from tests.execution.ray_cluster import two_nodes_apart

LONG = (
    "prepare_model",
    "cache_activations",
    "train_sae",
    "extract_features",
    "train_probes",
    "compute_vectors",
    "evaluate",
)
"""Names of stages, with one instance of each that is repeated."""
SPREAD = ("cache_activations", "train_sae", "extract_features", "train_probes", "evaluate")
"""Those that a cluster computes."""


def start(target: Target) -> BaseProcess:
    """The stage in a fork, which has imported what it needs: kills fall into its own work."""
    process = multiprocessing.get_context("fork").Process(target=_run, args=(target,))
    process.start()
    return process


def _run(target: Target) -> None:
    sys.exit(invoke(target.command, [*target.arguments, "--quiet"], target.folder).exit_code)


def ends_well(target: Target) -> bool:
    process = start(target)
    process.join()
    return process.exitcode == 0


def left_in(folder: Path) -> list[str]:
    """What is not finished, or was locked."""
    hidden = [*folder.rglob(".*.part"), *folder.rglob(".*.lock")]
    return sorted(str(path.relative_to(folder)) for path in hidden)


def kill_at(target: Target, seconds: float) -> bool:
    """Start the stage and kill it after so long; False if it had ended by then."""
    process = start(target)
    process.join(seconds)
    if killed := process.is_alive():
        process.kill()
        process.join()
    return killed


def survives(target: Target, kills: int, executor: str = "local") -> tuple[int, list[str]]:
    """Kill a stage so many times, each in the state that the last one left.

    Returns:
        How often it was killed on its way, and what was not as it must be.
    """
    if executor == "local":  # what Ray starts in a process does not survive a fork
        assert invoke(target.command, target.arguments, target.folder).exit_code == 0
    for path in target.outputs:
        remove(target.folder / path)
    began = time.monotonic()
    assert ends_well(target)
    duration = time.monotonic() - began
    undisturbed = contents_of(target)
    killed, wrong = 0, []
    for number in range(kills):
        for path in target.outputs:
            remove(target.folder / path)
        killed += kill_at(target, duration * (number + 0.5) / kills)
        if not ends_well(target):
            wrong.append(f"kill {number}: the next run fails")
        if contents_of(target) != undisturbed:
            wrong.append(f"kill {number}: other bytes")
        if left := left_in(target.folder):
            wrong.append(f"kill {number}: left {left}")
    return killed, wrong


def remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@click.command(help=__doc__)
@click.argument("kills", type=click.IntRange(min=1), default=20)
@click.option("--stage", "stages", type=click.Choice(LONG), multiple=True)
@click.option("--executor", type=click.Choice(["local", "ray"]), default="local")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where the pipeline is run, and left; for once only, if not given.",
)
def main(kills: int, stages: tuple[str, ...], executor: str, folder: Path | None) -> None:
    warnings.simplefilter("ignore")
    bad = False
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        targets, failed = build(folder or Path(name))
        if executor == "ray":
            stack.enter_context(two_nodes_apart())
            stack.enter_context(pytest.MonkeyPatch.context()).setenv("EVENKEEL_EXECUTOR", "ray")
        gc.collect()
        gc.freeze()
        for stage in stages or (SPREAD if executor == "ray" else LONG):
            found = [each for each in targets if each.name.partition("@")[0] == stage]
            if not found:
                bad = True
                print(f"{stage}: could not be run: {failed}", flush=True)
                continue
            killed, wrong = survives(found[0], kills, executor)
            bad |= bool(wrong)
            print(
                f"{stage}: killed {killed} of {kills} times; {wrong or 'same bytes, nothing left'}",
                flush=True,
            )
    sys.exit(bad)


if __name__ == "__main__":
    main()
