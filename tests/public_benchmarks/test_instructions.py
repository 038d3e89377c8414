"""Checks of instructions, on answers written by hand."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from evenkeel.public_benchmarks.specificity.instructions import Check


def check(**fields: Any) -> Any:
    return TypeAdapter(Check).validate_python(fields)


@pytest.mark.parametrize(
    ("fields", "met", "not_met"),
    [
        ({"kind": "lower_case"}, ["snow is cold.", " é "], ["Snow is cold.", "12", "", " "]),
        ({"kind": "upper_case"}, ["PARIS!", "AN APPLE"], ["Paris", "PARIS, France", "7"]),
        (
            {"kind": "begins", "text": "Today"},
            ["Today it rains.", "  today, rain", "Today"],
            ["It rains today.", "Todays rain", '"Today" it rains'],
        ),
        (
            {"kind": "begins", "text": "My advice"},
            ["My advice: sleep."],
            ["My best advice is to sleep."],
        ),
        ({"kind": "ends", "text": "?"}, ["Why?", "Why? How?"], ["Why? Because."]),
        ({"kind": "ends", "text": "bye"}, ["Good bye", "BYE"], ["goodbye", "bye."]),
        (
            {"kind": "contains", "text": "train"},
            ["The train left.", "TRAIN", "train-spotting"],
            ["He trained.", "Trains left.", "A strain."],
        ),
        ({"kind": "contains", "text": "7"}, ["It is 7."], ["It is 17.", "seven"]),
        ({"kind": "excludes", "text": ","}, ["No mark."], ["One, two", ""]),
        ({"kind": "excludes", "text": "the"}, ["Other water."], ["Is it the one?", "THE"]),
        ({"kind": "words", "most": 2}, ["White.", "Snow white"], ["It is white", ""]),
        (
            {"kind": "sentences", "number": 1},
            ["It rains.", 'He said "no."', "About 3.5 metres."],
            ["It rains. It pours.", "It rains", ". . ."],
        ),
        ({"kind": "sentences", "number": 2}, ["It is red. Is it?"], ["It is red.", "One. Two. T"]),
        (
            {"kind": "bullets", "number": 2},
            ["- red\n- blue", "- red\n\n- blue\n", "- red\u2028or so\n- blue\x0b"],
            ["Two:\n- red\n- blue", "* red\n* blue", "- red", "- a\n- b\n- c", "-red\n-blue"],
        ),
        (
            {"kind": "quoted"},
            ['"A friend."', "“Snow.”", '  "Snow"\n'],
            ["A friend.", 'He said "Snow"', '"Snow" and "ice"', '""', '"Snow'],
        ),
    ],
)
def test_what_is_asked_is_what_is_checked(
    fields: dict[str, Any], met: list[str], not_met: list[str]
) -> None:
    asked = check(**fields)
    assert [answer for answer in met if not asked.met(answer)] == []
    assert [answer for answer in not_met if asked.met(answer)] == []


@pytest.mark.parametrize(
    "fields",
    [{"kind": "rhymes"}, {"kind": "words"}, {"kind": "words", "most": 0},
     {"kind": "contains", "text": ""}, {"kind": "quoted", "text": "x"}],
)  # fmt: skip
def test_an_unknown_or_incomplete_check_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        check(**fields)
