"""What steering did to each item."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evenkeel.reporting.drawing import Drawing, mark
from evenkeel.reporting.palette import Palette
from evenkeel.reporting.results import ItemRow
from evenkeel.reporting.wording import percent, visible

WIDTH = 5.2
MAX_NAME = 28
"""Characters of an item."""
MAX_GROUP = 14
"""Characters of a group."""


def item_figure(rows: Sequence[ItemRow], groups: Sequence[str]) -> Drawing:
    """Log-odds of every test item, unsteered and steered: a panel a group, a line an item.

    Of two groups one panel is enough. Items are sorted by the group that they are held against and
    by their reference rate, or by what was measured where there is none.

    Args:
        rows: of the items.
        groups: of the axis.
    """
    known = [row for row in rows if row.baseline is not None]
    shown = [group for group in groups if any(row.group == group for row in known)]
    items = _sorted(known, groups, shown)

    def draw(figure: Figure, palette: Palette) -> None:
        panels = figure.subplots(1, max(len(shown), 1), sharey=True, squeeze=False)[0]
        for panel, group in zip(panels, shown, strict=False):
            _panel(panel, [row for row in known if row.group == group], items, palette)
            panel.set_title(visible(group, MAX_GROUP) if len(shown) > 1 else "")
        if len(shown) == 1:
            toward = visible(shown[0], MAX_GROUP)
            away = " or ".join(visible(group, MAX_GROUP) for group in groups if group != shown[0])
            panels[0].set_xlabel(f"← {away} · log-odds in nats · {toward} →")
        else:
            figure.supxlabel("log-odds against the other groups, in nats", fontsize=9)
        names = {row.item: _named(row, len(groups)) for row in reversed(known)}
        panels[0].set_yticks(range(len(items)), [names[item] for item in items])
        panels[0].set_ylim(-0.7, len(items) - 0.3)
        panels[0].scatter([], [], s=26, color=palette.before, label="unsteered")
        if any(row.steered is not None for row in known):
            panels[0].scatter([], [], s=26, color=palette.after, label="steered")
        figure.legend(loc="outside upper center", ncols=2, handletextpad=0.1)

    alt = f"Log-odds of {len(items)} items, unsteered and steered"
    size = (WIDTH, 1.2 + 0.24 * max(len(items), 2))
    return Drawing("items", size, alt, draw, [row.model_dump() for row in rows])


def _panel(panel: Axes, rows: Sequence[ItemRow], items: Sequence[str], palette: Palette) -> None:
    panel.axvline(0, color=palette.muted, linewidth=0.8)
    for row in rows:
        assert row.baseline is not None
        height = items.index(row.item)
        name = f"{visible(row.item)}, {visible(row.group)}"
        if row.steered is not None:
            panel.plot(
                [row.baseline, row.steered], [height, height], color=palette.line, linewidth=3,
                solid_capstyle="round", zorder=1,
            )  # fmt: skip
        mark(panel, height, 0.2, row.baseline, (row.baseline_low, row.baseline_high),
             palette.before, f"{name}, unsteered")  # fmt: skip
        mark(panel, height, -0.2, row.steered, (row.steered_low, row.steered_high),
             palette.after, f"{name}, steered")  # fmt: skip
    panel.tick_params(axis="y", labelcolor=palette.ink, length=0)
    panel.spines["left"].set_visible(False)


def _sorted(rows: Sequence[ItemRow], groups: Sequence[str], shown: Sequence[str]) -> list[str]:
    """Items from bottom to top."""
    places = {group: place for place, group in enumerate(reversed(groups))}
    first = [row for row in rows if row.group == shown[0]] if shown else []

    def order(row: ItemRow) -> tuple[float, float, float]:
        held = places.get(row.held_against or "", -1) if row.reference is None else 0
        return held, row.reference or 0, row.baseline or 0

    ordered = [row.item for row in sorted(first, key=order)]
    return list(dict.fromkeys([*ordered, *(row.item for row in rows)]))


def _named(row: ItemRow, groups: int) -> str:
    name = visible(row.item, MAX_NAME)
    if row.reference is not None and groups == 2:
        return f"{name}  {percent(row.reference)}"
    return f"{name} · {visible(row.held_against, MAX_GROUP)}" if row.held_against else name
