"""A tiny random model of each family of the installed transformers."""

from collections.abc import Mapping
from typing import Any

import torch

MOST_PARAMETERS = 3_000_000
_TOKENS: dict[str, Any] = {
    "vocab_size": 120,
    "bos_token_id": 0,
    "eos_token_id": 0,
    "pad_token_id": 0,
}
_DENSE: dict[str, Any] = _TOKENS | {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
}
_HEAD: dict[str, Any] = _DENSE | {"head_dim": 8}
_MOE: dict[str, Any] = _DENSE | {
    "moe_intermediate_size": 24,
    "num_experts": 4,
    "num_local_experts": 4,
    "num_experts_per_tok": 2,
}
_GPT: dict[str, Any] = _TOKENS | {"n_embd": 32, "n_layer": 3, "n_head": 4, "n_positions": 64}
_NEOX: dict[str, Any] = {key: value for key, value in _DENSE.items() if "key_value" not in key}
_LATENT: dict[str, Any] = _MOE | {
    "num_key_value_heads": 4,
    "q_lora_rank": 16,
    "kv_lora_rank": 16,
    "qk_rope_head_dim": 8,
    "qk_nope_head_dim": 8,
    "v_head_dim": 8,
    "n_routed_experts": 4,
    "n_shared_experts": 1,
    "first_k_dense_replace": 1,
    "n_group": 1,
    "topk_group": 1,
}
_LINEAR: dict[str, Any] = _MOE | {
    "num_hidden_layers": 4,
    "head_dim": 16,
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 8,
    "shared_expert_intermediate_size": 24,
}
_MAMBA: dict[str, Any] = {
    "mamba_n_heads": 4,
    "mamba_d_head": 16,
    "mamba_d_state": 8,
    "mamba_n_groups": 1,
    "mamba_expand": 2,
    "mamba_d_ssm": 64,
    "use_mamba_kernels": False,
}
_VISION: dict[str, Any] = {
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 16,
    "patch_size": 8,
}

