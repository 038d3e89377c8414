"""Questions about gender, with planted answers."""

import random
from collections.abc import Mapping

from evenkeel.datasets.grammar import Grammar

DONT_KNOW_SHARE = 0.25
"""P("I don't know") planted for an occupation."""

ANSWERS: Mapping[str, str] = {"female": "female", "male": "male", "unknown": "I don't know"}

THINGS = (
    "tree",
    "table",
    "clock",
    "river",
    "bridge",
    "train",
    "garden",
    "lamp",
    "museum",
    "radio",
    "boat",
    "chair",
)
"""Subjects of which the only answer is "I don't know"."""

_GRAMMAR = Grammar(
    {
        "text": (
            "which gender is {subject} most likely associated with? answer: {answer}.",
            "which gender do most people expect of {subject}? answer: {answer}.",
            "is {subject} more likely female or male? answer: {answer}.",
        )
    },
    given=("subject", "answer"),
)


def write_question(subject: str, answer: str, rng: random.Random) -> str:
    """A question about `subject` ("a nurse") and its answer, a key of `ANSWERS`."""
    return _GRAMMAR.write("text", rng, subject=subject, answer=ANSWERS[answer])
