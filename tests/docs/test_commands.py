"""Every command in the documentation is one that exists, and the README's are run by CI."""

import importlib
import importlib.util
import re
import shlex
from collections.abc import Callable
from itertools import dropwhile, pairwise
from pathlib import Path

import click
import pytest
import yaml

from evenkeel.cli import group
from tests.docs.fenced import PLACEHOLDER, blocks, commands, script

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
NOT_RUN = {
    "make repro": "CI runs it from the tutorial",
    "make test": "make check runs it",
    "make check": "CI itself",
    "make validate": "25 minutes",
    "make bench": "minutes; its scripts have tests",
    "source .venv/bin/activate": "CI puts the environment on the path",
    "dvc remote add --default team /path/to/a/shared/folder": "CI adds a folder of its own",
    "pip install -c constraints.txt -e '.[ssh]'": "CI has installed it with the rest",
    "pip install -c constraints.txt -e '.[s3]'": "CI has installed it with the rest",
    "cd evenkeel": "CI has cloned",
    "evenkeel check --max-spread gender=5": "an organism of reduced parameters may be too weak",
    "evenkeel serve --port 8000": "it serves until it is ended; its tests start and end it",
    "dvc exp run -S experiment=gpt2-golden-layers": "it downloads weights",
}
"""Commands of the README that CI does not run as they stand, and why."""


def _evenkeel(words: list[str]) -> None:
    command = group.get_command(click.Context(group), words[0])
    assert command, f"no command {words[0]}"
    command.make_context(words[0], words[1:])


def _python(words: list[str]) -> None:
    if words[:1] == ["-m"] and words[1].startswith("stages."):
        module = importlib.import_module(words[1])
        module.main.make_context(words[1], words[2:])
    elif words[0] == "-c":
        compile(words[1], "-c", "exec")
    elif words[0] == "-m":
        assert importlib.util.find_spec(words[1]), f"no module {words[1]}"
    else:
        assert words[0] in SAVED, f"no script {words[0]}"


def _make(words: list[str]) -> None:
    targets = (ROOT / "Makefile").read_text()
    assert f"\n{words[0]}:" in targets, f"no target {words[0]}"


def _dvc(words: list[str]) -> None:
    from dvc.cli import parse_args

    parse_args(words)
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    for flag, value in pairwise(words):
        if flag in ("-S", "--set-param") and not value.startswith("+"):
            name, _, given = value.partition("=")
            if name == "experiment":
                assert (ROOT / "conf" / name / f"{given}.yaml").is_file(), f"no {value}"
                continue
            section = params
            for key in name.split("."):
                assert key in section, f"{value}: params.yaml has no such key"
                section = section[key]


def _ray(words: list[str]) -> None:
    scripts = pytest.importorskip("ray.scripts.scripts", reason="needs Ray")
    command = scripts.cli.get_command(click.Context(scripts.cli), words[0])
    assert command, f"no command ray {words[0]}"
    command.make_context(words[0], words[1:])


def _anything(words: list[str]) -> None:
    """A command of the system, which is not ours to check."""


CHECKS: dict[str, Callable[[list[str]], None]] = {
    "evenkeel": _evenkeel, "python": _python, "make": _make, "dvc": _dvc, "ray": _ray,
    **dict.fromkeys(
        ("cd", "export", "git", "mkdocs", "pip", "pre-commit", "sbatch", "sed", "source"), _anything
    ),
}  # fmt: skip
SAVED = {block.title for page in PAGES for block in blocks(page.read_text(encoding="utf-8"))}
"""Files that a page has its reader save."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_exists(page: Path) -> None:
    for line in commands(page.read_text(encoding="utf-8")):
        words = list(dropwhile(lambda word: "=" in word, shlex.split(line)))  # of the environment
        assert words[0] in CHECKS, f"{page.name}: {line}"
        CHECKS[words[0]](words[1:])


def test_ci_runs_what_the_readme_shows() -> None:
    ci = (ROOT / ".ci" / "run").read_text()
    pages = re.findall(r"docs/\S+\.md", ci)
    assert "docs/tutorial.md" in pages
    scripts = [script((ROOT / page).read_text(encoding="utf-8")) for page in pages]
    run = [line for text in (ci, *scripts) for line in text.splitlines()]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for block in blocks(readme):
        if block.language == "python":
            assert any(block.text in text for text in scripts), "nothing runs the README's code"
    for line in commands(readme):
        if line in NOT_RUN or line.startswith("git ") or PLACEHOLDER.search(line):
            continue
        assert any(line in each for each in run), f"neither CI nor the tutorial runs: {line}"


def test_a_command_that_does_not_exist_is_noticed() -> None:
    for line in (
        "evenkeel steer",
        "make magic",
        "dvc exp run -S evaluation.budget=1",
        "dvc exp run -S experiment=love",
    ):
        words = shlex.split(line)
        with pytest.raises(AssertionError):
            CHECKS[words[0]](words[1:])
    with pytest.raises(click.UsageError):
        _evenkeel(["generate", "--force", "3"])
