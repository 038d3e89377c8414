"""Would anything else have done it: the frontier, null directions, and other forces."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from evenkeel.reporting.drawing import Drawing, tip
from evenkeel.reporting.figures.looks import kind, look
from evenkeel.reporting.palette import Palette
from evenkeel.reporting.results import DoseRow, FrontierRow, NullRow
from evenkeel.reporting.wording import interval_of, number, percent

WIDTH = 5.2
RANDOM = "random"
MOST_DAMAGE = 3
"""Budgets; what costs more is drawn at the right edge."""
KINDS = {
    RANDOM: "random\ndirections",
    "orthogonal": "at right angles\nto the selected",
    "shuffled": "from shuffled\nlabels",
}


def frontier_figure(rows: Sequence[FrontierRow]) -> Drawing:
    """Bias removed on test by the best of each method, against how much of the budget it used."""
    known = [row for row in rows if row.test_bias_reduction is not None]
    best = sorted((row for row in known if row.on_frontier), key=lambda row: row.damage)

    def draw(figure: Figure, palette: Palette) -> None:
        panel = figure.subplots()
        panel.axhline(0, color=palette.line, linewidth=0.8)
        panel.axvline(1, color=palette.muted, linewidth=0.9, linestyle=(0, (3, 2)))
        for name in dict.fromkeys(map(_kind, known)):
            own = [row for row in known if _kind(row) == name]
            color, marker = look(own[0].action, own[0].gate, palette)
            if own[0].method == RANDOM:
                color, marker = palette.muted, "x"
            for row in own:
                panel.scatter(
                    [_damage(row)], [_gain(row)], s=20, marker=marker, color=color, alpha=0.6,
                    linewidths=1 if marker == "x" else 0, gid=tip(_said(row)),
                )  # fmt: skip
            panel.scatter([], [], s=20, marker=marker, color=color, alpha=0.6, label=name)
        gains = [_gain(row) for row in best]
        panel.plot(
            [_damage(row) for row in best], gains, color=palette.after, linewidth=1.4,
            label="frontier", zorder=1,
        )  # fmt: skip
        for row in best:
            if row.test_bias_reduction_low is not None and row.test_bias_reduction_high is not None:
                ends = (row.test_bias_reduction_low, row.test_bias_reduction_high)
                panel.plot([_damage(row)] * 2, ends, color=palette.after, linewidth=1, alpha=0.6)
        panel.set_xticks(
            range(MOST_DAMAGE + 1), [*map(str, range(MOST_DAMAGE)), f"≥ {MOST_DAMAGE}"]
        )
        panel.set_xlabel("share of the budget used on validation (dashed: all of it)")
        panel.set_ylabel("bias removed on test")
        panel.yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
        figure.legend(loc="outside upper center", ncols=3, handletextpad=0.3, columnspacing=1.2)

    alt = f"Bias removed on test against the share of the budget used, for {len(known)} candidates"
    return Drawing("frontier", (WIDTH, 3.9), alt, draw, [row.model_dump() for row in rows])


def _damage(row: FrontierRow) -> float:
    return min(row.damage, MOST_DAMAGE)


def _gain(row: FrontierRow) -> float:
    assert row.test_bias_reduction is not None
    return row.test_bias_reduction


def _kind(row: FrontierRow) -> str:
    return "random direction" if row.method == RANDOM else kind(row.action, row.gate)


def _said(row: FrontierRow) -> str:
    where = "all layers" if row.layer == "all" else f"layer {row.layer}"
    gate = "" if row.gate == "none" else f", {row.gate} gate"
    return (
        f"{row.method}, {row.action}{gate} × {number(row.multiplier)}, {where}: bias removed "
        f"{percent(row.test_bias_reduction)}, perplexity ×{number(row.test_perplexity_ratio, 3)}, "
        f"definitional accuracy {percent(row.test_definitional_accuracy_change)}"
    )


def null_figure(rows: Sequence[NullRow]) -> Drawing:
    """What directions that mean nothing remove in the selected one's place."""
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
            panel.scatter(
                [row.bias_reduction], [kinds.index(row.kind) + aside], s=14, color=palette.muted,
                alpha=0.7, linewidths=0, gid=tip(f"{row.kind}: {percent(row.bias_reduction)}"),
            )  # fmt: skip
        panel.set_yticks(range(len(kinds)), [KINDS[kind] for kind in kinds])
        panel.tick_params(axis="y", length=0, labelcolor=palette.ink)
        panel.set_ylim(-0.6, len(kinds) - 0.2)
        panel.xaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
        panel.set_xlabel("bias removed on test")

    alt = "Bias removed by the selected direction and by directions that mean nothing"
    size = (WIDTH, 0.9 + 0.55 * len(kinds))
    return Drawing("nulls", size, alt, draw, [row.model_dump() for row in rows])


def dose_figure(rows: Sequence[DoseRow]) -> Drawing:
    """What the selected intervention does at other forces, on validation."""

    def draw(figure: Figure, palette: Palette) -> None:
        panel = figure.subplots()
        panel.axvline(1, color=palette.muted, linewidth=0.9, linestyle=(0, (3, 2)))
        lines = (
            ("bias_reduction", "bias removed", palette.after, "o"),
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
        panel.set_xlabel("force, in that of the selected intervention")
        figure.legend(loc="outside upper center", ncols=3, handletextpad=0.4, columnspacing=1.2)

    alt = "Bias removed, definitional accuracy and degenerate texts by force"
    return Drawing("dose", (WIDTH, 3.0), alt, draw, [row.model_dump() for row in rows])
