"""Folders that lie, break or attack get one message that names the file; nothing of them runs."""

import os
from pathlib import Path

import pytest

from evenkeel.errors import BadInputError
from evenkeel.files import mark_folder
from evenkeel.models.loading import copy_model, load_model
from tests.models.hostile import REFUSED, STALE, recorded, remote_code


@pytest.mark.parametrize("case", REFUSED)
def test_a_hostile_folder_is_refused(case: str, tiny_folder: Path) -> None:
    spoil, message = REFUSED[case]
    spoil(tiny_folder)
    if not (tiny_folder / "generation_config.json").is_fifo():
        recorded(tiny_folder)
    with pytest.raises(BadInputError, match=message):
        load_model(tiny_folder, "cpu")
    assert not (tiny_folder.parent / "ran").exists()


@pytest.mark.parametrize("case", STALE)
def test_a_folder_that_is_not_its_records_is_refused(case: str, tiny_folder: Path) -> None:
    recorded(tiny_folder)
    spoil, message = STALE[case]
    spoil(tiny_folder)
    with pytest.raises(BadInputError, match=message):
        load_model(tiny_folder, "cpu")


def test_code_runs_on_the_users_word(tiny_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = str(tiny_folder.parent / "modules")
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", cache)
    remote_code(tiny_folder)
    recorded(tiny_folder)
    loaded = load_model(tiny_folder, "cpu", trust_remote_code=True)
    assert type(loaded.model).__name__ == "OwnModel"
    assert (tiny_folder.parent / "ran").exists()


def test_code_is_part_of_what_the_fingerprint_says(tiny_folder: Path) -> None:
    remote_code(tiny_folder)
    recorded(tiny_folder)
    with (tiny_folder / "modeling_own.py").open("a") as file:
        file.write("# changed\n")
    with pytest.raises(BadInputError, match="changed after evenkeel"):
        load_model(tiny_folder, "cpu", trust_remote_code=True)


@pytest.mark.parametrize("file", ["tokenizer_config.json", "generation_config.json", ".evenkeel"])
def test_every_file_of_a_model_that_evenkeel_wrote_is_checked(file: str, tiny_folder: Path) -> None:
    recorded(tiny_folder)
    mark_folder(tiny_folder)
    load_model(tiny_folder, "cpu")
    (tiny_folder / file).write_text('{"bos_token": "The"}')
    with pytest.raises(BadInputError, match=rf"{file}: damaged.*run prepare_model again"):
        load_model(tiny_folder, "cpu")


@pytest.mark.parametrize("trusted", [False, True])
def test_code_is_copied_on_the_users_word(trusted: bool, tiny_folder: Path, tmp_path: Path) -> None:
    remote_code(tiny_folder)
    copy = tmp_path / "copy"
    copy.mkdir()
    copy_model(tiny_folder, copy, trust_remote_code=trusted)
    assert (copy / "modeling_own.py").exists() == trusted


def test_a_foreign_file_is_not_copied_through_a_link(tiny_folder: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("key")
    (tiny_folder / "notes.txt").symlink_to(secret)
    (tmp_path / "copy").mkdir()
    with pytest.raises(BadInputError, match=r"notes\.txt: a link out of the model's folder"):
        copy_model(tiny_folder, tmp_path / "copy")
    assert not list((tmp_path / "copy").iterdir())


def test_links_into_a_cache_by_content_are_followed(tiny_folder: Path, tmp_path: Path) -> None:
    recorded(tiny_folder)
    for number, name in enumerate(("model.safetensors", "tokenizer.json")):
        kept = tmp_path / "cache" / "files" / "md5" / "ab" / (str(number) * 30)
        kept.parent.mkdir(parents=True, exist_ok=True)
        (tiny_folder / name).rename(kept)
        (tiny_folder / name).symlink_to(kept)
    load_model(tiny_folder, "cpu")


def test_a_known_hash_is_not_computed_again_and_a_change_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from evenkeel.models import fingerprint

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(fingerprint, "_REMEMBERED", 0)
    hashed: list[Path] = []
    digest = fingerprint._digest
    monkeypatch.setattr(fingerprint, "_digest", lambda file: (hashed.append(file), digest(file))[1])
    (tmp_path / "model").mkdir()
    file = tmp_path / "model" / "model.safetensors"
    file.write_bytes(b"weights")
    first = fingerprint.sha256_of(file)
    assert fingerprint.sha256_of(file) == first
    assert len(hashed) == 1
    before = file.stat()
    with file.open("r+b") as handle:  # same size, same inode, and the old time set back
        handle.write(b"WEIGHTS")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert fingerprint.sha256_of(file) != first
    assert len(hashed) == 2
    assert [path.name for path in file.parent.iterdir()] == ["model.safetensors"]


def test_a_cache_that_cannot_be_written_costs_only_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from evenkeel.models import fingerprint

    (tmp_path / "file").write_bytes(b"weights")
    monkeypatch.setattr(fingerprint, "_REMEMBERED", 0)
    expected = fingerprint._digest(tmp_path / "file")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))  # a file where a folder should be
    assert fingerprint.sha256_of(tmp_path / "file") == expected
