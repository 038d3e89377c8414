"""Find social bias inside a causal language model, steer it out, prove what that did."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evenkeel.steering.hooks import steer
    from evenkeel.steering.spec import InterventionSpec

__version__ = "0.1.0"
__all__ = ["InterventionSpec", "__version__", "steer"]

_HOMES = {"InterventionSpec": "evenkeel.steering.spec", "steer": "evenkeel.steering.hooks"}


def __getattr__(name: str) -> Any:
    """Import what needs torch when it is asked for, so that `import evenkeel` stays quick."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
