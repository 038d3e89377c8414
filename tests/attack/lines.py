"""Command lines that no pipeline file names: every command of `evenkeel`, and other scripts.

Each is a row of a table. Inputs and outputs are those that its options name.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import numpy as np
import yaml

from evenkeel.cli import group
from stages import benchmark, study, validate
from tests.attack.invoking import Patch, invoke
from tests.pipeline.recording import ROOT, copy
from tests.public_benchmarks.samples import (
    write_bbq,
    write_crows_pairs,
    write_decisions,
    write_stereoset,
    write_winobias,
    write_winogender,
)

TOO_WEAK = 1
"""Exit status of `evenkeel check` on so small a model."""
Prepare = Callable[[Path], object]


@dataclass(frozen=True)
class Line:
    """A command line, on what the pipeline made."""

    name: str
    command: click.Command
    arguments: list[str]
    prepare: Prepare = lambda folder: None
    """Puts into the folder what the pipeline did not make."""
    inputs: tuple[str, ...] | None = None
    """Paths to attack, where they are not those of the options."""
    printed: bool = False
    """Whether what it prints is its result, the same each time."""
    patches: tuple[Patch, ...] = ()
    status: int = 0
    """Exit status, on inputs that are as they must be."""


def _ask_once(app: Any, listening: Any, limits: Any) -> None:
    """In place of a server without an end: one request, whose answer is printed."""
    from starlette.testclient import TestClient

    listening.close()
    request = {"model": "organism", "prompt": "The nurse said", "max_tokens": 2, "temperature": 0}
    with TestClient(app, base_url="http://127.0.0.1") as client:
        answer = client.post("/v1/completions", json=request).raise_for_status()
    click.echo(repr(answer.json()["choices"]))


def _foreign_vector(folder: Path) -> None:
    np.save(folder / "vector.npy", np.linspace(-1, 1, 32, dtype=np.float32))


def _baseline(folder: Path) -> None:
    limit = ["--max-spread", "gender=100", "--report", "baseline.json"]
    assert invoke(group.commands["check"], limit, folder).exit_code == TOO_WEAK


def _organisms(folder: Path) -> None:
    params = yaml.safe_load((ROOT / "validation" / "params.yaml").read_text())
    params |= {"twins": [1], "strengths": [1.0], "alone": [], "permutations": 99}
    params["min_definitional_accuracy"] = 0.0
    (folder / "validation").mkdir()
    (folder / "validation" / "params.yaml").write_text(yaml.safe_dump(params))
    for name in ("twin-1", "strength-1.0"):
        shutil.copytree(folder / "models" / "base", folder / "organisms" / name)


def _project(folder: Path) -> None:
    shutil.copytree(ROOT / "conf", folder / "conf")
    shutil.copyfile(ROOT / "params.yaml", folder / "params.yaml")
    for kept in study.KEPT:
        copy(ROOT / kept, folder / kept)


def _benchmark(write: Prepare, folder: Path) -> None:
    (folder / "public").mkdir()
    write(folder / "public")


def _one_category(folder: Path) -> None:
    write_bbq(folder)
    (folder / "SES.jsonl").unlink()  # two are as right as eleven


def _command(name: str, arguments: str, *further: str, **options: Any) -> Line:
    return Line(f"evenkeel {name}", group.commands[name], [*arguments.split(), *further], **options)


LINES = (
    _command("audit", "vector.npy --layer 1 --axis gender --dose 0.1 --draws 1",
             prepare=_foreign_vector),
    _command("check", "--baseline baseline.json --prompts data/dataset/prompts --margin 1000 "
             "--report checked.json --junit checked.xml --summary checked.md", prepare=_baseline,
             status=TOO_WEAK),
    _command("detect", "--axis gender", "The nurse said that she was tired.", printed=True),
    _command("export", "exported.pt --spec reports/evaluation/gender/intervention --format lm-eval "
             "--include-sinks"),
    _command("generate", "--max-new-tokens 2", "The nurse said", printed=True),
    _command("plan", "--texts 1000"),
    _command("receptivity", "--feature 0 --max-new-tokens 2", printed=True),
    _command("serve", "--port 0 --axis gender", printed=True,
             patches=(("evenkeel.serving.running.run_server", _ask_once),
                      ("evenkeel.serving.running.log_to_stderr", lambda: None))),
    *(
        _command("inspect", path, printed=True)
        for path in (
            "models/base", "models/probes", "models/vectors/gender/vectors",
            "data/activations/statements.h5", "reports/evaluation/gender/intervention",
        )
    ),
    Line("validate", validate.main,
         ["--params", "validation/params.yaml", "--organisms", "organisms", "--summary",
          "summary.json", "--plot", "recovery.csv"], prepare=_organisms),
    Line("study", study.main, ["smollm2-135m", "--targets", "report"], prepare=_project,
         inputs=("conf/config.yaml", "params.yaml", *study.KEPT),
         patches=(("stages.study.subprocess",
                   SimpleNamespace(run=lambda *_, **__: SimpleNamespace(returncode=0))),)),
    *(
        Line(f"benchmark {name}", benchmark.main,
             f"--name {name} --data public{file} --metrics figures.json --plot figures.csv".split(),
             prepare=partial(_benchmark, write), inputs=("params.yaml", f"public{file}"))
        for name, write, file in (
            ("bbq", _one_category, ""),
            ("crows_pairs", write_crows_pairs, "/crows_pairs_anonymized.csv"),
            ("decisions", write_decisions, "/explicit.jsonl"),
            ("stereoset", write_stereoset, "/dev.json"), ("winobias", write_winobias, ""),
            ("winogender", write_winogender, ""),
        )
    ),
)  # fmt: skip
