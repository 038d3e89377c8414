"""A sparse autoencoder of SAELens, ready to read and edit the stream that it was trained on."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import torch
from jaxtyping import Float, Int
from torch import Tensor

from evenkeel.activations.capture import measure_widths
from evenkeel.errors import BadInputError
from evenkeel.files import read_object, require_intact
from evenkeel.models.sites import HookPoint

ARCHITECTURES = ("standard", "topk", "jumprelu", "gated")
"""As saved by SAELens, which turns BatchTopK and Matryoshka into jumprelu. All decode linearly."""

_BOUND = (int, type(None))
Edit = Callable[[Float[Tensor, "*batch d_sae"]], Float[Tensor, "*batch d_sae"]]


@dataclass(frozen=True, eq=False)
class LoadedSae:
    """An SAE and the place that it belongs to, both from its own configuration.

    Unlike SAELens's module it keeps no state between `encode` and `decode`, so it serves several
    texts at once and can decode what it did not encode.
    """

    module: Any
    """SAELens's SAE, in eval mode."""
    place: HookPoint
    first_position: int
    """Tokens at a text's start that it was not trained on and that are left alone."""
    centered: bool
    """Whether it was trained on a stream without its mean, as TransformerLens's processed weights
    (center_writing_weights) write it: gpt2-small-res-jb, for one."""
    features: Sequence[int]
    """Number of each latent: 0 to d_sae - 1, or those that a part of an SAE keeps."""

    @classmethod
    def of(cls, module: Any) -> "LoadedSae":
        """Take an SAE of SAELens.

        Raises:
            BadInputError: its configuration names no place that we know, its architecture does not
                decode linearly, or its input normalization was not folded into its weights.
        """
        cfg = module.cfg
        if cfg.architecture() not in ARCHITECTURES:
            raise BadInputError(
                f"an SAE of architecture {cfg.architecture()!r}; supported are "
                f"{', '.join(ARCHITECTURES)}"
            )
        if cfg.normalize_activations in ("expected_average_only_in", "covariance_whitening"):
            raise BadInputError(
                f"the SAE's normalize_activations {cfg.normalize_activations!r} is not folded into "
                "its weights; run train_sae on it with sae.source: local, which estimates the scale"
            )
        if not isinstance(cfg.metadata.hook_name, str):
            raise BadInputError(
                "the SAE's cfg.json names no hook_name, so its layer is not known; add "
                '"hook_name": "blocks.<layer>.hook_resid_post" to its metadata'
            )
        # Heads come to us side by side in one dimension already.
        module.turn_off_forward_pass_hook_z_reshaping()
        processing = cfg.metadata.model_from_pretrained_kwargs or {}
        return cls(
            module.eval(),
            HookPoint.parse(cfg.metadata.hook_name),
            first_position=first_position_of(module),
            centered=bool(processing.get("center_writing_weights")),
            features=range(module.cfg.d_sae),
        )

    def on(self, device: torch.device) -> Self:
        """The SAE with its weights on a device; this one stays where it is."""
        if self.module.W_dec.device == device:
            return self
        if device not in self._copies:
            self._copies[device] = replace(self, module=deepcopy(self.module).to(device))
        return self._copies[device]

    @cached_property
    def _copies(self) -> dict[torch.device, Self]:
        return {}

    @property
    def d_in(self) -> int:
        return int(self.module.cfg.d_in)

    @property
    def d_sae(self) -> int:
        return int(self.module.cfg.d_sae)

    @property
    def decoder(self) -> Float[Tensor, "d_sae d_in"]:
        """What a unit of each latent adds to the (normalized) stream."""
        weight: Tensor = self.module.W_dec.detach()
        if getattr(self.module.cfg, "rescale_acts_by_decoder_norm", False):
            return weight / weight.norm(dim=-1, keepdim=True)
        return weight

    def columns(self, features: Sequence[int]) -> list[int]:
        """Where the listed features are among the latents.

        Raises:
            BadInputError: one is not there, or none is listed.
        """
        if not features:
            raise BadInputError("no features are listed; name at least one")
        place = {feature: column for column, feature in enumerate(self.features)}
        missing = [feature for feature in features if feature not in place]
        if missing:
            raise BadInputError(
                f"features {missing}: this SAE of {self.place} has {len(place)} features, "
                f"from {min(place)} to {max(place)}"
            )
        return [place[feature] for feature in features]

    def encode(self, x: Float[Tensor, "*batch d_in"]) -> Float[Tensor, "*batch d_sae"]:
        """Latent activations of a stream, in the SAE's type."""
        with torch.no_grad():
            latents: Tensor = self.module.encode(self._as_trained(x))
        return latents

    def decode(
        self,
        latents: Float[Tensor, "*batch d_sae"],
        like: Float[Tensor, "*batch d_in"] | None = None,
    ) -> Float[Tensor, "*batch d_in"]:
        """The stream that latents stand for, in the SAE's type.

        Args:
            latents: activations.
            like: the stream whose scale and mean the result is to have; needed where the SAE
                normalizes its input by the input itself (constant_norm_rescale, layer_norm), and
                without it the mean of a `centered` SAE's stream, which models ignore, is not
                restored.

        Raises:
            BadInputError: `like` is needed and was not given.
        """
        out = latents @ self.decoder.to(latents) + self.module.b_dec.detach()
        normalization = self.module.cfg.normalize_activations
        if like is None and normalization == "none":
            return out
        if like is None:
            raise BadInputError(
                f"this SAE normalizes its input ({normalization}): to decode it needs the stream "
                "whose scale to restore, as in decode(latents, like=stream)"
            )
        trained = self._as_trained(like.to(out))
        if normalization != "none":
            scale, shift = self._scale(trained)
            out = out * scale + shift
        return out + (like - trained)

    def editing(self, columns: Int[Tensor, " edited"], edit: Edit) -> Edit:
        """A function that changes latents of a stream and keeps what the SAE does not explain.

        Encode, edit, decode, add the error: decode(edited) + (x - decode(latents)). Decoding is
        linear, so this is x plus the decoded change, and x itself, bit for bit, without a change.
        Only the rows of the latents that change are decoded.

        Args:
            columns: which latents, by their place among those of this SAE.
            edit: what these become.
        """
        rows = self.decoder[columns]

        def edited(x: Tensor) -> Tensor:
            latents = self.encode(x)[..., columns]
            change = (edit(latents) - latents) @ rows.to(latents)
            if self.module.cfg.normalize_activations != "none":
                change = change * self._scale(self._as_trained(x.to(change)))[0]
            return x + change.to(x.dtype)

        return edited

    def _as_trained(self, x: Float[Tensor, "*batch d_in"]) -> Float[Tensor, "*batch d_in"]:
        return x - x.mean(dim=-1, keepdim=True) if self.centered else x

    def _scale(
        self, x: Float[Tensor, "*batch d_in"]
    ) -> tuple[Float[Tensor, "*batch 1"], Float[Tensor, "*batch 1"]]:
        """What the normalized input is multiplied by, and what is added, to get `x` again."""
        if self.module.cfg.normalize_activations == "constant_norm_rescale":
            norm = x.norm(dim=-1, keepdim=True) / self.d_in**0.5
            return norm, torch.zeros_like(norm)
        assert self.module.cfg.normalize_activations == "layer_norm"
        return x.std(dim=-1, keepdim=True), x.mean(dim=-1, keepdim=True)

    def require_fit(self, model: Any) -> None:
        """Refuse a model that has no such place, or another width there.

        Raises:
            BadInputError: with both numbers.
        """
        width = measure_widths(model, [self.place])[self.place]
        if width != self.d_in:
            raise BadInputError(
                f"the SAE reads {self.place.hook_name} of width {self.d_in}, but this "
                f"{model.config.model_type} model is {width} wide there; use the model that the "
                f"SAE was trained on ({self.module.cfg.metadata.model_name})"
            )


