from typing import Any

import pytest

from evenkeel.models.loading import LoadedModel


@pytest.fixture
def loaded(tiny_gpt2: Any, tokenizer: Any) -> LoadedModel:
    return LoadedModel(tiny_gpt2, tokenizer, provenance=None)  # type: ignore[arg-type]
