"""An executor whose tasks see nothing but what was pickled, though it runs in this process."""

import pickle
from collections.abc import Iterable, Iterator
from typing import Any

from evenkeel.execution.job import Job


def _pickled(thing: Any) -> Any:
    return pickle.loads(pickle.dumps(thing))  # noqa: S301


class Elsewhere:
    """One worker that sees nothing but what was pickled, and works from the last task back."""

    apart = True

    def run(self, job: Job[Any, Any], tasks: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
        with _pickled(job).opened() as work:
            for task in reversed(list(tasks)):
                yield task, work(_pickled(task))
