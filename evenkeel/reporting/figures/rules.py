"""A benchmark that has many rules, by all of them."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evenkeel.reporting.benchmarks import ALL, BenchmarkFigure, Section
from evenkeel.reporting.drawing import Drawing, mark
from evenkeel.reporting.palette import Palette

WIDTH = 5.2
MANY = 3
"""Rules from which on they are drawn."""


def rules_figure(section: Section, axes: Sequence[str]) -> Drawing | None:
    """The first measure by every rule that has it, over all items and those of one steered axis.

    None where such rules are few.
    """
    measure = section.wording.measures[0]
    figures = {
        rule: {
            group: by_name[measure.name]
            for group, by_name in groups.items()
            if measure.name in by_name
        }
        for rule, groups in section.benchmark.figures.items()
        if measure.name in groups[ALL]
    }
    if len(figures) < MANY:
        return None
    known = next(iter(figures.values()))
    groups = [ALL, *[group for axis in axes for group in known if group.startswith(axis)][:1]]

    def draw(figure: Figure, palette: Palette) -> None:
        panels = figure.subplots(1, len(groups), sharex=True, sharey=True, squeeze=False)[0]
        for panel, group in zip(panels, groups, strict=True):
            by_rule = {rule: by_group.get(group) for rule, by_group in figures.items()}
            _panel(panel, by_rule, group, measure.digits, palette)
            panel.set_xlabel(measure.heading.lower())
        panels[0].invert_yaxis()
        panels[0].scatter([], [], s=26, color=palette.before, label="unsteered")
        if known[ALL].steered is not None:
            panels[0].scatter([], [], s=26, color=palette.after, label="steered")
        figure.legend(loc="outside upper center", ncols=2, handletextpad=0.1)

    alt = f"{section.wording.title}, {measure.heading.lower()} by {len(figures)} rules"
    rows = [
        {"rule": rule, "group": group} | _numbers(figures[rule][group])
        for rule in figures
        for group in groups
        if group in figures[rule]
    ]
    name = f"benchmark_{section.benchmark.benchmark}"
    return Drawing(name, (WIDTH, 1.2 + 0.24 * len(figures)), alt, draw, rows)


def _numbers(figure: BenchmarkFigure) -> dict[str, float | None]:
    row: dict[str, float | None] = {}
    for name in ("baseline", "steered", "difference"):
        low, high = getattr(figure, f"{name}_ci95") or (None, None)
        row |= {name: getattr(figure, name), f"{name}_low": low, f"{name}_high": high}
    return row


def _panel(
    panel: Axes,
    figures: Mapping[str, BenchmarkFigure | None],
    group: str,
    digits: int,
    palette: Palette,
) -> None:
    for height, (rule, metric) in enumerate(figures.items()):
        if metric is None:  # no item of this group is asked by this rule
            continue
        if metric.unbiased is not None and not height:
            panel.axvline(metric.unbiased, color=palette.muted, linewidth=0.8)
        mark(panel, height, -0.17, metric.baseline, metric.baseline_ci95, palette.before,
             f"{rule}, {group}, unsteered", digits)  # fmt: skip
        mark(panel, height, 0.17, metric.steered, metric.steered_ci95, palette.after,
             f"{rule}, {group}, steered", digits)  # fmt: skip
    panel.set_title(group)
    panel.set_yticks(range(len(figures)), list(figures))
    panel.tick_params(axis="y", labelcolor=palette.ink, length=0)
    panel.spines["left"].set_visible(False)
