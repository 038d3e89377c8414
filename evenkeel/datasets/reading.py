"""Reading prompts: one file an axis, and one an intersection of axes."""

from pathlib import Path

from evenkeel.datasets.records import Prompt
from evenkeel.errors import BadInputError
from evenkeel.files import read_jsonl, require_intact

AGAIN = "run synthesize_dataset again"


def read_prompts(folder: Path, axis: str) -> list[Prompt]:
    """The prompts of one axis, or of one intersection.

    Raises:
        BadInputError: as of `read_jsonl`, or a prompt is of another axis.
    """
    path = folder / f"{axis}.jsonl"
    prompts = read_jsonl(path, Prompt)
    for prompt in prompts:
        if prompt.axis != axis:
            raise BadInputError(
                f"{path}: prompt {prompt.id} is of axis {prompt.axis!r}; a file holds one axis"
            )
    return prompts


def read_all_prompts(folder: Path) -> list[Prompt]:
    """The prompts of every axis and intersection, in the order of their names.

    Raises:
        BadInputError: there are none, a file of a folder of ours is missing or changed, or as of
            `read_prompts`.
    """
    require_intact(folder, AGAIN)
    axes = sorted(path.stem for path in folder.glob("*.jsonl"))
    if not axes:
        raise BadInputError(f"{folder}: no prompts in it; {AGAIN}")
    return [prompt for axis in axes for prompt in read_prompts(folder, axis)]


def intersections_of(folder: Path, axes: list[str]) -> dict[str, list[Prompt]]:
    """Prompts of the intersections of some axes, by their joined names.

    Raises:
        BadInputError: a file of a folder of ours is missing or changed, or as of `read_prompts`.
    """
    require_intact(folder, AGAIN)
    names = sorted(path.stem for path in folder.glob("*+*.jsonl"))
    return {name: read_prompts(folder, name) for name in names if set(name.split("+")) <= set(axes)}
