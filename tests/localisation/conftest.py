"""Items of a random model, held against the group that it gives them."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from evenkeel.datasets.records import Prompt
from evenkeel.models.encoding import TextEncoder
from evenkeel.params import Split
from evenkeel.scoring.group_reads import encode_prompt, group_log_probs

ITEMS: dict[Split, tuple[str, ...]] = {
    "train": ("buck", "bulb", "camp", "dock", "duck", "folk", "jump", "puck", "nurse"),
    "validation": ("buddy", "guard", "judge", "mayor", "pilot", "proxy", "puppy", "quack"),
    "test": ("king", "maid"),
}
"""Five tokens, but for nurse, which has four; six; four."""
CONTINUATIONS = {"female": (" she", " her"), "male": (" he", " his")}
"""Of one to four tokens."""


def prompt(item: str, split: Split, verb: str, **changes: Any) -> Prompt:
    return Prompt(
        id=f"{split}-{item}-{verb}", axis="gender", kind="stereotypical", template=verb, item=item,
        split=split, lead_in="It was late. ", text=f"The {item} was {verb} because",
        continuations=CONTINUATIONS,
    ).model_copy(update=changes)  # fmt: skip


def held_as_found(model: Any, tokenizer: Any) -> list[Prompt]:
    """Half of each split's items held against the group that the model gives them most."""
    prompts: list[Prompt] = []
    for split, items in ITEMS.items():
        verbs = ("tired", "cold") if split == "train" else ("hungry", "late")
        asked = [prompt(item, split, verb) for item in items for verb in verbs]
        log_probs = group_log_probs(model, [encode_prompt(tokenizer, p) for p in asked], 16)
        means = np.subtract(*log_probs.T).reshape(len(items), len(verbs)).mean(axis=1)
        female = {items[place] for place in np.argsort(-means)[: len(items) // 2]}
        prompts += [
            each.model_copy(update={"held_against": "female" if each.item in female else "male"})
            for each in asked
        ]
    return prompts


@pytest.fixture
def loaded(tiny_gpt2: Any, tokenizer: Any) -> Any:
    encoder = TextEncoder.of(tokenizer, tiny_gpt2)
    return SimpleNamespace(model=tiny_gpt2, tokenizer=tokenizer, encoder=encoder)


@pytest.fixture
def prompts(loaded: Any) -> Sequence[Prompt]:
    return held_as_found(loaded.model, loaded.tokenizer)
