"""From a drawing function to bytes: PNG, SVG and CSV files, SVG for the page; always the same.

And the marks that several figures share: how a candidate is drawn, and a value with its interval.
"""

import csv
import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, get_args

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from evenkeel.files.tables import cell_text
from evenkeel.params import Action, EraserMethod, LearnedMethod
from evenkeel.reporting.palette import LIGHT, PLACEHOLDERS, Palette, with_palette, with_variables
from evenkeel.reporting.wording import interval_of, number

Draw = Callable[[Figure, Palette], None]

PNG_DPI = 200
SHAPES = dict(
    zip(
        [*get_args(Action), *get_args(LearnedMethod), *get_args(EraserMethod)],
        "^osDvPXhdp",
        strict=False,
    )
)
"""Marker of each action, and of the methods that have none."""
NO_GATE = "none"
_TIP = "tip:"


@dataclass(frozen=True)
class Drawing:
    """A figure that can be drawn in any palette.

    Args:
        name: of the file and of the SVG's ids; a slash stands for a folder.
        size: width and height in inches. A page on a phone is 3.6 inches wide: text that is set for
            a figure of five can still be read there.
        alt: what the figure shows, for those who cannot see it.
        draw: draws on an empty figure, with the colours given.
        rows: what is drawn, for those who want the numbers.
    """

    name: str
    size: tuple[float, float]
    alt: str
    draw: Draw
    rows: Sequence[Mapping[str, object]]

    def csv(self) -> str:
        """What is drawn, as a table."""
        stream = io.StringIO()
        names = dict.fromkeys(name for row in self.rows for name in row)
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(map(cell_text, names))
        writer.writerows([cell_text(row.get(name, "")) for name in names] for row in self.rows)
        return stream.getvalue()

    def png(self) -> bytes:
        """The figure on a light ground."""
        with mpl.rc_context(_style(LIGHT)):
            figure = self._drawn(LIGHT)
            FigureCanvasAgg(figure)
            stream = io.BytesIO()
            # matplotlib's version has no place in a file that its content addresses.
            figure.savefig(
                stream,
                format="png",
                dpi=PNG_DPI,
                facecolor=LIGHT.paper,
                metadata={"Software": None},
            )
        return stream.getvalue()

    def svg(self) -> str:
        """The figure on a light ground, as a file of its own."""
        text = re.sub(rf' id="{_TIP}[^"]*"', "", self._drawn_once)
        ground = f'<svg style="background: {LIGHT.paper}"'
        return with_palette(text, LIGHT).replace("<svg", ground, 1)

    def inline(self) -> Markup:
        """The figure as an element of the page, whose colours and font it takes."""
        prefix = self.name.replace("/", "-")
        text = self._drawn_once
        text = text[text.index("<svg") :]  # the XML prologue has no place inside HTML
        text = re.sub(rf'\bid="{_TIP}([^"]*)"', r'data-tip="\1"', text)
        text = _compact(text)
        text = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{prefix}-", text)
        text = re.sub(r"font: ([^;\"]*?) ?'[^\"]*?sans-serif", r"font: \1 inherit-me", text)
        label = Markup.escape(self.alt)
        head = f'<svg role="img" aria-label="{label}"'
        return Markup(with_variables(text.replace("<svg", head, 1)))  # noqa: S704  drawn here

    @cached_property
    def _drawn_once(self) -> str:
        """The SVG in stand-ins for colours, which page and file replace."""
        with mpl.rc_context(_style(PLACEHOLDERS) | {"svg.hashsalt": self.name}):
            figure = self._drawn(PLACEHOLDERS)
            stream = io.StringIO()
            figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
        return re.sub(r" *<metadata>.*?</metadata>\n", "", stream.getvalue(), flags=re.DOTALL)

    def _drawn(self, palette: Palette) -> Figure:
        figure = Figure(figsize=self.size, layout="constrained")
        self.draw(figure, palette)
        return figure


_MARKER: dict[str, Any] = {"marker": "o", "markeredgewidth": 0}


def _compact(svg: str) -> str:
    """The same picture in fewer bytes: figures of many axes are to fit one page."""
    svg = re.sub(r"\s*<!--.*?-->", "", svg)
    svg = re.sub(r'(?<=<g) id="[a-z]+\w*_\d+"', "", svg)  # of groups that nothing refers to
    svg = re.sub(r'\b(?:d|x|y|transform|style)="[^"]*"', _rounded, svg)
    return re.sub(r"\s*\n\s*", "\n", svg)


def _rounded(attribute: re.Match[str]) -> str:
    """Coordinates to a hundredth of a point."""

    def short(number: re.Match[str]) -> str:
        return f"{float(number[0]):.2f}".rstrip("0").rstrip(".")

    return re.sub(r"\d+\.\d{3,}", short, attribute[0])


def tip(text: str) -> str:
    """The `gid` of an artist over which the page shows `text`."""
    return _TIP + text


def kind(method: str, action: str | None, gate: str) -> str:
    """What a legend calls a candidate: its action, or its method where that is all there is."""
    name = action or method
    return name if gate == NO_GATE else f"{name}, gated"


def look(method: str, action: str | None, gate: str, palette: Palette) -> tuple[str, str]:
    """Colour and marker of a candidate: a shape by action; the colour says whether it is gated."""
    shape = SHAPES.get(action or method, "*")
    if gate != NO_GATE:
        return palette.before, shape
    return (palette.muted if action == "add" else palette.ink), shape


def dot(panel: Axes, x: float, y: float, title: str, **look: Any) -> None:
    """One point that shows its title: a line of one marker, which is drawn faster than a scatter.

    Args:
        panel: to draw on.
        x, y: where.
        title: shown over the point.
        look: properties of the marker (color, marker, markersize, alpha, zorder).
    """
    (point,) = panel.plot([x], [y], linestyle="none", gid=tip(title), **_MARKER | look)
    point.set_in_layout(False)


def mark(
    panel: Axes, height: float, aside: float, value: float | None,
    ends: tuple[float | None, float | None] | None, color: str, title: str, digits: int = 2,
) -> None:  # fmt: skip
    """A dot at the value, its interval a thin line a little aside so that two do not overlap."""
    if value is None:
        return
    title += f": {number(value, digits)}"
    low, high = ends or (None, None)
    if low is not None and high is not None:
        at = height + aside
        title += f" {interval_of((low, high), digits)}"
        (line,) = panel.plot([low, high], [at, at], color=color, linewidth=1, alpha=0.45, zorder=2)
        line.set_in_layout(False)
    dot(panel, value, height, title, color=color, markersize=5.5, zorder=3)


def _style(palette: Palette) -> Any:  # matplotlib types its keys as one long literal
    return {
        "svg.fonttype": "none",
        "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans"],
        "font.size": 9.5,
        "text.color": palette.ink,
        "text.parse_math": False,
        "axes.edgecolor": palette.line,
        "axes.labelcolor": palette.muted,
        "axes.titlecolor": palette.ink,
        "axes.titlelocation": "left",
        "axes.titlesize": 9.5,
        "axes.labelsize": 9,
        "axes.facecolor": "none",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.linewidth": 0.8,
        "xtick.color": palette.line,
        "ytick.color": palette.line,
        "xtick.labelcolor": palette.muted,
        "ytick.labelcolor": palette.muted,
        "xtick.labelsize": 8.5,
        "ytick.labelsize": 8.5,
        "legend.frameon": False,
        "legend.labelcolor": palette.ink,
        "legend.fontsize": 8.5,
        "lines.linewidth": 1.6,
    }
