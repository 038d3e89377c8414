"""Load a causal LM and its tokenizer from a folder in the Hugging Face format."""

import hashlib
import logging
import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, ValidationError

from evenkeel.errors import BadInputError
from evenkeel.files import read_json, write_json
from evenkeel.models.architecture import check_architecture
from evenkeel.models.encoding import TextEncoder
from evenkeel.models.fusing import fuse_gelu
from evenkeel.models.memory import require_memory

PROVENANCE_FILE = "evenkeel.json"
log = logging.getLogger(__name__)


class Provenance(BaseModel):
    """What a model is and where it came from; written beside its weights."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: Literal["organism", "hub", "local"]
    name: str
    revision: str
    """Commit of the hub repository; for other sources the fingerprint."""
    fingerprint: str
    """SHA-256 over the names and bytes of config.json and the weights."""
    tokenizer_hash: str
    """SHA-256 of tokenizer.json, or of the tokenizer's files where it has none."""
    dtype: str
    device_map: str | None = None
    attn_implementation: str | None = None
    trust_remote_code: bool = False


@dataclass(frozen=True)
class LoadedModel:
    """A causal LM in eval mode with all that its activations must be labelled with."""

    model: Any
    tokenizer: Any
    provenance: Provenance

    @cached_property
    def encoder(self) -> TextEncoder:
        """The one way from texts to its token ids, probed when the model is loaded."""
        return TextEncoder.of(self.tokenizer, self.model)

    @property
    def name(self) -> str:
        return self.provenance.name

    @property
    def revision(self) -> str:
        return self.provenance.revision

    @property
    def fingerprint(self) -> str:
        return self.provenance.fingerprint

    @property
    def tokenizer_hash(self) -> str:
        return self.provenance.tokenizer_hash


def record_provenance(
    folder: Path,
    source: Literal["organism", "hub", "local"],
    name: str,
    dtype: str,
    revision: str | None = None,
    device_map: str | None = None,
    attn_implementation: str | None = None,
    trust_remote_code: bool = False,
) -> Provenance:
    """Write evenkeel.json into a model's folder and return what it says."""
    fingerprint = _hash_files(folder, ["config.json", "*.safetensors"])
    provenance = Provenance(
        source=source,
        name=name,
        revision=revision or fingerprint,
        fingerprint=fingerprint,
        tokenizer_hash=_hash_files(folder, ["tokenizer.json"])
        if (folder / "tokenizer.json").exists()
        else _hash_files(folder, ["tokenizer*", "*.model", "vocab*", "merges.txt"]),
        dtype=dtype,
        device_map=device_map,
        attn_implementation=attn_implementation,
        trust_remote_code=trust_remote_code,
    )
    write_json(folder / PROVENANCE_FILE, provenance.model_dump())
    return provenance


def load_model(folder: Path, device: str = "auto") -> LoadedModel:
    """Load the model that prepare_model wrote, as transformers does but for `fuse_gelu`.

    Args:
        folder: config.json, safetensors weights, tokenizer files and evenkeel.json.
        device: "cpu", "cuda", "cuda:1", ..., or "auto": the first GPU where there is one, or all
            of them for a model that was prepared with a device_map.

    Raises:
        BadInputError: the folder is missing or incomplete, is no causal LM, needs remote code that
            was not allowed, does not fit into memory, or its blocks are not where its family keeps
            them, or its tokenizer treats texts unlike.
    """
    try:
        provenance = Provenance.model_validate(read_json(folder / PROVENANCE_FILE))
    except ValidationError as error:
        raise BadInputError(
            f"{folder / PROVENANCE_FILE}: not a record of ours ({error.errors()[0]['msg']}); "
            "run prepare_model again"
        ) from None
    on_gpus = device == "auto" and torch.cuda.is_available()
    spread = provenance.device_map if on_gpus else None
    if device == "auto":
        device = "cuda" if on_gpus else "cpu"
    require_memory(folder, provenance.name, provenance.dtype, device, spread is not None)
    model, tokenizer = open_pretrained(
        folder,
        provenance.dtype,
        trust_remote_code=provenance.trust_remote_code,
        device_map=spread,
        attn_implementation=provenance.attn_implementation,
    )
    loaded = LoadedModel(model if spread else model.to(device), tokenizer, provenance)
    if behind := loaded.encoder.describe()["left_out_behind"]:
        log.warning(
            "the tokenizer of %s puts %s behind every text; it is left out, for what follows it "
            "follows a text's end",
            loaded.name, " ".join(behind),
        )  # fmt: skip
    return loaded


def open_pretrained(
    folder: Path,
    dtype: str,
    *,
    trust_remote_code: bool = False,
    device_map: str | None = None,
    attn_implementation: str | None = None,
) -> tuple[Any, Any]:
    """A causal LM and its tokenizer from a local folder, checked by one tiny forward.

    Raises:
        BadInputError: as `load_model`.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    if not (folder / "config.json").is_file():
        raise BadInputError(f"{folder}: no config.json there; a model's folder is needed")
    if not any(folder.glob("*.safetensors")):
        raise BadInputError(
            f"{folder}: no *.safetensors weights there; pickled weights are never loaded, "
            "convert them with save_pretrained(..., safe_serialization=True)"
        )
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            folder, trust_remote_code=trust_remote_code, local_files_only=True
        )
        model = AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=getattr(torch, dtype),
            device_map=device_map,
            attn_implementation=attn_implementation,
            use_safetensors=True,
            trust_remote_code=trust_remote_code,
            local_files_only=True,
        )
    except Exception as error:  # transformers, tokenizers and safetensors each raise their own
        first_line = str(error).strip().partition("\n")[0]
        raise BadInputError(f"{folder}: cannot be loaded as a causal LM: {first_line}") from error
    if tokenizer.pad_token_id is None:
        # Padding is always masked, so any token serves; end-of-text is the field's habit.
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.convert_ids_to_tokens(0)
    model.eval()
    check_architecture(model)
    fuse_gelu(model)
    return model, tokenizer


def copy_model(folder: Path, target: Path) -> None:
    """Copy a model's files (config, safetensors weights, tokenizer), following links."""
    for pattern in ("*.json", "*.safetensors", "*.model", "*.txt", "*.jinja", "*.py"):
        for file in sorted(folder.glob(pattern)):
            shutil.copyfile(file, target / file.name)


def _hash_files(folder: Path, patterns: list[str]) -> str:
    digest = hashlib.sha256()
    for file in sorted({file for pattern in patterns for file in folder.glob(pattern)}):
        digest.update(file.name.encode() + b"\0")
        with file.open("rb") as handle:
            digest.update(hashlib.file_digest(handle, "sha256").digest())
    return digest.hexdigest()
