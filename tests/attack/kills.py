"""SIGKILLs of the long stages: `python -m tests.attack.kills [KILLS]`.

Each stage is killed at KILLS moments spread over its run, each time from the state that the last
kill left, run again to its end, and compared with an undisturbed run: the same bytes, nothing left.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.attack.harness import contents_of
from tests.attack.targets import Target, build
from tests.pipeline.recording import ROOT, declared_stages

LONG = (
    "prepare_model",
    "cache_activations",
    "train_sae",
    "train_probes",
    "compute_vectors",
    "evaluate",
)
"""Names of stages, with one instance of each that is repeated."""


def start(target: Target) -> "subprocess.Popen[bytes]":
    """The stage's own command line, in a process of its own."""
    stages = {run.name.rpartition(":")[2]: run for run in declared_stages()}
    module = stages[target.name].command[2]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-m", module, *target.arguments, "--quiet"],
        cwd=target.folder,
        env=environment,
        stderr=subprocess.DEVNULL,
    )


def left_in(folder: Path) -> list[str]:
    """What is not finished, or was locked."""
    hidden = [*folder.rglob(".*.part"), *folder.rglob(".*.lock")]
    return sorted(str(path.relative_to(folder)) for path in hidden)


def kill_at(target: Target, seconds: float) -> bool:
    """Start the stage and kill it after so long; False if it had ended by then."""
    process = start(target)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()
        return True
    return False


def survives(target: Target, kills: int) -> tuple[int, list[str]]:
    """Kill a stage so many times, each in the state that the last one left.

    Returns:
        How often it was killed on its way, and what was not as it must be.
    """
    for path in target.outputs:
        remove(target.folder / path)
    began = time.monotonic()
    assert start(target).wait() == 0
    duration = time.monotonic() - began
    undisturbed = contents_of(target)
    killed, wrong = 0, []
    for number in range(kills):
        for path in target.outputs:
            remove(target.folder / path)
        killed += kill_at(target, duration * (number + 0.5) / kills)
        if start(target).wait() != 0:
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


def main() -> None:
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    bad = False
    with tempfile.TemporaryDirectory() as name:
        targets, failed = build(Path(name))
        for stage in LONG:
            found = [each for each in targets if each.name.partition("@")[0] == stage]
            if not found:
                bad = True
                print(f"{stage}: could not be run: {failed}", flush=True)
                continue
            killed, wrong = survives(found[-1], kills)
            bad |= bool(wrong)
            print(
                f"{stage}: killed {killed} of {kills} times; {wrong or 'same bytes, nothing left'}"
            )
    sys.exit(bad)


if __name__ == "__main__":
    main()
