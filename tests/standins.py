"""Stand-ins of published models and SAEs in an offline Hugging Face cache.

They have the repository names, architectures, tokenizer classes, file layouts and, where an
experiment counts on them, the layers and features of the real ones; their weights are random and
small. The code that loads them is the code that loads the real ones. They mean nothing.

    python -m tests.standins FOLDER      # then run with HF_HOME=FOLDER HF_HUB_OFFLINE=1
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

COMMIT = "5" * 40
"""What every revision of a stand-in resolves to."""
D_MODEL = 32
VOCABULARY = 1200


@dataclass(frozen=True)
class Model:
    """A causal LM of the hub."""

    repository: str
    family: str
    layers: int


@dataclass(frozen=True)
class Sae:
    """An SAE of SAELens's registry, in the layout of releases before SAELens 6."""

    repository: str
    folder: str
    model: str
    layer: int
    latents: int
    threshold: float
    """What a latent's input has to pass; a few in a hundred do on a token of the stand-in."""


MODELS = (
    Model("openai-community/gpt2", "gpt2", 12),
    Model("openai-community/gpt2-large", "gpt2", 36),
    Model("openai-community/gpt2-xl", "gpt2", 6),  # of 48: layer 5 is all that is asked for
    Model("mistralai/Mistral-7B-v0.1", "mistral", 17),  # of 32: layer 16 is
)
SAES = (
    Sae(
        "jbloom/GPT2-Small-SAEs-Reformatted",
        "blocks.8.hook_resid_pre",
        "gpt2-small",
        layer=8,
        latents=24576,
        threshold=0.3,
    ),
    Sae(
        "JoshEngels/Mistral-7B-Residual-Stream-SAEs",
        "mistral_7b_layer_16",
        "mistral-7b",
        layer=16,
        latents=65536,
        threshold=1.5,
    ),
)


def fill_cache(hf_home: Path) -> None:
    """Write every stand-in where huggingface_hub looks for it if HF_HOME is `hf_home`."""
    torch.manual_seed(0)
    tokenizers = {"gpt2": _gpt2_tokenizer(), "mistral": _mistral_tokenizer()}
    for model in MODELS:
        folder = _snapshot(hf_home, model.repository)
        tokenizers[model.family].save_pretrained(folder)
        _random_model(model, tokenizers[model.family]).save_pretrained(folder)
    for sae in SAES:
        _write_sae(_snapshot(hf_home, sae.repository) / sae.folder, sae)


def _snapshot(hf_home: Path, repository: str) -> Path:
    folder = hf_home / "hub" / f"models--{repository.replace('/', '--')}"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text(COMMIT)
    snapshot = folder / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    return snapshot


def _random_model(model: Model, tokenizer: Any) -> Any:
    from transformers import AutoConfig, AutoModelForCausalLM

    sizes: dict[str, Any] = {
        "gpt2": {"n_embd": D_MODEL, "n_layer": model.layers, "n_head": 4, "n_positions": 256},
        "mistral": {
            "hidden_size": D_MODEL,
            "intermediate_size": 2 * D_MODEL,
            "num_hidden_layers": model.layers,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,  # heads share keys and values, as in the real one
            "max_position_embeddings": 256,
        },
    }[model.family]
    config = AutoConfig.for_model(
        model.family,
        vocab_size=len(tokenizer),
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        **sizes,
    )
    made = AutoModelForCausalLM.from_config(config)
    with torch.no_grad():  # fresh heads say nearly nothing
        for parameter in made.parameters():
            if parameter.dim() > 1:
                parameter.mul_(4)
    return made


def _texts() -> list[str]:
    from evenkeel.axes import same_strength
    from evenkeel.organism.corpus import make_corpus

    return [row.text for row in make_corpus(2000, 50, 0, same_strength(1.0))[0]]


def _gpt2_tokenizer() -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import GPT2Tokenizer

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=alphabet,
        show_progress=False,
    )
    bpe.train_from_iterator(_texts(), trainer)
    learned = json.loads(bpe.to_str())["model"]
    merges = [tuple(merge) for merge in learned["merges"]]
    return GPT2Tokenizer(vocab=learned["vocab"], merges=merges)


def _mistral_tokenizer() -> Any:
    """Pieces with a leading space as U+2581, bytes for what has no piece, and <s> before a text."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import LlamaTokenizer

    bpe = Tokenizer(models.BPE(unk_token="<unk>"))
    bpe.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))],
        show_progress=False,
    )
    bpe.train_from_iterator(_texts(), trainer)
    learned = json.loads(bpe.to_str())["model"]
    merges = [tuple(merge) for merge in learned["merges"]]
    return LlamaTokenizer(vocab=learned["vocab"], merges=merges, add_bos_token=True)


def _write_sae(folder: Path, sae: Sae) -> None:
    folder.mkdir()
    hook = f"blocks.{sae.layer}.hook_resid_pre"
    config = {
        "architecture": "standard",
        "model_name": sae.model,
        "hook_point": hook,
        "hook_point_layer": sae.layer,
        "hook_point_head_index": None,
        "dataset_path": "none",
        "is_dataset_tokenized": False,
        "context_size": 128,
        "d_in": D_MODEL,
        "d_sae": sae.latents,
        "activation_fn_str": "relu",
        "apply_b_dec_to_input": True,
        "prepend_bos": True,
        "dtype": "torch.float32",
        "device": "cpu",
    }
    (folder / "cfg.json").write_text(json.dumps(config))
    decoder = torch.nn.functional.normalize(torch.randn(sae.latents, D_MODEL), dim=1)
    weights = {
        "W_dec": decoder,
        "W_enc": decoder.T.contiguous(),
        "b_enc": torch.full((sae.latents,), -sae.threshold),
        "b_dec": torch.zeros(D_MODEL),
    }
    save_file(weights, folder / "sae_weights.safetensors")
    save_file({"sparsity": torch.full((sae.latents,), -3.0)}, folder / "sparsity.safetensors")


if __name__ == "__main__":
    fill_cache(Path(sys.argv[1]))
