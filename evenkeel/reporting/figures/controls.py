"""Is the effect specific, and what does it cost: Pareto front, baselines, doses, ground truth."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from evenkeel.reporting.drawing import Drawing, dot, kind, look, tip
from evenkeel.reporting.figures.sweep import candidate
from evenkeel.reporting.palette import Palette
from evenkeel.reporting.results import DoseRow, NullRow, ParetoRow, RecoveryRow
from evenkeel.reporting.wording import interval_of, number, percent

WIDTH = 5.2
RANDOM = "random"
RECOVERY_COLUMNS = 3
MOST_COST = 3
"""Budgets; what costs more is drawn at the right edge."""
KINDS = {
    RANDOM: "random\ndirections",
    "orthogonal": "random, orthogonal\nto the selected",
    "shuffled": "from shuffled\nlabels",
    "random_latents": "random\nlatents",
    "shuffled_items": "trained on\nshuffled items",
    "random_subspace": "in a random\nsubspace",
}


def pareto_figure(rows: Sequence[ParetoRow]) -> Drawing:
    """Bias reduction on test of the best of each method, against its cost on validation."""
    known = [row for row in rows if row.test_bias_reduction is not None]
    best = sorted((row for row in known if row.on_front), key=lambda row: row.cost)

    def draw(figure: Figure, palette: Palette) -> None:
        panel = figure.subplots()
        panel.axhline(0, color=palette.line, linewidth=0.8)
        panel.axvline(1, color=palette.muted, linewidth=0.9, linestyle=(0, (3, 2)))
        for name in dict.fromkeys(map(_kind, known)):
            named = [row for row in known if _kind(row) == name]
            color, marker = look(named[0].method, named[0].action, named[0].gate, palette)
            if named[0].method == RANDOM:
                color, marker = palette.muted, "x"
            for row in named:
                dot(
                    panel, _cost(row), _gain(row), _title(row), marker=marker, color=color,
                    alpha=0.6, markersize=4.5, markeredgewidth=1 if marker == "x" else 0,
                )  # fmt: skip
            panel.scatter([], [], s=20, marker=marker, color=color, alpha=0.6, label=name)
        gains = [_gain(row) for row in best]
        panel.plot(
            [_cost(row) for row in best], gains, color=palette.after, linewidth=1.4,
            label="Pareto front", zorder=1,
        )  # fmt: skip
        for row in best:
            if row.test_bias_reduction_low is not None and row.test_bias_reduction_high is not None:
                ends = (row.test_bias_reduction_low, row.test_bias_reduction_high)
                panel.plot([_cost(row)] * 2, ends, color=palette.after, linewidth=1, alpha=0.6)
        panel.set_xticks(range(MOST_COST + 1), [*map(str, range(MOST_COST)), f"≥ {MOST_COST}"])
        panel.set_xlabel("cost on validation, in units of the budget (dashed: the budget)")
        panel.set_ylabel("bias reduction on test")
        panel.yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
        figure.legend(loc="outside upper center", ncols=3, handletextpad=0.3, columnspacing=1.2)

    alt = f"Bias reduction on test against cost in units of the budget, {len(known)} candidates"
    return Drawing("pareto", (WIDTH, 3.9), alt, draw, [row.cells() for row in rows])


def _cost(row: ParetoRow) -> float:
    return min(row.cost, MOST_COST)


def _gain(row: ParetoRow) -> float:
    assert row.test_bias_reduction is not None
    return row.test_bias_reduction


def _kind(row: ParetoRow) -> str:
    return "random direction" if row.method == RANDOM else kind(row.method, row.action, row.gate)


def _title(row: ParetoRow) -> str:
    return (
        f"{candidate(row)}: bias reduction {percent(row.test_bias_reduction)}, perplexity "
        f"×{number(row.test_perplexity_ratio, 3)}, definitional accuracy "
        f"{percent(row.test_definitional_accuracy_change, 1)}"
    )


def null_figure(rows: Sequence[NullRow]) -> Drawing:
    """What null directions reduce in the selected one's place."""
    kinds = [kind for kind in KINDS if any(row.kind == kind for row in rows)]

    def draw(figure: Figure, palette: Palette) -> None:
        panel = figure.subplots()
        panel.axvline(0, color=palette.line, linewidth=0.8)
        for row in rows:
            if row.bias_reduction is None:
                continue
            if row.kind == "selected":
                panel.axvline(row.bias_reduction, color=palette.chosen, linewidth=1.8)
                panel.text(
                    row.bias_reduction, len(kinds) - 0.45, "selected ", color=palette.chosen,
                    ha="right", va="bottom",
                )  # fmt: skip
                continue
            aside = 0.5 * (row.draw % 5 / 4 - 0.5)  # so that equal draws can be told apart
            title = f"{row.kind.replace('_', ' ')}: {percent(row.bias_reduction)}"
            dot(
                panel, row.bias_reduction, kinds.index(row.kind) + aside, title,
                color=palette.muted, alpha=0.7, markersize=3.7,
            )  # fmt: skip
        panel.set_yticks(range(len(kinds)), [KINDS[kind] for kind in kinds])
        panel.tick_params(axis="y", length=0, labelcolor=palette.ink)
        panel.set_ylim(-0.6, len(kinds) - 0.2)
        panel.xaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
        panel.set_xlabel("bias reduction on test")

    alt = "Bias reduction by the selected intervention and by null-direction baselines"
    size = (WIDTH, 0.9 + 0.55 * len(kinds))
    return Drawing("nulls", size, alt, draw, [row.model_dump() for row in rows])


