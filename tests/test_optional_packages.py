"""Where an optional package is absent, its tests are skipped and say so; none fails."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OPTIONAL = ("nnsight", "baukit", "lm_eval", "gguf", "bitsandbytes", "selenium", "ray")
FILES = (
    "tests/steering/test_backends.py",
    "tests/execution/on_ray/test_on_ray.py",
    "tests/export/test_control_vector.py",
    "tests/export/test_steered.py",
    "tests/public_benchmarks/test_harness.py",
)
SELECTED = "not in_every_family or gpt2"
"""Of what is repeated for every family of models, one."""


@pytest.fixture(scope="module")
def report() -> str:
    """Of all these tests, run in a process that has none of the packages."""
    command = [sys.executable, "-m", "pytest", "-p", "tests.blocked", "-n", "0", "-rs"]
    command += ["-k", SELECTED, *FILES]
    blocked = {"BLOCKED": " ".join(OPTIONAL), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, env=os.environ | blocked, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:]
    return done.stdout


@pytest.mark.parametrize("package", ["nnsight", "lm_eval", "gguf"])
def test_its_tests_are_skipped_by_name(report: str, package: str) -> None:
    assert re.search(rf"SKIPPED .*could not import '{package}", report)
    assert " passed" in report  # those of the others ran
