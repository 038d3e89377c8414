"""Whether a model's folder may be opened: what it holds, and what it claims, before it is read.

A folder comes from anywhere. Nothing outside it is read on its word, no pickle is loaded, no code
that it brings is run unless the user said so, and nothing that it names is fetched.
"""

import json
import re
import stat
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from evenkeel.errors import BadInputError
from evenkeel.files import real_path

_JSON_BYTES = 64 << 20
_HEADER_BYTES = 16 << 20
_ADDRESSED = re.compile(
    r"/files/md5/[0-9a-f]{2}/[0-9a-f]{30}(\.dir)?$|/blobs/(sha256-)?[0-9a-f]{40,64}$"
)
"""Where DVC and the hub's client keep files by their content, and link to them."""
_WEIGHTS = "model.safetensors"
_METADATA = "__metadata__"
_TOKEN = 1000
_PARTS = 4096
_COUNT = re.compile(r"^(n|num)_.*(layers?|blocks?|experts?|labels|heads?)$")
"""Configuration keys whose value says how many parts of a kind are made."""
_KERNELS = ("eager", "sdpa", "flex_attention", "flash_attention_2", "flash_attention_3")
_EXPERTS = ("eager", "grouped_mm", "batched_mm")
_IMPLEMENTATIONS = {
    "attn_implementation": _KERNELS,
    "_attn_implementation": _KERNELS,
    "experts_implementation": _EXPERTS,
    "_experts_implementation": _EXPERTS,
}
"""Configuration keys whose value may name code to be fetched, and the values that do not."""


def check_folder(folder: Path, trust_remote_code: bool) -> None:
    """Refuse a folder that is no model's, or whose files reach for what is not theirs.

    Raises:
        BadInputError: naming the file.
    """
    if not folder.is_dir():
        raise BadInputError(f"{folder}: no such folder; a model's folder is needed")
    for file in sorted(folder.rglob("*")):
        _check_place(folder, file)
    config = folder / "config.json"
    if not config.is_file():
        raise BadInputError(f"{folder}: no config.json there; a model's folder is needed")
    if (folder / "adapter_config.json").exists():
        raise BadInputError(
            f"{folder / 'adapter_config.json'}: an adapter, which needs a base model from "
            "elsewhere; merge the two (merge_and_unload) and give the merged model"
        )
    weights = sorted(folder.glob("*.safetensors"))
    if folders := [file for file in weights if not file.is_file()]:
        raise BadInputError(f"{folders[0]}: a folder, where weights should be; remove it")
    if not weights:
        raise BadInputError(
            f"{folder}: no *.safetensors weights there; pickled weights are never loaded, "
            "convert them with save_pretrained(..., safe_serialization=True)"
        )
    _check_claims(config, read_small_json(config), trust_remote_code)
    for name in ("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"):
        if (folder / name).is_file():
            _check_tokenizer(folder / name, read_small_json(folder / name))
    tensors = {file.name: _check_header(file) for file in weights}
    for index in sorted(folder.glob("*.safetensors.index.json")):
        _check_index(index, tensors)
    _check_counts(config, read_small_json(config), sum(map(len, tensors.values())))


