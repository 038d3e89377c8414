"""Load a causal LM and its tokenizer from a folder in the Hugging Face format."""

import logging
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from evenkeel.errors import BadInputError
from evenkeel.models.architecture import architecture_of
from evenkeel.models.chat import takes_a_message
from evenkeel.models.encoding import TextEncoder, remember_front
from evenkeel.models.folder import HOW_TO_TRUST, check_folder
from evenkeel.models.fusing import fuse_gelu
from evenkeel.models.memory import require_described, require_memory
from evenkeel.models.provenance import Provenance, read_provenance
from evenkeel.models.weights import check_finite, check_keys
from evenkeel.params import ModelShape

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LoadedModel:
    """A causal LM in eval mode with all that its activations must be labelled with."""

    model: Any
    tokenizer: Any
    provenance: Provenance

    def __post_init__(self) -> None:
        remember_front(self.model, self.tokenizer)

    @cached_property
    def encoder(self) -> TextEncoder:
        """The one way from texts to its token ids, probed when the model is loaded."""
        return TextEncoder.of(self.tokenizer, self.model)

    @cached_property
    def shape(self) -> ModelShape:
        """What `auto` in params.yaml follows from."""
        width = self.model.config.get_text_config().hidden_size
        return ModelShape(
            layers=len(architecture_of(self.model).blocks(self.model)),
            d_model=width,
            chat_template=takes_a_message(self.tokenizer),
        )

    @property
    def refuses_messages(self) -> bool:
        """Whether it has a chat template that takes no user's message alone."""
        return bool(getattr(self.tokenizer, "chat_template", None)) and not self.shape.chat_template

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

    def require_own(self, path: Path, metadata: Iterable[Mapping[str, Any]]) -> None:
        """Refuse what was computed on another model, though it may be as wide as this one.

        Args:
            path: of a set of vectors, probes or erasers, for the message.
            metadata: of each; where it names no model, as of what is from elsewhere, nothing is
                known.

        Raises:
            BadInputError: naming both models.
        """
        for each in metadata:
            other = each.get("model")
            if isinstance(other, Mapping) and other.get("fingerprint") != self.fingerprint:
                raise BadInputError(
                    f"{path}: computed on {other.get('name')} "
                    f"({str(other.get('fingerprint'))[:12]}), but the model in use is {self.name} "
                    f"({self.fingerprint[:12]}); compute it again on this model, or use the one "
                    "that it is of"
                )


