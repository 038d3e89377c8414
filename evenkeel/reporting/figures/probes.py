"""Where a bias can be decoded: probes by layer, and statements on principal components."""

from collections.abc import Callable, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from evenkeel.reporting.drawing import Drawing, tip
from evenkeel.reporting.palette import Palette
from evenkeel.reporting.results import AxisProbes, ProbeRow, Probes, ProjectionRow
from evenkeel.reporting.wording import interval_of, number, percent

WIDTH = 5.2
COLUMNS = 2
MARKERS = "o^sDvPX"
"""Of an axis's groups, in alphabetical order."""


def probe_figure(probes: Probes) -> Drawing:
    """Accuracy of the linear probes and of their control task by layer, an axis a panel."""
    axes = list(probes.axes)

    def draw(figure: Figure, palette: Palette) -> None:
        def panel_of(panel: Axes, axis: str) -> None:
            _probe_panel(panel, axis, probes.axes[axis], palette)

        _panels(figure, axes, panel_of, shared=True)
        for panel in figure.axes[::COLUMNS]:
            panel.set_ylabel("accuracy")

    alt = "Test accuracy of linear probes by layer for " + ", ".join(axes)
    rows = [{"axis": axis} | row.model_dump() for axis in axes for row in _drawn(probes.axes[axis])]
    return Drawing("probes", _size(axes), alt, draw, rows)


def _drawn(probes: AxisProbes) -> list[ProbeRow]:
    return [row for row in probes.layers if row.site == probes.best.site]


def _probe_panel(panel: Axes, axis: str, probes: AxisProbes, palette: Palette) -> None:
    rows = _drawn(probes)
    layers = [row.layer for row in rows]
    panel.axhline(0.5, color=palette.line, linewidth=0.8)
    lows, highs = zip(*(row.accuracy_ci95 for row in rows), strict=True)
    panel.fill_between(layers, lows, highs, color=palette.chosen, alpha=0.15, linewidth=0)
    panel.plot(layers, [row.accuracy for row in rows], color=palette.chosen)
    for row in rows:
        title = (
            f"{axis}, layer {row.layer}: {number(row.accuracy)} "
            f"{interval_of(row.accuracy_ci95)}; control {number(row.control_accuracy)}"
        )
        panel.plot(
            [row.layer], [row.accuracy], color=palette.chosen, marker="o", markersize=4,
            gid=tip(title),
        )  # fmt: skip
    control = [row.control_accuracy for row in rows]
    panel.plot(layers, control, color=palette.muted, linestyle=(0, (3, 2)), linewidth=1.3)
    panel.set_title(axis)
    panel.set_ylim(0.2, 1.03)
    panel.set_xlabel("layer")
    panel.xaxis.set_major_locator(MaxNLocator(integer=True))


def projection_figure(projections: Sequence[ProjectionRow]) -> Drawing:
    """Test statements on two principal components, an axis a panel."""
    axes = list(dict.fromkeys(row.axis for row in projections))

    def draw(figure: Figure, palette: Palette) -> None:
        def panel_of(panel: Axes, axis: str) -> None:
            rows = [row for row in projections if row.axis == axis]
            _projection_panel(panel, axis, rows, palette)

        _panels(figure, axes, panel_of, shared=False)

    alt = "Test statements on the first two principal components for " + ", ".join(axes)
    return Drawing("projections", _size(axes), alt, draw, [row.model_dump() for row in projections])


def _projection_panel(
    panel: Axes, axis: str, rows: Sequence[ProjectionRow], palette: Palette
) -> None:
    groups = sorted({row.group for row in rows})
    for label, color in (("neutral", palette.muted), ("biased", palette.chosen)):
        for group, marker in zip(groups, MARKERS, strict=False):
            alike = [row for row in rows if (row.label, row.group) == (label, group)]
            panel.scatter(
                [row.pc1 for row in alike], [row.pc2 for row in alike], s=13, marker=marker,
                color=color, alpha=0.7, linewidths=0, gid=tip(f"{label}, {group}"),
            )  # fmt: skip
    first = rows[0]
    panel.set_title(f"{axis}, layer {first.layer}")
    panel.set_xlabel(f"PC 1 ({percent(first.pc1_variance)})")
    panel.set_ylabel(f"PC 2 ({percent(first.pc2_variance)})")
    panel.set_xticks([])
    panel.set_yticks([])


def _size(axes: Sequence[str]) -> tuple[float, float]:
    return WIDTH, 0.6 + 1.6 * -(-len(axes) // COLUMNS)


def _panels(
    figure: Figure, axes: Sequence[str], draw: Callable[[Axes, str], None], *, shared: bool
) -> None:
    """A panel an axis, those left over taken away."""
    rows = -(-len(axes) // COLUMNS)
    panels = figure.subplots(rows, COLUMNS, sharex=shared, sharey=shared, squeeze=False)
    for panel, axis in zip(panels.flat, axes, strict=False):
        draw(panel, axis)
    for place, panel in enumerate(panels.flat):
        if place >= len(axes):
            panel.remove()
        elif place + COLUMNS < len(axes) and shared:
            panel.set_xlabel("")
        else:
            panel.tick_params(labelbottom=True)
