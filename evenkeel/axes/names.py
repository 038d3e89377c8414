"""First names whose gender a reader takes for granted."""

from collections.abc import Mapping

from evenkeel.axes import Pair
from evenkeel.datasets.records import Split

FIRST_NAMES: Mapping[Split, tuple[Pair, ...]] = {
    "train": (
        ("Mary", "James"),
        ("Linda", "Robert"),
        ("Susan", "Michael"),
        ("Anna", "David"),
        ("Laura", "Thomas"),
        ("Helen", "Daniel"),
    ),
    "validation": (
        ("Karen", "George"),
        ("Julia", "Peter"),
        ("Emma", "Henry"),
        ("Alice", "Samuel"),
        ("Sofia", "Oscar"),
        ("Nancy", "Walter"),
    ),
    "test": (
        ("Sarah", "John"),
        ("Maria", "Paul"),
        ("Olivia", "Simon"),
        ("Clara", "Martin"),
        ("Ruth", "Frank"),
        ("Lisa", "Victor"),
    ),
}
"""A woman's and a man's name in each pair, by split."""
