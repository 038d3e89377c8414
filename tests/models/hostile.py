"""Model folders that lie, break or attack, made from a good one by code.

Each function spoils a saved folder. `REFUSED` says what Evenkeel answers: one message that names
the file. Those of `STALE` are spoilt behind the back of a record that was written before.
"""

import json
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from evenkeel.models.provenance import PROVENANCE_FILE, record_provenance

Spoil = Callable[[Path], None]
WEIGHTS = "model.safetensors"


def edit_json(file: str, **changes: Any) -> Spoil:
    def spoil(folder: Path) -> None:
        path = folder / file
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return spoil


def edit_weights(change: Callable[[dict[str, torch.Tensor]], None]) -> Spoil:
    def spoil(folder: Path) -> None:
        tensors = load_file(folder / WEIGHTS)
        change(tensors)
        save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})

    return spoil


def write(file: str, content: bytes) -> Spoil:
    return lambda folder: (folder / file).write_bytes(content) and None


def link(file: str) -> Spoil:
    """Move a file out of the folder and leave a link to it."""

    def spoil(folder: Path) -> None:
        elsewhere = folder.parent / f"elsewhere-{file}"
        (folder / file).rename(elsewhere)
        (folder / file).symlink_to(elsewhere)

    return spoil


def pipe(folder: Path) -> None:
    (folder / "generation_config.json").unlink(missing_ok=True)
    os.mkfifo(folder / "generation_config.json")


def header(length: int) -> Spoil:
    def spoil(folder: Path) -> None:
        path = folder / WEIGHTS
        path.write_bytes(struct.pack("<Q", length) + path.read_bytes()[8:])

    return spoil


def index(shard: Any) -> Spoil:
    """Weights in one shard, and an index that says they lie in `shard`."""

    def spoil(folder: Path) -> None:
        names = list(load_file(folder / WEIGHTS))
        (folder / WEIGHTS).rename(folder / "model-00001-of-00001.safetensors")
        mapped = dict.fromkeys(names, shard)
        (folder / f"{WEIGHTS}.index.json").write_text(json.dumps({"weight_map": mapped}))

    return spoil


def weights_below(folder: Path) -> None:
    """Other weights, in a folder below, and a config that asks for them."""
    (folder / "below").mkdir()
    tensors = {name: tensor * 2 for name, tensor in load_file(folder / WEIGHTS).items()}
    save_file(tensors, folder / "below" / WEIGHTS, metadata={"format": "pt"})
    edit_json("config.json", transformers_weights=f"below/{WEIGHTS}")(folder)


def pickled(folder: Path) -> None:
    torch.save(load_file(folder / WEIGHTS), folder / "adapter_model.bin")
    edit_json("config.json", transformers_weights="adapter_model.bin")(folder)


def in_two_shards(folder: Path) -> None:
    tensors = load_file(folder / WEIGHTS)
    (folder / WEIGHTS).unlink()
    twice = "transformer.ln_f.bias"
    save_file(tensors, folder / "1.safetensors", metadata={"format": "pt"})
    save_file({twice: tensors[twice] + 1}, folder / "2.safetensors", metadata={"format": "pt"})
    mapped = dict.fromkeys(tensors, "1.safetensors") | {twice: "2.safetensors"}
    (folder / f"{WEIGHTS}.index.json").write_text(json.dumps({"weight_map": mapped}))


def remote_code(folder: Path) -> None:
    """A family of its own, whose code leaves a file behind when it is run."""
    (folder / "modeling_own.py").write_text(
        f"open({str(folder.parent / 'ran')!r}, 'w').close()\n"
        "from transformers import GPT2Config, GPT2LMHeadModel\n"
        "class OwnConfig(GPT2Config):\n    model_type = 'own'\n"
        "class OwnModel(GPT2LMHeadModel):\n    config_class = OwnConfig\n"
    )
    own = {"AutoConfig": "modeling_own.OwnConfig", "AutoModelForCausalLM": "modeling_own.OwnModel"}
    edit_json("config.json", model_type="own", auto_map=own)(folder)


def tokenizer_of_other_size(folder: Path) -> None:
    path = folder / "tokenizer.json"
    content = json.loads(path.read_text())
    token = max(content["model"]["vocab"], key=content["model"]["vocab"].get)
    content["model"]["vocab"][token] = 10**6
    path.write_text(json.dumps(content))


def tokenizer_from_elsewhere(folder: Path) -> None:
    (folder / "tokenizer.json").rename(folder.parent / "stolen.json")
    edit_json("tokenizer_config.json", tokenizer_file="../stolen.json")(folder)


def _nested_link(folder: Path) -> None:
    (folder / "additional_chat_templates").mkdir()
    (folder / "additional_chat_templates" / "x.jinja").symlink_to("/etc/passwd")


def _nested_pipe(folder: Path) -> None:
    (folder / "additional_chat_templates").mkdir()
    os.mkfifo(folder / "additional_chat_templates" / "x.jinja")


