"""The tests of tests/execution/on_ray/, in a process of their own.

Whoever connects to a cluster has threads and signal handlers of Ray from then on, even after the
end of the cluster: a process that is forked from it later may not end on SIGTERM, and whoever waits
for that waits forever. Other tests fork.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(1200)
def test_everything_on_a_cluster() -> None:
    """Failures of any of them are in the output of this one."""
    pytest.importorskip("ray", reason="needs Ray: pip install 'evenkeel[ray]'")
    command = [sys.executable, "-m", "pytest", "-rs", "tests/execution/on_ray"]
    known = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
    done = subprocess.run(
        command, cwd=ROOT, env=known, capture_output=True, text=True, timeout=1100
    )
    assert done.returncode == 0, done.stdout + done.stderr
    print(done.stdout)
