"""Losses of preferences between the groups of a prompt: every group but one is preferred to it."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import logsigmoid

OfGroups = Float[Tensor, "prompts groups"]
Rejected = Bool[Tensor, "prompts groups"]
"""One group of each prompt."""


def paired(
    values: OfGroups, rejected: Rejected
) -> tuple[Float[Tensor, "prompts others"], Float[Tensor, "prompts 1"]]:
    """Values of the preferred groups, and of the rejected one."""
    return values[~rejected].view(len(values), -1), values[rejected].view(-1, 1)


def preference_loss(moved: OfGroups, rejected: Rejected, beta: float) -> Float[Tensor, ""]:
    """-log sigma(beta (moved preferred - moved rejected)), mean over prompts and preferred groups.

    Rafailov et al. 2023, "Direct Preference Optimization", equation 7.

    Args:
        moved: log-probability of each group, less what it is in the unsteered model.
        rejected: the group that is not preferred.
        beta: how little of a move the loss is content with; the larger, the less.
    """
    preferred, other = paired(moved, rejected)
    return -logsigmoid(beta * (preferred - other)).mean()


def reps_loss(
    added: OfGroups, nulled: OfGroups, reference: OfGroups, lengths: OfGroups, rejected: Rejected
) -> Float[Tensor, ""]:
    """Preferred groups win where a vector is added, and lose where it is nulled.

    Each side is -log sigma(b log p(winner) / |winner| - log p(loser) / |loser|), with b the
    log-ratio of loser to winner in the unsteered model, at least 1 (Wu et al. 2025, "Improved
    Representation Steering for Language Models").

    Args:
        added: log-probability of each group under the vector.
        nulled: the same without what lies along it.
        reference: in the unsteered model; it scales, and is no part of the margins.
        lengths: tokens of each group's continuations.
        rejected: the group that is not preferred.
    """
    before = paired(reference, rejected)
    with_it = paired(added / lengths, rejected)
    without = paired(nulled / lengths, rejected)
    wins = (before[1] - before[0]).clamp(min=1) * with_it[0] - with_it[1]
    loses = (before[0] - before[1]).clamp(min=1) * without[1] - without[0]
    return -(logsigmoid(wins) + logsigmoid(loses)).mean()


def rejected_mask(groups: list[tuple[str, ...]], rejected: list[str]) -> Rejected:
    """Which group of each prompt, in the order of its own, is the rejected one."""
    return torch.tensor(
        [[name == one for name in names] for names, one in zip(groups, rejected, strict=True)]
    )
