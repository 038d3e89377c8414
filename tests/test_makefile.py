"""`make` runs stages side by side: what one looks at keeps no other from running."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import yaml

MAKEFILE = Path(__file__).parents[1] / "Makefile"
PIPELINE = {
    "stages": {
        "before": {"cmd": "echo 1 > used; echo 1 > unused", "outs": ["used", "unused"]},
        "after": {
            "foreach": ["a", "b"],
            "do": {"cmd": "cp used ${item}", "deps": ["used"], "outs": ["${item}"]},
        },
    }
}


def test_stages_side_by_side_do_not_lock_each_other_out(tmp_path: Path) -> None:
    (found,) = re.findall(r"^TWO_AT_A_TIME := (.*)$", MAKEFILE.read_text(), re.MULTILINE)
    bin_folder = Path(sys.executable).parent
    environment = os.environ | {"PATH": f"{bin_folder}:{os.environ['PATH']}"}

    def run(command: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["sh", "-c", command],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump(PIPELINE))
    first = run("dvc init --no-scm -q && dvc repro -q before")
    assert first.returncode == 0, first.stderr
    # What another `dvc repro` holds while it looks whether `before` changed.
    held = {str(tmp_path / "unused"): {"pid": os.getpid(), "cmd": "dvc repro after@b"}}
    lock = tmp_path / ".dvc" / "tmp" / "rwlock"
    lock.write_text(json.dumps({"read": {}, "write": held}))

    both = run(f"printf 'after@a\\nafter@b\\n' | {found}")

    assert both.returncode == 0, both.stderr
    assert [(tmp_path / name).read_text() for name in "ab"] == ["1\n", "1\n"]
    assert run("dvc repro --force after@a").returncode != 0, "the lock is none of DVC's any more"
