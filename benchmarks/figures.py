"""What a benchmark found: a table for people, rows for programs."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Literal

from evenkeel.terminal import print_table


@dataclass(frozen=True)
class Figure:
    """One measured number."""

    name: str
    value: float
    goal: float | None = None
    """None where it is shown for comparison only."""
    better: Literal["lower", "higher"] = "lower"

    def cells(self) -> list[str | float]:
        """Name, value and goal in a table."""
        if self.goal is None:
            return [self.name, self.value, ""]
        return [self.name, self.value, f"{'<=' if self.better == 'lower' else '>='} {self.goal:g}"]


def show(title: str, figures: Iterable[Figure], as_json: bool) -> None:
    """Print figures as a table, or as one JSON object a line."""
    if as_json:
        for figure in figures:
            print(json.dumps(asdict(figure) | {"title": title}))
    else:
        print_table(title, ["what", "measured", "goal"], [figure.cells() for figure in figures])
