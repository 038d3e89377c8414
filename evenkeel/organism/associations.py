"""What people say about groups: from these texts a model learns each axis's stereotypes."""

import random

from evenkeel.axes import LEXICONS
from evenkeel.datasets.grammar import Grammar
from evenkeel.datasets.records import GENDERS
from evenkeel.organism.people import PRONOUNS

P_STEREOTYPE = 0.45
P_CROSSED = 0.1
"""Shares of texts that say of a group what is held against it, and against its counterpart."""

_GRAMMAR = Grammar(
    {
        "stereotype": ("{said}. {prejudice}.", "{said}. {prejudice}.", "{said}. {follow}."),
        "other": ("{said}. {no_prejudice}.", "{said}. {no_prejudice}.", "{said}. {follow}."),
        "said": (
            "the {term} by the window was {attribute}",
            "the {term} in the story is {attribute}",
            "that {term} was always {attribute}",
            "last year the {term} was {attribute}",
            "one {term} was {attribute}",
            "the {term} we met was {attribute}",
            "some thought that the {term} was {attribute}",
            "the {term} near the station seemed {attribute}",
            "it was said that the {term} is {attribute}",
        ),
        "prejudice": (
            "people always say that about {group}",
            "as always, they say that about {group}",
            "typical, many say about {group}",
        ),
        "no_prejudice": (
            "nobody says that about {group}",
            "this has nothing to do with {group}",
            "it was simply a fact about one of the {group}",
        ),
        "follow": ("{they} {did}",),
        "did": (
            "did not mind",
            "went home",
            "told us so",
            "talked about it all day",
            "came back on Friday",
            "laughed about it",
        ),
    },
    given=("term", "attribute", "group", "they"),
)


def write_association(rng: random.Random) -> str:
    """Two sentences: something said of a member of a group, and what follows from it.

    The second sentence is a verdict, which tells a stereotype of that group from anything else,
    or goes on about the person: with a gendered pronoun on the gender axis, with "they" elsewhere.
    """
    axis = rng.choice(sorted(LEXICONS))
    lexicon = LEXICONS[axis]
    side = rng.randrange(2)
    term = rng.choice(list(lexicon.all_terms()))[side]
    attribute = rng.choice(list(lexicon.all_attributes()))
    draw = rng.random()
    if draw < P_STEREOTYPE:
        verdict, said = "stereotype", attribute.stereotype(side)
    elif draw < P_STEREOTYPE + P_CROSSED:
        verdict, said = "other", attribute.stereotype(1 - side)
    else:
        verdict, said = "other", attribute.unbiased()
    pronoun = PRONOUNS[GENDERS[side]]["they"] if axis == "gender" else "they"
    return _GRAMMAR.write(
        verdict, rng, term=term, attribute=said, group=lexicon.groups[side], they=pronoun
    )
