"""Tokenizers that put special tokens around texts, and chat templates that do or do not."""

from copy import deepcopy
from typing import Any

ADDED = ("<bos>", "<lang>", "<eos>")
KINDS = ("$A", "$A <eos>", "<bos> $A", "<bos> $A <eos>", "<bos> <lang> $A")
"""What post-processors make of a text; GLM-4 puts two tokens in front."""
CHATS = {
    "begun": "{{ bos_token }}{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant:{% endif %}",
    "bare": "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant:{% endif %}",
}


def framed(tokenizer: Any, kind: str, chat: str | None = None) -> Any:
    """A copy of a tokenizer with `ADDED`, a post-processor and a chat template."""
    from tokenizers import processors

    own = deepcopy(tokenizer)
    own.add_special_tokens({"bos_token": ADDED[0], "eos_token": ADDED[2]})
    own.add_special_tokens({"additional_special_tokens": [ADDED[1]]})
    own.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single=kind,
        special_tokens=[(token, own.convert_tokens_to_ids(token)) for token in ADDED],
    )
    own.chat_template = CHATS[chat] if chat else None
    return own


def spaced(texts: list[str]) -> Any:
    """A tokenizer as SentencePiece made Llama 2's: a text alone has a space before it."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    bpe.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    bpe.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.Strip(" ", 1, 0)])
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=["<pad>"],
        initial_alphabet=[*map(chr, range(32, 127)), "\n", "▁"],
        show_progress=False,
    )
    bpe.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=bpe, pad_token="<pad>", padding_side="left")
