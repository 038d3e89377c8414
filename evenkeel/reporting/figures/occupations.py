"""What steering did to each occupation."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from evenkeel.reporting.differences import visible
from evenkeel.reporting.drawing import Drawing
from evenkeel.reporting.figures.looks import mark
from evenkeel.reporting.palette import Palette
from evenkeel.reporting.results import OccupationRow

WIDTH = 5.2
MAX_NAME = 40
"""Characters of an occupation."""


def occupation_figure(occupations: Sequence[OccupationRow]) -> Drawing:
    """Log-odds of every test occupation, before and after, sorted by its share of women."""
    rows = [row for row in occupations if row.baseline is not None]

    def draw(figure: Figure, palette: Palette) -> None:
        panel = figure.subplots()
        panel.axvline(0, color=palette.muted, linewidth=0.8)
        for height, row in enumerate(rows):
            assert row.baseline is not None
            if row.steered is not None:
                panel.plot(
                    [row.baseline, row.steered], [height, height], color=palette.line,
                    linewidth=3, solid_capstyle="round", zorder=1,
                )  # fmt: skip
            mark(panel, height, 0.2, row.baseline, (row.baseline_low, row.baseline_high),
                 palette.before, f"{visible(row.occupation)}, before")  # fmt: skip
            mark(panel, height, -0.2, row.steered, (row.steered_low, row.steered_high),
                 palette.after, f"{visible(row.occupation)}, after")  # fmt: skip
        panel.set_yticks(range(len(rows)), [_named(row) for row in rows])
        panel.tick_params(axis="y", labelcolor=palette.ink, length=0)
        panel.set_ylim(-0.7, len(rows) - 0.3)
        panel.spines["left"].set_visible(False)
        panel.set_xlabel("← towards male · log-odds in nats · towards female →")
        panel.scatter([], [], s=26, color=palette.before, label="before")
        if any(row.steered is not None for row in rows):
            panel.scatter([], [], s=26, color=palette.after, label="after")
        figure.legend(loc="outside upper center", ncols=2, handletextpad=0.1)

    alt = f"Log-odds of {len(rows)} occupations before and after steering"
    size = (WIDTH, 1.2 + 0.24 * max(len(rows), 2))
    return Drawing("occupations", size, alt, draw, [row.model_dump() for row in rows])


def _named(row: OccupationRow) -> str:
    name = visible(row.occupation, MAX_NAME)
    if row.share_female is None:
        return name
    return f"{name}  {100 * row.share_female:.0f} %"
