"""Every condition of an evaluation on one benchmark, beside the unsteered model."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from evenkeel.conditions.condition import Condition
from evenkeel.errors import BadInputError
from evenkeel.models.loading import LoadedModel
from evenkeel.params import ComparedBenchmark
from evenkeel.progress import Progress
from evenkeel.public_benchmarks.measures import Figure, compare
from evenkeel.public_benchmarks.results import BenchmarkResult
from evenkeel.public_benchmarks.running import open_task
from evenkeel.public_benchmarks.scoring import Scorer
from evenkeel.public_benchmarks.sources import SourceFile

log = logging.getLogger(__name__)

HEADLINES: Mapping[ComparedBenchmark, Sequence[tuple[str, str]]] = {
    "stereoset": (("lead_in_mean", "ss"), ("lead_in_mean", "lms")),
    "winogender": (
        ("lead_in_pronoun", "bls_correlation_log_odds"),
        ("lead_in_pronoun", "accuracy_case"),
    ),
}
"""Rule and measure of what a table for people shows; the files have all."""


@dataclass(frozen=True)
class ConditionsResult:
    """Figures over all items, by the condition's name."""

    axis: str
    name: ComparedBenchmark
    by_condition: Mapping[str, BenchmarkResult]
    recipes: Mapping[str, Mapping[str, Any]]

    @property
    def record(self) -> dict[str, Any]:
        """For the metrics file: what was measured on what, and each condition's figures."""
        records = {name: result.record for name, result in self.by_condition.items()}
        shared = next(iter(records.values()))
        return {key: shared[key] for key in ("benchmark", "data", "model", "rules", "size")} | {
            "axis": self.axis,
            "conditions": [
                {"name": name, "recipe": self.recipes[name], "figures": record["figures"]}
                for name, record in records.items()
            ],
        }

    @property
    def rows(self) -> list[dict[str, str | float | None]]:
        """For the plot: one line a condition and figure."""
        return [
            {"condition": name, **row}
            for name, result in self.by_condition.items()
            for row in result.rows
        ]

    @property
    def table(self) -> tuple[list[str], list[list[str]]]:
        """The headline figures as columns and rows, for people; the unsteered model first."""
        first = next(iter(self.by_condition.values()))
        shown = HEADLINES[self.name]
        rows = [["unsteered", *(str(_figure(first, each).baseline) for each in shown)]]
        rows += [
            [name, *(str(_figure(result, each).steered) for each in shown)]
            for name, result in self.by_condition.items()
        ]
        return ["condition", *(f"{measure}, {rule}" for rule, measure in shown)], rows


def compare_conditions(
    name: ComparedBenchmark,
    path: Path,
    loaded: LoadedModel,
    axis: str,
    conditions: Sequence[Condition],
    *,
    batch_tokens: int,
    stride: int | None,
    resamples: int,
    seed: int,
) -> ConditionsResult:
    """Measure a model under every condition on a benchmark.

    They are many: Winogender is asked only which pronoun comes next, and StereoSet only for the
    intrasentence triples about the axis, behind a lead-in.

    A prefix stands before the lead-in. A condition behind whose prefix an item does not fit the
    model's context is left out, with a warning.

    Args:
        name: of the benchmark.
        path: its file or folder.
        loaded: the model; it is as it was afterwards.
        axis: whose conditions these are.
        conditions: of distinct names.
        batch_tokens: tokens in a forward pass.
        stride: tokens from one window of a long text to the next; None is a whole window.
        resamples: bootstrap resamples behind each interval.
        seed: of the resamples and of shuffled words.

    Raises:
        BadInputError: a file is not of the benchmark's format, or no item fits the context, or
            none behind any prefix.
    """
    own_type = axis if name == "stereoset" else None
    read = partial(open_task, name, path, loaded, stride, seed, bias_type=own_type, brief=True)
    plain = read()
    scorer = Scorer(plain.asked, batch_tokens)
    baseline = plain.run(loaded, scorer)
    files = SourceFile.all_of(path)
    by_condition, recipes = {}, {}
    for condition in Progress(conditions, desc=name, unit="condition"):
        task, own = plain, scorer
        if condition.prefix:
            task = read(prefix=condition.prefix)
            if task.size != plain.size:
                log.warning(
                    "%s is left out: behind its prefix, items do not fit the model's context",
                    condition.name,
                )
                continue
            own = Scorer(task.asked, batch_tokens)
        with condition.on(loaded.model, loaded.tokenizer) as changed:
            steered = task.run(replace(loaded, model=changed), own)
        figures = compare(baseline, steered, resamples, seed)
        whole = [f for f in figures if f.measure.group == "all" and not f.measure.detail]
        by_condition[condition.name] = BenchmarkResult(name, task, whole, files, loaded)
        recipes[condition.name] = condition.recipe.model_dump(mode="json")
    if not by_condition:
        raise BadInputError(f"{name}: behind no condition's prefix do its items fit the context")
    return ConditionsResult(axis, name, by_condition, recipes)


def _figure(result: BenchmarkResult, rule_and_measure: tuple[str, str]) -> Figure:
    return next(
        figure
        for figure in result.figures
        if (figure.measure.rule, figure.measure.name) == rule_and_measure
    )
