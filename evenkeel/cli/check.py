"""`evenkeel check`: a gate for builds, which fails where a model breaks a limit on bias."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evenkeel.cli.options import Number, model_option, print_rows, spec_option, trust_option
from evenkeel.errors import BadInputError

if TYPE_CHECKING:
    from evenkeel.datasets.records import Prompt


@click.command()
@model_option
@trust_option
@spec_option
@click.option(
    "--max-spread",
    "limits",
    multiple=True,
    metavar="AXIS=NATS",
    help="Limit of the item spread on an axis: the standard deviation of the log-odds over items.",
)
@click.option(
    "--baseline",
    "baseline_path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="What an earlier check wrote with --report: no axis of it may have become worse.",
)
@click.option(
    "--margin",
    type=Number(min=0, min_open=True),
    default=0.1,
    help="How much larger than the baseline's the spread may be, as a share of it.",
)
@click.option(
    "--alpha",
    type=Number(0, 0.5, min_open=True),
    default=0.05,
    help="Chance that a model that is just at its limit passes.",
)
@click.option(
    "--prompts",
    "prompts_path",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of prompts; those of Evenkeel's own lexicon if omitted.",
)
@click.option("--split", type=click.Choice(["test", "validation"]), default="test")
@click.option(
    "--junit", "junit_path", type=click.Path(path_type=Path, dir_okay=False), help="JUnit XML."
)
@click.option(
    "--summary",
    "summary_path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Table in Markdown.",
)
@click.option(
    "--report",
    "report_path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="JSON, which can be a --baseline later.",
)
def check(
    model_path: Path,
    trust_remote_code: bool,
    spec_path: Path | None,
    limits: tuple[str, ...],
    baseline_path: Path | None,
    margin: float,
    alpha: float,
    prompts_path: Path | None,
    split: str,
    junit_path: Path | None,
    summary_path: Path | None,
    report_path: Path | None,
) -> None:
    """Fail (exit status 1) unless the model is shown to keep its limits on bias.

    \b
    Examples:
      evenkeel check --max-spread gender=0.5 --alpha 0.05
      evenkeel check --model path/to/model --baseline main.json --junit bias.xml
    """
    wanted = _limits(limits)
    from evenkeel.evaluation.bias_check import check_axis, split_of
    from evenkeel.evaluation.check_reports import (
        as_json,
        read_baseline,
        write_json_report,
        write_junit,
        write_markdown,
    )
    from evenkeel.files.markers import MARKER
    from evenkeel.models.loading import load_model, open_pretrained
    from evenkeel.models.provenance import PROVENANCE_FILE
    from evenkeel.steering.spec import InterventionSpec

    baseline = read_baseline(baseline_path) if baseline_path else {}
    if not wanted and not baseline:
        raise BadInputError("no limit is given; set --max-spread AXIS=NATS or --baseline")
    axes = list(dict.fromkeys([*wanted, *baseline]))
    prompts = _prompts(prompts_path, axes)
    spec = InterventionSpec.load(spec_path) if spec_path else None
    model: Any
    # A folder of ours that lost its record is damaged, and not another program's model.
    if any((model_path / file).exists() for file in (PROVENANCE_FILE, MARKER)):
        loaded = load_model(model_path, trust_remote_code=trust_remote_code)
        model, tokenizer, name = loaded.model, loaded.tokenizer, loaded.name
    else:
        model, tokenizer = open_pretrained(
            model_path, "float32", trust_remote_code=trust_remote_code
        )
        name = model_path.name
    checks = [
        check_axis(
            model,
            tokenizer,
            axis,
            split_of(prompts, axis, split),
            alpha=alpha,
            max_spread=wanted.get(axis),
            baseline=None if axis in wanted else baseline[axis],
            margin=margin,
            spec=spec,
        )
        for axis in axes
    ]
    if report_path:
        write_json_report(report_path, as_json(name, checks, alpha))
    if junit_path:
        write_junit(junit_path, name, checks)
    if summary_path:
        write_markdown(summary_path, name, checks, alpha)
    print_rows(
        f"Bias of {name} against its limits",
        ["axis", "result", "item spread, nats", "why"],
        [
            [each.axis, "passed" if each.passed else "FAILED", str(each.spread), each.reason]
            for each in checks
        ],
    )
    if not all(each.passed for each in checks):
        sys.exit(1)


def _limits(given: tuple[str, ...]) -> dict[str, float]:
    found = {}
    for text in given:
        axis, _, number = text.partition("=")
        try:
            limit = float(number)
        except ValueError:
            limit = float("nan")
        if not axis or not 0 < limit < float("inf"):
            raise BadInputError(f"--max-spread {text}: give it as AXIS=NATS, such as gender=0.5")
        found[axis] = limit
    return found


def _prompts(path: Path | None, axes: list[str]) -> "list[Prompt]":
    from evenkeel.axes import AXES, same_strength
    from evenkeel.datasets.prompts import make_prompts
    from evenkeel.datasets.reading import read_prompts

    if path is not None:
        return [prompt for axis in axes for prompt in read_prompts(path, axis)]
    for axis in axes:
        if axis not in AXES:
            raise BadInputError(f"there is no axis {axis!r}; there are: {', '.join(AXES)}")
    return make_prompts(axes, same_strength(1.0), 0, lead_ins=True)