def first_position_of(module: Any) -> int:
    """Tokens at a text's start that an SAE of SAELens was not trained on.

    Raises:
        BadInputError: its configuration does not say it by whole numbers.
    """
    slices = module.cfg.metadata.seqpos_slice
    if slices is None:
        return 0
    whole = isinstance(slices, list | tuple) and all(type(each) in _BOUND for each in slices)
    first = (slices[0] or 0) if whole and len(slices) > 1 else 0
    if not whole or first < 0:
        raise BadInputError(f"the SAE's seqpos_slice {slices!r}; give it as [first, last, step]")
    return int(first)


def read_sae(folder: Path, device: str = "cpu") -> Any:
    """SAELens's SAE from a folder of its format (cfg.json, sae_weights.safetensors), as it is.

    Raises:
        BadInputError: the folder is missing, truncated or no SAE, or its weights are not finite.
    """
    from sae_lens import SAE

    for name in ("cfg.json", "sae_weights.safetensors"):
        if not (folder / name).is_file():
            raise BadInputError(
                f"{folder}: no {name} there; an SAE in SAELens's format is needed: run train_sae, "
                "or set sae.path"
            )
    require_intact(folder, "run train_sae again")
    read_object(folder / "cfg.json", "run train_sae again")
    try:
        module = SAE.load_from_disk(folder, device=device)
    except Exception as error:  # SAELens, safetensors and torch each raise their own
        first_line = str(error).strip().partition("\n")[0]
        raise BadInputError(f"{folder}: cannot be loaded as an SAE: {first_line}") from error
    if bad := [name for name, each in module.named_parameters() if not each.isfinite().all()]:
        raise BadInputError(f"{folder}: NaN or infinity in {', '.join(bad)}; get the SAE again")
    return module


def open_sae(folder: Path, device: str = "cpu") -> LoadedSae:
    """The SAE that train_sae wrote.

    Raises:
        BadInputError: as `read_sae` and `LoadedSae.of`.
    """
    module = read_sae(folder, device)
    try:
        return LoadedSae.of(module)
    except BadInputError as error:
        raise BadInputError(f"{folder / 'cfg.json'}: {error}") from error


def fetch_sae(release: str, sae_id: str) -> Any:
    """An SAE of SAELens's registry, from the hub or its cache.

    Args:
        release: such as gpt2-small-res-jb.
        sae_id: such as blocks.8.hook_resid_pre.

    Raises:
        BadInputError: the registry has no such release or SAE, or the hub cannot be reached.
    """
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
    from sae_lens import SAE
    from sae_lens.loading.pretrained_saes_directory import get_pretrained_saes_directory

    registry = get_pretrained_saes_directory()
    if release not in registry:
        raise BadInputError(
            f"sae.release {release!r}: SAELens's registry has no such release; its table of "
            "pretrained SAEs lists them, for example gpt2-small-res-jb"
        )
    known = list(registry[release].saes_map)
    if sae_id not in known:
        some = ", ".join(known[:8]) + (", ..." if len(known) > 8 else "")
        raise BadInputError(f"sae.sae_id {sae_id!r}: release {release!r} has {some}")
    try:
        return SAE.from_pretrained(release, sae_id, device="cpu")
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise BadInputError(
            f"sae.release {release!r}, sae.sae_id {sae_id!r}: the hub cannot be reached and the "
            "files are not cached; check the network and HF_HUB_OFFLINE"
        ) from error
