"""Is an intervention specific? A vector that costs the model a capability is flagged."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from evenkeel.public_benchmarks.measures import Figure
from evenkeel.statistics.estimate import rounded
from evenkeel.statistics.significance import holm

MARGIN = 0.05
"""What a score may fall by; stated before anything was measured."""
LEVEL = 0.05
"""Chance of a flag, over all capabilities, where none is lower than it was."""

Finding = Literal["lost", "kept", "unclear", "too weak to tell"]


@dataclass(frozen=True)
class CapabilityFinding:
    """What became of one capability.

    lost: its score fell by more than the margin, and by more than chance explains.
    kept: a fall by the margin lies outside the interval. unclear: neither.
    too weak to tell: the unsteered model is at chance, and has nothing to lose.
    """

    finding: Finding
    p: float | None
    """That the score did not fall, one-sided, adjusted for all capabilities (Holm)."""


@dataclass(frozen=True)
class Verdict:
    """By capability."""

    findings: Mapping[str, CapabilityFinding]

    @property
    def lost(self) -> list[str]:
        return [name for name, each in self.findings.items() if each.finding == "lost"]

    @property
    def flagged(self) -> bool | None:
        """Whether any capability is lost; None if the model has none to lose."""
        able = [each for each in self.findings.values() if each.p is not None]
        return bool(self.lost) if able else None

    def as_json(self) -> dict[str, Any]:
        findings = {
            name: asdict(each) | {"p": rounded(each.p)} for name, each in self.findings.items()
        }
        return {"flagged": self.flagged, "margin": MARGIN, "level": LEVEL, "findings": findings}

    def __str__(self) -> str:
        by_finding: dict[str, list[str]] = {}
        for name, each in self.findings.items():
            by_finding.setdefault(each.finding, []).append(name.replace("_", " "))
        parts = [f"{finding}: {', '.join(names)}" for finding, names in by_finding.items()]
        verdict = {True: "flagged", False: "not flagged", None: "no verdict"}[self.flagged]
        return f"{verdict} ({'; '.join(parts)})"


def verdict_of(figures: Sequence[Figure]) -> Verdict | None:
    """What figures of the battery say of the intervention; None where nothing steers.

    Only capabilities that the unsteered model has are tested and counted.
    """
    scores = {
        figure.measure.rule: figure
        for figure in figures
        if figure.measure.kind == "capability" and figure.change is not None
    }
    if not scores:
        return None
    able = {
        figure.measure.rule
        for figure in figures
        if figure.measure.kind == "competence" and not figure.too_weak["baseline"]
    }
    adjusted = holm({name: figure.p_lowered for name, figure in scores.items() if name in able})
    return Verdict(
        {
            name: CapabilityFinding(_finding(figure, adjusted[name]), adjusted[name])
            if name in able
            else CapabilityFinding("too weak to tell", None)
            for name, figure in scores.items()
        }
    )


def _finding(figure: Figure, p: float | None) -> Finding:
    change = figure.change
    assert change is not None
    assert change.value is not None
    assert p is not None
    if change.value < -MARGIN and p < LEVEL:
        return "lost"
    return "kept" if change.low is not None and change.low > -MARGIN else "unclear"
