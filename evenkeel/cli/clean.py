"""`evenkeel clean`: remove what killed runs left behind."""

import shutil
from pathlib import Path

import click

from evenkeel.cli.options import json_option, print_json
from evenkeel.files.inputs import require_folder
from evenkeel.files.unfinished import remove_all_leftovers, resumable_in
from evenkeel.terminal import Command, say


@click.command(cls=Command)
@click.argument("folders", nargs=-1, type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--resumable",
    is_flag=True,
    help="Also remove what the next run would go on from (stores and results half computed).",
)
@json_option
def clean(folders: tuple[Path, ...], resumable: bool, as_json: bool) -> None:
    """Remove what killed runs left in FOLDERS (data, models and reports if none is named).

    What a living process holds stays.

    \b
    Examples:
      evenkeel clean
      evenkeel clean --resumable data/activations
    """
    for folder in folders:
        require_folder(folder, "name an existing one")
    places = folders or tuple(filter(Path.is_dir, map(Path, ("data", "models", "reports"))))
    removed = []
    for folder in places:
        removed += remove_all_leftovers(folder)
        if resumable:
            for path in resumable_in(folder):
                shutil.rmtree(path)
                removed.append(path)
    if as_json:
        print_json({"removed": str(path)} for path in removed)
        return
    for path in removed:
        say(f"{path}: removed")
    say(f"{len(removed)} removed", err=True)
