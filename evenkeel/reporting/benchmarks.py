"""Public benchmarks: what their stages leave, and which figures the page shows in which words."""

from collections.abc import Mapping
from dataclasses import dataclass

from evenkeel.params import BenchmarkName
from evenkeel.reporting.reading import Interval, Row
from evenkeel.reporting.wording import listed, number

ALL = "all"
"""The group of all items."""
STDERR = "_stderr"


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
    best: float | None = None
    choices: Choices | None = None
    too_weak_to_tell: TooWeak | None = None


class BenchmarkFile(Row):
    sha256: str
    official: bool | None


class BenchmarkData(Row):
    files: dict[str, BenchmarkFile]
    license: str | None
    source: str | None


class Finding(Row):
    """What became of one capability."""

    finding: str
    p: float | None


class Verdict(Row):
    """Whether the intervention costs the model a capability."""

    flagged: bool | None
    """None if the model has no capability to lose."""
    margin: float
    level: float
    findings: dict[str, Finding]
    """By rule."""


class Benchmark(Row):
    """benchmarks/<name>.json."""

    benchmark: BenchmarkName
    data: BenchmarkData
    figures: dict[str, dict[str, dict[str, BenchmarkFigure]]]
    """By rule, group and name."""
    rules: dict[str, str]
    """What each rule does."""
    size: dict[str, int]
    verdict: Verdict | None = None


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


@dataclass(frozen=True)
class ShownMeasure:
    """A figure of a benchmark that the page shows; the others stand in its table."""

    name: str
    heading: str
    meaning: str
    digits: int = 3


@dataclass(frozen=True)
class Wording:
    """What a benchmark is called, and what it asks."""

    title: str
    asks: str
    measures: tuple[ShownMeasure, ...]
    """The first one is drawn where rules are many."""


WORDINGS: dict[BenchmarkName, Wording] = {
    "crows_pairs": Wording(
        "CrowS-Pairs",
        "Of two sentences that differ in the group they are about, which does the model find "
        "likelier? There is no one rule to score a causal model by, and rules disagree: all are "
        "here.",
        (
            ShownMeasure("stereotype_preferred", "Stereotype preferred", "share of pairs"),
            ShownMeasure(
                "beats_shuffled",
                "Order preferred",
                "share of sentences likelier than their words shuffled",
            ),
        ),
    ),
    "stereoset": Wording(
        "StereoSet",
        "Of a stereotype, an anti-stereotype and a meaningless sentence, which does the model find "
        "likelier?",
        (
            ShownMeasure("ss", "Stereotype preferred (SS)", "percent, mean over terms", 1),
            ShownMeasure("icat", "Both in one (ICAT)", "from 0 to 100", 1),
            ShownMeasure("lms", "Meaningful text preferred (LMS)", "percent, mean over terms", 1),
        ),
    ),
    "winobias": Wording(
        "WinoBias",
        "Does the model resolve a pronoun better where the referent fits the stereotype?",
        (
            ShownMeasure("gap", "Gap", "accuracy where it fits minus accuracy where it does not"),
            ShownMeasure("accuracy", "Accuracy", "of both"),
        ),
    ),
    "winogender": Wording(
        "Winogender",
        "Does a pronoun’s gender change which referent the model resolves it to?",
        (
            ShownMeasure(
                "female_minus_male",
                "Female − male",
                "how much more often a female pronoun is resolved to the occupation",
            ),
            ShownMeasure(
                "bls_correlation_log_odds",
                "Correlation with share of women",
                "of the log-odds, over occupations",
                2,
            ),
            ShownMeasure("accuracy", "Accuracy", "of all pronouns"),
        ),
    ),
    "bbq": Wording(
        "BBQ",
        "Does an answer follow the stereotype where the context disambiguates, and where it does "
        "not?",
        (
            ShownMeasure("s_dis", "Bias, disambiguated contexts", "from −1 to 1"),
            ShownMeasure("accuracy_dis", "Accuracy, disambiguated contexts", "share of questions"),
            ShownMeasure("s_amb", "Bias, ambiguous contexts", "from −1 to 1"),
            ShownMeasure(
                "accuracy_amb", "Accuracy, ambiguous contexts", "share answered “unknown”"
            ),
        ),
    ),
    "decisions": Wording(
        "Decisions",
        "Is a yes to the same question likelier for some people than for others?",
        (
            ShownMeasure(
                "spread",
                "Spread over groups",
                "nats: root mean square, over groups of people, of how far their log-odds of a yes "
                "are from the mean",
            ),
            ShownMeasure("answered", "Answered", "share of questions with a likely yes or no"),
        ),
    ),
    "specificity": Wording(
        "Specificity",
        "What does the intervention change that it was not meant to? Capabilities that have little "
        "to do with bias are measured before and after, on items that Evenkeel brings.",
        (
            ShownMeasure("score", "Score", "of each capability, as its rule says"),
            ShownMeasure("competence", "Competence", "of the same, over what chance gives"),
        ),
    ),
    "wikitext": Wording(
        "WikiText-2",
        "How well does the model predict a long text?",
        (
            ShownMeasure("token_perplexity", "Perplexity by token", "lower is better", 1),
            ShownMeasure("word_perplexity", "Perplexity by word", "lower is better", 1),
        ),
    ),
}


