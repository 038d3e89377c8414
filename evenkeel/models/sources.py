"""Where a model comes from: trained here, downloaded, or copied from a folder."""

from collections.abc import Callable, Sequence
from pathlib import Path

from evenkeel.errors import BadInputError
from evenkeel.files import read_json, write_json
from evenkeel.models.hub import download_model
from evenkeel.models.loading import Provenance, copy_model, record_provenance
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
        BadInputError: the model cannot be had (no such repository, no network, no such folder).
    """
    revision = None
    match params.source:
        case "organism":
            name = "organism"
            model, tokenizer = train_organism(texts, params.organism, seed, on_step)
            model.save_pretrained(folder)
            tokenizer.save_pretrained(folder)
        case "hub":
            assert params.id is not None
            name = params.id
            found, revision = download_model(params.id, params.revision, params.trust_remote_code)
            copy_model(found, folder)
        case "local":
            assert params.path is not None
            name = Path(params.path).name
            if not Path(params.path).is_dir():
                raise BadInputError(f"model.path {params.path!r}: no such folder")
            if not (Path(params.path) / "config.json").is_file():
                raise BadInputError(
                    f"model.path {params.path!r}: no config.json there; a model's folder is needed"
                )
            copy_model(Path(params.path), folder)
    if params.blocks is not None:
        config = read_json(folder / "config.json")
        write_json(folder / "config.json", config | {"evenkeel_blocks": params.blocks})
    return record_provenance(
        folder,
        source=params.source,
        name=name,
        dtype=params.dtype,
        revision=revision,
        device_map=params.device_map,
        attn_implementation=params.attn_implementation,
        trust_remote_code=params.trust_remote_code,
    )
