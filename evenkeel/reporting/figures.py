"""The figures of the report, each a function of the results."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator, NullLocator

from evenkeel.reporting.drawing import Drawing
from evenkeel.reporting.palette import Palette
from evenkeel.reporting.results import AxisProbes, Evaluation, OccupationRow, Probes, SweepRow

WIDTH = 5.2
COLUMNS = 2
LEAST_REDUCTION = -1.0
"""Candidates that make the spread more than twice as wide are drawn at the lower edge."""
COSTS = {0.0: "0", 0.01: "1 %", 0.1: "10 %", 1.0: "100 %", 10.0: "×11", 100.0: "×101"}
"""Ticks of added perplexity."""


def probe_figure(probes: Probes) -> Drawing:
    """Accuracy of the linear probes and of their control task by layer, an axis a panel."""
    axes = list(probes.axes)
    rows = -(-len(axes) // COLUMNS)

    def draw(figure: Figure, palette: Palette) -> None:
        panels = figure.subplots(rows, COLUMNS, sharex=True, sharey=True, squeeze=False)
        for panel, axis in zip(panels.flat, axes, strict=False):
            _probe_panel(panel, axis, probes.axes[axis], palette)
        for panel in panels.flat[len(axes) :]:
            panel.set_axis_off()
        for panel in panels[:, 0]:
            panel.set_ylabel("accuracy")
        for column in range(COLUMNS):
            last = panels[(len(axes) - 1 - column) // COLUMNS, column]
            last.set_xlabel("layer")
            last.tick_params(labelbottom=True)

    alt = "Test accuracy of linear probes by layer for " + ", ".join(axes)
    return Drawing("probes", (WIDTH, 0.6 + 1.6 * rows), alt, draw)


def _probe_panel(panel: Axes, axis: str, probes: AxisProbes, palette: Palette) -> None:
    rows = [row for row in probes.layers if row.site == probes.best.site]
    layers = [row.layer for row in rows]
    panel.axhline(0.5, color=palette.line, linewidth=0.8)
    lows, highs = zip(*(row.accuracy_ci95 for row in rows), strict=True)
    panel.fill_between(layers, lows, highs, color=palette.chosen, alpha=0.15, linewidth=0)
    accuracy = [row.accuracy for row in rows]
    panel.plot(layers, accuracy, color=palette.chosen, marker="o", markersize=3.5)
    control = [row.control_accuracy for row in rows]
    panel.plot(layers, control, color=palette.muted, linestyle=(0, (3, 2)), linewidth=1.3)
    panel.set_title(axis)
    panel.set_ylim(0.2, 1.03)
    panel.xaxis.set_major_locator(MaxNLocator(integer=True))


def sweep_figure(sweep: list[SweepRow], evaluation: Evaluation) -> Drawing:
    """Every candidate on validation: what it gains against what it costs."""
    known = [r for r in sweep if r.bias_reduction is not None and r.perplexity_ratio is not None]
    budget = evaluation.selection.max_perplexity_ratio - 1
    chosen = evaluation.selected

    def draw(figure: Figure, palette: Palette) -> None:
        panel = figure.subplots()
        panel.axhline(0, color=palette.line, linewidth=0.8)
        panel.axvline(budget, color=palette.muted, linewidth=0.9, linestyle=(0, (3, 2)))
        for action, color, marker in (("add", palette.muted, "^"), ("ablate", palette.ink, "o")):
            rows = [row for row in known if row.action == action]
            panel.scatter(
                [_cost(row) for row in rows],
                [_gain(row) for row in rows],
                s=20, marker=marker, color=color, alpha=0.55, linewidths=0, label=action,
                clip_on=False,
            )  # fmt: skip
        for row in known:
            if chosen is not None and _is(row, chosen):
                panel.scatter(
                    [_cost(row)], [_gain(row)], s=110, facecolors="none", label="selected",
                    edgecolors=palette.chosen, linewidths=1.8, zorder=3, clip_on=False,
                )  # fmt: skip
        panel.set_xscale("symlog", linthresh=0.01)
        low = min([0.0, *(_cost(row) for row in known)])
        high = max([0.1, *(_cost(row) for row in known)])
        panel.set_xlim(min(low * 1.2, -0.001), high * 1.3)
        ticks = {at: label for at, label in COSTS.items() if at <= high * 1.3}
        panel.xaxis.set_major_locator(FixedLocator(list(ticks)))
        panel.xaxis.set_major_formatter(FixedFormatter(list(ticks.values())))
        panel.xaxis.set_minor_locator(NullLocator())
        worst = min([0.0, *(_gain(row) for row in known)])
        panel.set_ylim(max(worst - 0.1, LEAST_REDUCTION), 1.02)
        lowest = [(LEAST_REDUCTION, "≤ −100 %")] if worst == LEAST_REDUCTION else []
        gains = [*lowest, (-0.5, "−50 %"), (0.0, "0"), (0.5, "50 %"), (1.0, "100 %")]
        panel.set_yticks(*zip(*(tick for tick in gains if tick[0] >= worst - 0.1), strict=True))
        panel.set_xlabel("added perplexity on plain text (dashed: the budget)")
        panel.set_ylabel("bias removed")
        panel.legend(loc="upper center", bbox_to_anchor=(0.5, 1.14), ncols=3, handletextpad=0.2)

    alt = f"Bias removed against added perplexity for {len(known)} candidates on validation"
    return Drawing("sweep", (WIDTH, 3.7), alt, draw)


def _cost(row: SweepRow) -> float:
    assert row.perplexity_ratio is not None
    return row.perplexity_ratio - 1


def _gain(row: SweepRow) -> float:
    assert row.bias_reduction is not None
    return max(row.bias_reduction, LEAST_REDUCTION)


def _is(row: SweepRow, chosen: dict[str, object]) -> bool:
    keys = ("method", "site", "action", "multiplier", "gate")
    same = all(getattr(row, key) == chosen[key] for key in keys)
    return same and row.layer == str(chosen["layer"])


def occupation_figure(occupations: list[OccupationRow]) -> Drawing:
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
            _mark(panel, height, 0.2, row.baseline, row.baseline_low, row.baseline_high,
                  palette.before)  # fmt: skip
            _mark(panel, height, -0.2, row.steered, row.steered_low, row.steered_high,
                  palette.after)  # fmt: skip
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
    return Drawing("occupations", (WIDTH, 1.2 + 0.24 * max(len(rows), 2)), alt, draw)


def _named(row: OccupationRow) -> str:
    if row.share_female is None:
        return row.occupation
    return f"{row.occupation}  {100 * row.share_female:.0f} %"


def _mark(
    panel: Axes, height: float, aside: float, value: float | None, low: float | None,
    high: float | None, color: str,
) -> None:  # fmt: skip
    """A dot at the value, its interval a thin line a little aside so that two do not overlap."""
    if value is None:
        return
    if low is not None and high is not None:
        at = height + aside
        panel.plot([low, high], [at, at], color=color, linewidth=1, alpha=0.45, zorder=2)
    panel.scatter([value], [height], s=30, color=color, linewidths=0, zorder=3)
