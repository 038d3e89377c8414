"""What localisation found, as its file says it: reports/metrics/localisation/<axis>.json."""

from typing import Self

from pydantic import BaseModel, ConfigDict

Interval = tuple[float, float]


class Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Effect(Record):
    """What patching one place moved, as a share of the gap of log-odds within pairs."""

    layer: int
    role: str | None
    """Whose positions of the residual stream were patched: item, between or last."""
    head: int | None
    """Whose result was patched, in place of the residual stream."""
    effect: float | None
    """1: the answer is then that of the item patched in."""
    effect_ci95: Interval | None
    null: float | None
    """The same of an item of the base's own association."""
    null_ci95: Interval | None
    p: float
    """Sign-flip test over pairs that the other item's activations move the answer towards its own
    no further than the null does, adjusted for all roles and layers, or for all heads."""
    first_order: float | None
    """Attribution patching's estimate of the effect."""


class Agreement(Record):
    """Attribution patching against exact patching: Pearson correlation over places."""

    roles: float | None
    roles_ci95: Interval | None
    heads: float | None
    heads_ci95: Interval | None


class Localisation(Record):
    axis: str
    pairs: int
    """Pairs of items, the units of resampling."""
    runs: int
    """Prompts that were patched, at each place."""
    frames: int
    """Sets of prompts that differ in their item alone."""
    gap: float | None
    """Mean log-odds, in nats, by which the items of a pair differ as the lexicon says."""
    gap_ci95: Interval | None
    reportable: bool
    """Whether the interval of the gap is above zero. Otherwise there is no answer to trace, and
    effects, as shares of it, are withheld."""
    handover: float | None
    """First layer from which on the last token carries more of the answer than the item."""
    handover_ci95: Interval | None
    agreement: Agreement | None
    effects: list[Effect]

    @classmethod
    def of_nothing(cls, axis: str) -> Self:
        """Where no two items can be compared."""
        return cls(
            axis=axis, pairs=0, runs=0, frames=0, gap=None, gap_ci95=None, reportable=False,
            handover=None, handover_ci95=None, agreement=None, effects=[],
        )  # fmt: skip

    @property
    def by_role(self) -> list[Effect]:
        return [effect for effect in self.effects if effect.role is not None]

    @property
    def by_head(self) -> list[Effect]:
        return [effect for effect in self.effects if effect.head is not None]

    @property
    def strongest_heads(self) -> list[Effect]:
        """Heads by the size of their effect, the largest first."""
        return sorted(self.by_head, key=lambda effect: -abs(effect.effect or 0))
