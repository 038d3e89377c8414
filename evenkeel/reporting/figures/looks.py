"""How a candidate is drawn: its action a shape, and colour says whether a gate holds it back.

And how a value is, with its interval.
"""

from matplotlib.axes import Axes

from evenkeel.reporting.drawing import tip
from evenkeel.reporting.palette import Palette
from evenkeel.reporting.wording import interval_of, number

SHAPES = {"add": "^", "ablate": "o", "mean_ablate": "s", "clamp": "D", "scale": "v"}
"""Marker of each action."""
NO_GATE = "none"


def kind(action: str, gate: str) -> str:
    """What a legend calls it."""
    return action if gate == NO_GATE else f"{action}, gated"


def look(action: str, gate: str, palette: Palette) -> tuple[str, str]:
    """Colour and marker."""
    if gate != NO_GATE:
        return palette.before, SHAPES[action]
    return (palette.muted if action == "add" else palette.ink), SHAPES[action]


def mark(
    panel: Axes, height: float, aside: float, value: float | None,
    ends: tuple[float | None, float | None] | None, color: str, said: str, digits: int = 2,
) -> None:  # fmt: skip
    """A dot at the value, its interval a thin line a little aside so that two do not overlap."""
    if value is None:
        return
    said += f": {number(value, digits)}"
    low, high = ends or (None, None)
    if low is not None and high is not None:
        at = height + aside
        said += f" {interval_of((low, high), digits)}"
        panel.plot([low, high], [at, at], color=color, linewidth=1, alpha=0.45, zorder=2)
    panel.scatter([value], [height], s=30, color=color, linewidths=0, zorder=3, gid=tip(said))
