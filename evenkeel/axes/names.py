"""First names whose gender a reader takes for granted."""

from collections.abc import Mapping

from evenkeel.axes.axis import Split

FIRST_NAMES: Mapping[Split, Mapping[str, tuple[str, ...]]] = {
    "train": {
        "female": ("Mary", "Linda", "Susan", "Anna", "Laura", "Helen"),
        "male": ("James", "Robert", "Michael", "David", "Thomas", "Daniel"),
    },
    "validation": {
        "female": ("Karen", "Julia", "Emma", "Alice", "Sofia", "Nancy"),
        "male": ("George", "Peter", "Henry", "Samuel", "Oscar", "Walter"),
    },
    "test": {
        "female": ("Sarah", "Maria", "Olivia", "Clara", "Ruth", "Lisa"),
        "male": ("John", "Paul", "Simon", "Martin", "Frank", "Victor"),
    },
}
"""By split and group."""
