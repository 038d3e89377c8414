"""What a benchmark found: for the metrics file, for the table, for people."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from evenkeel.models.loading import LoadedModel
from evenkeel.params import BenchmarkName
from evenkeel.public_benchmarks.measures import Figure, Measure
from evenkeel.public_benchmarks.sources import SourceFile, source_of
from evenkeel.public_benchmarks.specificity.verdict import Verdict, verdict_of
from evenkeel.public_benchmarks.task import Task


@dataclass(frozen=True)
class BenchmarkResult:
    """All figures of one benchmark, and what they rest on."""

    name: BenchmarkName
    task: Task
    figures: list[Figure]
    files: list[SourceFile]
    loaded: LoadedModel

    @property
    def record(self) -> dict[str, Any]:
        """For the metrics file: what was measured, by which rules, on what, and what came out."""
        source = source_of(self.name)
        return {
            "benchmark": self.name,
            "data": {
                "files": {
                    file.name: {
                        "bytes": file.bytes,
                        "sha256": file.sha256,
                        "official": source.knows(file) if source else None,
                    }
                    for file in self.files
                },
                "license": source.license if source else None,
                "source": f"{source.repository}@{source.commit}" if source else None,
            },
            "figures": self._nested(),
            "model": {"name": self.loaded.name, "fingerprint": self.loaded.fingerprint},
            "rules": dict(self.task.rules),
            "size": dict(self.task.size),
        } | ({} if self.verdict is None else {"verdict": self.verdict.as_json()})

    @cached_property
    def verdict(self) -> Verdict | None:
        """Whether the intervention costs a capability; None of a benchmark that asks for none."""
        return verdict_of(self.figures)

    @property
    def rows(self) -> list[dict[str, str | float | None]]:
        """For the table: one line a figure, details included."""
        return [figure.row() for figure in self.figures]

    @property
    def table(self) -> tuple[list[str], list[list[Any]]]:
        """The figures over all items as columns and rows, for people."""
        columns = ["rule", "measure", "no bias, chance or best", "baseline", "steered", "change"]
        rows = []
        for figure in self.figures:
            measure = figure.measure
            if measure.group != "all" or measure.detail:
                continue
            weak = self._too_weak_for(measure)
            cells = {
                name: str(estimate) + ", too weak to tell" * weak.get(name, False)
                for name in ("baseline", "steered", "change")
                if (estimate := getattr(figure, name)) is not None
            }
            shown = [cells.get(name, "-") for name in ("baseline", "steered", "change")]
            rows.append([measure.rule, measure.name, f"{measure.reference:.3g}", *shown])
        return columns, rows

    @cached_property
    def _too_weak(self) -> dict[tuple[str, str], dict[str, bool]]:
        """By rule and group: whether each model is at chance at the task."""
        found: dict[tuple[str, str], dict[str, bool]] = {}
        for figure in self.figures:
            if figure.measure.kind == "competence" and not figure.measure.detail:
                key = figure.measure.rule, figure.measure.group
                found.setdefault(key, figure.too_weak)
        return found

    def _too_weak_for(self, measure: Measure) -> dict[str, bool]:
        """Whether each model is at chance at the task; nothing of competence itself."""
        return {} if measure.kind == "competence" else self._too_weak[measure.rule, measure.group]

    def _nested(self) -> dict[str, dict[str, dict[str, Any]]]:
        """Figures by rule, group and name, each with whether the models are able to tell."""
        nested: dict[str, dict[str, dict[str, Any]]] = {}
        for figure in self.figures:
            measure = figure.measure
            if measure.detail:
                continue
            record = figure.record()
            if weak := self._too_weak_for(measure):
                record["too_weak_to_tell"] = weak
            nested.setdefault(measure.rule, {}).setdefault(measure.group, {})[measure.name] = record
        return nested
