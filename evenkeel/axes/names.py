"""First names whose gender a reader takes for granted."""

from collections.abc import Mapping

from evenkeel.axes.axis import Split

# fmt: off
FIRST_NAMES: Mapping[Split, Mapping[str, tuple[str, ...]]] = {
    "train": {
        "female": (
            "Mary", "Linda", "Susan", "Anna", "Laura", "Helen", "Barbara", "Elizabeth",
            "Jennifer", "Patricia", "Margaret", "Betty", "Dorothy", "Sandra", "Carol", "Donna",
            "Sharon", "Michelle", "Emily", "Amanda", "Melissa", "Deborah", "Rebecca", "Cynthia",
            "Kathleen", "Amy", "Angela", "Diane", "Janet", "Catherine",
        ),
        "male": (
            "James", "Robert", "Michael", "David", "Thomas", "Daniel", "William", "Richard",
            "Joseph", "Charles", "Matthew", "Anthony", "Mark", "Donald", "Steven", "Andrew",
            "Kenneth", "Joshua", "Kevin", "Brian", "Edward", "Ronald", "Timothy", "Jason",
            "Jeffrey", "Jacob", "Gary", "Nicholas", "Eric", "Jonathan",
        ),
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
# fmt: on
"""By split and group."""
