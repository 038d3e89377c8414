"""The record that lies beside a model's weights: what they are and where they came from."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from evenkeel.errors import BadInputError
from evenkeel.files import require_intact, write_json
from evenkeel.models.fingerprint import fingerprint_of, sha256_of, tokenizer_hash_of
from evenkeel.models.folder import read_small_json
from evenkeel.params import Dtype

PROVENANCE_FILE = "evenkeel.json"
Source = Literal["organism", "hub", "local", "gguf"]
DeviceMap = Literal["auto", "balanced", "balanced_low_0", "sequential"]
Attention = Literal["eager", "sdpa", "flash_attention_2"]
Hash = Annotated[str, Field(pattern=r"^\w{1,64}$")]


class Provenance(BaseModel):
    """What a model is and where it came from; written beside its weights.

    It travels with the model, so that nothing in it is trusted further than it is checked: hashes
    are compared with the files, and whether code may run is not for it to say.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    source: Source
    name: Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]{1,200}$")]
    revision: Hash
    """Commit of the hub repository; SHA-256 of a GGUF file; for other sources the fingerprint."""
    fingerprint: Hash
    """SHA-256 over the names and bytes of config.json and the weights."""
    tokenizer_hash: Hash
    """SHA-256 of tokenizer.json, or of the tokenizer's files where it has none."""
    dtype: Dtype
    device_map: DeviceMap | None = None
    attn_implementation: Attention | None = None
    blocks: Annotated[str, Field(pattern=r"^[\w.]{1,200}$")] | None = None
    """Where its list of blocks is, where the user named it (params.yaml: model.blocks)."""
    dequantized: Annotated[str, Field(pattern=r"^\w{1,20}$")] | None = None
    """Type of the quantized weights that these were computed from, such as Q4_1."""


def record_provenance(
    folder: Path,
    source: Source,
    name: str,
    dtype: Dtype,
    revision: str | None = None,
    device_map: DeviceMap | None = None,
    attn_implementation: Attention | None = None,
    blocks: str | None = None,
    dequantized: str | None = None,
) -> Provenance:
    """Write evenkeel.json into a model's folder and return what it says."""
    fingerprint = fingerprint_of(folder)
    provenance = Provenance(
        source=source,
        name=name,
        revision=revision or fingerprint,
        fingerprint=fingerprint,
        tokenizer_hash=tokenizer_hash_of(folder),
        dtype=dtype,
        device_map=device_map,
        attn_implementation=attn_implementation,
        blocks=blocks,
        dequantized=dequantized,
    )
    write_json(folder / PROVENANCE_FILE, provenance.model_dump())
    return provenance


def read_provenance(folder: Path) -> Provenance:
    """Read a model's record and compare it with the files that it speaks of.

    Raises:
        BadInputError: there is none, it is not one of ours, or the files are not those that it was
            written for.
    """
    path = folder / PROVENANCE_FILE
    try:
        provenance = Provenance.model_validate(read_small_json(path))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise BadInputError(
            f"{path}: not a record of ours ({where}: {first['msg']}); run prepare_model again"
        ) from None
    require_intact(folder, "run prepare_model again, or dvc checkout", sha256_of)
    for what, recorded, found in (
        ("weights or config.json", provenance.fingerprint, fingerprint_of(folder)),
        ("tokenizer", provenance.tokenizer_hash, tokenizer_hash_of(folder)),
    ):
        if recorded != found:
            raise BadInputError(
                f"{folder}: its {what} changed after {PROVENANCE_FILE} was written (recorded "
                f"{recorded[:12]}, found {found[:12]}); run prepare_model again, or dvc checkout"
            )
    return provenance
