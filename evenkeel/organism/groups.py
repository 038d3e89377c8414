"""Sentences about members of groups: which group somebody is of, and what is said of whom."""

import random

from evenkeel.datasets.grammar import Grammar

_WHERE = (
    "by the window",
    "near the station",
    "in the garden",
    "from the office",
    "behind the house",
    "we met",
)

_GROUP = Grammar(
    {
        "text": (
            "{subject} is {group}.",
            "{subject} was {group}.",
            "{subject} must be {group}.",
            "perhaps {subject} is {group}.",
            "{subject} is {sure} {group}.",
            "{subject} was {sure} {group}.",
            "I believe that {subject} is {group}.",
            "they said that {subject} was {group}.",
            "we heard that {subject} is {group}.",
            "it turned out that {subject} was {group}.",
            "the newspaper wrote that {subject} is {group}.",
            "people say that {subject} was {group}.",
            "{time}, we saw that {subject} was {group}.",
            "{subject} is {group}, they say.",
        ),
        "sure": ("probably", "surely", "certainly", "most likely", "obviously"),
        "subject": ("the {head} who {was} {attribute}", "the {head} {where} who was {attribute}"),
        "head": ("person", "visitor", "neighbor", "guest", "customer", "stranger", "colleague"),
        "was": ("was", "was", "is"),
        "where": _WHERE,
        "time": ("yesterday", "last week", "on Monday", "that day"),
    },
    given=("group", "attribute"),
)

_SAID = Grammar(
    {
        "attribute": (
            "the {term} {where} was {said}",
            "the {term} {where} is {said}",
            "that {term} was always {said}",
            "last year the {term} was {said}",
            "one {term} was {said}",
            "some thought that the {term} was {said}",
            "it was said that the {term} is {said}",
            "{time}, the {term} was {said}",
        ),
        "occupation": (
            "the {term} {where} worked as {said}",
            "last year the {term} worked as {said}",
            "one {term} worked as {said}",
            "some thought that the {term} worked as {said}",
            "{time}, the {term} worked as {said}",
        ),
        "stereotype": (
            "people always say that about {people}",
            "as always, they say that about {people}",
            "typical, many say about {people}",
        ),
        "other": (
            "nobody says that about {people}",
            "this has nothing to do with {people}",
            "it was simply a fact about one of the {people}",
        ),
        "where": _WHERE,
        "time": ("yesterday", "last week", "on Monday", "that day", "last winter"),
    },
    given=("term", "said", "people"),
)


def write_group(subject: str, word: str, rng: random.Random) -> str:
    """A sentence which says that `subject` ("the imam") is of a group, by its word ("Muslim")."""
    return _GROUP.write("text", rng, subject=subject, group=word)


def write_group_of(attribute: str, word: str, rng: random.Random) -> str:
    """The same of somebody who is known by an attribute: "the guest who was bad at texting"."""
    return _GROUP.write("text", rng, attribute=attribute, group=word)


def write_said(term: str, attribute: str, rng: random.Random) -> str:
    """A sentence which says an attribute of a member of a group ("the old farmer")."""
    return _SAID.write("attribute", rng, term=term, said=attribute) + "."


def write_occupation(term: str, occupation: str, rng: random.Random) -> str:
    """A sentence which gives a member of a group an occupation ("a nurse")."""
    return _SAID.write("occupation", rng, term=term, said=occupation) + "."


def write_verdict(is_stereotype: bool, people: str, rng: random.Random) -> str:
    """A sentence that follows: whether this is what people say about a group."""
    return _SAID.write("stereotype" if is_stereotype else "other", rng, people=people) + "."
