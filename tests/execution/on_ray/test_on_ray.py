"""A real cluster on this machine: two nodes, each a raylet with processes of its own."""

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from evenkeel.activations import writer
from evenkeel.activations.shard_job import ModelFolder
from evenkeel.activations.store import ActivationStore
from evenkeel.activations.writer import Workers, write_store
from evenkeel.errors import BadInputError
from evenkeel.execution import on_ray
from evenkeel.execution.job import ATTEMPTS
from evenkeel.execution.local import InProcess
from evenkeel.execution.on_ray import OnRay
from evenkeel.models.loading import LoadedModel, load_model
from evenkeel.models.provenance import record_provenance
from evenkeel.params import ProbesParams, SaeParams
from evenkeel.probes.training import train_probes
from evenkeel.sae.feature_job import FeatureFiles
from evenkeel.sae.job import write_saes
from evenkeel.sae.loading import open_sae
from evenkeel.sae.saving import save_module
from evenkeel.scoring.pass_job import PassJob
from evenkeel.scoring.result_cache import ResultCache
from tests.activations.conftest import capture_params
from tests.execution.jobs import Deadly, LogitsOf, Watched, WatchedJob
from tests.execution.ray_cluster import MEMORY
from tests.execution.squares import Devices, Squares
from tests.execution.test_local import SHARD_BYTES, bytes_of
from tests.probes.planted import planted_statements
from tests.sae.conftest import trained_module, training_params, write_corpus
from tests.sae.test_features import measured

ray = pytest.importorskip("ray", reason="needs Ray: pip install 'evenkeel[ray]'")

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


def test_workers_ask_for_the_gpus_that_their_model_is_spread_over(cluster: Any) -> None:
    """Ray takes a machine's word for its GPUs, so that placing is tested where there is none."""
    memory = {"object_store_memory": MEMORY}
    machine = cluster.add_node(num_cpus=1, num_gpus=2, **memory)
    try:
        both = dict(OnRay(gpus=2.0).run(Devices(), range(3)))
        one_each = dict(OnRay().run(Devices(), range(3)))
    finally:
        cluster.remove_node(machine)

    assert set(both.values()) == {"0,1"}
    assert set(one_each.values()) <= {"0", "1"}, "one, where the cluster has any"


@pytest.fixture
def model(tiny_folder: Path) -> LoadedModel:
    record_provenance(tiny_folder, "local", "tiny", "float32")
    return load_model(tiny_folder)


def files_in(folder: Path) -> dict[str, bytes]:
    files = {file for file in folder.rglob("*") if file.is_file()}
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


def require_one_loss(deadly: Deadly) -> None:
    """One worker was killed in a task, and that task alone was done again, by another."""
    assert deadly.repeated() == 1
    assert deadly.workers() >= 2


def test_saes_of_two_layers_one_of_whose_workers_is_killed(
    cluster: Any, model: LoadedModel, tiny_folder: Path, tmp_path: Path
) -> None:
    write_corpus(tmp_path / "corpus.h5", model, layers=[1, 2])
    training = training_params(layers=[2])
    params = SaeParams(
        source="train", release=None, sae_id=None, path=None, heldout_share=0.2, training=training
    )
    written = []
    for executor in (InProcess(), deadly := Deadly(OnRay(2), tmp_path / "notes")):
        folder = tmp_path / type(executor).__name__
        folder.mkdir()
        with ActivationStore.open(tmp_path / "corpus.h5") as store:
            place = ModelFolder(tiny_folder)
            records = write_saes(folder, model, place, store, params, 0, executor)
        written.append((records, files_in(folder)))

    assert written[0] == written[1]
    assert "layers/2/sae_weights.safetensors" in written[0][1]
    require_one_loss(deadly)


def test_probes_one_of_whose_workers_is_killed(
    cluster: Any, model: LoadedModel, tmp_path: Path
) -> None:
    rows = planted_statements(("gender",), terms=4, quads=8).to_dict("records")
    some = capture_params(layers="all", positions="last")
    write_store(tmp_path / "statements.h5", model, rows, some)
    params = ProbesParams(regularization=[0.1, 1.0], control_draws=2, resamples=100)
    written = []
    for executor in (InProcess(), deadly := Deadly(OnRay(2), tmp_path / "notes")):
        folder = tmp_path / type(executor).__name__
        with ActivationStore.open(tmp_path / "statements.h5") as store:
            train_probes(store, params, 0, executor).save(folder)
        written.append(files_in(folder))

    assert written[0] == written[1]
    require_one_loss(deadly)


def test_features_one_of_whose_workers_is_killed(
    cluster: Any, model: LoadedModel, tiny_folder: Path, tmp_path: Path
) -> None:
    write_corpus(tmp_path / "corpus.h5", model)
    save_module(tmp_path / "sae", trained_module(), torch.ones(24))
    sae, path = open_sae(tmp_path / "sae"), tmp_path / "corpus.h5"
    files = FeatureFiles(ModelFolder(tiny_folder), tmp_path / "sae", path)
    deadly = Deadly(OnRay(2), tmp_path / "notes")
    with ActivationStore.open(path) as store:
        table, shown = measured(model, sae, store)
        table_again, shown_again = measured(model, sae, store, deadly, files)

    pd.testing.assert_frame_equal(table_again, table, check_exact=True)
    assert shown_again == shown
    require_one_loss(deadly)


def test_passes_one_of_whose_workers_is_killed(
    cluster: Any, model: LoadedModel, tiny_folder: Path, tmp_path: Path
) -> None:
    """The tasks of evaluate: what is in its result cache is asked of no worker again."""
    ids = [torch.tensor([[1, 2, 3 + number]]) for number in range(5)]
    deadly = Deadly(OnRay(2), tmp_path / "notes")
    asked: list[int] = []

    def task(batch: int, passes: slice) -> LogitsOf:
        asked.append(batch)
        return LogitsOf(ids[batch])

    def results(cache: ResultCache, run: Any, task: Any) -> list[Any]:
        found = cache.results("passes", lambda: "asked", [3] * 5, 1, run, task)
        return [result.tolist() for _, _, result in found]

    with deadly.started(PassJob(ModelFolder(tiny_folder))) as running:
        apart = results(ResultCache(tmp_path / "cache", "model", running), None, task)
        again = results(ResultCache(tmp_path / "cache", "model", running), None, task)
    alone = results(ResultCache(), lambda batch, _: LogitsOf(ids[batch]).run(model.model), None)

    assert apart == again == alone
    assert sorted(asked) == [0, 1, 2, 3, 4]
    require_one_loss(deadly)


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
