"""How a candidate is drawn: its action a shape, and colour says whether a gate holds it back."""

from evenkeel.reporting.palette import Palette

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
