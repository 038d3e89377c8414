"""Decisions equal the plain computation, one answer and one group at a time."""

import json
import math
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from evenkeel.errors import BadInputError
from evenkeel.models.loading import LoadedModel
from evenkeel.public_benchmarks.decisions import QUESTION, Decisions, read_decisions
from evenkeel.public_benchmarks.encoding import Encoder
from tests.public_benchmarks.conftest import measured
from tests.public_benchmarks.samples import PEOPLE, QUESTIONS, decision_rows, write_decisions


def log_prob(loaded: LoadedModel, text: str, word: str) -> float:
    context, added = loaded.encoder.encode(text), loaded.encoder.plain(word)
    ids = torch.tensor([[*context, *added]])
    with torch.no_grad():
        rows = loaded.model(ids).logits[0].double().log_softmax(-1)
    return sum(float(rows[len(context) + place - 1, token]) for place, token in enumerate(added))


def log_odds(loaded: LoadedModel, text: str) -> float:
    asked = QUESTION.replace("{text}", text)
    yes, no = (
        math.log(sum(math.exp(log_prob(loaded, asked, word)) for word in words))
        for words in ((" yes", " Yes"), (" no", " No"))
    )
    return yes - no


def test_groups_are_compared_within_each_question(loaded: LoadedModel, tmp_path: Path) -> None:
    rows = decision_rows()
    odds = [log_odds(loaded, row["filled_template"]) for row in rows]

    def effect(question: int, **of: Any) -> float:
        """Mean of a group less the mean of everybody, in one question."""
        own = odds[question * len(PEOPLE) : (question + 1) * len(PEOPLE)]
        chosen = [
            odd
            for odd, person in zip(own, PEOPLE, strict=True)
            if all(person[name] == value for name, value in of.items())
        ]
        return float(np.mean(chosen) - np.mean(own))

    def mean(**of: Any) -> float:
        return float(np.mean([effect(number, **of) for number in range(len(QUESTIONS))]))

    values = {"age": (20, 100), "gender": ("female", "male"), "race": ("Asian", "Black", "white")}
    effects = {name: [mean(**{name: v}) for v in of_one] for name, of_one in values.items()}
    cells = [
        mean(gender=gender, race=race) - mean(gender=gender) - mean(race=race)
        for gender in values["gender"]
        for race in values["race"]
    ]
    found = measured(loaded, "decisions", write_decisions(tmp_path))

    def value(group: str, name: str) -> float:
        measure = found["yes_no", group, name]
        return float(measure.statistic(*measure.columns))

    def spread(of: list[float]) -> float:
        return math.sqrt(np.mean(np.square(of)))

    assert spread(effects["race"]) > 1e-3
    for name, of_one in effects.items():
        assert value(name, "spread") == pytest.approx(spread(of_one), rel=1e-4)
        for group, each in zip(values[name], of_one, strict=True):
            assert value(f"{name}: {group}", "effect") == pytest.approx(each, abs=1e-5)
    assert value("all", "spread") == pytest.approx(spread([*chain(*effects.values())]), rel=1e-4)
    assert value("gender × race", "spread") == pytest.approx(spread(cells), rel=1e-3)
    assert 0 <= value("all", "answered") <= 1


def test_ages_are_in_the_order_of_numbers(loaded: LoadedModel, tmp_path: Path) -> None:
    found = measured(loaded, "decisions", write_decisions(tmp_path))
    groups = [group for _, group, name in found if name == "effect" and group.startswith("age")]
    assert groups == ["age: 20", "age: 100"]


def test_a_question_too_long_for_the_model_is_left_out_for_everybody(
    loaded: LoadedModel, tmp_path: Path
) -> None:
    rows = decision_rows()
    rows[0]["filled_template"] += " Please." * 200  # of one person
    (tmp_path / "long.jsonl").write_text("\n".join(map(json.dumps, rows)))
    task = Decisions(read_decisions(tmp_path), Encoder.of(loaded))
    assert task.size == {"decisions": 24, "questions": 2, "left_out": 12}


def test_bad_decisions_are_named(tmp_path: Path) -> None:
    file = tmp_path / "decisions.jsonl"

    def refused(rows: list[Any], match: str) -> None:
        file.write_text("\n".join(map(json.dumps, rows)))
        with pytest.raises(BadInputError, match=match):
            read_decisions(file)

    rows = decision_rows()
    refused([*rows[:5], {**rows[5], "gender": None}], r"line 6: gender.*")
    refused([*rows[:5], {**rows[5], "age": 1.5}], r"line 6: age.*")
    refused([*rows[:5], {**rows[5], "filled_template": " "}], "line 6: filled_template is empty")
    refused([{"filled_template": "Yes?"}], r"line 1: decision_question_id.*[Rr]equired")
    refused([*rows[:5], {**rows[5], "name": "Ann"}], r"line 6: tells age, gender, name, race")
    refused(rows[:-1], r"question 'decisions 2' is not asked of 100, male, white")
    refused(rows[:12], "a single question; an interval needs two")
    refused([*rows, {**rows[3], "filled_template": "Another?"}], r"line 37: .*is there twice")
    plain = [{key: row[key] for key in ("filled_template", "decision_question_id")} for row in rows]
    refused(plain[::12], "differ in nothing")
    with pytest.raises(BadInputError, match=r"no \.jsonl file there"):
        read_decisions(tmp_path / "..")
