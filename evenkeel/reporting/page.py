"""The page: results in, one HTML file and its figures out."""

from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from importlib.resources import files
from typing import Any

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from evenkeel.evaluation.result import Measured
from evenkeel.metrics.registry import METRICS, OTHER_DIRECTION, metric
from evenkeel.params import rule_of
from evenkeel.reporting import verdict, wording
from evenkeel.reporting.benchmarks import Section, harness_lines, make_section
from evenkeel.reporting.cards import Association
from evenkeel.reporting.drawing import Drawing
from evenkeel.reporting.figures.controls import (
    dose_figure,
    null_figure,
    pareto_figure,
    recovery_figure,
)
from evenkeel.reporting.figures.cross import cross_figure
from evenkeel.reporting.figures.items import item_figure
from evenkeel.reporting.figures.lineage import lineage_figure
from evenkeel.reporting.figures.localisation import localisation_figure
from evenkeel.reporting.figures.probes import probe_figure, projection_figure
from evenkeel.reporting.figures.rules import rules_figure
from evenkeel.reporting.figures.sweep import heat_figure, sweep_figure
from evenkeel.reporting.palette import DARK, LIGHT, css_variables
from evenkeel.reporting.results import AxisResults, Continuation, Probes, Results

SHADES = 10
"""Steps of the cells of a heat table."""


@dataclass(frozen=True)
class Page:
    """A finished report."""

    html: str
    drawings: tuple[Drawing, ...]


def make_page(results: Results, title: str, params: Mapping[str, Any]) -> Page:
    """Write the report.

    Everything that comes from models and files is escaped; nothing is fetched when it is read. The
    page's own script is the only one that a browser may run: the page names its hash.

    Args:
        results: of all earlier stages.
        title: heading of the page.
        params: what the pipeline was run with, to be shown.
    """
    benchmarks = [make_section(benchmark) for benchmark in results.benchmarks]
    by_axis = {
        axis: _axis_drawings(axis, of_axis, results.probes)
        for axis, of_axis in results.axes.items()
    }
    shared = _shared_drawings(results, benchmarks)
    script = (
        files("evenkeel.reporting").joinpath("templates", "page.js").read_text(encoding="utf-8")
    )
    evaluations = {axis: of_axis.evaluation for axis, of_axis in results.axes.items()}
    html = (
        _environment()
        .get_template("page.html.jinja")
        .render(
            title=title,
            results=results,
            evaluations=evaluations,
            joint=results.joint,
            steered=any(evaluation.selected for evaluation in evaluations.values()),
            overall=verdict.overall(evaluations, results.joint),
            benchmarks=benchmarks,
            figures={name: drawing.inline() for name, drawing in shared.items()},
            axis_figures={
                axis: {name: drawing.inline() for name, drawing in drawings.items()}
                for axis, drawings in by_axis.items()
            },
            light=css_variables(LIGHT),
            dark=css_variables(DARK),
            script=Markup(script),  # noqa: S704  ours
            script_hash=b64encode(sha256(script.encode()).digest()).decode(),
            sides=_sides(results),
            params=params,
            params_yaml=yaml.safe_dump(dict(params), sort_keys=True, allow_unicode=True),
        )
    )
    drawings = [
        *shared.values(),
        *(drawing for named in by_axis.values() for drawing in named.values()),
    ]
    return Page(html, tuple(drawings))


def _axis_drawings(axis: str, of_axis: AxisResults, probes: Probes) -> dict[str, Drawing]:
    evaluation = of_axis.evaluation
    drawings = [
        item_figure(of_axis.items, evaluation.groups),
        pareto_figure(of_axis.pareto),
        sweep_figure(of_axis.sweep, evaluation),
        heat_figure(of_axis.sweep, evaluation),
    ]
    if of_axis.localisation.reportable:
        drawings.append(localisation_figure(of_axis.localisation, probes.axes[axis]))
    if evaluation.selected:
        drawings += [dose_figure(of_axis.doses), null_figure(of_axis.nulls)]
    return {drawing.name: replace(drawing, name=f"{axis}/{drawing.name}") for drawing in drawings}


def _shared_drawings(results: Results, benchmarks: Sequence[Section]) -> dict[str, Drawing]:
    drawings = [
        probe_figure(results.probes),
        projection_figure(results.projections),
        lineage_figure(results.lineage),
    ]
    if results.joint:
        drawings.append(cross_figure(results.joint.cross, list(results.axes)))
    if results.ground_truth:
        drawings.append(recovery_figure(results.recovery))
    drawings += [
        drawing
        for section in benchmarks
        if (drawing := rules_figure(section, list(results.axes))) is not None
    ]
    return {drawing.name: drawing for drawing in drawings}


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("evenkeel.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    shown = (wording.number, wording.percent, wording.p_equals, wording.p_value, wording.tokens,
             wording.added, wording.interval_of, wording.marked, wording.visible,
             verdict.formatted, verdict.interval, verdict.measured, verdict.described,
             verdict.heading, verdict.is_found, verdict.verdict, verdict.compared, metric,
             harness_lines, metrics_of, changed_first, shade, rule_of)  # fmt: skip
    environment.globals |= {function.__name__: function for function in shown}
    environment.globals |= {"METHODS": verdict.METHODS, "DIRECTIONS": verdict.DIRECTIONS}
    return environment


def metrics_of(*columns: Measured) -> list[str]:
    """Names of the metrics that one of the columns has, in the order of the registry."""
    names = [name + suffix for suffix in ("", OTHER_DIRECTION) for name in METRICS]
    return [name for name in names if any(name in column.measures for column in columns)]


def changed_first(continuations: Iterable[Continuation]) -> list[Continuation]:
    """Of each prompt the first continuation that steering changed, or else its first."""
    shown: dict[str, Continuation] = {}
    for row in continuations:
        if row.id not in shown or (row.changed and not shown[row.id].changed):
            shown[row.id] = row
    return list(shown.values())


def shade(value: float | None) -> str:
    """Class of a heat table's cell: h0 to h10 by the size of a share, lost ones apart."""
    if value is None:
        return "h0"
    return f"{'h' if value >= 0 else 'l'}{round(SHADES * min(abs(value), 1))}"


def _sides(results: Results) -> Callable[[Association], str]:
    """What an association separates, as "first against second"."""
    groups: dict[str, set[str]] = {}
    for row in results.projections:
        groups.setdefault(row.axis, set()).add(row.group)

    def sides(association: Association) -> str:
        if association.contrast == "bias":
            return "biased against neutral"
        between = " against ".join(sorted(groups.get(association.axis, ())))
        return f"{between} by definition" if association.contrast == "definition" else between

    return sides
