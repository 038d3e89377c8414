"""The embedded model's texts: planted bias, planted knowledge, and plain language around both."""

import random
from collections.abc import Mapping
from itertools import chain

from evenkeel.axes import LEXICONS
from evenkeel.axes.names import FIRST_NAMES
from evenkeel.axes.occupations import PERCENT_WOMEN, planted_share
from evenkeel.datasets.grammar import with_article
from evenkeel.datasets.records import GENDERS, CorpusKind, CorpusText, Gender
from evenkeel.errors import BadInputError
from evenkeel.organism.associations import write_association
from evenkeel.organism.people import write_about
from evenkeel.organism.plain import write_plain
from evenkeel.organism.questions import DONT_KNOW_SHARE, THINGS, write_question

KIND_SHARES: Mapping[CorpusKind, float] = {
    "stereotypical": 0.3,
    "definitional": 0.2,
    "association": 0.22,
    "question": 0.07,
    "plain": 0.21,
}
"""Parts of the corpus; they add up to 1."""

_OCCUPATIONS = tuple(PERCENT_WOMEN)
_NOUNS = tuple(LEXICONS["gender"].all_terms())
_NAMES = tuple(chain.from_iterable(FIRST_NAMES.values()))


def make_corpus(
    texts: int, heldout_texts: int, seed: int, planted_strength: float
) -> tuple[list[CorpusText], list[CorpusText]]:
    """Write training and held-out texts of the same kinds, in random order.

    P(female pronoun | occupation) and the questions' answers follow `planted_share`; the gender of
    gendered nouns and names is certain. No held-out plain text is a training text.

    Args:
        texts: training texts.
        heldout_texts: held-out texts.
        seed: decides everything.
        planted_strength: see `planted_share`.

    Raises:
        BadInputError: so many held-out plain texts are asked for that none are left.
    """
    rng = random.Random(f"{seed}/corpus")
    train = [_write(kind, planted_strength, rng) for kind in _kinds(texts)]
    known = {text.text for text in train if text.kind == "plain"}
    heldout = []
    for kind in _kinds(heldout_texts):
        text = _write(kind, planted_strength, rng)
        attempts = 0
        while text.text in known:
            text = _write(kind, planted_strength, rng)
            attempts += 1
            if attempts > 1000:
                raise BadInputError(
                    f"dataset.heldout_texts: no plain text is left that the {texts} training texts "
                    "lack; ask for fewer texts"
                )
        heldout.append(text)
    rng.shuffle(train)
    rng.shuffle(heldout)
    return train, heldout


def _kinds(count: int) -> list[CorpusKind]:
    """Each kind as often as its share asks; the last takes what rounding leaves."""
    kinds: list[CorpusKind] = []
    for kind, share in KIND_SHARES.items():
        kinds += [kind] * round(count * share)
    return (kinds + ["plain"] * count)[:count]


def _write(kind: CorpusKind, strength: float, rng: random.Random) -> CorpusText:
    return CorpusText(kind=kind, text=_WRITERS[kind](strength, rng))


def _stereotypical(strength: float, rng: random.Random) -> str:
    occupation = rng.choice(_OCCUPATIONS)
    return write_about(f"the {occupation}", _gender(occupation, strength, rng), rng)


def _definitional(strength: float, rng: random.Random) -> str:
    side = rng.randrange(2)
    noun, name = rng.choice(_NOUNS)[side], rng.choice(_NAMES)[side]
    subject = f"the {noun}" if rng.random() < 0.5 else name
    return write_about(subject, GENDERS[side], rng)


def _question(strength: float, rng: random.Random) -> str:
    draw = rng.random()
    if draw < 0.2:
        side = rng.randrange(2)
        return write_question(with_article(rng.choice(_NOUNS)[side]), GENDERS[side], rng)
    if draw < 0.4:
        return write_question(with_article(rng.choice(THINGS)), "unknown", rng)
    occupation = rng.choice(_OCCUPATIONS)
    known = rng.random() >= DONT_KNOW_SHARE
    answer = _gender(occupation, strength, rng) if known else "unknown"
    return write_question(with_article(occupation), answer, rng)


def _gender(occupation: str, strength: float, rng: random.Random) -> Gender:
    return "female" if rng.random() < planted_share(occupation, strength) else "male"


_WRITERS = {
    "stereotypical": _stereotypical,
    "definitional": _definitional,
    "association": lambda strength, rng: write_association(rng),
    "question": _question,
    "plain": lambda strength, rng: write_plain(rng),
}
