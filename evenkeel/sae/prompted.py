"""Features that prompts have in common, and that prompts like them lack."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from evenkeel.activations.capture import capture_texts, measure_sinks
from evenkeel.activations.sinks import FIRST_TOKENS, SinkProbe
from evenkeel.models.loading import LoadedModel
from evenkeel.sae.association import strongest_latents
from evenkeel.sae.loading import LoadedSae


@dataclass(frozen=True, eq=False)
class ReadPrompt:
    """One prompt, and every latent on every token of it."""

    text: str
    tokens: tuple[str, ...]
    """Leading spaces included; a character that tokens share stands at the last of them."""
    latents: Float[np.ndarray, "tokens d_sae"]
    """0 at attention sinks, and on first tokens that the SAE was not trained on."""

    @property
    def sums(self) -> Float[np.ndarray, " d_sae"]:
        sums: np.ndarray = self.latents.sum(0, dtype=np.float64)
        return sums


def read_prompts(loaded: LoadedModel, sae: LoadedSae, texts: Sequence[str]) -> list[ReadPrompt]:
    """Run prompts through the model and the SAE.

    Raises:
        BadInputError: a text is empty or too long, or the SAE does not fit the model.
    """
    if not texts:
        return []
    place = sae.place
    stream = capture_texts(loaded, texts, [place.site], [place.layer], positions="all")[place]
    probe = measure_sinks(loaded.model, [place])[place]
    read = []
    start = 0
    for text, ids in zip(texts, loaded.encoder.encode_all(texts), strict=True):
        rows = torch.from_numpy(stream[start : start + len(ids)])
        start += len(ids)
        latents = latents_of_text(sae, rows, probe)
        words = loaded.encoder.spelling.in_place(ids.tolist())
        read.append(ReadPrompt(text, tuple(words), latents))
    return read


def latents_of_text(
    sae: LoadedSae, rows: Float[Tensor, "tokens d_model"], probe: SinkProbe | None
) -> Float[np.ndarray, "tokens d_sae"]:
    """Every latent on every token of one text, as of `ReadPrompt`.

    Args:
        sae: the autoencoder.
        rows: the text's activations at its place.
        probe: tells later attention sinks there.
    """
    latents: np.ndarray = sae.encode(rows).numpy().copy()
    sinks = probe(rows).numpy() if probe is not None else np.zeros(len(rows), dtype=bool)
    sinks[: max(sae.first_position, FIRST_TOKENS)] = True
    latents[sinks] = 0
    return latents


def common_features(
    positive: Sequence[ReadPrompt], negative: Sequence[ReadPrompt], top: int
) -> Int[np.ndarray, " features"]:
    """Latents among the `top` of every positive prompt, by summed activation, and of no negative.

    The largest sum over the positive prompts comes first.
    """
    if not positive:
        return np.empty(0, dtype=np.int64)
    common = np.all([strongest_latents(prompt.sums, top) for prompt in positive], axis=0)
    for prompt in negative:
        common &= ~strongest_latents(prompt.sums, top)
    found = np.flatnonzero(common)
    total = np.sum([prompt.sums[found] for prompt in positive], axis=0)
    return found[np.argsort(-total, kind="stable")]
