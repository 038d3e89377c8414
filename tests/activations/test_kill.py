import os
import subprocess
import sys
from pathlib import Path

from evenkeel.models.provenance import record_provenance


def test_killed_at_random_moments_the_result_is_the_same(tiny_folder: Path, tmp_path: Path) -> None:
    """SIGKILL at 20 moments, over a store of one file and one of several shards."""
    record_provenance(tiny_folder, "local", "tiny", "float32")
    command = [sys.executable, "-m", "tests.activations.killed_writer", str(tmp_path / "stores")]

    # Threads of a tokenizer would not be in its forks.
    env = os.environ | {"TOKENIZERS_PARALLELISM": "false"}
    finished = subprocess.run([*command, str(tiny_folder)], capture_output=True, text=True, env=env)

    assert finished.returncode == 0, finished.stderr