def read_small_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file of a model's folder.

    Raises:
        BadInputError: it is missing, too large, no JSON, or JSON of something else.
    """
    if not path.is_file():
        raise BadInputError(f"{path}: no such file; run the stage that writes it")
    if path.stat().st_size > _JSON_BYTES:
        raise BadInputError(f"{path}: over {_JSON_BYTES >> 20} MB, which no such file needs")
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise BadInputError(f"{path}: not a JSON file ({error}); get the model again") from error
    if not isinstance(found, dict):
        raise BadInputError(f"{path}: a JSON {type(found).__name__}, not an object")
    return found


def _check_place(folder: Path, file: Path) -> None:
    """Refuse pipes and devices, and links out of the folder but to files kept by their content."""
    target = real_path(file)
    inside = target.is_relative_to(real_path(folder))
    if file.is_symlink() and not inside and not _ADDRESSED.search(target.as_posix()):
        raise BadInputError(
            f"{file}: a link out of the model's folder, to {target}; put the file itself there"
        )
    mode = target.stat().st_mode if target.exists() else None
    if mode is None or not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise BadInputError(f"{file}: neither a file nor a folder; remove it")


def _check_claims(path: Path, config: dict[str, Any], trust_remote_code: bool) -> None:
    for key, value in _nested(config):
        allowed = _IMPLEMENTATIONS.get(key)
        values = value.values() if isinstance(value, dict) else [value]
        if allowed and any(each is not None and each not in allowed for each in values):
            raise BadInputError(
                f"{path}: {key} {value!r} is none of {', '.join(allowed)}; it would fetch code. "
                "Remove it"
            )
        if key == "auto_map" and "--" in json.dumps(value) and not trust_remote_code:
            raise BadInputError(
                f"{path}: auto_map names code of another repository, which is not run. "
                f"{HOW_TO_TRUST}"
            )
    named = config.get("transformers_weights")
    if named is not None and named not in (_WEIGHTS, f"{_WEIGHTS}.index.json"):
        raise BadInputError(
            f"{path}: transformers_weights {named!r}; weights are read from {_WEIGHTS} and its "
            "index alone: rename the file, and remove the key"
        )


HOW_TO_TRUST = (
    "If you have read that code and trust it, set model.trust_remote_code to true in params.yaml, "
    "or pass --trust-remote-code"
)


def _check_counts(path: Path, config: dict[str, Any], tensors: int) -> None:
    """Refuse more parts than there are tensors, before transformers makes them one by one."""
    most = max(tensors, _PARTS)
    for key, value in _nested(config):
        if _COUNT.search(key) and isinstance(value, int | float) and not value <= most:
            raise BadInputError(
                f"{path}: {key} {value!r}, but the weights are {tensors} tensors; get the model "
                "again, or correct its config.json"
            )


def _check_tokenizer(path: Path, config: dict[str, Any]) -> None:
    """Refuse files of the tokenizer that lie elsewhere, and special tokens that no text would hold.

    Stale paths of its author do no harm. A token of a megabyte keeps transformers busy for hours.
    """
    for key, value in _nested(config):
        token = key != "chat_template" and (key.endswith("_token") or key == "content")
        if len(key) > _TOKEN or (token and isinstance(value, str) and len(value) > _TOKEN):
            raise BadInputError(
                f"{path}: a special token of {max(len(key), len(str(value)))} characters, where "
                f"none needs over {_TOKEN}; get the model again"
            )
        if not key.endswith("_file") or not isinstance(value, str):
            continue
        named = real_path(path.parent / value)
        if named.exists() and not named.is_relative_to(real_path(path.parent)):
            raise BadInputError(
                f"{path}: {key} {value!r} lies outside the model's folder; remove it"
            )


def _check_index(path: Path, tensors: Mapping[str, Collection[str]]) -> None:
    """Refuse shards that lie elsewhere or are not there, and tensors that lie in two of them."""
    mapped = read_small_json(path).get("weight_map")
    if not isinstance(mapped, dict):
        raise BadInputError(f"{path}: no weight_map, so no index of weights; get the model again")
    for name, shard in mapped.items():
        if not isinstance(shard, str) or Path(shard).name != shard:
            raise BadInputError(
                f"{path}: tensor {name!r} is said to lie in {shard!r}, outside the model's folder"
            )
        if shard not in tensors:
            raise BadInputError(f"{path}: tensor {name!r} lies in {shard!r}, which is not there")
    seen: dict[str, str] = {}
    for shard in sorted(set(mapped.values())):
        for name in tensors[shard]:
            if seen.setdefault(name, shard) != shard:
                raise BadInputError(
                    f"{path}: tensor {name!r} lies in {seen[name]!r} and in {shard!r}; get the "
                    "model again"
                )


def _check_header(path: Path) -> list[str]:
    """The names of a file's tensors; refused if it is longer or shorter than its header says."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > min(_HEADER_BYTES, size - 8):
            raise BadInputError(
                f"{path}: its header is said to be {length} bytes long; truncated, or no "
                "safetensors file"
            )
        header = file.read(length)
    try:
        entries = json.loads(header)
        ends = {
            name: each["data_offsets"][1] for name, each in entries.items() if name != _METADATA
        }
        expected = 8 + length + max(ends.values(), default=0)
    except (ValueError, RecursionError, AttributeError, KeyError, TypeError, IndexError):
        raise BadInputError(f"{path}: its header is none of safetensors; damaged") from None
    if size != expected:
        raise BadInputError(
            f"{path}: {size} bytes long, but its header describes {expected}; get the model again"
        )
    return list(ends)


def _nested(value: Any) -> Iterator[tuple[str, Any]]:
    """Every key of a JSON value with what it holds, however deep."""
    pending = [value]
    while pending:
        found = pending.pop()
        if isinstance(found, dict):
            yield from found.items()
            pending += found.values()
        elif isinstance(found, list):
            pending += found
