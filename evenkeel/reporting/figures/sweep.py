"""What every candidate did on validation: bias reduction against cost, and by layer."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from evenkeel.evaluation.result import EvaluationResult
from evenkeel.reporting.drawing import NO_GATE, Drawing, dot, kind, look, tip
from evenkeel.reporting.palette import Palette
from evenkeel.reporting.results import RecipeRow, SweepRow
from evenkeel.reporting.wording import number, percent

WIDTH = 5.2
LEAST_REDUCTION = -1.0
"""Candidates that more than double the item spread are drawn at the lower edge."""
COSTS = {0.0: "0", 0.01: "1 %", 0.1: "10 %", 1.0: "100 %", 10.0: "×11", 100.0: "×101"}
"""Ticks of added perplexity."""
SHOWN = 0.05
"""Bias reduction from which on a row is drawn."""
WIDE_CELLS = 16
"""Layers that a figure of layers has room for beside each other; more have small numbers."""
STRONGEST_SHADE = 0.55
"""Opacity of a cell where all bias is gone; text on it can still be read."""


def sweep_figure(sweep: Sequence[SweepRow], evaluation: EvaluationResult) -> Drawing:
    """Every candidate on validation: bias reduction against perplexity; finalists are darker."""
    known = [r for r in sweep if r.bias_reduction is not None and r.perplexity_ratio is not None]
    budget = evaluation.selection.max_perplexity_ratio - 1

    def draw(figure: Figure, palette: Palette) -> None:
        panel = figure.subplots()
        panel.axhline(0, color=palette.line, linewidth=0.8)
        panel.axvline(budget, color=palette.muted, linewidth=0.9, linestyle=(0, (3, 2)))
        for name in dict.fromkeys(kind(row.method, row.action, row.gate) for row in known):
            alike = [row for row in known if kind(row.method, row.action, row.gate) == name]
            color, marker = look(alike[0].method, alike[0].action, alike[0].gate, palette)
            for row in alike:
                dot(
                    panel, _cost(row), _gain(row), _title(row), marker=marker, color=color,
                    alpha=0.55 if _is_whole(row) else 0.25, markersize=4.5, clip_on=False,
                )  # fmt: skip
            panel.scatter([], [], s=20, marker=marker, color=color, alpha=0.55, label=name)
        for row in known:
            if _is_selected(row, evaluation):
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
        panel.set_xlabel("perplexity added on plain text (dashed: the budget)")
        panel.set_ylabel("bias reduction")
        figure.legend(loc="outside upper center", ncols=3, handletextpad=0.3, columnspacing=1.2)

    alt = f"Bias reduction against added perplexity for {len(known)} candidates on validation"
    return Drawing("sweep", (WIDTH, 4.0), alt, draw, [row.cells() for row in sweep])


def heat_figure(sweep: Sequence[SweepRow], evaluation: EvaluationResult) -> Drawing:
    """The largest bias reduction of each method and action at each layer within the budget.

    A tilde stands where all were left out by their estimates. Those that stay under SHOWN at every
    layer are not drawn.
    """
    strong = [row for row in sweep if row.within_budget and (row.bias_reduction or 0) >= SHOWN]
    lines = list(dict.fromkeys(map(_line, strong)))
    layers = sorted({row.layer for row in sweep if row.layer is not None}, key=_place)
    labels = [_layer_name(layer).replace("+", "+\n") for layer in layers]  # no wider than a cell
    each = -(-len(layers) // WIDE_CELLS)  # of layers has a label; "all" and sets of layers do
    labels = [
        label if number % each == 0 or not isinstance(layer, int) else ""
        for number, (layer, label) in enumerate(zip(layers, labels, strict=True))
    ]
    if each > 1 and not isinstance(layers[-1], int):
        labels[-2] = ""
    lines_more = max((label.count("\n") for label in labels), default=0)
    cells = {(line, layer): _strongest(sweep, line, layer) for line in lines for layer in layers}
    estimated = {(_line(row), row.layer) for row in sweep if row.share == 0}

    def draw(figure: Figure, palette: Palette) -> None:
        panel = figure.subplots()
        for (line, layer), row in cells.items():
            x, y = layers.index(layer), lines.index(line)
            if row is None:
                nothing = "~" if (line, layer) in estimated else "·"
                panel.text(x, y, nothing, ha="center", va="center", color=palette.muted)
                continue
            gain = row.bias_reduction
            assert gain is not None
            chosen = _is_selected(row, evaluation)
            panel.add_patch(
                Rectangle(
                    (x - 0.47, y - 0.45), 0.94, 0.9, facecolor=palette.after, gid=tip(_title(row)),
                    alpha=STRONGEST_SHADE * min(max(gain, 0), 1), linewidth=0,
                )
            )  # fmt: skip
            if chosen:
                panel.add_patch(
                    Rectangle(
                        (x - 0.47, y - 0.45), 0.94, 0.9, fill=False, edgecolor=palette.chosen,
                        linewidth=1.8,
                    )
                )  # fmt: skip
            panel.text(
                x, y, number(100 * gain, 0), ha="center", va="center",
                color=palette.ink, fontsize=8.5 if each == 1 else 5.5, gid=tip(_title(row)),
            )  # fmt: skip
        panel.set_xlim(-0.5, len(layers) - 0.5)
        panel.set_ylim(max(len(lines), 1) - 0.5, -0.5)
        panel.set_xticks(range(len(layers)), labels)
        panel.set_yticks(range(len(lines)), [named(*line) for line in lines])
        panel.tick_params(length=0, labelcolor=palette.ink)
        for side in ("left", "bottom"):
            panel.spines[side].set_visible(False)
        panel.set_xlabel("layer")

    alt = "Largest bias reduction within the budget, in percent, by vector, action and layer"
    rows = [row.cells() for row in cells.values() if row is not None]
    height = 0.7 + 0.27 * max(len(lines), 2) + 0.14 * lines_more
    return Drawing("layers", (WIDTH, height), alt, draw, rows)


Layer = int | str | tuple[int, ...]
Line = tuple[str, str | None, str]
"""Method, action and gate."""


def _place(layer: Layer) -> tuple[int, tuple[int, ...]]:
    """Layers in order, then several at once, all of them at once last."""
    if isinstance(layer, str):
        return 2, ()
    return (1, layer) if isinstance(layer, tuple) else (0, (layer,))


def _layer_name(layer: Layer | None) -> str:
    return "+".join(map(str, layer)) if isinstance(layer, tuple) else str(layer)


def named(method: str, action: str | None, gate: str) -> str:
    """What a row of candidates is called."""
    gated = "" if gate == NO_GATE else f"{gate} gate"
    return ", ".join(part for part in (method, action, gated) if part)


def candidate(row: RecipeRow) -> str:
    """A candidate in half a line."""
    where = "all layers" if row.layer == "all" else f"layer {_layer_name(row.layer)}"
    multiplier = "" if row.multiplier is None else f" × {number(row.multiplier)}"
    return f"{named(row.method, row.action, row.gate)}{multiplier}, {where}"


def _line(row: SweepRow) -> Line:
    return row.method, row.action, row.gate


def _strongest(sweep: Sequence[SweepRow], line: Line, layer: Layer) -> SweepRow | None:
    within = [
        row
        for row in sweep
        if _line(row) == line
        and row.layer == layer
        and row.within_budget
        and row.bias_reduction is not None
    ]
    return max(within, key=_gain, default=None)


def _is_whole(row: SweepRow) -> bool:
    return row.share == 1 and not row.interpolated


def _title(row: SweepRow) -> str:
    part = "" if row.share == 1 else f", on {percent(row.share)} of the prompts"
    part += ", interpolated from another multiplier" if row.interpolated else ""
    return (
        f"{candidate(row)}: bias reduction {percent(row.bias_reduction)}, perplexity "
        f"×{number(row.perplexity_ratio, 3)}, definitional accuracy "
        f"{percent(row.definitional_accuracy)}{part}"
    )


def _cost(row: SweepRow) -> float:
    assert row.perplexity_ratio is not None
    return row.perplexity_ratio - 1


def _gain(row: SweepRow) -> float:
    assert row.bias_reduction is not None
    return max(row.bias_reduction, LEAST_REDUCTION)


def _is_selected(row: SweepRow, evaluation: EvaluationResult) -> bool:
    return evaluation.selected is not None and row.is_recipe(evaluation.selected.recipe)
