"""Outputs: foreign folders stay, what cannot be written is said first, the dead leave nothing."""

import errno
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from evenkeel.errors import BadInputError
from evenkeel.files import atomic_file, atomic_folder, write_json, write_text
from evenkeel.files.markers import MARKER
from evenkeel.files.outputs import check_output, check_place
from evenkeel.files.unfinished import remove_all_leftovers, resumable_in, work_folder
from evenkeel.lock import writing_alone
from tests.files.privileges import shared_folder, unprivileged


def fill(path: Path, name: str = "new.txt") -> None:
    with atomic_folder(path) as folder:
        (folder / name).write_text("new")


@pytest.mark.parametrize("existing", ["thesis.txt", "deep/in/thesis.txt", ".hidden"])
def test_a_folder_that_we_did_not_write_stays(tmp_path: Path, existing: str) -> None:
    file = tmp_path / "out" / existing
    file.parent.mkdir(parents=True)
    file.write_text("years of work")
    for attempt in (fill, lambda path: check_output(path, folder=True)):
        with pytest.raises(BadInputError, match=rf"out: holds {existing}, which Evenkeel did not"):
            attempt(tmp_path / "out")
    assert file.read_text() == "years of work"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_what_somebody_put_into_a_folder_of_ours_stays(tmp_path: Path) -> None:
    fill(tmp_path / "out")
    (tmp_path / "out" / "notes.txt").write_text("mine")
    with pytest.raises(BadInputError, match=r"out: holds notes\.txt"):
        fill(tmp_path / "out")
    (tmp_path / "out" / "notes.txt").unlink()
    (tmp_path / "out" / ".DS_Store").write_text("the system's")
    fill(tmp_path / "out", "other.txt")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {MARKER, "other.txt"}


@pytest.mark.parametrize(
    "marker", ["", "[]", '{"sha256": 3}', '{"sha256": {"other": ""}}', "[" * 9999]
)
def test_a_marker_that_is_not_ours_protects(tmp_path: Path, marker: str) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / MARKER).write_text(marker)
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    with pytest.raises(BadInputError, match="did not write"):
        fill(tmp_path / "out")


def test_a_folder_of_folders_is_ours_too(tmp_path: Path) -> None:
    for _ in range(2):
        with atomic_folder(tmp_path / "out") as folder:
            fill(folder / "inner")
    (tmp_path / "out" / "inner" / "notes.txt").write_text("mine")
    with pytest.raises(BadInputError, match=r"out: holds inner/notes\.txt"):
        fill(tmp_path / "out")


def test_an_empty_folder_and_one_behind_a_link_are_filled(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    fill(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "new.txt").read_text() == "new"


def test_a_file_is_no_folder_and_a_folder_no_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    with pytest.raises(BadInputError, match="file: a file, where a folder is to be written"):
        fill(tmp_path / "file")
    for attempt in (
        lambda: write_text(tmp_path / "folder", "x"),
        lambda: check_output(tmp_path / "folder", folder=False),
    ):
        with pytest.raises(BadInputError, match="folder: cannot be written: a folder is there"):
            attempt()
    for attempt in (
        lambda: write_text(tmp_path / "file" / "x", "x"),
        lambda: check_output(tmp_path / "file" / "x", folder=False),
        lambda: check_place(tmp_path / "file" / "x"),
        lambda: fill(tmp_path / "file" / "x" / "y"),
    ):
        with pytest.raises(BadInputError, match="cannot be written: a part of its path is a file"):
            attempt()
    assert (tmp_path / "file").read_text() == "mine"


def test_without_permission_it_says_so() -> None:
    with shared_folder() as folder, unprivileged():
        for attempt in (
            lambda: write_json(folder / "x.json", 1),
            lambda: fill(folder / "x"),
            lambda: check_output(folder / "a" / "x.json", folder=False),
            lambda: check_output(folder / "x", folder=True),
        ):
            with pytest.raises(BadInputError, match=r"x.*: cannot be written: no permission"):
                attempt()


@pytest.mark.parametrize(
    ("code", "reason"),
    [(errno.ENOSPC, "the disk is full"), (errno.EROFS, "the file system is read-only")],
)
def test_what_happens_while_writing_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, reason: str
) -> None:
    write_text(tmp_path / "x", "old")

    def refuse(self: Path, *args: object, **options: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(Path, "write_text", refuse)
    with pytest.raises(BadInputError, match=rf"x: cannot be written: {reason}"):
        write_text(tmp_path / "x", "new")
    monkeypatch.undo()
    assert (tmp_path / "x").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_an_error_about_an_input_is_not_blamed_on_the_output(tmp_path: Path) -> None:
    with pytest.raises(PermissionError), atomic_file(tmp_path / "out"):
        raise PermissionError(errno.EACCES, "no", str(tmp_path / "input"))
    with pytest.raises(OSError, match="network"), atomic_file(tmp_path / "out"):
        raise OSError("network")


def test_a_full_disk_shows_before_anything_is_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x").write_bytes(b"x" * (3 << 20))
    check_output(tmp_path / "x", folder=False)
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 1000})())
    with pytest.raises(BadInputError, match="x: cannot be written: the disk is full"):
        check_output(tmp_path / "x", folder=False)


