"""What the stages of the public benchmarks leave, as far as the report tells of it."""

from evenkeel.params import BenchmarkName
from evenkeel.reporting.reading import Interval, Row


class Choices(Row):
    """Choices that steering changed, and the test of that."""

    lost: int
    won: int
    p: float


class TooWeak(Row):
    """Whether each model is at chance at what a bias is asked of."""

    baseline: bool
    steered: bool = False


class BenchmarkFigure(Row):
    """One figure of a public benchmark; of the steered model only where something steers."""

    baseline: float | None
    baseline_ci95: Interval | None
    steered: float | None = None
    steered_ci95: Interval | None = None
    difference: float | None = None
    difference_ci95: Interval | None = None
    ratio: float | None = None
    ratio_ci95: Interval | None = None
    unbiased: float | None = None
    chance: float | None = None
    choices: Choices | None = None
    too_weak_to_tell: TooWeak | None = None


class BenchmarkFile(Row):
    sha256: str
    official: bool | None


class BenchmarkData(Row):
    files: dict[str, BenchmarkFile]
    license: str
    source: str


class Benchmark(Row):
    """benchmarks/<name>.json."""

    benchmark: BenchmarkName
    data: BenchmarkData
    figures: dict[str, dict[str, dict[str, BenchmarkFigure]]]
    """By rule, group and name."""
    rules: dict[str, str]
    """What each rule does."""
    size: dict[str, int]


class HarnessTask(Row):
    version: float | str
    items: int
    figures: dict[str, dict[str, float]]
    """By name, and by who scored and which model: lm_eval baseline, ..."""


class Harness(Row):
    """benchmarks/harness/<task>.json."""

    task: str
    harness: str
    largest_difference: float | None
    tasks: dict[str, HarnessTask]
