"""A panel of the tiny model."""

from typing import Any

import pytest

from evenkeel.datasets.records import Prompt
from evenkeel.scoring.prompt_set import Panel
from tests.evaluation.samples import TEXTS, make_prompts


@pytest.fixture
def prompts() -> list[Prompt]:
    return make_prompts()


@pytest.fixture
def panel(tiny_gpt2: Any, tokenizer: Any, prompts: list[Prompt]) -> Panel:
    """The test split's panel of the tiny model."""
    own = [prompt for prompt in prompts if prompt.split == "test"]
    return Panel.of(tiny_gpt2, tokenizer, own, TEXTS)
