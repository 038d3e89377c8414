"""A command line, run in a folder, in this process."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from evenkeel.cli import group

Patch = tuple[str, Any]
"""What stands for something else while a command runs: its dotted name, and what is there."""


def invoke(
    command: click.Command, arguments: list[str], folder: Path, patches: Sequence[Patch] = ()
) -> Result:
    """Run a stage, or a command of `evenkeel`, as its command line would."""
    wrapped = command
    if command in group.commands.values():
        wrapped, arguments = group, [str(command.name), *arguments]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, standin in patches:
            patch.setattr(name, standin)
        return CliRunner().invoke(wrapped, arguments)
