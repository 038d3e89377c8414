"""Where the answer is read, by patching, below where a bias can be decoded, by probes."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from evenkeel.localisation.result import Effect, Localisation
from evenkeel.reporting.drawing import Drawing, dot, tip
from evenkeel.reporting.figures.sweep import STRONGEST_SHADE
from evenkeel.reporting.palette import Palette
from evenkeel.reporting.results import AxisProbes, ProbeRow
from evenkeel.reporting.wording import interval_of, number, p_equals

WIDTH = 5.2
NUMBERED = 12
"""Layers up to which a cell has room for its number."""
FAINTEST = 0.02
"""Share of the largest effect under which nobody sees a shade: left out where none is numbered."""
SURE = 0.05
PATCHED = {"at": "the residual stream", "head": "a head"}


def localisation_figure(found: Localisation, probes: AxisProbes) -> Drawing:
    """Three panels over the same layers: AUROC of probes, effects by position, effects by head."""
    layers = 1 + max(effect.layer for effect in found.effects)
    kinds = [
        (title, list(dict.fromkeys(map(_place, effects))), effects)
        for title, effects in (("at", found.by_role), ("head", found.by_head))
        if effects
    ]
    heights = [1.1, *(0.2 + 0.22 * max(len(names), 2) for _, names, _ in kinds)]

    def draw(figure: Figure, palette: Palette) -> None:
        panels = figure.subplots(len(heights), sharex=True, height_ratios=heights)
        _probe_panel(panels[0], [row for row in probes.layers if row.site == probes.best.site],
                     palette)  # fmt: skip
        for panel, (kind, names, effects) in zip(panels[1:], kinds, strict=True):
            largest = max(abs(effect.effect or 0) for effect in effects)
            for effect in effects:
                _cell(
                    panel,
                    effect,
                    names.index(_place(effect)),
                    largest,
                    palette,
                    numbered=layers <= NUMBERED,
                )
            panel.set_ylim(len(names) - 0.5, -0.5)
            panel.set_yticks(range(len(names)), names)
            panel.set_ylabel(kind)
            panel.set_title("is read: effect of patching " + PATCHED[kind])
            panel.tick_params(length=0, labelcolor=palette.ink)
            for side in ("left", "bottom"):
                panel.spines[side].set_visible(False)
        figure.align_ylabels()
        panels[-1].set_xlabel("layer")
        panels[-1].set_xlim(-0.5, layers - 0.5)
        panels[-1].xaxis.set_major_locator(MaxNLocator(integer=True))

    alt = f"Probe AUROC and effects of patching by layer, position and head for {found.axis}"
    cells = [effect.model_dump(exclude={"effect_ci95", "null_ci95"}) | _ends(effect)
             for effect in found.effects]  # fmt: skip
    return Drawing("localisation", (WIDTH, 1.0 + sum(heights)), alt, draw, cells)


def _probe_panel(panel: Axes, rows: Sequence[ProbeRow], palette: Palette) -> None:
    layers = [row.layer for row in rows]
    panel.axhline(0.5, color=palette.line, linewidth=0.8)
    lows, highs = zip(*(row.auroc_ci95 for row in rows), strict=True)
    panel.fill_between(layers, lows, highs, color=palette.chosen, alpha=0.15, linewidth=0)
    panel.plot(layers, [row.auroc for row in rows], color=palette.chosen)
    for row in rows:
        title = f"layer {row.layer}: AUROC {number(row.auroc)} {interval_of(row.auroc_ci95)}"
        dot(panel, row.layer, row.auroc, title, color=palette.chosen, markersize=4)
    panel.set_title("can be decoded: probe of biased against neutral statements")
    panel.set_ylabel("AUROC")
    panel.set_ylim(0.2, 1.03)
    panel.tick_params(labelbottom=False)


def _cell(
    panel: Axes, effect: Effect, height: int, largest: float, palette: Palette, *, numbered: bool
) -> None:
    """Shaded by the size of the effect, the largest of its panel darkest."""
    value = effect.effect or 0
    if not numbered and abs(value) < FAINTEST * largest:
        return
    where = _place(effect) if effect.head is None else f"head {effect.head}"
    title = f"layer {effect.layer}, {where}: {number(effect.effect)}"
    if effect.effect_ci95:
        title += f" {interval_of(effect.effect_ci95)}"
    title += (
        f"; same association {number(effect.null)}, first order {number(effect.first_order)}; "
        f"{p_equals(effect.p)}"
    )
    panel.add_patch(
        Rectangle(
            (effect.layer - 0.48, height - 0.46), 0.96, 0.92, linewidth=0, gid=tip(title),
            facecolor=palette.after if value >= 0 else palette.before,
            alpha=STRONGEST_SHADE * abs(value) / largest if largest else 0,
        )
    )  # fmt: skip
    if numbered:
        panel.text(
            effect.layer, height, number(100 * value, 0), ha="center", va="center", fontsize=8.5,
            color=palette.ink if effect.p < SURE else palette.muted, gid=tip(title),
        )  # fmt: skip


def _place(effect: Effect) -> str:
    return str(effect.head) if effect.role is None else effect.role


def _ends(effect: Effect) -> dict[str, float | None]:
    """The intervals as columns of a table."""
    found: dict[str, float | None] = {}
    for name in ("effect", "null"):
        low, high = getattr(effect, f"{name}_ci95") or (None, None)
        found |= {f"{name}_low": low, f"{name}_high": high}
    return found
