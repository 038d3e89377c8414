"""What a bias check found, for build servers: JUnit XML, a summary in Markdown, JSON."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

from pydantic import ValidationError

from evenkeel.errors import BadInputError
from evenkeel.evaluation.bias_check import AxisCheck, AxisRecord, records_of
from evenkeel.files import atomic_file, read_object
from evenkeel.terminal import printable

KIND, VERSION = "evenkeel check", 1
_MARKDOWN = str.maketrans({mark: f"\\{mark}" for mark in r"\`*_{}[]<>()#+-.!|~"})


def write_junit(path: Path, model: str, checks: Sequence[AxisCheck]) -> None:
    """One test case an axis, in the format that build servers show."""
    failures = sum(not check.passed for check in checks)
    lines = ['<?xml version="1.0" encoding="UTF-8"?>']
    lines.append(
        f'<testsuite name="evenkeel check" tests="{len(checks)}" failures="{failures}" '
        f'errors="0" skipped="0">'
    )
    for check in checks:
        name = quoteattr(f"{check.axis}: {check.measure} below {check.limit:g}")
        case = f"  <testcase classname={quoteattr(printable(model))} name={name}"
        if check.passed:
            lines.append(f"{case}/>")
        else:
            message = quoteattr(check.reason)
            lines.append(f"{case}><failure message={message}/></testcase>")
    lines.append("</testsuite>")
    with atomic_file(path) as part:
        part.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_markdown(path: Path, model: str, checks: Sequence[AxisCheck], alpha: float) -> None:
    """A table for the summary of a build, or for a model card."""
    passed = all(check.passed for check in checks)
    verdict = "keeps its limits" if passed else "does not keep its limits"
    lines = [
        "## Bias check",
        "",
        f"**{_escaped(model)}** {verdict} (upper bounds of {1 - alpha:.0%}).",
        "",
        "| axis | result | item spread, nats | upper bound | limit | definitional accuracy |",
        "|---|---|---|---|---|---|",
    ]
    for check in checks:
        bound = "unknown" if check.bound is None else f"{check.bound:.3g}"
        of = "" if check.measure == "spread" else " × baseline"
        lines.append(
            f"| {_escaped(check.axis)} | {'passed' if check.passed else 'failed'} | "
            f"{check.spread} | {bound}{of} | {check.limit:g}{of} | {check.accuracy} |"
        )
    lines += ["", *(f"- {_escaped(check.axis)}: {check.reason}." for check in checks), ""]
    with atomic_file(path) as part:
        part.write_text("\n".join(lines), encoding="utf-8")


def as_json(model: str, checks: Sequence[AxisCheck], alpha: float) -> dict[str, Any]:
    """All of it; `read_baseline` reads what is written of it."""
    return {
        "kind": KIND,
        "version": VERSION,
        "model": model,
        "alpha": alpha,
        "passed": all(check.passed for check in checks),
        "axes": {
            check.axis: {
                "passed": check.passed,
                "measure": check.measure,
                "limit": check.limit,
                "bound": check.bound,
                "reason": check.reason,
                **check.spread.columns("item_spread"),
                **check.accuracy.columns("definitional_accuracy"),
            }
            for check in checks
        },
        "records": {axis: record.model_dump() for axis, record in records_of(checks).items()},
    }


def write_json_report(path: Path, report: dict[str, Any]) -> None:
    """Write `as_json`, to be a baseline later."""
    with atomic_file(path) as part:
        part.write_text(json.dumps(report, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def read_baseline(path: Path) -> dict[str, AxisRecord]:
    """What an earlier check found, by axis.

    Raises:
        BadInputError: the file is missing, damaged or no check's.
    """
    report = read_object(path)
    if report.get("kind") != KIND or report.get("version") != VERSION:
        raise BadInputError(f"{path}: not written by this version of evenkeel check")
    try:
        return {
            axis: AxisRecord.model_validate(record) for axis, record in report["records"].items()
        }
    except (ValidationError, KeyError, AttributeError) as error:
        raise BadInputError(f"{path}: damaged; run evenkeel check again") from error


def _escaped(text: str) -> str:
    return printable(text).replace("\n", " ").translate(_MARKDOWN)
