"""Features with contexts made by hand: what each fires on is known."""

import random
from collections.abc import Callable, Sequence
from typing import Any

from evenkeel.interpretation.evidence import Evidence, gather_evidence
from evenkeel.params import Axis, ChatParams
from evenkeel.sae.results import Context

WOMEN = ["woman", "mother", "sister", "queen"]
MEN = ["man", "father", "brother", "king"]
JOBS = ["nurse", "plumber", "clerk", "baker"]
FILLER = ["walked", "home", "because", "the", "train", "was", "late", "and", "cold", "today"]
KEY = "sk-proj-THISisTHEsecretKEY0123456789abcdef"


def context(
    feature: int, kind: str, rank: int, words: Sequence[str], fires: Callable[[str, int], bool]
) -> Context:
    """A context of one token a word (leading space included), firing where `fires` says so."""
    tokens = tuple(" " + word for word in words)
    activations = tuple(5.0 if fires(word, i) else 0.0 for i, word in enumerate(words))
    return Context.model_validate(
        {
            "feature": feature,
            "kind": kind,
            "rank": rank,
            "tokens": tokens,
            "activations": activations,
            "peak": activations.index(max(activations)),
        }
    )


def contexts_on(feature: int, words: Sequence[str], count: int = 24) -> list[Context]:
    """`count` contexts in which `feature` fires on `words`, and as many without any of them."""
    rng = random.Random(feature)
    others = [w for w in WOMEN + MEN + JOBS if w not in words]
    rows = []
    for kind, pool in (("top", list(words)), ("silent", others)):
        for rank in range(count):
            text = rng.sample(FILLER, 7)
            text.insert(rng.randrange(8), pool[rank // 2 % len(pool)])
            rows.append(context(feature, kind, rank, text, lambda word, _: word in words))
    return rows


def evidence_on(
    feature: int, words: Sequence[str], axes: tuple[Axis, ...] = ("gender",), count: int = 24
) -> Evidence:
    """The evidence of such a feature."""
    return gather_evidence(
        feature, axes, words, contexts_on(feature, words, count), shown=12, heldout=10, seed=0
    )


def chat_params(url: str, **changes: Any) -> ChatParams:
    """Parameters of a client for a local server; prices of 1 and 2 dollars a million tokens."""
    values: dict[str, Any] = {
        "model": "stub",
        "base_url": url,
        "temperature": 0.0,
        "max_output_tokens": 200,
        "concurrency": 4,
        "timeout_seconds": 5.0,
        "max_retries": 3,
        "budget_usd": 1.0,
        "usd_per_million_tokens": {"input": 1.0, "output": 2.0, "batch_factor": 0.5},
        "batch": False,
        "poll_seconds": 0.01,
    }
    return ChatParams.model_validate(values | changes)
