"""SAEs as tasks: each is trained or loaded, measured and written by the worker that it is given."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from evenkeel.activations.shard_job import ModelFolder
from evenkeel.activations.store import ActivationStore
from evenkeel.errors import BadInputError
from evenkeel.execution.job import Executor
from evenkeel.files import mark_folder
from evenkeel.files.unfinished import remove_all_leftovers
from evenkeel.models.loading import LoadedModel
from evenkeel.models.sites import HookPoint
from evenkeel.params import SaeParams
from evenkeel.progress import Progress
from evenkeel.sae.corpus import Corpus
from evenkeel.sae.loading import LoadedSae
from evenkeel.sae.obtaining import obtain_module
from evenkeel.sae.quality import ce_loss_recovered, measure_reconstruction
from evenkeel.sae.saving import write_module

LAYERS = "layers"
"""Folder, in that of an SAE, of the SAEs at other layers."""
SaeRecord = Mapping[str, Any]
"""Where an SAE reads, its size, and its measures."""


@dataclass(frozen=True)
class SaeTask:
    """One SAE."""

    folder: str
    """Where it goes, in the output."""
    params: SaeParams


@dataclass(frozen=True)
class SaeJob:
    """One SAE a task.

    Args:
        output: a folder that all workers share.
        model: a loaded one in this process, or the folder to load it from.
        store: activations of every token; an open one in this process, or the path to open.
        seed: of the held-out texts, the order of the others, and the weights.
    """

    output: Path
    model: LoadedModel | ModelFolder
    store: ActivationStore | Path
    seed: int

    @contextmanager
    def opened(self) -> Iterator[Callable[[SaeTask], SaeRecord]]:
        with ExitStack() as stack:
            loaded = self.model if isinstance(self.model, LoadedModel) else self.model.load()
            store = self.store
            if isinstance(store, Path):
                store = stack.enter_context(ActivationStore.open(store))
            store.require_model(loaded.fingerprint)
            yield lambda task: self._work(task, loaded, store)

    def _work(self, task: SaeTask, loaded: LoadedModel, store: ActivationStore) -> SaeRecord:
        params = task.params
        sae = LoadedSae.of(obtain_module(params, store, loaded.name, self.seed))
        sae.require_fit(loaded.model)
        corpus = Corpus(store, sae.place, sae.first_position)
        held_out = corpus.held_out(params.heldout_share, self.seed)
        measures, frequency = measure_reconstruction(sae, corpus, held_out)
        texts = np.split(store.input_ids, store.offsets[1:-1])
        held_out_texts = [texts[text] for text in np.flatnonzero(held_out)]
        pad = loaded.tokenizer.pad_token_id
        measures |= ce_loss_recovered(loaded.model, sae, held_out_texts, pad, sinks=corpus.sinks)
        write_module(self.output / task.folder, sae.module, frequency)
        return {
            "source": params.source,
            "architecture": sae.module.cfg.architecture(),
            "hook_name": sae.place.hook_name,
            "d_in": sae.d_in,
            "d_sae": sae.d_sae,
            "sinks": corpus.sinks,
            **measures,
        }


def tasks_of(params: SaeParams) -> list[SaeTask]:
    """The SAE that later stages use, and after it those at further layers."""
    tasks = [SaeTask("", params)]
    if params.source == "train":
        training = params.training
        place = HookPoint.parse(training.hook_name)
        for layer in training.layers or ():
            if layer != place.layer:
                name = replace(place, layer=layer).hook_name
                changed = training.model_copy(update={"hook_name": name})
                there = params.model_copy(update={"training": changed})
                tasks.append(SaeTask(f"{LAYERS}/{layer}", there))
    return tasks


def write_saes(
    output: Path,
    loaded: LoadedModel,
    folder: ModelFolder,
    store: ActivationStore,
    params: SaeParams,
    seed: int,
    executor: Executor,
) -> dict[str, SaeRecord]:
    """Train or load the SAEs asked for, measure them, and write them in SAELens's format.

    Args:
        output: an empty folder: of the SAE at the place of the parameters, with those at further
            layers in layers/<layer>. Who computes shares it.
        loaded: the model.
        folder: where other processes load it.
        store: activations of every token at these places.
        params: what is asked for.
        seed: of the held-out texts, the order of the others, and the weights of each SAE.
        executor: who computes.

    Returns:
        What is known of each SAE, by its folder in the output; "" is the first.

    Raises:
        BadInputError: the store lacks a place, the SAE is not there or does not fit, or too few
            tokens are left to train on.
    """
    tasks = tasks_of(params)
    if params.source == "train":
        _require_layers(store, params)
    if executor.apart:
        job = SaeJob(output.resolve(), folder, store.path.resolve(), seed)
    else:
        job = SaeJob(output, loaded, store, seed)
    found = {}
    with Progress(total=len(tasks), desc="SAEs", disable=len(tasks) == 1) as progress:
        for task, record in executor.run(job, tasks):
            found[task.folder] = record
            progress.update()
    remove_all_leftovers(output)  # of workers that died while they wrote
    for task in tasks[1:]:
        mark_folder(output / task.folder)
    return {task.folder: found[task.folder] for task in tasks}


def _require_layers(store: ActivationStore, params: SaeParams) -> None:
    """Refuse layers that are not there before the first SAE is trained.

    Raises:
        BadInputError: saying which the store would have to keep.
    """
    place = HookPoint.parse(params.training.hook_name)
    kept = store.layers(place.site) if place.site in store.sites else ()
    needed = {place.layer, *(params.training.layers or ())}
    if params.training.layers and (missing := sorted(needed - set(kept))):
        raise BadInputError(
            f"sae.training.layers: {store.path} keeps no {place.site} of layers {missing}; set "
            f"activations.corpus.layers to {sorted(needed)} and run cache_activations again"
        )
