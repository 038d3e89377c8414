"""docs/howto/cluster.md: its commands, run in its order, on a cluster of this machine."""

import os
import shlex
import shutil
from itertools import dropwhile
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from evenkeel.datasets.records import CorpusText
from evenkeel.files import work_folder, write_jsonl
from evenkeel.models.provenance import record_provenance
from stages.cache_activations import main
from tests.docs.fenced import blocks, commands
from tests.execution.machines import two_machines

pytest.importorskip("ray", reason="needs Ray: pip install 'evenkeel[ray]'")
pytestmark = pytest.mark.xdist_group("ray")

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "howto" / "cluster.md").read_text()
STORE = Path("data/activations/corpus.h5")
CACHE = "python -m stages.cache_activations"


@pytest.fixture
def project(tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of a tiny model and a corpus of two shards."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["activations"]["corpus"] |= {"layers": "all", "max_texts": None}
    folder = tmp_path / "project"
    (folder / "models").mkdir(parents=True)
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    record_provenance(tiny_folder, "local", "tiny", "float32")
    shutil.copytree(tiny_folder, folder / "models" / "base")
    texts = [CorpusText(kind="plain", text=f"Text number {number}.") for number in range(300)]
    write_jsonl(folder / "data/corpus/train.jsonl", texts)
    monkeypatch.chdir(folder)
    return folder


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


def test_the_commands_of_the_page(
    cluster: Any, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, ray, _, planned = caching(PAGE)  # S3 is the next test's
    run(here)
    expected = stored()
    assert {"00000.h5", "00001.h5", "manifest.json"} <= expected.keys()

    with monkeypatch.context() as patch:
        patch.setenv("EVENKEEL_EXECUTOR", "ray")
        assert "export EVENKEEL_EXECUTOR=ray" in commands(PAGE)
        run(ray)
    assert stored() == expected

    jobs = {block.title: block.text.replace("\\\n", " ") for block in blocks(PAGE) if block.title}
    shard, store = (
        next(line for line in jobs[name].splitlines() if CACHE in line)
        for name in ("shard.sbatch", "store.sbatch")
    )
    (array,) = [line for line in commands(PAGE) if "--array" in line]
    first, last = array.split("--array=")[1].split()[0].split("-")
    assert "2 shards" in run(planned)
    for number in range(int(first), int(last) + 1):
        run(shard, SLURM_ARRAY_TASK_ID=str(number))
    run(store)
    assert stored() == expected
    assert os.environ["RAY_ADDRESS"] == cluster.address


def test_two_machines_with_a_network_between_them(project: Path) -> None:
    """As the page has it: nothing but its commands and addresses, a shared folder, and S3."""
    pytest.importorskip("moto.server", reason="moto is not installed")
    section = PAGE.split("## Two machines: Ray")[1].split("\n## ")[0]
    said = [line for line in commands(section) if not line.startswith("pip ")]
    mode, executor = (line for line in said if line.startswith("export ") and "$PWD" not in line)
    token, head, join, stop = (line for line in said if line.startswith("ray "))
    cached, over_s3 = caching(section)[0], caching(PAGE)[2]
    run(caching(PAGE)[0])
    expected = stored()

    storage = {"AWS_ENDPOINT_URL": "http://192.0.2.1:5000", "AWS_ACCESS_KEY_ID": "test"}
    storage |= {"AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
    here = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "HOME": str(project)} | storage
    with two_machines() as (first, second):
        first.run("python -m moto.server -H 192.0.2.1 -p 5000 > moto.log 2>&1 &", project, here)
        first.run(f"{mode}; {token}; {head}", project, here)
        second.run(f"{mode}; {join}", project, here)
        count = "import ray; ray.init(logging_level='error'); print(len(ray.nodes()))"
        said_by_ray = first.run(f'{mode}; python -c "{count}"', project, here)
        assert said_by_ray.split()[-1] == "2"
        second.run(f"{mode}; {executor}; {cached}", project, here)
        assert stored() == expected

        bucket = "import boto3; boto3.client('s3').create_bucket(Bucket='team')"
        second.run(f'python -c "{bucket}"; {mode}; {over_s3}', project, here)
        assert stored() == expected
        for machine in (second, first):
            machine.run(f"{mode}; {stop}", project, here)
