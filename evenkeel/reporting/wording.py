"""Numbers in words that a reader can take at face value."""

from collections.abc import Mapping, Sequence
from typing import Any

UNKNOWN = "unknown"
RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")

METHODS = {
    "caa": "neutral − biased mean difference (CAA)",
    "group": "group mean difference",
    "term": "group mean difference (at the group’s term)",
    "pca": "PCA of pair differences",
    "probe": "linear probe",
    "actadd": "single pair of texts (ActAdd)",
    "sae": "SAE feature",
    "random_features": "random SAE features",
}

GATES = {
    "none": "",
    "band": " wherever its projection is near that of stereotyped words",
    "probe": " at words that a probe takes for stereotyped ones",
}


def number(value: float | None, digits: int = 2) -> str:
    """A number with a true minus sign, a large one as a power of ten, or "unknown"."""
    if value is None:
        return UNKNOWN
    if abs(value) >= 1e6:
        mantissa, exponent = f"{value:.{digits}e}".split("e")
        return f"{mantissa} × 10{exponent[1:].lstrip('0').translate(RAISED)}".replace("-", "−")
    text = f"{value:.{digits}f}"
    if float(text) == 0:
        text = text.lstrip("-")  # there is no minus zero in prose
    return text.replace("-", "−")


def percent(value: float | None, digits: int = 0) -> str:
    """A share in percent, which no line is broken within, or "unknown"."""
    return UNKNOWN if value is None else f"{number(100 * value, digits)}\N{NO-BREAK SPACE}%"


def p_value(value: float | None) -> str:
    """A p-value to two significant digits; never 0."""
    if value is None:
        return UNKNOWN
    return "< 0.0001" if value < 0.0001 else f"{value:.2g}"


def p_equals(value: float | None) -> str:
    """A p-value in a sentence."""
    text = p_value(value)
    return f"p {text}" if value is None or text.startswith("<") else f"p = {text}"


def interval(measures: Mapping[str, Any], name: str, digits: int = 2, scale: float = 1) -> str:
    """The 95 % interval of a measure, as "[low, high]"; empty where it is unknown."""
    ends = measures.get(f"{name}_ci95")
    return interval_of(ends, digits, scale) if ends else ""


def interval_of(ends: Sequence[float], digits: int = 2, scale: float = 1) -> str:
    return f"[{number(scale * ends[0], digits)}, {number(scale * ends[1], digits)}]"


def measured(measures: Mapping[str, Any], name: str, digits: int = 2) -> str:
    """A measure followed by its interval."""
    return f"{number(measures.get(name), digits)} {interval(measures, name, digits)}".strip()


def measured_percent(measures: Mapping[str, Any], name: str, digits: int = 0) -> str:
    """A share followed by its interval, in percent."""
    if measures.get(name) is None:
        return UNKNOWN
    ends = interval(measures, name, digits, scale=100)
    return f"{percent(measures[name], digits)} {ends}".strip()


def described(intervention: Mapping[str, Any]) -> str:
    """An intervention as a noun phrase."""
    method = intervention["method"]
    direction = f"the direction of the {METHODS.get(method, f'“{method}” vector')}"
    layer = intervention["layer"]
    where = "at all layers" if layer == "all" else f"at layer {layer}"
    where += GATES[intervention["gate"]]
    multiplier = intervention["multiplier"]
    if intervention["action"] in ("clamp", "scale"):
        features = "SAE features " + ", ".join(intervention["features"].split())
        if intervention["action"] == "clamp":
            return f"holding {features} at {multiplier:g} {where}"
        return f"scaling {features} by {multiplier:g} {where}"
    if intervention["action"] == "add":
        return f"adding {number(multiplier)} stream norms in {direction} {where}"
    if intervention["action"] == "mean_ablate":
        way = f"{percent(multiplier)} of the way to the groups’ middle"
        return f"moving the stream {way} along {direction} {where}"
    if multiplier == 1:
        return f"projecting out {direction} {where}"
    return f"taking out {percent(multiplier)} of {direction} {where}"
