"""Interventions of one axis, measured on every axis."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from evenkeel.evaluation.result import Measured
from evenkeel.reporting.drawing import Drawing, tip
from evenkeel.reporting.figures.sweep import STRONGEST_SHADE
from evenkeel.reporting.palette import Palette
from evenkeel.reporting.wording import percent

WIDTH = 5.2
SHOWN = ("bias_reduction", "definitional_accuracy_change", "perplexity_ratio")


def cross_figure(cross: Mapping[str, Mapping[str, Measured]], axes: Sequence[str]) -> Drawing:
    """Bias reduction by axis of the intervention (rows) and axis that it is measured on (columns).

    Args:
        cross: metrics by both axes.
        axes: in the order of columns.
    """
    cells = {
        (x, y): (steered, on, metrics)
        for y, (steered, row) in enumerate(cross.items())
        for x, on in enumerate(axes)
        if (metrics := row.get(on)) is not None
    }

    def draw(figure: Figure, palette: Palette) -> None:
        panel = figure.subplots()
        for (x, y), (steered, on, metrics) in cells.items():
            gain = metrics.value("bias_reduction")
            title = tip(f"intervention on {steered}, measured on {on}: {percent(gain)}")
            panel.add_patch(
                Rectangle(
                    (x - 0.48, y - 0.46), 0.96, 0.92, linewidth=0, gid=title,
                    facecolor=palette.after if (gain or 0) >= 0 else palette.before,
                    alpha=STRONGEST_SHADE * min(abs(gain or 0), 1),
                )
            )  # fmt: skip
            panel.text(
                x, y, "?" if gain is None else percent(gain), ha="center", va="center",
                color=palette.ink, fontsize=8.5, gid=title,
            )  # fmt: skip
        panel.set_xlim(-0.5, len(axes) - 0.5)
        panel.set_ylim(max(len(cross), 1) - 0.5, -0.5)
        panel.set_xticks(range(len(axes)), axes)
        panel.set_yticks(range(len(cross)), list(cross))
        panel.xaxis.tick_top()
        panel.xaxis.set_label_position("top")
        panel.set_xlabel("measured on")
        panel.set_ylabel("intervention on")
        panel.tick_params(length=0, labelcolor=palette.ink)
        for spine in panel.spines.values():
            spine.set_visible(False)

    alt = "Bias reduction on each axis under the intervention of each axis"
    rows = [
        {"intervention": steered, "axis": on}
        | {key: cell for name in SHOWN for key, cell in metrics.estimate(name).cells(name).items()}
        for steered, on, metrics in cells.values()
    ]
    return Drawing("joint/cross", (WIDTH, 0.8 + 0.36 * max(len(cross), 2)), alt, draw, rows)
