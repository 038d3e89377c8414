"""Train an SAE with SAELens's own architectures and trainer."""

from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from evenkeel.models.sites import HookPoint
from evenkeel.params import SaeTrainingParams

_WARM_UP = 0.05
"""Share of the steps over which the learning rate and the sparsity penalty rise."""
_DECAY = 0.3
"""Share of the steps, at the end, over which the learning rate falls."""
_DEAD_AFTER = 100
"""Steps without firing after which the auxiliary loss revives a latent."""


def train_module(
    batches: Iterator[Float[Tensor, "batch d_in"]],
    rows: int,
    d_in: int,
    place: HookPoint,
    model_name: str,
    params: SaeTrainingParams,
    seed: int,
    skipped: int = 0,
    device: str = "cpu",
) -> Any:
    """Train an SAE of one of SAELens's architectures.

    Args:
        batches: rows of the stream, `params.batch_tokens` at a time, without end.
        rows: rows in an epoch.
        d_in: width of the stream.
        place: where the stream was read; recorded in the SAE's configuration.
        model_name: recorded there too.
        params: architecture, size, length.
        seed: of the weights.
        skipped: tokens at each text's start that the rows leave out; recorded there too.
        device: where to train.

    Returns:
        SAELens's training SAE; an estimated normalization is folded into its weights.
    """
    from sae_lens.config import SAETrainerConfig
    from sae_lens.registry import get_sae_training_class
    from sae_lens.saes.sae import SAEMetadata
    from sae_lens.training.prefetch import PrefetchingIterator
    from sae_lens.training.sae_trainer import SAETrainer

    steps = max(1, params.epochs * rows // params.batch_tokens)
    sae_class, config_class = get_sae_training_class(params.architecture)
    config = config_class(
        d_in=d_in,
        d_sae=params.d_sae,
        device=device,
        normalize_activations=params.normalize_activations,
        decoder_init_norm=params.decoder_init_norm,
        metadata=SAEMetadata(
            model_name=model_name,
            hook_name=place.hook_name,
            seqpos_slice=[skipped, None] if skipped else [None],
        ),
        **_architecture_options(params, round(_WARM_UP * steps)),
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        module = sae_class(config)
    trainer = SAETrainer(
        SAETrainerConfig(
            total_training_samples=steps * params.batch_tokens,
            train_batch_size_samples=params.batch_tokens,
            lr=params.learning_rate,
            lr_end=params.learning_rate / 10,
            lr_warm_up_steps=round(_WARM_UP * steps),
            lr_decay_steps=round(_DECAY * steps),
            device=device,
            dead_feature_window=_DEAD_AFTER,
            n_batches_for_norm_estimate=max(1, rows // params.batch_tokens),
        ),
        module,
        data_provider=(prefetched := PrefetchingIterator(batches)),
    )
    try:
        return trainer.fit()
    finally:
        prefetched.close()


def _architecture_options(params: SaeTrainingParams, warm_up: int) -> dict[str, Any]:
    match params.architecture:
        case "standard":
            return {"l1_coefficient": params.sparsity_coefficient, "l1_warm_up_steps": warm_up}
        case "jumprelu":
            return {"l0_coefficient": params.sparsity_coefficient, "l0_warm_up_steps": warm_up}
        case "topk":
            assert params.k is not None
            return {"k": int(params.k)}
        case "batchtopk":
            return {"k": params.k}
        case "matryoshka_batchtopk":
            return {"k": params.k, "matryoshka_widths": params.matryoshka_widths}
