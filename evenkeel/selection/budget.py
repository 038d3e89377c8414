"""What an intervention may cost on validation."""

from dataclasses import dataclass
from typing import Protocol, Self, TypeVar

from evenkeel.metrics.registry import KNOWLEDGE_CHANGES
from evenkeel.params import EvaluationParams


class Measured(Protocol):
    """Anything that was measured on validation."""

    def value(self, name: str) -> float | None: ...


M = TypeVar("M", bound=Measured)


@dataclass(frozen=True)
class Budget:
    """Limits of the costs; a candidate of unknown cost is not within them."""

    max_perplexity_ratio: float
    max_definitional_loss: float
    """Largest fall of definitional accuracy, and of definitional AUROC, from 0 to 1."""
    max_kl: float | None = None
    """Largest KL(unsteered || steered) of the next token on plain text, in nats; None is any."""
    max_mean_log_odds_change: float | None = None
    """Largest growth of the mean log-odds of all items, in nats; None is any. The spread is also
    zero if every item gets the same group."""

    @classmethod
    def of(cls, params: EvaluationParams) -> Self:
        return cls(
            params.max_perplexity_ratio,
            params.max_definitional_loss,
            params.max_kl,
            params.max_mean_log_odds_change,
        )

    def costs(self, candidate: Measured) -> list[tuple[float | None, float]]:
        """Costs, each with its limit; None is unknown, 0 or less is no cost."""
        ratio = candidate.value("perplexity_ratio")
        costs = [(None if ratio is None else ratio - 1, self.max_perplexity_ratio - 1)]
        for knowledge in KNOWLEDGE_CHANGES:
            change = candidate.value(knowledge)
            costs.append((None if change is None else -change, self.max_definitional_loss))
        if self.max_kl is not None:
            costs.append((candidate.value("kl_neutral"), self.max_kl))
        if self.max_mean_log_odds_change is not None:
            costs.append((candidate.value("mean_log_odds_change"), self.max_mean_log_odds_change))
        return costs

    def allows(self, candidate: Measured) -> bool:
        return all(cost is not None and cost <= limit for cost, limit in self.costs(candidate))

    def share_used(self, candidate: Measured) -> float:
        """Largest share of one of the limits that a candidate uses up; 1 is all of it.

        Infinite where a cost is unknown, or where something is spent of which nothing is allowed.
        """
        return max(_share(cost, limit) for cost, limit in self.costs(candidate))

    def __str__(self) -> str:
        kl = "" if self.max_kl is None else f", KL at most {self.max_kl:g} nats"
        limit = self.max_mean_log_odds_change
        mean = "" if limit is None else f", mean log-odds at most {limit:g} nats further from zero"
        return (
            f"perplexity ratio at most {self.max_perplexity_ratio:g}{kl}{mean} and definitional "
            f"accuracy and AUROC at most {self.max_definitional_loss:g} lower"
        )


def _share(cost: float | None, limit: float) -> float:
    if cost is None:
        return float("inf")
    if cost <= 0:
        return 0.0
    return cost / limit if limit > 0 else float("inf")
