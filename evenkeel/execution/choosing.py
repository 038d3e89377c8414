"""Which executor runs the tasks: for the user's environment to say, never for params.yaml."""

from typing import Literal

from evenkeel.execution.job import Executor
from evenkeel.execution.local import InProcess, Processes
from evenkeel.execution.on_ray import OnRay

Kind = Literal["local", "ray"]


def executor_of(
    kind: Kind, workers: int | None = None, cpus: float = 1.0, gpus: float | None = None
) -> Executor:
    """The executor of a name.

    Args:
        kind: "local" (processes of this machine) or "ray" (actors of a cluster).
        workers: how many; None for this process alone, or for as many as the cluster has room for.
        cpus: of each worker on a cluster.
        gpus: of each worker on a cluster; None for one where there are any.
    """
    if kind == "ray":
        return OnRay(workers, cpus, gpus)
    return InProcess() if workers in (None, 1) else Processes(workers)
