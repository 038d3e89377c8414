"""Free-form questions over all features: "find every feature about X"."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from evenkeel.errors import BadInputError
from evenkeel.interpretation.answers import AskAnswer
from evenkeel.interpretation.prompts import ASK, ask_message
from evenkeel.interpretation.records import Explanation, Failure, Interpretation
from evenkeel.interpretation.replies import Reply, read_answer
from evenkeel.interpretation.requests import Request
from evenkeel.interpretation.selection import promoted_tokens

if TYPE_CHECKING:
    from evenkeel.interpretation.client import ChatClient

logger = logging.getLogger(__name__)

FEATURES_A_REQUEST = 100


@dataclass(frozen=True)
class Described:
    """What a question is asked of: a feature, as far as it is known."""

    feature: int
    promoted: tuple[str, ...]
    """Tokens that it makes more likely, the strongest first."""
    explanation: Explanation | None = None


@dataclass(frozen=True)
class FeatureMatch:
    """A feature that a question is about, and why."""

    feature: int
    reason: str


@dataclass(frozen=True)
class Findings:
    """The answer to a question, and how much of the dictionary it speaks for."""

    matches: tuple[FeatureMatch, ...]
    answered: int
    """Features of which the question was answered."""
    failures: tuple[tuple[int, int, Failure], ...]
    """First and last feature of each share of the dictionary that has no answer, and why."""


def describe(table: pd.DataFrame, known: Sequence[Interpretation]) -> list[Described]:
    """Every feature of the table, with the explanation of those that have one."""
    explanations = {row.feature: row.explanation for row in known}
    return [
        Described(feature, tokens, explanations.get(feature))
        for feature, tokens in promoted_tokens(table).items()
    ]


def ask(client: ChatClient, question: str, features: Sequence[Described]) -> Findings:
    """Ask which of `features` the question is about, a hundred at a time.

    Returns:
        Findings, ascending by feature. An answer that names a feature which it was not given is
        a failure of that share, since the rest of it cannot be trusted either.

    Raises:
        BadInputError: there is no question, or no request can succeed.
    """
    if not question.strip():
        raise BadInputError("the question is empty; ask, for example, for features about nurses")
    ordered = sorted(features, key=lambda feature: feature.feature)
    starts = range(0, len(ordered), FEATURES_A_REQUEST)
    shares = [ordered[start : start + FEATURES_A_REQUEST] for start in starts]
    requests = [_request(client, question, share) for share in shares]
    logger.info("%s: %s", client.params.model, client.estimate(requests))
    matches: list[FeatureMatch] = []
    failures = []
    for share, reply in zip(shares, client.send(requests), strict=True):
        outcome = reply if isinstance(reply, Failure) else _matches(reply, share)
        if isinstance(outcome, Failure):
            failures.append((share[0].feature, share[-1].feature, outcome))
        else:
            matches += outcome
    unanswered = {first for first, _, _ in failures}
    return Findings(
        matches=tuple(sorted(matches, key=lambda match: match.feature)),
        answered=sum(len(share) for share in shares if share[0].feature not in unanswered),
        failures=tuple(failures),
    )


def _request(client: ChatClient, question: str, share: Sequence[Described]) -> Request:
    rows = []
    for feature in share:
        row: dict[str, object] = {"feature": feature.feature, "tokens": list(feature.promoted)}
        if feature.explanation:
            row["explanation"] = f"{feature.explanation.label}: {feature.explanation.explanation}"
        rows.append(row)
    return Request.build("ask", client.params, ASK, ask_message(question, rows), AskAnswer)


def _matches(reply: Reply, share: Sequence[Described]) -> list[FeatureMatch] | Failure:
    answer = read_answer(reply, AskAnswer)
    if isinstance(answer, Failure):
        return answer
    reasons = {match.feature: match.reason for match in answer.matches}
    unknown = sorted(set(reasons) - {feature.feature for feature in share})
    if unknown:
        return Failure(kind="malformed", message=f"matches: names {unknown}, which was not given")
    return [FeatureMatch(feature, reason) for feature, reason in reasons.items()]
