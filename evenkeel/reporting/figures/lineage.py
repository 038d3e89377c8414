"""The stages of the pipeline as a graph, from the first at the top to the last."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from evenkeel.reporting.drawing import Drawing, tip
from evenkeel.reporting.lineage import StageNode
from evenkeel.reporting.palette import Palette

WIDTH = 5.2
LEVEL = 0.62
"""Inches from one level to the next."""
EDGE = 0.21
"""Levels from the middle of a box to where arrows begin and end."""


def lineage_figure(stages: Sequence[StageNode]) -> Drawing:
    """A box a stage, an arrow from each stage to those that wait for it."""
    places = _placed(stages)
    levels = 1 + max(stage.level for stage in stages)

    def draw(figure: Figure, palette: Palette) -> None:
        panel = figure.subplots()
        panel.set_axis_off()
        panel.set_xlim(0, 1)
        panel.set_ylim(levels - 0.5, -0.5)
        for stage in stages:
            for parent in stage.parents:
                (x, y), (left, above) = places[stage.name], places[parent]
                panel.annotate(
                    "", (x, y - EDGE), (left, above + EDGE), zorder=1,
                    arrowprops={
                        "arrowstyle": "-|>", "color": palette.muted, "linewidth": 0.9,
                        "shrinkA": 0, "shrinkB": 0, "mutation_scale": 9,
                    },
                )  # fmt: skip
            panel.text(
                *places[stage.name], stage.name, ha="center", va="center", fontsize=8.5,
                color=palette.ink, gid=tip(f"{stage.desc}. Writes {', '.join(stage.writes)}"),
                bbox={
                    "boxstyle": "round,pad=0.45,rounding_size=0.3", "facecolor": palette.paper,
                    "edgecolor": palette.muted, "linewidth": 0.9,
                },
            )  # fmt: skip

    alt = "Stages and what they wait for: " + "; ".join(
        f"{stage.name} after {' and '.join(stage.parents)}" for stage in stages if stage.parents
    )
    rows = [
        {"stage": stage.name, "after": " ".join(stage.parents), "writes": " ".join(stage.writes)}
        for stage in stages
    ]
    return Drawing("lineage", (WIDTH, LEVEL * levels), alt, draw, rows)


def _placed(stages: Sequence[StageNode]) -> dict[str, tuple[float, float]]:
    """Where each stage stands: a level a row, each stage under the middle of its parents."""
    places: dict[str, tuple[float, float]] = {}
    for level in range(1 + max(stage.level for stage in stages)):

        def wanted(stage: StageNode) -> tuple[float, str]:
            above = [places[parent][0] for parent in stage.parents]
            return (sum(above) / len(above) if above else 0.5, stage.name)

        row = sorted((stage for stage in stages if stage.level == level), key=wanted)
        for number, stage in enumerate(row):
            places[stage.name] = ((number + 0.5) / len(row), level)
    return places