def dose_figure(rows: Sequence[DoseRow]) -> Drawing:
    """What the selected intervention does at other multipliers, on validation."""

    def draw(figure: Figure, palette: Palette) -> None:
        panel = figure.subplots()
        panel.axvline(1, color=palette.muted, linewidth=0.9, linestyle=(0, (3, 2)))
        lines = (
            ("bias_reduction", "bias reduction", palette.after, "o"),
            ("definitional_accuracy", "definitional accuracy", palette.ink, "s"),
            ("degenerate_share", "degenerate texts", palette.before, "^"),
        )
        for name, label, color, marker in lines:
            known = [row for row in rows if row.dose > 0 and getattr(row, name) is not None]
            values = [getattr(row, name) for row in known]
            panel.plot([row.dose for row in known], values, color=color, label=label)
            for row, value in zip(known, values, strict=True):
                low, high = (getattr(row, f"{name}_{end}") for end in ("low", "high"))
                ends = "" if low is None or high is None else interval_of((low, high), 0, 100)
                panel.plot(
                    [row.dose], [value], color=color, marker=marker, markersize=4,
                    gid=tip(f"{label} at {number(row.dose)}: {percent(value)} {ends}"),
                )  # fmt: skip
        panel.set_xscale("log", base=2)
        panel.xaxis.set_major_formatter(lambda value, _: f"{value:g}×")
        panel.yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
        panel.set_xlabel("multiplier, relative to the selected intervention")
        figure.legend(loc="outside upper center", ncols=3, handletextpad=0.4, columnspacing=1.2)

    alt = "Bias reduction, definitional accuracy and degenerate texts by multiplier"
    return Drawing("dose", (WIDTH, 3.0), alt, draw, [row.model_dump() for row in rows])


def recovery_figure(organisms: Sequence[RecoveryRow]) -> Drawing:
    """Measured against planted strength of organisms, a panel an axis; exact on the diagonal."""
    rows = [row for row in organisms if row.measured is not None]
    axes = list(dict.fromkeys(row.axis for row in rows))
    columns = min(max(len(axes), 1), RECOVERY_COLUMNS)
    lines = -(-max(len(axes), 1) // columns)

    def draw(figure: Figure, palette: Palette) -> None:
        panels = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False)
        for panel in panels.flat[len(axes) :]:
            panel.remove()
        for panel, axis in zip(panels.flat, axes, strict=False):
            panel.set_title(axis or "")
            panel.axline((0, 0), slope=1, color=palette.muted, linewidth=0.9, linestyle=(0, (3, 2)))
            for row in rows:
                if row.axis == axis:
                    _organism(panel, row, palette)
        figure.supxlabel("planted strength", fontsize=9, color=palette.muted)
        figure.supylabel("measured strength", fontsize=9, color=palette.muted)

    alt = f"Measured against planted strength of bias in {len(rows)} organisms"
    size = (WIDTH, 1.4 + 1.8 * lines)
    return Drawing("recovery", size, alt, draw, [row.model_dump() for row in organisms])


def _organism(panel: Axes, row: RecoveryRow, palette: Palette) -> None:
    assert row.measured is not None
    title = f"{row.organism}: {number(row.measured)}"
    if row.measured_low is not None and row.measured_high is not None:
        ends = (row.measured_low, row.measured_high)
        panel.plot([row.planted] * 2, ends, color=palette.chosen, linewidth=1, alpha=0.5)
        title += f" {interval_of(ends)}"
    dot(panel, row.planted, row.measured, title, color=palette.chosen, markersize=5)
