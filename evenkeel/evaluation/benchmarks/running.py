"""Run one benchmark on a model, unsteered and steered, and say all that a reader must know."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from evenkeel.errors import BadInputError
from evenkeel.evaluation.benchmarks.bbq import Bbq, read_questions
from evenkeel.evaluation.benchmarks.crows_pairs import CrowsPairs, read_pairs
from evenkeel.evaluation.benchmarks.encoding import Encoder
from evenkeel.evaluation.benchmarks.measures import Figure, compare
from evenkeel.evaluation.benchmarks.scoring import Scorer
from evenkeel.evaluation.benchmarks.sources import SourceFile, source_of
from evenkeel.evaluation.benchmarks.stereoset import StereoSet, read_triples
from evenkeel.evaluation.benchmarks.task import Task
from evenkeel.evaluation.benchmarks.wikitext import WikiText, read_wikitext
from evenkeel.evaluation.benchmarks.winobias import WinoBias
from evenkeel.evaluation.benchmarks.winobias import read_pairs as read_winobias
from evenkeel.evaluation.benchmarks.winogender import Winogender, read_schemas
from evenkeel.models.loading import LoadedModel
from evenkeel.params import BenchmarkName
from evenkeel.steering.hooks import steer
from evenkeel.steering.spec import InterventionSpec


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
                        "official": source.knows(file),
                    }
                    for file in self.files
                },
                "license": source.license,
                "source": f"{source.repository}@{source.commit}",
            },
            "figures": self._nested(),
            "model": {"name": self.loaded.name, "fingerprint": self.loaded.fingerprint},
            "rules": dict(self.task.rules),
            "size": dict(self.task.size),
        }

    @property
    def rows(self) -> list[dict[str, str | float | None]]:
        """For the table: one line a figure, details included."""
        return [figure.row() for figure in self.figures]

    @property
    def table(self) -> tuple[list[str], list[list[Any]]]:
        """The figures over all items as columns and rows, for people."""
        columns = ["rule", "measure", "no bias or chance", "baseline", "steered", "change"]
        rows = []
        for figure in self.figures:
            measure = figure.measure
            if measure.group != "all" or measure.detail:
                continue
            weak = self._too_weak.get((measure.rule, "all"), {}) if measure.kind == "bias" else {}
            cells = {
                name: str(estimate) + ", too weak to tell" * weak.get(name, False)
                for name in ("baseline", "steered", "change")
                if (estimate := getattr(figure, name)) is not None
            }
            shown = [cells.get(name, "-") for name in ("baseline", "steered", "change")]
            reference = "-" if measure.reference is None else f"{measure.reference:.3g}"
            rows.append([measure.rule, measure.name, reference, *shown])
        return columns, rows

    @cached_property
    def _too_weak(self) -> dict[tuple[str, str], dict[str, bool]]:
        """By rule and group with a bias: whether each model is at chance at the task."""
        shown = [figure for figure in self.figures if not figure.measure.detail]
        biased = {(f.measure.rule, f.measure.group) for f in shown if f.measure.kind == "bias"}
        found: dict[tuple[str, str], dict[str, bool]] = {}
        for figure in shown:
            key = figure.measure.rule, figure.measure.group
            if figure.measure.kind == "competence" and key in biased:
                found.setdefault(key, figure.too_weak)
        return found

    def _nested(self) -> dict[str, dict[str, dict[str, Any]]]:
        """Figures by rule, group and name; a group with a bias says if the models can tell."""
        nested: dict[str, dict[str, dict[str, Any]]] = {}
        for figure in self.figures:
            measure = figure.measure
            if not measure.detail:
                node = nested.setdefault(measure.rule, {}).setdefault(measure.group, {})
                node[measure.name] = figure.record()
        for (rule, group), weak in self._too_weak.items():
            nested[rule][group]["too_weak_to_tell"] = weak
        return nested


def run_benchmark(
    name: BenchmarkName,
    path: Path,
    loaded: LoadedModel,
    spec: InterventionSpec,
    *,
    batch_tokens: int,
    stride: int | None,
    resamples: int,
    seed: int,
) -> BenchmarkResult:
    """Measure a model on a benchmark and, where the spec does something, the steered model too.

    Args:
        name: of the benchmark.
        path: its file or folder.
        loaded: the model; it is the same object, unhooked, afterwards.
        spec: what steering does; an empty one leaves the baseline alone.
        batch_tokens: tokens in a forward pass.
        stride: tokens from one window of a long text to the next; None is a whole window.
        resamples: bootstrap resamples behind each interval.
        seed: of the resamples and of shuffled words.

    Raises:
        BadInputError: a file is not of the benchmark's format, no item fits the model's context, or
            the spec does not act on all positions, which given text is scored at.
    """
    elsewhere = {each.positions for each in spec.interventions} - {"all"}
    if elsewhere:
        raise BadInputError(
            f"an intervention at positions {min(elsewhere)!r} has no meaning on benchmarks, which "
            "score given text and generate none; use one at positions 'all'"
        )
    task = open_task(name, path, loaded, stride, seed)
    scorer = Scorer(task.asked, batch_tokens)
    baseline = task.measures(scorer.run(loaded.model))
    steered = None
    if spec.interventions:
        with steer(loaded.model, spec):
            steered = task.measures(scorer.run(loaded.model))
    figures = compare(baseline, steered, resamples, seed)
    return BenchmarkResult(name, task, figures, SourceFile.all_of(path), loaded)


def open_task(
    name: BenchmarkName, path: Path, loaded: LoadedModel, stride: int | None, seed: int
) -> Task:
    """Read a benchmark and encode it for a model.

    Raises:
        BadInputError: as `run_benchmark`.
    """
    encoder = Encoder.of(loaded)
    match name:
        case "crows_pairs":
            return CrowsPairs(read_pairs(path), encoder, seed)
        case "stereoset":
            return StereoSet(read_triples(path), encoder)
        case "winobias":
            return WinoBias(read_winobias(path), encoder)
        case "winogender":
            return Winogender(read_schemas(path), encoder)
        case "bbq":
            return Bbq(*read_questions(path), encoder)
        case "wikitext":
            vocabulary = loaded.model.config.get_text_config().vocab_size
            return WikiText(read_wikitext(path), encoder, vocabulary, stride)
