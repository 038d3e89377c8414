"""What one computed, another pulls: through a folder, over SSH, from S3; all on this machine."""

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from dvc.repo import Repo

from tests.pipeline.recording import FILES, ROOT, Run, copy

pytestmark = pytest.mark.xdist_group("pipeline")


def git(folder: Path, *arguments: str) -> str:
    who = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    command = ["git", "-C", str(folder), *who, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def project(runs: list[Run], workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of this project after `dvc repro` on reduced parameters, all committed."""
    folder = tmp_path_factory.mktemp("project")
    for name in git(ROOT, "ls-files", "-co", "--exclude-standard").splitlines():
        if name.startswith(("evenkeel/", "stages/", "data/", "models/", "reports/", ".dvc")):
            copy(ROOT / name, folder / name)
    for file in FILES:
        copy(ROOT / file, folder / file)
    copy(ROOT / "tests" / "reduced_params.yaml", folder / "params.yaml")
    git(folder, "init", "-q", "-b", "main")
    for run in runs:
        for write in run.declared_writes:
            copy(workspace / write, folder / write)
    with Repo(str(folder)) as repo:
        repo.commit(force=True)
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "Results")
    return folder


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of the test's own: no key, host or account of who runs it plays a part."""
    folder = tmp_path / "home"
    (folder / ".ssh").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    return folder


@pytest.fixture
def folder_remote(tmp_path: Path) -> dict[str, str]:
    return {"url": str(tmp_path / "team")}


@pytest.fixture
def s3_remote(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    boto3 = pytest.importorskip("boto3", reason="dvc-s3 is not installed")
    server = pytest.importorskip("moto.server", reason="moto is not installed")
    pytest.importorskip("dvc_s3", reason="dvc-s3 is not installed")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    s3 = server.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    s3.start()
    host, port = s3.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    boto3.client("s3", endpoint_url=endpoint).create_bucket(Bucket="team")
    yield {"url": "s3://team/evenkeel", "endpointurl": endpoint}
    s3.stop()


@pytest.fixture
def ssh_remote(home: Path, tmp_path: Path) -> Iterator[dict[str, str]]:
    """A server of the test's own: its keys, its port, its only user is who runs the test."""
    pytest.importorskip("dvc_ssh", reason="dvc-ssh is not installed")
    sshd = shutil.which("sshd", path=os.defpath + ":/usr/sbin:/usr/local/sbin")
    if sshd is None:
        pytest.skip("no sshd on this machine; install openssh-server")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # root's sshd insists on it
    for key in ("host", "user"):
        options = ["-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / key)]
        subprocess.run(["ssh-keygen", *options], check=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    host_key = (tmp_path / "host.pub").read_text()
    (home / ".ssh" / "known_hosts").write_text(f"[127.0.0.1]:{port} {host_key}")
    config = tmp_path / "sshd_config"
    config.write_text(
        f"""
        ListenAddress 127.0.0.1:{port}
        HostKey {tmp_path / "host"}
        PidFile none
        AuthorizedKeysFile {tmp_path / "user.pub"}
        PasswordAuthentication no
        StrictModes no
        Subsystem sftp internal-sftp
        """
    )
    server = subprocess.Popen([sshd, "-D", "-e", "-f", str(config)], stderr=subprocess.DEVNULL)
    try:
        _wait_for(port)
        yield {
            "url": f"ssh://{getpass.getuser()}@127.0.0.1:{port}{tmp_path}/team",
            "keyfile": str(tmp_path / "user"),
        }
    finally:
        server.terminate()
        server.wait()


def _wait_for(port: int) -> None:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"nothing answers at port {port}")


@pytest.mark.parametrize("remote", ["folder_remote", "ssh_remote", "s3_remote"])
def test_a_colleague_pulls_and_has_nothing_to_compute(
    project: Path,
    tmp_path: Path,
    remote: str,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config: dict[str, Any] = {"remote": {"team": request.getfixturevalue(remote)}}
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", str(project), str(clone))

    with Repo(str(project), config=config) as ours:
        assert ours.push(remote="team") > 10
    monkeypatch.chdir(clone)
    with Repo(config=config) as theirs:
        assert theirs.status(), "the clone has nothing before it pulls"
        theirs.pull(remote="team")
    with Repo(config=config) as theirs:
        assert theirs.reproduce() == []

    for name in ("statements", "corpus"):
        file = f"data/activations/{name}.h5"
        assert (clone / file).read_bytes() == (project / file).read_bytes()


@pytest.mark.parametrize(
    ("file", "changed", "spared"),
    [
        ("data/dataset/statements.jsonl", "statements", "corpus"),
        ("data/corpus/train.jsonl", "corpus", "statements"),
    ],
)
def test_a_text_set_that_changes_leaves_the_others_activations(
    project: Path,
    tmp_path: Path,
    file: str,
    changed: str,
    spared: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clone = tmp_path / "clone"
    shutil.copytree(project, clone)
    with (clone / file).open("a") as texts:
        texts.write("\n")

    monkeypatch.chdir(clone)
    with Repo() as repo:
        touched = repo.status(targets=[f"cache_activations@{changed}"])
        assert list(touched) == [f"cache_activations@{changed}"]
        assert repo.status(targets=[f"cache_activations@{spared}"]) == {}


@pytest.mark.parametrize(
    ("name", "value"), [("layers", [0, 1]), ("hook_name", "blocks.0.hook_resid_post")]
)
def test_layers_that_are_auto_follow_those_of_the_autoencoders(
    project: Path, tmp_path: Path, name: str, value: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    clone = tmp_path / "clone"
    shutil.copytree(project, clone)
    params = yaml.safe_load((clone / "params.yaml").read_text())
    params["sae"]["training"][name] = value
    (clone / "params.yaml").write_text(yaml.safe_dump(params))

    monkeypatch.chdir(clone)
    with Repo() as repo:
        stages = ("cache_activations@corpus", "cache_activations@statements", "train_sae")
        touched = {stage for stage in stages if repo.status(targets=[stage])}
    assert touched == {"cache_activations@corpus", "train_sae"}