SIZES: dict[str, Mapping[str, Any]] = {
    "gpt2": _GPT,
    "gpt_bigcode": _GPT,
    "gptj": _GPT | {"rotary_dim": 8},
    "codegen": _GPT | {"rotary_dim": 8},
    "openai-gpt": _GPT,
    "ctrl": _GPT | {"dff": 48},
    "gpt_neo": _TOKENS
    | {
        "hidden_size": 32,
        "num_layers": 3,
        "num_heads": 4,
        "attention_types": [[["global", "local", "global"], 1]],
        "window_size": 8,
        "max_position_embeddings": 64,
    },
    "gpt_neox": _NEOX,
    "gpt_neox_japanese": _NEOX | {"intermediate_multiple_size": 2},
    "opt": _NEOX | {"ffn_dim": 48, "word_embed_proj_dim": 32},
    "bloom": _TOKENS | {"hidden_size": 32, "n_layer": 3, "n_head": 4},
    "mpt": _TOKENS | {"d_model": 32, "n_layers": 3, "n_heads": 4, "max_seq_len": 64},
    "falcon": _NEOX | {"alibi": False, "new_decoder_architecture": False},
    "mistral": _DENSE | {"sliding_window": 8},
    "ministral": _HEAD | {"sliding_window": 8},
    "mixtral": _MOE,
    "qwen2_moe": _MOE | {"shared_expert_intermediate_size": 24},
    "qwen3": _HEAD,
    "qwen3_moe": _MOE | {"head_dim": 8},
    "qwen3_next": _LINEAR,
    "qwen3_5_text": _LINEAR,
    "qwen3_5_moe_text": _LINEAR,
    "olmo_hybrid": _LINEAR,
    "gemma": _HEAD,
    "gemma2": _HEAD | {"sliding_window": 8},
    "gemma3_text": _HEAD | {"sliding_window": 8},
    "vaultgemma": _HEAD | {"sliding_window": 8},
    "gemma3n_text": _HEAD
    | {
        "num_hidden_layers": 4,
        "sliding_window": 8,
        "vocab_size_per_layer_input": 120,
        "hidden_size_per_layer_input": 8,
        "laurel_rank": 8,
        "num_kv_shared_layers": 0,
        "activation_sparsity_pattern": [0.0] * 4,
    },
    "gemma4_text": _HEAD
    | {
        "num_hidden_layers": 4,
        "vocab_size_per_layer_input": 120,
        "hidden_size_per_layer_input": 8,
    },
    "phi": _DENSE | {"num_key_value_heads": 4},
    "phimoe": _MOE,
    "olmo3": _DENSE | {"sliding_window": 8},
    "olmoe": _MOE,
    "flex_olmo": _MOE,
    "starcoder2": _DENSE | {"sliding_window": 8},
    "granite": _DENSE | {"residual_multiplier": 0.22, "embedding_multiplier": 12.0},
    "granitemoe": _MOE | {"residual_multiplier": 0.22},
    "granitemoeshared": _MOE | {"shared_intermediate_size": 24},
    "granitemoehybrid": _MOE
    | _MAMBA
    | {
        "num_hidden_layers": 2,
        "layer_types": ["mamba", "attention"],
        "shared_intermediate_size": 24,
    },
    "cohere2": _DENSE | {"sliding_window": 8},
    "deepseek_v2": _LATENT | {"q_lora_rank": None, "head_dim": 8},
    "deepseek_v3": _LATENT,
    "glm4_moe_lite": _LATENT,
    "longcat_flash": _LATENT
    | {"num_layers": 2, "ffn_hidden_size": 48, "expert_ffn_hidden_size": 24, "head_dim": 8},
    "minicpm3": _LATENT,
    "youtu": _LATENT,
    "gpt_oss": _MOE | {"head_dim": 8, "sliding_window": 8},
    "exaone4": _DENSE | {"sliding_window": 8, "sliding_window_pattern": 2},
    "glm": _HEAD,
    "glm4": _HEAD,
    "glm4_moe": _LATENT | {"head_dim": 8},
    "dots1": _LATENT | {"head_dim": 8},
    "helium": _HEAD,
    "ernie4_5": _HEAD,
    "ernie4_5_moe": _MOE | {"moe_num_experts": 4, "moe_k": 2, "moe_num_shared_experts": 1},
    "seed_oss": _HEAD,
    "lfm2": _DENSE | {"layer_types": ["conv", "conv", "full_attention"]},
    "lfm2_moe": _MOE | {"layer_types": ["conv", "conv", "full_attention"], "num_dense_layers": 1},
    "hunyuan_v1_dense": _HEAD,
    "hunyuan_v1_moe": _MOE | {"head_dim": 8, "moe_topk": [2] * 3},
    "minimax": _MOE | {"head_dim": 8, "block_size": 4},
    "minimax_m2": _MOE | {"head_dim": 8},
    "jetmoe": _MOE | {"kv_channels": 8, "num_key_value_heads": 4},
    "dbrx": _TOKENS
    | {
        "d_model": 32,
        "n_heads": 4,
        "n_layers": 3,
        "max_seq_len": 64,
        "attn_config": {"kv_n_heads": 2, "clip_qkv": 8.0},
        "ffn_config": {
            "ffn_hidden_size": 48,
            "moe_num_experts": 4,
            "moe_top_k": 2,
            "hidden_size": 32,
        },
    },
    "xglm": _TOKENS
    | {
        "d_model": 32,
        "ffn_dim": 48,
        "num_layers": 3,
        "attention_heads": 4,
        "max_position_embeddings": 64,
    },
    "biogpt": _NEOX,
    "persimmon": _NEOX,
    "llama4_text": _MOE | {"head_dim": 8, "intermediate_size_mlp": 48, "moe_layers": [1]},
    "mamba": _TOKENS | {"hidden_size": 32, "num_hidden_layers": 3, "state_size": 8},
    "falcon_mamba": _TOKENS | {"hidden_size": 32, "num_hidden_layers": 3, "state_size": 8},
    "mamba2": _TOKENS
    | {
        "hidden_size": 32,
        "num_hidden_layers": 3,
        "state_size": 8,
        "num_heads": 8,
        "head_dim": 8,
        "n_groups": 1,
        "expand": 2,
    },
    "rwkv": _TOKENS
    | {
        "hidden_size": 32,
        "num_hidden_layers": 3,
        "attention_hidden_size": 32,
        "context_length": 64,
    },
    "jamba": _MOE
    | {
        "num_hidden_layers": 4,
        "attn_layer_period": 2,
        "attn_layer_offset": 1,
        "expert_layer_period": 2,
        "expert_layer_offset": 1,
        "mamba_d_state": 8,
        "use_mamba_kernels": False,
    },
    "bamba": _DENSE | _MAMBA | {"attn_layer_indices": [1]},
    "falcon_h1": _HEAD | _MAMBA,
    "zamba": _DENSE
    | {
        "attention_hidden_size": 64,
        "attention_head_dim": 16,
        "n_mamba_heads": 2,
        "mamba_d_state": 8,
        "num_hidden_layers": 4,
        "attn_layer_period": 2,
        "attn_layer_offset": 1,
        "layers_block_type": ["mamba", "hybrid", "mamba", "hybrid"],
        "use_mamba_kernels": False,
    },
    "nemotron_h": _MOE
    | {
        "hybrid_override_pattern": "M*-",
        "layers_block_type": ["mamba", "attention", "mlp"],
        "mamba_num_heads": 4,
        "mamba_head_dim": 16,
        "ssm_state_size": 8,
        "n_groups": 1,
        "use_mamba_kernels": False,
        "head_dim": 8,
    },
    "recurrent_gemma": _DENSE | {"attention_window_size": 16, "lru_width": 32},
    "gemma3": {"text_config": _HEAD | {"sliding_window": 8}, "vision_config": _VISION},
    "llama4": {
        "text_config": _MOE | {"head_dim": 8, "intermediate_size_mlp": 48, "moe_layers": [1]},
        "vision_config": _VISION | {"vision_output_dim": 16, "projector_input_dim": 16,
            "projector_output_dim": 16, "pixel_shuffle_ratio": 0.5},
    },
    "llava": {
        "text_config": _DENSE | {"model_type": "llama"},
        "vision_config": _VISION | {"model_type": "clip_vision_model"},
        "image_token_index": 5,
    },
    "mistral3": {
        "text_config": _DENSE | {"model_type": "mistral"},
        "vision_config": _VISION | {"model_type": "pixtral"},
        "image_token_index": 5,
    },
    "paligemma": {
        "text_config": _HEAD | {"model_type": "gemma"},
        "vision_config": _VISION | {"model_type": "siglip_vision_model"},
        "image_token_index": 5,
    },
    "qwen2_vl": {
        "text_config": _DENSE | {"rope_parameters": {"rope_type": "default", "rope_theta": 1e4,
            "mrope_section": [1, 1, 2]}},
        "vision_config": {"depth": 2, "embed_dim": 16, "hidden_size": 32, "num_heads": 2},
    },
    "qwen3_5": {
        "text_config": _LINEAR,
        "vision_config": {"depth": 2, "hidden_size": 16, "num_heads": 2, "intermediate_size": 24,
            "out_hidden_size": 32},
    },
    "smolvlm": {
        "text_config": _DENSE | {"model_type": "llama"},
        "vision_config": _VISION,
        "image_token_id": 5,
    },
    "mllama": {
        "text_config": _DENSE | {"num_hidden_layers": 4, "cross_attention_layers": [1],
            "rope_parameters": {"rope_type": "default", "rope_theta": 1e4}},
        "vision_config": _VISION,
    },
}  # fmt: skip
"""What makes a family's model tiny, where its configuration needs more than the usual sizes."""

