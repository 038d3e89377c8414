"""Prompt sets of the tiny model."""

from typing import Any

import pytest

from evenkeel.datasets.records import Prompt
from evenkeel.scoring.prompt_set import PromptSet
from tests.evaluation.samples import TEXTS, make_prompts


@pytest.fixture
def prompts() -> list[Prompt]:
    return make_prompts()


@pytest.fixture
def prompt_set(tiny_gpt2: Any, tokenizer: Any, prompts: list[Prompt]) -> PromptSet:
    """The test split of the tiny model."""
    of_test = [prompt for prompt in prompts if prompt.split == "test"]
    return PromptSet.of(tiny_gpt2, tokenizer, of_test, TEXTS)
