import os
import signal
from pathlib import Path

import pytest

from evenkeel.errors import BadInputError
from evenkeel.lock import writing_alone


def test_the_second_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with writing_alone(path):
        with (
            pytest.raises(BadInputError, match=r"a.h5: another process is writing it; wait"),
            writing_alone(path),
        ):
            pass
        with writing_alone(tmp_path / "b.h5"):
            pass
    with writing_alone(path):
        pass
    assert not list(tmp_path.iterdir())


def test_a_process_that_dies_lets_go(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        with writing_alone(path):
            os.write(write, b"held")
            signal.pause()
    assert os.read(read, 4) == b"held"
    with pytest.raises(BadInputError), writing_alone(path):
        pass

    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)

    with writing_alone(path):
        pass