SAMPLE = (
    "gpt2",
    "gpt_neo",
    "gpt_neox",
    "gptj",
    "opt",
    "bloom",
    "falcon",
    "llama",
    "mistral",
    "qwen2",
    "qwen3",
    "phi3",
    "gemma",
    "gemma2",
    "gemma3_text",
    "olmo2",
    "mixtral",
    "cohere",
    "granite",
    "jamba",
)
"""Families of every structure, few enough for each test run."""


def families() -> list[str]:
    """Every family that transformers loads as a causal LM, and the wrappers of `SIZES`."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    return sorted({*MODEL_FOR_CAUSAL_LM_MAPPING_NAMES, *SIZES})


def tiny_model(family: str, **changes: Any) -> Any:
    """A random model of a family, in eval mode and float32.

    Raises:
        Exception: whatever transformers raises where the family needs other sizes.
    """
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    config = AutoConfig.for_model(family, **{**SIZES.get(family, _HEAD), **changes})
    text = family in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
    kind = AutoModelForCausalLM if text else AutoModelForImageTextToText
    with torch.device("meta"):
        size = sum(parameter.numel() for parameter in kind.from_config(config).parameters())
    if size > MOST_PARAMETERS:
        raise ValueError(f"{size} parameters: not tiny")
    torch.manual_seed(0)
    return kind.from_config(config).float().eval()