def load_model(
    folder: Path, device: str = "auto", *, trust_remote_code: bool = False
) -> LoadedModel:
    """Load the model that prepare_model wrote, as transformers does but for `fuse_gelu`.

    Args:
        folder: config.json, safetensors weights, tokenizer files and evenkeel.json.
        device: "cpu", "cuda", "cuda:1", ..., or "auto": the first GPU where there is one, or all
            of them for a model that was prepared with a device_map.
        trust_remote_code: run Python code that the folder brings; for the user alone to say, never
            for a file in the folder.

    Raises:
        BadInputError: the folder is missing or incomplete, is not the model of its record, is no
            causal LM, needs code of its own that was not allowed, reaches outside itself, does not
            fit into memory, its blocks cannot be found, or its tokenizer treats texts unlike.
    """
    check_folder(folder, trust_remote_code)
    provenance = read_provenance(folder)
    on_gpus = device == "auto" and torch.cuda.is_available()
    spread = provenance.device_map if on_gpus else None
    if device == "auto":
        device = "cuda" if on_gpus else "cpu"
    require_memory(folder, provenance.name, provenance.dtype, device, spread is not None)
    model, tokenizer = open_pretrained(
        folder,
        provenance.dtype,
        trust_remote_code=trust_remote_code,
        device_map=spread,
        attn_implementation=provenance.attn_implementation,
        blocks=provenance.blocks,
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
    blocks: str | None = None,
) -> tuple[Any, Any]:
    """A causal LM and its tokenizer from a local folder, checked by one tiny forward.

    Raises:
        BadInputError: as `load_model`.
    """
    check_folder(folder, trust_remote_code)
    common = {"trust_remote_code": trust_remote_code, "local_files_only": True}
    try:
        tokenizer, kind, config = _tokenizer_and_class(folder, common)
        of_any_text = tokenizer("The nurse said", add_special_tokens=False)["input_ids"]
        require_described(folder, kind, config, trust_remote_code)
        model, info = kind.from_pretrained(
            folder,
            dtype=getattr(torch, dtype),
            device_map=device_map,
            attn_implementation=attn_implementation,
            use_safetensors=True,
            ignore_mismatched_sizes=True,  # so that they can be named, and refused
            output_loading_info=True,
            **common,
        )
    except BadInputError:
        raise
    except Exception as error:  # transformers, tokenizers and safetensors each raise their own
        first_line = str(error).strip().partition("\n")[0] or type(error).__name__
        wants_code = not trust_remote_code and "trust_remote_code" in str(error)
        raise BadInputError(
            f"{folder}: needs Python code of its own, which is not run. {HOW_TO_TRUST}"
            if wants_code
            else f"{folder}: cannot be loaded as a causal LM: {first_line}"
        ) from error
    if not of_any_text:
        raise BadInputError(
            f"{folder}: its tokenizer makes no token of a text; get tokenizer.json, or the files "
            "of its vocabulary, from where the model came from"
        )
    check_keys(folder, info)
    check_finite(folder, model)
    _check_vocabulary(folder, model, tokenizer)
    if tokenizer.pad_token_id is None:
        # Padding is always masked, so any token serves; end-of-text is the field's habit.
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.convert_ids_to_tokens(0)
    model.eval()
    architecture_of(model, blocks)
    fuse_gelu(model)
    return model, tokenizer


def _tokenizer_and_class(folder: Path, common: dict[str, Any]) -> tuple[Any, Any, Any]:
    """The tokenizer, the auto class of the model (wrappers of several kinds of input have their
    own), and its configuration."""
    from transformers import (
        AutoConfig,
        AutoModelForCausalLM,
        AutoModelForImageTextToText,
        AutoTokenizer,
    )

    config = AutoConfig.from_pretrained(folder, **common)
    causal = type(config) in AutoModelForCausalLM._model_mapping
    wrapper = type(config) in AutoModelForImageTextToText._model_mapping
    kind = AutoModelForImageTextToText if wrapper and not causal else AutoModelForCausalLM
    return AutoTokenizer.from_pretrained(folder, **common), kind, config


def _check_vocabulary(folder: Path, model: Any, tokenizer: Any) -> None:
    """Refuse a tokenizer that makes ids of ordinary text for which the model has no embedding.

    Special tokens that text cannot hold by itself may lie beyond: Gemma's text models keep that of
    their multimodal siblings.
    """
    rows = model.get_input_embeddings().weight.shape[0]
    special = set(tokenizer.all_special_tokens) | {
        str(token) for token in tokenizer.added_tokens_decoder.values() if token.special
    }
    needed = {tokenizer.bos_token, tokenizer.eos_token, tokenizer.pad_token}
    beyond = {
        token: number
        for token, number in tokenizer.get_vocab().items()
        if number >= rows and (token not in special or token in needed)
    }
    if beyond:
        token, number = max(beyond.items(), key=lambda item: item[1])
        raise BadInputError(
            f"{folder}: {len(beyond)} tokens of the tokenizer lie beyond the model's vocabulary of "
            f"{rows}, such as {token!r} with id {number}; use the tokenizer that the model was "
            "trained with"
        )


def copy_model(folder: Path, target: Path, *, trust_remote_code: bool = False) -> None:
    """Copy a model's files (config, safetensors weights, tokenizer), following links.

    Args:
        trust_remote_code: also copy the Python files.

    Raises:
        BadInputError: the folder is no model's, or a link leads out of it.
    """
    check_folder(folder, trust_remote_code)
    patterns = ["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja"]
    for pattern in [*patterns, *(["*.py"] if trust_remote_code else [])]:
        for file in sorted(folder.glob(pattern)):
            shutil.copyfile(file, target / file.name)