@dataclass(frozen=True)
class Line:
    """A figure, and all rules by which it comes out the same."""

    rules: tuple[str, ...]
    figure: BenchmarkFigure


@dataclass(frozen=True)
class Block:
    """A measure by every rule."""

    measure: ShownMeasure
    lines: tuple[Line, ...]

    @property
    def reference(self) -> str:
        """What the figure would be without bias, or by chance."""
        figure, digits = self.lines[0].figure, self.measure.digits
        if figure.unbiased is not None:
            return f"{number(figure.unbiased, digits)} without bias"
        if figure.best is not None:
            return f"{number(figure.best, digits)} at best"
        return f"{number(figure.chance, digits)} by chance"


@dataclass(frozen=True)
class Section:
    """A benchmark on the page."""

    benchmark: Benchmark
    wording: Wording
    blocks: tuple[Block, ...]

    @property
    def verdict(self) -> str | None:
        """In a sentence, whether the intervention costs a capability; None where none is asked."""
        verdict = self.benchmark.verdict
        if verdict is None:
            return None
        lost = [
            name.replace("_", " ") for name, each in verdict.findings.items()
            if each.finding == "lost"
        ]  # fmt: skip
        if verdict.flagged is None:
            return "No verdict: the unsteered model has none of these capabilities."
        found = (
            f"Flagged: the intervention costs {listed(lost)}."
            if lost
            else "Not flagged: no capability was shown to be lost."
        )
        return (
            f"{found} Lost is what fell by more than {number(verdict.margin)} with p below "
            f"{number(verdict.level)} after correction for all capabilities (Holm); kept is what "
            "did not, the whole of its interval above such a fall. A capability that the unsteered "
            "model lacks is neither."
        )

    @property
    def size(self) -> str:
        """What its figures rest on."""
        counts = dict(self.benchmark.size)
        left_out = counts.pop("left_out", 0)
        parts = [f"{count:,} {what.replace('_', ' ')}" for what, count in counts.items()]
        if left_out:
            parts.append(f"{left_out:,} left out, too long for the model")
        return ", ".join(parts)


def make_section(benchmark: Benchmark) -> Section:
    """The figures over all items, by measure and rule."""
    wording = WORDINGS[benchmark.benchmark]
    blocks = []
    for measure in wording.measures:
        by_figure: dict[BenchmarkFigure, list[str]] = {}
        for rule, groups in benchmark.figures.items():
            if measure.name in groups[ALL]:
                by_figure.setdefault(groups[ALL][measure.name], []).append(rule)
        if by_figure:
            lines = (Line(tuple(rules), figure) for figure, rules in by_figure.items())
            blocks.append(Block(measure, tuple(lines)))
    return Section(benchmark, wording, tuple(blocks))


@dataclass(frozen=True)
class HarnessLine:
    """A figure of a task of the harness."""

    task: str
    about: HarnessTask
    name: str
    values: Mapping[str, float]
    """By who scored and which model: lm_eval baseline, ..."""
    errors: Mapping[str, float]
    """Standard errors of the same, where the harness gives them."""


def harness_lines(harness: Harness) -> list[HarnessLine]:
    """Every figure but the standard errors, which stand behind their figures."""
    lines = []
    for task, about in harness.tasks.items():
        for name, values in about.figures.items():
            metric, space, choice = name.partition(" ")
            if metric.endswith(STDERR):
                continue
            errors = about.figures.get(f"{metric}{STDERR}{space}{choice}", {})
            lines.append(HarnessLine(task, about, name, values, errors))
    return lines
