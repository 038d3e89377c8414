"""Bias measured in organisms against the bias that was planted in them."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from evenkeel.reporting.drawing import Drawing, tip
from evenkeel.reporting.palette import Palette
from evenkeel.reporting.results import RecoveryRow
from evenkeel.reporting.wording import interval_of, number

WIDTH = 5.2


def recovery_figure(organisms: Sequence[RecoveryRow]) -> Drawing:
    """One dot an organism with its interval; on the diagonal the measure finds what was planted."""
    rows = [row for row in organisms if row.measured is not None]

    def draw(figure: Figure, palette: Palette) -> None:
        panel = figure.subplots()
        panel.axline((0, 0), slope=1, color=palette.muted, linewidth=0.9, linestyle=(0, (3, 2)))
        for row in rows:
            assert row.measured is not None
            said = f"{row.organism}: {number(row.measured)}"
            if row.measured_low is not None and row.measured_high is not None:
                ends = (row.measured_low, row.measured_high)
                panel.plot([row.planted] * 2, ends, color=palette.chosen, linewidth=1, alpha=0.5)
                said += f" {interval_of(ends)}"
            panel.scatter(
                [row.planted], [row.measured], s=26, color=palette.chosen, linewidths=0,
                gid=tip(said),
            )  # fmt: skip
        panel.set_xlabel("planted strength")
        panel.set_ylabel("measured strength")

    alt = f"Measured against planted strength of bias in {len(rows)} organisms"
    return Drawing("recovery", (WIDTH, 3.2), alt, draw, [row.model_dump() for row in organisms])
