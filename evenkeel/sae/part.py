"""As much of an SAE as it takes to edit some of its latents, also as JSON and tensors."""

import copyreg
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor

from evenkeel.errors import BadInputError
from evenkeel.sae.loading import LoadedSae

_COMPETING = ("topk",)
"""Architectures in which whether a latent fires depends on the others."""


def part_of(sae: LoadedSae, features: Sequence[int]) -> LoadedSae:
    """An SAE of the listed features alone, in which they are what they are in the whole.

    Where latents compete, none can be left out: the SAE itself.

    Raises:
        BadInputError: a feature is not there.
    """
    columns = sae.columns(features)
    if sae.module.cfg.architecture() in _COMPETING:
        return sae
    tensors = {
        name: tensor
        if name == "b_dec"
        else tensor[:, columns]
        if name == "W_enc"
        else tensor[columns]
        for name, tensor in sae.module.state_dict().items()
    }
    config = sae.module.cfg.to_dict() | {"d_sae": len(columns)}
    return replace(LoadedSae.of(_module(config, tensors)), features=tuple(features))


def record_of(sae: LoadedSae) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """What `from_record` makes the SAE of: JSON, and tensors by name."""
    config = sae.module.cfg.to_dict() | {"device": "cpu"}
    return {"config": config, "features": list(sae.features)}, sae.module.state_dict()


def from_record(record: Any, tensors: Mapping[str, Tensor], where: str) -> LoadedSae:
    """Undo `record_of`; `where` is the place that messages name.

    Raises:
        BadInputError: the record, or a tensor, is not what `record_of` writes.
    """
    try:
        sae = LoadedSae.of(_module(record["config"], tensors))
        features = tuple(record["features"])
    except BadInputError as error:
        raise BadInputError(f"{where}: {error}") from None
    except (AttributeError, KeyError, TypeError, ValueError, RuntimeError) as error:
        first_line = str(error).strip().partition("\n")[0]
        raise BadInputError(f"{where}: not an SAE ({first_line}); write the spec again") from error
    if len(set(features)) != sae.d_sae or not all(type(number) is int for number in features):
        raise BadInputError(
            f"{where}: features must list one number for each of {sae.d_sae} latents, none twice"
        )
    return replace(sae, features=features)


def _module(config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Any:
    """An SAE of SAELens, on the CPU, that holds these tensors."""
    try:
        from sae_lens import SAE
    except ImportError as error:
        raise BadInputError(
            "features of an SAE need the package sae-lens; install evenkeel with the extra 'sae'"
        ) from error

    module = SAE.from_dict(dict(config) | {"device": "cpu"})
    module.load_state_dict(dict(tensors))
    return module


def _reduced(sae: LoadedSae) -> tuple[Any, ...]:
    return from_record, (*record_of(sae), "an SAE of another process")


# As JSON and tensors to other processes: modules of SAELens hold what pickles refuse.
copyreg.pickle(LoadedSae, _reduced)
