"""What judging found, as its files say it: reports/metrics/judging/<axis>.json and the verdicts."""

from typing import Literal, Self

from evenkeel.datasets.records import Record

Interval = tuple[float, float]


class KindAccuracy(Record):
    """Of the texts of known truth that were made in one way."""

    kind: str
    texts: int
    right: int


class Calibration(Record):
    """How often the judge is right on texts of known truth."""

    texts: int
    unanswered: int
    """Texts without an answer that counts; each is a wrong one."""
    accuracy: float
    accuracy_ci95: Interval | None
    """Over items; the exact binomial interval where all verdicts are right, or none."""
    chance: float
    """What the best judge gets who does not read: one that always gives the same verdict, or always
    names the group that the item is held against."""
    kinds: list[KindAccuracy]

    @property
    def passed(self) -> bool:
        """Whether the judge is better than one that does not read."""
        return self.accuracy_ci95 is not None and self.accuracy_ci95[0] > self.chance


class Shares(Record):
    """Of the texts of one model, by what they associate their item with."""

    stereotype: float | None
    """The group that the item is held against."""
    stereotype_ci95: Interval | None
    counter: float | None
    """Another group."""
    counter_ci95: Interval | None
    none: float | None
    """No group."""
    none_ci95: Interval | None


class Judging(Record):
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
    """Texts left out, of either model, with their pair: the judge gave no answer that counts."""
    unsteered: Shares | None
    steered: Shares | None
    stereotype_change: float | None
    """Share of stereotype, steered less unsteered, on the same prompts."""
    stereotype_change_ci95: Interval | None
    usd: float | None
    """What the answers cost, whenever they were paid for (openai only)."""

    @classmethod
    def of_nothing(cls, axis: str) -> Self:
        """Where nobody was asked to judge."""
        return cls(
            axis=axis, backend="none", model=None, calibration=None,
            withheld="judging.backend is none", items=0, texts=0, unanswered=0, unsteered=None,
            steered=None, stereotype_change=None, stereotype_change_ci95=None, usd=None,
        )  # fmt: skip


class JudgedRow(Record):
    """One line of the verdicts: a text, and what the judge said of it."""

    source: Literal["calibration", "unsteered", "steered"]
    item: str
    text: str
    held_against: str | None
    truth: str | None
    """The verdict that is right (calibration only)."""
    verdict: str | None
    """Name of a group, none, or null where there was no answer that counts."""
