"""The SAE that the parameters ask for: trained here, from SAELens's registry, or from a folder."""

from pathlib import Path
from typing import Any

import torch

from evenkeel.activations.store import ActivationStore
from evenkeel.errors import BadInputError
from evenkeel.models.sites import HookPoint
from evenkeel.params import SaeParams, SaeTrainingParams
from evenkeel.sae.batches import shuffled_batches
from evenkeel.sae.corpus import Corpus
from evenkeel.sae.loading import fetch_sae, first_position_of, read_sae
from evenkeel.sae.saving import fold_input_scale, inference_module
from evenkeel.sae.training import train_module


def obtain_module(params: SaeParams, store: ActivationStore, model_name: str, seed: int) -> Any:
    """SAELens's SAE, for use, on the CPU.

    Args:
        params: what is asked for.
        store: activations to train on, or to estimate the input's scale on.
        model_name: recorded in an SAE that is trained.
        seed: of the held-out texts, the order of the others, and the weights.

    Raises:
        BadInputError: the store has not what is needed, or the SAE is not there.
    """
    if params.source == "train":
        place = HookPoint.parse(params.training.hook_name)
        corpus = Corpus(store, place)
        return _train(params.training, corpus, params.heldout_share, model_name, seed)
    if params.source == "release":
        assert params.release is not None
        assert params.sae_id is not None
        return fetch_sae(params.release, params.sae_id)
    assert params.path is not None
    module = read_sae(Path(params.path))
    if module.cfg.normalize_activations == "expected_average_only_in":
        place = HookPoint.parse(module.cfg.metadata.hook_name or "")
        fold_input_scale(module, Corpus(store, place, first_position_of(module)))
    return module


def _train(
    params: SaeTrainingParams, corpus: Corpus, heldout_share: float, model_name: str, seed: int
) -> Any:
    held_out = corpus.held_out(heldout_share, seed)
    keep = corpus.used & ~held_out[corpus.text_of_row]
    rows = int(keep.sum())
    if rows < params.batch_tokens:
        raise BadInputError(
            f"sae.training.batch_tokens: {params.batch_tokens} tokens in a step, but there are "
            f"{rows} to train on; lower it or raise activations.corpus.max_texts"
        )
    trained = train_module(
        shuffled_batches(corpus.store, corpus.place, keep, params.batch_tokens, seed),
        rows,
        corpus.width,
        corpus.place,
        model_name,
        params,
        seed,
        skipped=corpus.skipped,
        device="cuda" if torch.cuda.is_available() else "cpu",
    )
    return inference_module(trained)
