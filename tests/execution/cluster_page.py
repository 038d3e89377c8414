"""docs/howto/cluster.md: its commands of ours, and how tests run them."""

import shlex
import shutil
from itertools import dropwhile
from pathlib import Path

from click.testing import CliRunner

from evenkeel.files import work_folder
from stages.cache_activations import main
from tests.docs.fenced import commands

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "howto" / "cluster.md").read_text()
STORE = Path("data/activations/corpus.h5")
CACHE = "python -m stages.cache_activations"


def caching(text: str) -> list[str]:
    """The commands of ours in the bash blocks of a text."""
    return [line for line in commands(text) if CACHE in line]


def run(command: str, **environment: str) -> str:
    for name, value in environment.items():
        command = command.replace(f"${name}", value)
    words = list(dropwhile(lambda word: word != "stages.cache_activations", shlex.split(command)))
    result = CliRunner().invoke(main, words[1:])
    assert result.exit_code == 0, result.output + str(result.exception)
    return str(result.stdout)


def stored() -> dict[str, bytes]:
    """The store, which is removed."""
    found = {file.name: file.read_bytes() for file in STORE.iterdir()}
    shutil.rmtree(STORE)
    assert not work_folder(STORE).exists()
    return found
