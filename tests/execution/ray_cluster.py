"""A Ray cluster of two nodes on this machine, for one worker of pytest-xdist.

As a program it prints the cluster's address, and ends it with its own standard input.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
MEMORY = 80 * 2**20


@contextmanager
def two_nodes() -> Iterator[Any]:
    """Two raylets of one CPU each; RAY_ADDRESS names them meanwhile."""
    import ray
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        options = {"num_cpus": 1, "object_store_memory": MEMORY, "include_dashboard": False}
        cluster = Cluster(initialize_head=True, head_node_args=options)
        cluster.add_node(num_cpus=1, object_store_memory=MEMORY)
        patch.setenv("RAY_ADDRESS", cluster.address)
        try:
            yield cluster
        finally:
            ray.shutdown()
            cluster.shutdown()


@contextmanager
def two_nodes_apart() -> Iterator[None]:
    """The same, started by a process of its own, so that this one can still be forked."""
    command = [sys.executable, "-m", "tests.execution.ray_cluster"]
    with (
        subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process,
        pytest.MonkeyPatch.context() as patch,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        said = process.stdout.readline().strip()
        assert said, "the cluster did not start"
        patch.setenv("RAY_ADDRESS", said)
        yield
        process.stdin.close()


if __name__ == "__main__":
    with two_nodes() as started:
        print(started.address, flush=True)
        sys.stdin.read()
