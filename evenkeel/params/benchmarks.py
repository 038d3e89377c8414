"""The section `benchmarks`."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, PositiveInt

from evenkeel.params.fields import Section, ShellWord, distinct

BenchmarkName = Literal[
    "crows_pairs",
    "stereoset",
    "winobias",
    "winogender",
    "bbq",
    "decisions",
    "wikitext",
    "specificity",
]
ComparedBenchmark = Literal["stereoset", "winogender"]
"""Those whose prompts have a place for a condition's prefix, and are few enough for all of them."""
TaskName = Annotated[str, Field(pattern=r"^\w[\w.+-]*$")]
RunName = Annotated[str, Field(pattern=r"^\w+$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class HarnessParams(Section):
    tasks: Annotated[list[TaskName], AfterValidator(distinct)]
    """Tasks of lm-evaluation-harness to run, by its names; it fetches their data itself."""
    include_path: str | None
    """Folder with task files of your own, in its format; they stand in for those it brings."""
    limit: PositiveInt | None
    """Items of each task at most; null is all."""


class ConditionsParams(Section):
    benchmark: ComparedBenchmark
    """What is measured: of stereoset, the triples about the axis alone."""
    axis: Annotated[str, Field(pattern=r"^\w+$")]
    """Whose conditions: all that evaluate measured on test."""
    data: ShellWord
    """The benchmark's file or folder."""


class BenchmarksParams(Section):
    download: dict[BenchmarkName, dict[str, Sha256]]
    """Benchmarks to fetch from their official source into data/benchmarks/<name>, each with the
    SHA-256 of those files whose checksum is not known; without one it is reported."""
    run: dict[BenchmarkName, ShellWord]
    """Benchmarks to run, and the file or folder of each: data/benchmarks/<name>, or your own."""
    conditions: dict[RunName, ConditionsParams]
    """Benchmarks to measure every condition of an axis on, by names of your own. Each condition
    takes as long as the benchmark by itself."""
    batch_tokens: PositiveInt
    """Tokens in a forward pass, padding included; memory holds the logits of all of them."""
    stride: PositiveInt | None
    """Tokens from one window of WikiText to the next; null is a whole window, without overlap."""
    resamples: Annotated[int, Field(ge=100)]
    """Bootstrap resamples behind each interval."""
    harness: HarnessParams
