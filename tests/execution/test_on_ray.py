"""A real cluster on this machine: two nodes, each a raylet with processes of its own."""

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evenkeel.activations import writer
from evenkeel.activations.shard_job import ModelFolder
from evenkeel.activations.store import ActivationStore
from evenkeel.activations.writer import Workers, write_store
from evenkeel.errors import BadInputError
from evenkeel.execution import on_ray
from evenkeel.execution.job import ATTEMPTS
from evenkeel.execution.local import InProcess
from evenkeel.execution.on_ray import OnRay
from evenkeel.models.loading import load_model
from evenkeel.models.provenance import record_provenance
from evenkeel.params import SaeParams
from evenkeel.sae.job import write_saes
from tests.activations.conftest import capture_params
from tests.execution.jobs import Watched, WatchedJob
from tests.execution.squares import Squares
from tests.execution.test_local import SHARD_BYTES, bytes_of
from tests.sae.conftest import training_params, write_corpus

ray = pytest.importorskip("ray", reason="needs Ray: pip install 'evenkeel[ray]'")
pytestmark = pytest.mark.xdist_group("ray")  # one worker starts the cluster for all

TEXTS = [{"text": f"The nurse number {number} was tired.", "n": number} for number in range(160)]


def test_every_task_once(cluster: Any) -> None:
    assert dict(OnRay().run(Squares(), range(12))) == {number: number**2 for number in range(12)}


def test_what_the_job_refuses(cluster: Any) -> None:
    with pytest.raises(BadInputError, match=r"^13 is refused$"):
        list(OnRay().run(Squares(), [12, 13, 14]))
    with pytest.raises(BadInputError, match=r"^no model$"):
        list(OnRay().run(Squares("no model"), [1]))


def test_a_task_that_kills_its_workers_is_given_up(cluster: Any) -> None:
    with pytest.raises(BadInputError, match=f"{ATTEMPTS} workers .* died .* memory"):
        list(OnRay().run(Squares(), [666]))


def test_a_worker_for_which_there_is_no_room(cluster: Any) -> None:
    with pytest.raises(BadInputError, match=r"needs 1 CPUs and 1 GPUs, .* has 2 and 0; ask for"):
        list(OnRay(gpus=1.0).run(Squares(), [1]))


def test_workers_of_another_version(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_ray, "_versions", lambda: {"torch": "0"})

    with pytest.raises(BadInputError, match=r"this machine {'torch': '0'}; install the same"):
        list(OnRay().run(Squares(), [1]))


def test_saes_of_two_layers(cluster: Any, tiny_folder: Path, tmp_path: Path) -> None:
    record_provenance(tiny_folder, "local", "tiny", "float32")
    loaded = load_model(tiny_folder)
    write_corpus(tmp_path / "corpus.h5", loaded, layers=[1, 2])
    training = training_params(layers=[2])
    params = SaeParams(
        source="train", release=None, sae_id=None, path=None, heldout_share=0.2, training=training
    )
    written = []
    for executor in (InProcess(), OnRay(2)):
        folder = tmp_path / type(executor).__name__
        folder.mkdir()
        with ActivationStore.open(tmp_path / "corpus.h5") as store:
            model = ModelFolder(tiny_folder)
            records = write_saes(folder, loaded, model, store, params, 0, executor)
        files = {file for file in folder.rglob("*") if file.is_file()}
        written.append((records, {str(f.relative_to(folder)): f.read_bytes() for f in files}))

    assert written[0] == written[1]
    assert "layers/2/sae_weights.safetensors" in written[0][1]


def test_a_worker_and_a_whole_node_are_killed_amid_a_shard(
    cluster: Any, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run ends with the bytes of one process, and repeats nothing but what was lost."""
    record_provenance(tiny_folder, "local", "tiny", "float32")
    loaded = load_model(tiny_folder)
    params = capture_params(batch_tokens=64)
    summary = write_store(tmp_path / "alone.h5", loaded, TEXTS, params, SHARD_BYTES)
    monkeypatch.setattr(writer, "ShardJob", WatchedJob)
    watched = Watched(tmp_path / ".apart.h5.part")
    killed: list[str] = []
    actors: list[Any] = []
    spread = on_ray._spread
    monkeypatch.setattr(
        on_ray, "_spread", lambda ray, own, tasks: spread(ray, actors.extend(own) or own, tasks)
    )
    killer = threading.Thread(target=_kill_in_turn, args=[cluster, actors, watched, killed])
    killer.start()

    workers = Workers(OnRay(2), ModelFolder(tiny_folder))
    again = write_store(tmp_path / "apart.h5", loaded, TEXTS, params, SHARD_BYTES, workers)
    killer.join()

    assert killed == ["worker", "actor", "node"]
    assert again == summary
    assert bytes_of(tmp_path / "apart.h5") == bytes_of(tmp_path / "alone.h5")
    # A worker loses the pass it is in, and those that wait to be written.
    assert watched.repeated() <= 4 * len(killed)


def _kill_in_turn(cluster: Any, actors: list[Any], watched: Watched, killed: list[str]) -> None:
    """kill -9 a process; have Ray kill an actor; kill -9 a raylet and all that it started."""

    def worker() -> None:
        os.kill(watched.passes()[-1][0], signal.SIGKILL)

    def actor() -> None:
        ray.kill(actors[0], no_restart=False)

    def node() -> None:
        cluster.remove_node(cluster.list_all_nodes()[-1], allow_graceful=False)

    kills: list[tuple[str, Callable[[], None]]] = [
        ("worker", worker), ("actor", actor), ("node", node),
    ]  # fmt: skip
    for name, kill in kills:
        _wait_for(watched, len(watched.passes()) + 12)
        kill()
        killed.append(name)


def _wait_for(watched: Watched, passes: int) -> None:
    deadline = time.monotonic() + 300
    while len(watched.passes()) < passes and time.monotonic() < deadline:
        time.sleep(0.01)
