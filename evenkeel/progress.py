"""How far long work is: a bar on a terminal, a line now and then in a log."""

import sys
from typing import Any

from tqdm import tqdm

from evenkeel.terminal import printable, say

SECONDS = 30.0
"""Between two lines where there is no terminal; work that ends sooner prints none."""
_LINE = "{desc}: {n_fmt} of {total_fmt} {unit}, {elapsed} so far, about {remaining} still"


class _Lines:
    """What tqdm draws over and over in one place, as lines."""

    def write(self, text: str) -> None:
        line = text.strip()
        if line:
            say(line, err=True)

    def flush(self) -> None:
        sys.stderr.flush()


class Progress(tqdm):
    """tqdm, which in a log writes a few whole lines instead of nothing."""

    def __init__(self, *args: Any, **options: Any) -> None:
        if not sys.stderr.isatty():
            options |= {
                "file": _Lines(),
                "bar_format": _LINE,
                "mininterval": SECONDS,
                "miniters": 1,  # guessed from the pace, it has lines say what was said before
                "delay": SECONDS,
                "disable": False,  # the environment silences the bars of libraries
            }
        if "desc" in options:  # the name of a model, for one
            options["desc"] = printable(options["desc"])
        super().__init__(*args, **options)
