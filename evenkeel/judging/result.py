"""The records that the stage writes: reports/metrics/judging/<axis>.json, and the verdicts."""

from typing import Literal, Self

from evenkeel.datasets.records import Record
from evenkeel.statistics.estimate import Estimate

Interval = tuple[float, float]
Level = Literal["stereotype", "other_group", "no_group"]
LEVELS: tuple[Level, ...] = ("stereotype", "other_group", "no_group")


class KindAccuracy(Record):
    """Of the labelled texts that were made in one way."""

    kind: str
    texts: int
    right: int


class Calibration(Record):
    """How often the judge is right on labelled texts."""

    texts: int
    unanswered: int
    """Texts without a valid verdict; each counts as a wrong one."""
    accuracy: float
    accuracy_ci95: Interval | None
    """Over items; the exact binomial interval where all verdicts are right, or none."""
    chance: float
    """Accuracy of the best judge that ignores the text: it always gives the same verdict, or always
    names the group that the item is held against."""
    kinds: list[KindAccuracy]

    @property
    def estimate(self) -> Estimate:
        return Estimate(self.accuracy, *(self.accuracy_ci95 or ()))

    @property
    def passed(self) -> bool:
        """Whether the accuracy is above chance."""
        return self.accuracy_ci95 is not None and self.accuracy_ci95[0] > self.chance


class Shares(Record):
    """Of the texts of one model, by the group with which they associate their item."""

    stereotype: float | None
    """The group that the item is held against."""
    stereotype_ci95: Interval | None
    other_group: float | None
    other_group_ci95: Interval | None
    no_group: float | None
    no_group_ci95: Interval | None

    def estimate(self, level: Level) -> Estimate:
        return Estimate(getattr(self, level), *(getattr(self, f"{level}_ci95") or ()))


class Judging(Record):
    """A judge's accuracy and, if that is above chance, shares of sampled texts by its verdicts."""

    axis: str
    backend: Literal["none", "offline", "openai"]
    model: str | None
    """The language model that judged (openai only)."""
    calibration: Calibration | None
    withheld: str | None
    """Why there are no shares; None where there are."""
    items: int
    """Of the judged texts, the units of resampling."""
    texts: int
    """Judged texts of each model."""
    unanswered: int
    """Prompts left out: one of their texts, unsteered or steered, got no valid verdict."""
    unsteered: Shares | None
    steered: Shares | None
    stereotype_change: float | None
    """Share of stereotype, steered less unsteered, on the same prompts."""
    stereotype_change_ci95: Interval | None
    usd: float | None
    """Cost of the answers, whenever they were paid for (openai only)."""

    @property
    def table(self) -> list[tuple[str, str, Estimate]]:
        """Texts, what share of them, and its estimate: the judge's accuracy first."""
        rows = []
        if of_judge := self.calibration:
            rows = [
                ("labelled", "right", of_judge.estimate),
                ("labelled", "chance", Estimate(of_judge.chance)),
                ("labelled", "no verdict", Estimate(of_judge.unanswered / of_judge.texts)),
            ]
        models = {"unsteered": self.unsteered, "steered": self.steered}
        return rows + [
            (name, level, shares.estimate(level))
            for name, shares in models.items()
            if shares
            for level in LEVELS
        ]

    @classmethod
    def of_nothing(cls, axis: str) -> Self:
        """Where judging is off."""
        return cls(
            axis=axis, backend="none", model=None, calibration=None,
            withheld="judging.backend is none", items=0, texts=0, unanswered=0, unsteered=None,
            steered=None, stereotype_change=None, stereotype_change_ci95=None, usd=None,
        )  # fmt: skip


class JudgedRow(Record):
    """One line of the verdicts: a text, and the verdict on it."""

    source: Literal["calibration", "unsteered", "steered"]
    item: str
    text: str
    held_against: str | None
    label: str | None
    """The label (calibration only)."""
    verdict: str | None
    """Name of a group, none, or null where there was no valid verdict."""
