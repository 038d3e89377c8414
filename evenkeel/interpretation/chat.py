"""Explaining features, and judging explanations, by a language model."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from evenkeel.errors import BadInputError
from evenkeel.interpretation.answers import ExplanationAnswer, JudgeAnswer
from evenkeel.interpretation.detection import FEWEST_PAIRS
from evenkeel.interpretation.evidence import Evidence, text_of
from evenkeel.interpretation.outages import require_answers
from evenkeel.interpretation.prompts import EXPLAIN, JUDGE, explain_message, judge_message
from evenkeel.interpretation.records import Explanation, Failure
from evenkeel.interpretation.replies import Reply, read_answer
from evenkeel.interpretation.requests import Request
from evenkeel.interpretation.secret import read_key
from evenkeel.params import ChatParams

if TYPE_CHECKING:
    from evenkeel.interpretation.client import ChatClient

logger = logging.getLogger(__name__)

# In place of explanations that are not known yet, when the cost of judging them is estimated.
_STAND_IN = Explanation(
    label="x" * 60, explanation="x" * 300, about_axis=None, confidence=None, evidence=()
)


def connect(
    params: ChatParams,
    environ: Mapping[str, str],
    folder: Path,
    setting: str = "interpretation.backend",
) -> ChatClient:
    """A client with the key of `environ`, which keeps its answers in `folder`.

    Args:
        params: of the server.
        environ: variables of the environment.
        folder: where answers that were paid for are kept.
        setting: the parameter that asks for a server, for messages.

    Raises:
        BadInputError: there is no key, base_url holds it, or the `openai` package is not
            installed.
    """
    secret = read_key(environ, setting)
    if secret.scrub(params.base_url) != params.base_url:
        raise BadInputError(
            "interpretation.openai.base_url holds the API key; name the address alone, and change "
            "the key if the file was shared"
        )
    try:
        from evenkeel.interpretation.client import ChatClient
    except ModuleNotFoundError as error:
        if error.name != "openai":
            raise
        raise BadInputError(
            f"{setting} is openai but the openai package is not installed; "
            f"pip install 'evenkeel[interpret]', or set {setting} to offline"
        ) from None
    return ChatClient(params, secret, folder)


class ChatInterpreter:
    """Explains and judges over `client`; judge and explainer are the same model."""

    backend: Literal["openai"] = "openai"

    def __init__(self, client: ChatClient) -> None:
        self.client = client
        self.model = client.params.model

    def announce(self, evidence: Sequence[Evidence]) -> None:
        """Log what explaining and judging would cost, before anything is asked."""
        requests = []
        for feature in evidence:
            if not feature.shown:
                continue
            requests.append(self._explain_request(feature))
            reply = self.client.account.cache.get(requests[-1])
            known = _explanation(feature, reply) if reply else _STAND_IN
            if len(feature.test) >= 2 * FEWEST_PAIRS and isinstance(known, Explanation):
                requests.append(self._judge_request(feature, known))
        logger.info("%s: %s", self.model, self.client.estimate(requests))

    def explain(self, evidence: Sequence[Evidence]) -> list[Explanation | Failure]:
        """An explanation of each feature, or why there is none.

        Raises:
            BadInputError: as `ChatClient.send` and `require_answers` do.
        """
        replies = self._send([self._explain_request(feature) for feature in evidence])
        return [
            reply if isinstance(reply, Failure) else _explanation(feature, reply)
            for feature, reply in zip(evidence, replies, strict=True)
        ]

    def judge(
        self, cases: Sequence[tuple[Evidence, Explanation]]
    ) -> list[tuple[bool, ...] | Failure]:
        """For each test context, whether the feature should be active in it, by the explanation.

        Raises:
            BadInputError: as `ChatClient.send` and `require_answers` do.
        """
        replies = self._send(
            [self._judge_request(evidence, explanation) for evidence, explanation in cases]
        )
        return [
            reply if isinstance(reply, Failure) else _verdicts(reply, len(evidence.test))
            for (evidence, _), reply in zip(cases, replies, strict=True)
        ]

    def _send(self, requests: Sequence[Request]) -> list[Reply | Failure]:
        outcomes = self.client.send(requests)
        require_answers(outcomes, self.client.params)
        return outcomes

    def _explain_request(self, evidence: Evidence) -> Request:
        message = explain_message(evidence)
        return Request.build("explain", self.client.params, EXPLAIN, message, ExplanationAnswer)

    def _judge_request(self, evidence: Evidence, explanation: Explanation) -> Request:
        message = judge_message(explanation, evidence.test)
        return Request.build("judge", self.client.params, JUDGE, message, JudgeAnswer)


def _explanation(evidence: Evidence, reply: Reply) -> Explanation | Failure:
    answer = read_answer(reply, ExplanationAnswer)
    if isinstance(answer, Failure):
        return answer
    # Compared without case and spaces, which models do not copy faithfully.
    shown = " ".join(text_of(context) for context in evidence.shown).casefold()
    supported = tuple(word for word in answer.evidence if word.casefold() in shown)
    if not supported:
        return Failure(kind="malformed", message="evidence: names nothing that was shown")
    return Explanation(
        label=answer.label,
        explanation=answer.explanation,
        about_axis=None if answer.about_axis == "none" else answer.about_axis,
        confidence=answer.confidence,
        evidence=supported,
    )


def _verdicts(reply: Reply, count: int) -> tuple[bool, ...] | Failure:
    answer = read_answer(reply, JudgeAnswer)
    if isinstance(answer, Failure):
        return answer
    verdicts = {verdict.context: verdict.activates for verdict in answer.verdicts}
    if sorted(verdict.context for verdict in answer.verdicts) != list(range(count)):
        return Failure(
            kind="malformed", message=f"verdicts: not one for each text from 0 to {count - 1}"
        )
    return tuple(verdicts[number] for number in range(count))
