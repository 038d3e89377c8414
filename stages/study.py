"""Not a stage: runs the pipeline with an experiment in a folder of its own.

The folder is a DVC project beside the main one. Its parameters are params.yaml with the experiment
on top, code and pipeline are links to those here, and the cache is shared. So the results of the
main pipeline stay, and what did not change does not run again.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from evenkeel.files import require_file
from evenkeel.terminal import Command, failing_clearly, quiet_libraries, say

LINKED = ("evenkeel", "stages", "dvc.yaml", "reports/dvc.yaml", "pipelines/*/dvc.yaml")
KEPT = ("reports/metrics/benchmarks/README.md", "reports/validation/README.md")
"""In Git, and read by the stage report."""
PUBLISHED = ("report.html", "figures", "metrics")
CONFIG = """\
[core]
    no_scm = true
    analytics = false
    check_update = false
[cache]
    dir = ../../../.dvc/cache
"""


@click.command(cls=Command, context_settings={"show_default": True})
@click.argument("experiment")
@click.option("--name", help="Of its folder in studies/ and in reports/; the experiment's own.")
@click.option(
    "--set", "-S", "overrides", multiple=True, help="One more parameter, as in dvc exp run -S."
)
@click.option(
    "--targets",
    multiple=True,
    help="Stages to run, or pipeline files, as in dvc repro; all that the report shows if none is "
    "named.",
)
def main(
    experiment: str, name: str | None, overrides: Sequence[str], targets: Sequence[str]
) -> None:
    """Run the pipeline with EXPERIMENT (a file of conf/experiment/) in studies/NAME/.

    Leaves its page at reports/NAME/report.html and its figures in reports/NAME/metrics/.

    \b
    Example:
      python -m stages.study smollm2-135m --name smollm2 -S "evaluation.axes=[race]"
    """
    quiet_libraries()
    with failing_clearly():
        overrides = [f"experiment={experiment}", *overrides]
        folder = prepare(Path.cwd(), name or experiment, overrides, targets)
        command = [sys.executable, "-m", "dvc", "repro", *targets]
        ended = subprocess.run(command, cwd=folder, check=False)  # noqa: S603  no shell
        if ended.returncode:
            sys.exit(ended.returncode)
        if not targets:
            say(publish(folder, Path("reports") / (name or experiment)))


def prepare(root: Path, name: str, overrides: Sequence[str], targets: Sequence[str] = ()) -> Path:
    """Make or update the folder of a study.

    Args:
        root: of the project.
        name: of the folder in studies/.
        overrides: of params.yaml, in Hydra's words.
        targets: what is run there; a pipeline file among them is linked as `LINKED` is.

    Raises:
        BadInputError: there is no such experiment or pipeline file, it or what it is put on top of
            cannot be read, or a value cannot be put on top.
    """
    from dvc.exceptions import DvcException
    from dvc.utils.hydra import compose_and_dump
    from hydra.errors import HydraException

    from evenkeel.errors import BadInputError
    from evenkeel.params import load_params

    load_params(root / "params.yaml")
    conf = root / "conf"
    named = dict(override.partition("=")[::2] for override in overrides).get("experiment")
    experiment = conf / "experiment" / f"{named}.yaml"
    _check_yaml(conf / "config.yaml")
    if experiment.exists():  # else Hydra lists those that there are
        _check_yaml(experiment)
    folder = root / "studies" / name
    (folder / ".dvc").mkdir(parents=True, exist_ok=True)
    (folder / ".dvc" / "config").write_text(CONFIG)
    pipelines = [root / target for target in targets if Path(target).name == "dvc.yaml"]
    for pipeline in pipelines:
        require_file(pipeline, "name a stage, or a pipeline file of the project")
    found = [found for pattern in LINKED for found in sorted(root.glob(pattern))]
    for linked in [*found, *pipelines]:
        link = folder / linked.relative_to(root)
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.is_symlink():
            link.symlink_to(os.path.relpath(linked, link.parent))
    for kept in KEPT:
        (folder / kept).parent.mkdir(parents=True, exist_ok=True)
        require_file(root / kept, "git checkout brings it back")
        shutil.copyfile(root / kept, folder / kept)
    params = folder / "params.yaml"
    try:
        compose_and_dump(params, str(conf.absolute()), None, "config", str(root), list(overrides))
    except (HydraException, DvcException) as error:
        first_line = str(error).strip().partition("\n")[0]
        raise BadInputError(f"{conf}: {' '.join(overrides)}: {first_line}") from error
    try:
        load_params(params)
    except BadInputError as error:
        tops = " ".join([str(experiment), *overrides[1:]])
        raise BadInputError(f"{tops}: {error}") from error
    return folder


def _check_yaml(path: Path) -> None:
    """Refuse what Hydra would stumble over.

    Raises:
        BadInputError: the file cannot be read, is not YAML, is empty, or begins with a byte-order
            mark, behind which Hydra does not see where an experiment belongs.
    """
    from evenkeel.errors import BadInputError
    from evenkeel.files import open_input, read_yaml

    if not isinstance(read_yaml(path, "it is in Git"), dict):
        raise BadInputError(f"{path}: no keys and values in it")
    with open_input(path) as file:
        if file.read(3) == b"\xef\xbb\xbf":
            raise BadInputError(f"{path}: begins with a byte-order mark; save it without")


def publish(folder: Path, target: Path) -> str:
    """Copy the page, its figures and the metrics of a study beside those of the main pipeline."""
    target.mkdir(parents=True, exist_ok=True)
    for name in PUBLISHED:
        source, copy = folder / "reports" / name, target / name
        if source.is_dir():
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(source, copy)
        else:
            shutil.copyfile(source, copy)
    return f"{target / 'report.html'}, {target / 'metrics'}"


if __name__ == "__main__":
    main()
