"""The page: results in, one HTML file and its figures out."""

from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from typing import Any

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from evenkeel.reporting import wording
from evenkeel.reporting.benchmarks import harness_lines, make_section
from evenkeel.reporting.cards import Association
from evenkeel.reporting.differences import marked, visible
from evenkeel.reporting.drawing import Drawing
from evenkeel.reporting.figures.controls import dose_figure, frontier_figure, null_figure
from evenkeel.reporting.figures.lineage import lineage_figure
from evenkeel.reporting.figures.occupations import occupation_figure
from evenkeel.reporting.figures.probes import probe_figure, projection_figure
from evenkeel.reporting.figures.recovery import recovery_figure
from evenkeel.reporting.figures.rules import rules_figure
from evenkeel.reporting.figures.sweep import heat_figure, sweep_figure
from evenkeel.reporting.palette import DARK, LIGHT, css_variables
from evenkeel.reporting.results import Continuation, Results
from evenkeel.reporting.verdict import verdict

MEASURES = (
    ("occupation_spread", "Occupation spread", "nats; 0 treats all occupations alike", 2),
    ("parity_offset", "Parity offset", "nats; lean common to all occupations", 2),
    ("planted_correlation", "Correlation with share of women", "1 follows the statistics", 2),
    ("planted_slope", "Slope on share of women", "1 reproduces the statistics", 2),
    ("definitional_accuracy", "Definitional accuracy", "a mother is she; has to stay", 3),
    ("definitional_accuracy_change", "Change of that accuracy", "paired by term", 3),
    ("definitional_margin", "Definitional margin", "nats by which the right side wins", 2),
    ("moved_away_share", "Prompts moved away from 0", "harm that the mean hides", 3),
    ("crossed_away_share", "Prompts turned to the other side", "and further than before", 3),
    ("perplexity", "Perplexity", "plain held-out text", 2),
    ("kl_neutral", "KL from the unsteered model", "nats per token of plain text", 4),
    ("distinct_2", "Distinct 2-grams", "of generated text; higher is more varied", 2),
    ("repetition", "Repetition", "repeated 3-grams of generated text", 3),
    ("degenerate_share", "Degenerate texts", "collapsed into repetition or noise", 3),
)
"""Name, title, meaning and digits, in the order of the table."""


CONTRASTS = {
    "bias": "biased against neutral",
    "definition": "female against male by definition",
}


@dataclass(frozen=True)
class Page:
    """A finished report."""

    html: str
    drawings: tuple[Drawing, ...]


def make_page(results: Results, title: str, params: dict[str, Any]) -> Page:
    """Write the report.

    Everything that comes from models and files is escaped; nothing is fetched when it is read. The
    page's own script is the only one that a browser may run: the page names its hash.

    Args:
        results: of all earlier stages.
        title: heading of the page.
        params: what the pipeline was run with, to be shown.
    """
    evaluation = results.evaluation
    drawings = {
        "probes": probe_figure(results.probes),
        "projections": projection_figure(results.projections),
        "sweep": sweep_figure(results.sweep, evaluation),
        "frontier": frontier_figure(results.frontier),
        "layers": heat_figure(results.sweep, evaluation),
        "occupations": occupation_figure(results.occupations),
        "lineage": lineage_figure(results.lineage),
    }
    if evaluation.selected:
        drawings |= {
            "nulls": null_figure(results.nulls),
            "dose": dose_figure(results.doses),
        }
    if results.ground_truth:
        drawings["recovery"] = recovery_figure(results.recovery)
    benchmarks = [make_section(benchmark) for benchmark in results.benchmarks]
    for section in benchmarks:
        if drawing := rules_figure(section, evaluation.axis):
            drawings[section.benchmark.benchmark] = drawing
    script = files("evenkeel.reporting").joinpath("page.js").read_text(encoding="utf-8")
    environment = Environment(
        loader=PackageLoader("evenkeel", "reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "number": wording.number,
        "percent": wording.percent,
        "interval": wording.interval,
        "p_equals": wording.p_equals,
        "p_value": wording.p_value,
        "interval_of": wording.interval_of,
        "measured": wording.measured,
        "measured_percent": wording.measured_percent,
        "described": wording.described,
        "methods": wording.METHODS,
        "marked": marked,
        "visible": visible,
    }
    html = environment.get_template("page.html.jinja").render(
        title=title,
        results=results,
        evaluation=evaluation,
        baseline=evaluation.baseline,
        selected=evaluation.selected,
        verdict=verdict(evaluation),
        measures=MEASURES,
        benchmarks=benchmarks,
        harness_lines=harness_lines,
        figures={name: drawing.inline() for name, drawing in drawings.items()},
        light=css_variables(LIGHT),
        dark=css_variables(DARK),
        script=Markup(script),  # noqa: S704  ours
        script_hash=b64encode(sha256(script.encode()).digest()).decode(),
        sides=_sides(results),
        continuations=_shown(results.continuations),
        params=yaml.safe_dump(params, sort_keys=True, allow_unicode=True),
    )
    return Page(html, tuple(drawings.values()))


def _shown(continuations: Sequence[Continuation]) -> list[Continuation]:
    """Of each prompt the first continuation that steering changed, or else its first."""
    shown: dict[str, Continuation] = {}
    for row in continuations:
        if row.id not in shown or (row.changed and not shown[row.id].changed):
            shown[row.id] = row
    return list(shown.values())


def _sides(results: Results) -> Callable[[Association], str]:
    """What an association tells apart, as "first against second"."""
    groups: dict[str, set[str]] = {}
    for row in results.projections:
        groups.setdefault(row.axis, set()).add(row.group)

    def sides(association: Association) -> str:
        if association.contrast == "group":
            return " against ".join(sorted(groups[association.axis]))
        return CONTRASTS[association.contrast]

    return sides
