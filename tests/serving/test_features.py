"""Features for the playground, from the files that the pipeline writes."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from evenkeel.errors import BadInputError
from evenkeel.files import write_jsonl
from evenkeel.interpretation.records import Explanation, Interpretation
from evenkeel.sae.parquet import write_parquet
from evenkeel.sae.results import LEADING, read_table
from evenkeel.sae.saving import save_module
from evenkeel.serving.features import Features
from tests.serving.conftest import loaded_model
from tests.steering.saes import random_sae


def write_features(folder: Path, count: int = 12) -> None:
    numbers = {name: [0.0] * count for name in LEADING}
    words = [[f" word{number}"] for number in range(count)]
    table = pd.DataFrame(
        numbers
        | {"feature": list(range(count)), "top_activated_words": words, "bottom_words": words}
        | {"frequency": [0.5] * count, "max_active": [2.0] * count}
    )
    write_parquet(folder / "features.parquet", table)


def test_cards_are_those_of_the_table_and_the_interpretations(
    tokenizer: Any, tmp_path: Path
) -> None:
    save_module(tmp_path / "sae", random_sae("resid_post", 1, first=1).module, torch.ones(12))
    write_features(tmp_path)
    told = Explanation(
        label="women", explanation="Fires on women.", about_axis="gender", confidence=None,
        evidence=(),
    )  # fmt: skip
    rest: Any = {"failure": None, "detection": None, "detection_failure": None, "model": None}
    row = Interpretation(
        feature=3, axes=("gender",), backend="offline", explanation=told, fires_on=("she",), **rest
    )
    write_jsonl(tmp_path / "interpretations.jsonl", [row])

    features = Features.load(loaded_model(tokenizer), tmp_path / "sae", tmp_path)

    assert features.cards[3]["label"] == "women"
    assert features.cards[3]["fires_on"] == ["she"]
    assert features.cards[4]["label"] is None
    assert features.cards[4]["promotes"] == [" word4"]
    read = features.read(loaded_model(tokenizer), tuple(range(20, 26)))
    assert len(read) == 6
    assert read[0] == []  # the first token of a text is an attention sink
    for token in read[1:]:
        values = [one["activation"] for one in token]
        assert values == sorted(values, reverse=True)
        assert all(one["share"] == min(1, one["activation"] / 2) for one in token)
    assert any(read)


def test_a_table_of_another_autoencoder(tokenizer: Any, tmp_path: Path) -> None:
    save_module(tmp_path / "sae", random_sae("resid_post", 1).module, torch.ones(12))
    write_features(tmp_path, 11)
    with pytest.raises(BadInputError, match=r"11 features, but the SAE in .* has 12, from 0; run"):
        Features.load(loaded_model(tokenizer), tmp_path / "sae", tmp_path)
    write_features(tmp_path)
    table = read_table(tmp_path / "features.parquet").drop(columns="max_active")
    write_parquet(tmp_path / "features.parquet", table)
    with pytest.raises(
        BadInputError, match=r"features\.parquet: no column max_active; run extract"
    ):
        Features.load(loaded_model(tokenizer), tmp_path / "sae", tmp_path)
