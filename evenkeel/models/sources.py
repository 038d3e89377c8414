"""Where a model comes from: trained here, downloaded, copied from a folder, or dequantized."""

from collections.abc import Callable, Sequence
from pathlib import Path

from evenkeel.errors import BadInputError
from evenkeel.models.fingerprint import sha256_of
from evenkeel.models.gguf import dequantize, find_gguf
from evenkeel.models.hub import download_model
from evenkeel.models.loading import LoadedModel, copy_model, load_model
from evenkeel.models.provenance import Provenance, record_provenance
from evenkeel.organism.training import train_organism
from evenkeel.params import ModelParams


def prepare_model(
    folder: Path,
    params: ModelParams,
    texts: Sequence[str],
    seed: int,
    on_step: Callable[[int, float], None],
) -> Provenance:
    """Fill an empty folder with the model that the parameters ask for.

    Args:
        folder: gets config.json, safetensors weights, tokenizer and evenkeel.json.
        texts: what the organism is trained on; the other sources do not look at it.
        seed: of the organism's weights and batches.
        on_step: told each training step and its loss in nats per token.

    Raises:
        BadInputError: the model cannot be had (no such repository, no network, no such folder or
            file), or its folder reaches outside itself.
    """
    revision = dequantized = None
    trust = params.trust_remote_code
    match params.source:
        case "organism":
            name = "organism"
            model, tokenizer = train_organism(texts, params.organism, seed, on_step)
            model.save_pretrained(folder)
            tokenizer.save_pretrained(folder)
        case "hub":
            assert params.id is not None
            name = params.id
            found, revision = download_model(params.id, params.revision, trust)
            copy_model(found, folder, trust_remote_code=trust)
        case "local":
            assert params.path is not None
            name = Path(params.path).name
            if not Path(params.path).is_dir():
                raise BadInputError(f"model.path {params.path!r}: no such folder")
            if not (Path(params.path) / "config.json").is_file():
                raise BadInputError(
                    f"model.path {params.path!r}: no config.json there; a model's folder is needed"
                )
            copy_model(Path(params.path), folder, trust_remote_code=trust)
        case "gguf":
            file = find_gguf(params.path, params.package, params.file)
            revision = sha256_of(file)
            dequantized = dequantize(file, folder, params.dtype)
            name = file.stem + (" (dequantized)" if dequantized else "")
    return record_provenance(
        folder,
        source=params.source,
        name=name,
        dtype=params.dtype,
        revision=revision,
        device_map=params.device_map,
        attn_implementation=params.attn_implementation,
        blocks=params.blocks,
        dequantized=dequantized,
    )


def load_prepared(folder: Path, params: ModelParams) -> LoadedModel:
    """Load what `prepare_model` wrote, before the folder has its name.

    Raises:
        BadInputError: as of `load_model`; the message names where the model came from.
    """
    try:
        return load_model(folder, trust_remote_code=params.trust_remote_code)
    except BadInputError as error:
        origin = params.path or params.package or params.id or params.source
        raise BadInputError(str(error).replace(str(folder), origin)) from error