def _circle(file: str) -> Spoil:
    def spoil(folder: Path) -> None:
        (folder / file).unlink(missing_ok=True)
        (folder / file).symlink_to(file)

    return spoil


def _folder_of(file: str) -> Spoil:
    def spoil(folder: Path) -> None:
        (folder / file).unlink()
        (folder / file).mkdir()

    return spoil


def _nan(tensors: dict[str, torch.Tensor]) -> None:
    tensors["transformer.h.1.mlp.c_fc.weight"][3, 4] = float("nan")


def _infinite(tensors: dict[str, torch.Tensor]) -> None:
    tensors["transformer.ln_f.bias"][0] = float("inf")


def _without_a_tensor(tensors: dict[str, torch.Tensor]) -> None:
    del tensors["transformer.h.2.attn.c_attn.weight"]


def _with_another(tensors: dict[str, torch.Tensor]) -> None:
    tensors["transformer.h.0.attn.c_attn.extra"] = torch.zeros(3)


def _of_another_shape(tensors: dict[str, torch.Tensor]) -> None:
    tensors["transformer.ln_f.weight"] = torch.ones(31)


def _larger(tensors: dict[str, torch.Tensor]) -> None:
    for tensor in tensors.values():
        tensor.mul_(1.5)


KERNEL = "someone/flash-attention"
REFUSED: dict[str, tuple[Spoil, str]] = {
    "remote code": (remote_code, r"needs Python code of its own, .*--trust-remote-code"),
    "code of another repository": (
        edit_json("config.json", auto_map={"AutoModelForCausalLM": "someone/model--m.Model"}),
        r"config\.json: auto_map names code of another repository",
    ),
    "attention fetched from a hub": (
        edit_json("config.json", attn_implementation=KERNEL),
        rf"config\.json: attn_implementation '{KERNEL}' is none of",
    ),
    "attention of a part fetched from a hub": (
        edit_json("config.json", text_config={"_attn_implementation": {"decoder": KERNEL}}),
        r"config\.json: _attn_implementation .* is none of",
    ),
    "an adapter's base from elsewhere": (
        write("adapter_config.json", b'{"base_model_name_or_path": "someone/base"}'),
        r"adapter_config\.json: an adapter",
    ),
    "config cut short": (write("config.json", b'{"model_type": "gp'), r"config\.json: not a JSON"),
    "config that is a list": (write("config.json", b"[]"), r"config\.json: a JSON list"),
    "config nested too deep": (
        write("config.json", b'{"a":' * 100_000), r"config\.json: not a JSON file"
    ),
    "config of no family": (
        edit_json("config.json", model_type="none"), r"cannot be loaded as a causal LM"
    ),
    "more layers than weights": (
        edit_json("config.json", n_layer=4),
        r"model\.safetensors: 12 tensors are not in the file, .*transformer\.h\.3\.attn",
    ),
    "more weights than layers": (
        edit_json("config.json", n_layer=2),
        r"model\.safetensors: 11 tensors are of no part of the model.*transformer\.h\.2\.attn",
    ),
    "a tensor missing": (
        edit_weights(_without_a_tensor),
        r"model\.safetensors: 1 tensors are not in the file.*h\.2\.attn\.c_attn\.weight",
    ),
    "a tensor too many": (
        edit_weights(_with_another), r"of no part of the model.*h\.0\.attn\.c_attn\.extra"
    ),
    "a tensor of another shape": (
        edit_weights(_of_another_shape),
        r"another shape than config\.json asks for: \w+\.ln_f\.weight \(\[31\] for \[32\]\)",
    ),
    "NaN": (
        edit_weights(_nan), r"safetensors: NaN or infinity in 1 tensors: transformer\.h\.1\.mlp"
    ),
    "infinity": (edit_weights(_infinite), r"NaN or infinity in 1 tensors: transformer\.ln_f\.bias"),
    "weights empty": (write(WEIGHTS, b""), r"model\.safetensors: its header"),
    "weights that are text": (write(WEIGHTS, b"weights" * 99), r"model\.safetensors: its header"),
    "a header of exabytes": (header(2**63), r"model\.safetensors: its header is said to be 9223"),
    "a header of the whole file": (
        lambda folder: header((folder / WEIGHTS).stat().st_size - 8)(folder),
        r"model\.safetensors: its header is none of safetensors",
    ),
    "an index that leads up": (
        index("../elsewhere.safetensors"), r"index\.json: tensor .* said to lie in '\.\./else"
    ),
    "an index that leads to the root": (
        index("/etc/passwd"), r"index\.json: tensor .* said to lie in '/etc/passwd'"
    ),
    "an index of numbers": (index(7), r"index\.json: tensor .* said to lie in 7"),
    "an index of pickles": (
        index("pytorch_model.bin"), r"index\.json: tensor .* lies in 'pytorch_model\.bin'"
    ),
    "weights linked from elsewhere": (link(WEIGHTS), r"model\.safetensors: a link out of the"),
    "tokenizer linked from elsewhere": (link("tokenizer.json"), r"tokenizer\.json: a link out of"),
    "tokenizer named elsewhere": (
        tokenizer_from_elsewhere, r"tokenizer_config\.json: tokenizer_file '\.\./stolen\.json' lies"
    ),
    "tokens beyond the vocabulary": (
        tokenizer_of_other_size, r"1 tokens .* beyond the model's vocabulary of 300, .* id 1000000"
    ),
    "tokenizer that is no JSON": (write("tokenizer.json", b"{"), r"cannot be loaded as a"),
    "a link in a folder": (_nested_link, r"x\.jinja: a link out of the model's folder"),
    "a pipe in a folder": (_nested_pipe, r"x\.jinja: neither a file nor a folder"),
    "a link in a circle": (_circle("notes.txt"), r"notes\.txt: neither a file nor a folder"),
    "a folder of weights": (_folder_of(WEIGHTS), r"model\.safetensors: a folder, where weights"),
    "a tokenizer that is a folder": (_folder_of("tokenizer.json"), r"cannot be loaded as a causal"),
    "a billion layers": (
        edit_json("config.json", n_layer=10**9), r"config\.json: n_layer 1000000000, but"
    ),
    "a billion labels": (edit_json("config.json", num_labels=10**9), r"config\.json: num_labels"),
    "a billion blocks of a part": (
        edit_json("config.json", text_config={"num_hidden_layers": 1e9}), r"num_hidden_layers 1000"
    ),
    "a trillion positions": (
        edit_json("config.json", n_positions=10**12), r"config\.json: describes a model of 320000"
    ),
    "wider than its weights": (
        edit_json("config.json", n_inner=10**8), r"config\.json: describes a model of .* hold 49"
    ),
    "a token of a megabyte": (
        edit_json("tokenizer_config.json", bos_token="x" * 10**6),
        r"tokenizer_config\.json: a special token of 1000000 characters",
    ),
    "an added token of a megabyte": (
        write("added_tokens.json", json.dumps({"y" * 10**6: 5}).encode()),
        r"added_tokens\.json: a special token of 1000000 characters",
    ),
    "quantized by what is not there": (
        edit_json("config.json", quantization_config={"quant_method": "gptq", "bits": 4}),
        r"cannot be loaded as a causal LM: .*optimum",
    ),
    "weights of a name that leads up": (
        edit_json("config.json", transformers_weights="../../x.safetensors"),
        r"config\.json: transformers_weights '\.\./\.\./x\.safetensors'",
    ),
    "weights that no fingerprint is of": (
        weights_below, r"config\.json: transformers_weights 'below/model\.safetensors'"
    ),
    "weights in a pickle": (pickled, r"config\.json: transformers_weights 'adapter_model\.bin'"),
    "a tensor in two shards": (
        in_two_shards, r"index\.json: tensor 'transformer\.ln_f\.bias' lies in '1\.safe.*'2\.safe"
    ),
    "no tokenizer": (
        lambda folder: [path.unlink() for path in folder.glob("tokenizer*")] and None,
        r"its tokenizer makes no token of a text",
    ),
    "a length that is text": (
        edit_json("tokenizer_config.json", model_max_length="long"), r"cannot be loaded as a causal"
    ),
    "a pipe": (pipe, r"generation_config\.json: neither a file nor a folder"),
}  # fmt: skip
STALE: dict[str, tuple[Spoil, str]] = {
    "a sparse terabyte": (
        lambda folder: os.truncate(folder / WEIGHTS, 1 << 40),
        r"model\.safetensors: 1099511627776 bytes long, but its header describes",
    ),
    "a terabyte of zeros": (
        lambda folder: (write(WEIGHTS, b"\0")(folder), os.truncate(folder / WEIGHTS, 1 << 40))[0],
        r"model\.safetensors: its header is none of safetensors",
    ),
    "weights x 1.5": (edit_weights(_larger), r"its weights or config\.json changed after evenkeel"),
    "another config": (edit_json("config.json", n_head=8), r"its weights or config\.json changed"),
    "another tokenizer": (tokenizer_of_other_size, r"its tokenizer changed after evenkeel\.json"),
    "a record that asks for trust": (
        edit_json(PROVENANCE_FILE, trust_remote_code=True), r"evenkeel\.json: not a record of ours"
    ),
    "a record that asks for a kernel": (
        edit_json(PROVENANCE_FILE, attn_implementation=KERNEL), r"evenkeel\.json: .*attn_implem"
    ),
    "a record of any dtype": (edit_json(PROVENANCE_FILE, dtype="load"), r"evenkeel\.json: .*dtype"),
    "a record with a name that rings": (
        edit_json(PROVENANCE_FILE, name="\x1b]0;x\x07"), r"evenkeel\.json: .*name"
    ),
    "a record of another type": (write(PROVENANCE_FILE, b"7"), r"evenkeel\.json: a JSON int"),
    "a record that is not UTF-8": (write(PROVENANCE_FILE, b"\xff"), r"evenkeel\.json: not a JSON"),
}  # fmt: skip


def recorded(folder: Path) -> None:
    """Write the record of a folder, whatever it holds."""
    record_provenance(folder, "local", "tiny", "float32")
