"""docs/howto/cluster.md: its commands, run in its order, on a cluster of this machine."""

import os
from pathlib import Path
from typing import Any

import pytest

from tests.docs.fenced import blocks, commands
from tests.execution.cluster_page import CACHE, PAGE, caching, run, stored

pytest.importorskip("ray", reason="needs Ray: pip install 'evenkeel[ray]'")


def test_the_commands_of_the_page(
    cluster: Any, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, ray, _, planned = caching(PAGE)  # S3 is the next test's
    run(here)
    expected = stored()
    assert {"00000.h5", "00001.h5", "manifest.json"} <= expected.keys()

    with monkeypatch.context() as patch:
        patch.setenv("EVENKEEL_EXECUTOR", "ray")
        assert "export EVENKEEL_EXECUTOR=ray" in commands(PAGE)
        run(ray)
    assert stored() == expected

    jobs = {block.title: block.text.replace("\\\n", " ") for block in blocks(PAGE) if block.title}
    shard, store = (
        next(line for line in jobs[name].splitlines() if CACHE in line)
        for name in ("shard.sbatch", "store.sbatch")
    )
    (array,) = [line for line in commands(PAGE) if "--array" in line]
    first, last = array.split("--array=")[1].split()[0].split("-")
    assert "2 shards" in run(planned)
    for number in range(int(first), int(last) + 1):
        run(shard, SLURM_ARRAY_TASK_ID=str(number))
    run(store)
    assert stored() == expected
    assert os.environ["RAY_ADDRESS"] == cluster.address