@pytest.mark.parametrize(
    ("umask", "file", "folder"), [(0o027, 0o640, 0o750), (0o002, 0o664, 0o775)]
)
def test_modes_are_those_that_the_umask_leaves(
    tmp_path: Path, umask: int, file: int, folder: int
) -> None:
    before = os.umask(umask)
    try:
        write_text(tmp_path / "x", "x")
        with atomic_folder(tmp_path / "out") as part:
            (part / "private").touch(mode=0o600)  # as safetensors writes
    finally:
        os.umask(before)
    assert (tmp_path / "x").stat().st_mode & 0o777 == file
    assert (tmp_path / "out").stat().st_mode & 0o777 == folder
    assert (tmp_path / "out" / "private").stat().st_mode & 0o777 == file


def killed(write: Callable[[], None], at: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run `write` in a process that is killed when it first calls the function named `at`."""
    child = os.fork()
    if child == 0:
        monkeypatch.setattr(at, lambda *args, **options: os.kill(os.getpid(), signal.SIGKILL))
        write()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL


def test_what_a_killed_writer_left_goes_before_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    fill(out, "old.txt")
    killed(lambda: fill(out), "evenkeel.files.writing.mark_folder", monkeypatch)
    write_text(tmp_path / "x", "old")
    killed(lambda: write_text(tmp_path / "x", "new"), "pathlib.Path.write_text", monkeypatch)
    assert len(list(tmp_path.iterdir())) == 4
    check_output(out, folder=True)
    check_output(tmp_path / "x", folder=False)
    assert {path.name for path in tmp_path.iterdir()} == {"out", "x"}
    assert (out / "old.txt").exists()


def test_who_is_killed_between_the_two_renames_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    fill(out, "old.txt")
    rename, calls = Path.replace, []

    def second_kills(path: Path, target: Path) -> Path:
        calls.append(path)
        if len(calls) == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return rename(path, target)

    child = os.fork()
    if child == 0:
        monkeypatch.setattr(Path, "replace", second_kills)
        fill(out)
        os._exit(0)
    os.waitpid(child, 0)
    assert not out.exists()
    assert len(remove_all_leftovers(tmp_path)) == 1
    assert (out / "old.txt").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_what_a_living_writer_holds_stays(tmp_path: Path) -> None:
    with atomic_folder(tmp_path / "out") as folder:
        (folder / "a").write_text("a")
        check_output(tmp_path / "out", folder=True)
        assert remove_all_leftovers(tmp_path) == []
        assert (folder / "a").exists()
    assert (tmp_path / "out" / "a").exists()


def test_work_to_go_on_from_is_no_leftover(tmp_path: Path) -> None:
    work = work_folder(tmp_path / "store.h5")
    work.mkdir()
    check_output(tmp_path / "store.h5", folder=False)
    assert remove_all_leftovers(tmp_path) == []
    with writing_alone(tmp_path / "store.h5"):
        assert resumable_in(tmp_path) == []
    assert resumable_in(tmp_path) == [work]
    assert [path.name for path in tmp_path.iterdir()] == [work.name]
