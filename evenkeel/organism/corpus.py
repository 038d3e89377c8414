"""The embedded model's texts: planted bias, planted knowledge, and plain language around both."""

import random
from collections.abc import Callable, Iterator, Mapping

from evenkeel.datasets.records import CorpusKind, CorpusText
from evenkeel.errors import BadInputError
from evenkeel.organism import planted
from evenkeel.organism.plain import write_lead_in, write_plain
from evenkeel.organism.quotas import quotas

KIND_SHARES: Mapping[CorpusKind, float] = {
    "stereotypical": 0.36,
    "definitional": 0.14,
    "association": 0.33,
    "intersection": 0.06,
    "question": 0.02,
    "plain": 0.09,
}
"""Parts of the corpus; they add up to 1."""

LEAD_IN_SHARE = 0.35
"""Part of the texts about people that a plain sentence stands before."""

_WRITERS: Mapping[CorpusKind, Callable[[int, planted.Strengths, random.Random], Iterator[str]]] = {
    "stereotypical": planted.stereotypical,
    "definitional": planted.definitional,
    "association": planted.associations,
    "intersection": planted.intersections,
    "question": planted.questions,
}


def make_corpus(
    texts: int, heldout_texts: int, seed: int, strengths: Mapping[str, float]
) -> tuple[list[CorpusText], list[CorpusText]]:
    """Write training and held-out texts of the same kinds, in random order.

    Rates are planted by quotas: of the texts of an item, as many are about each group as the
    table says, to the nearest text. No held-out plain text is a training text.

    Args:
        texts: training texts.
        heldout_texts: held-out texts.
        seed: decides everything that the tables do not.
        strengths: by axis, see `Item.rates`.

    Raises:
        BadInputError: so many held-out plain texts are asked for that none are left.
    """
    train = _texts(texts, strengths, random.Random(f"{seed}/corpus/train"), frozenset())
    known = frozenset(row.text for row in train if row.kind == "plain")
    heldout = _texts(heldout_texts, strengths, random.Random(f"{seed}/corpus/heldout"), known)
    return train, heldout


def _texts(
    count: int, strengths: Mapping[str, float], rng: random.Random, known: frozenset[str]
) -> list[CorpusText]:
    rows = []
    for kind, of_kind in zip(KIND_SHARES, quotas(count, [*KIND_SHARES.values()]), strict=True):
        if kind == "plain":
            rows += [CorpusText(kind=kind, text=_unknown(known, rng)) for _ in range(of_kind)]
        else:
            for text in _WRITERS[kind](of_kind, strengths, rng):
                before = f"{write_lead_in(rng)} " if rng.random() < LEAD_IN_SHARE else ""
                rows.append(CorpusText(kind=kind, text=before + text))
    rng.shuffle(rows)
    return rows


def _unknown(known: frozenset[str], rng: random.Random) -> str:
    for _ in range(1000):
        if (text := write_plain(rng)) not in known:
            return text
    raise BadInputError(
        "dataset.heldout_texts: no plain text is left that the training texts lack; ask for "
        "fewer texts"
    )
