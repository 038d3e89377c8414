"""Which lead-in suits a model: a neutral sentence before each prompt, or none.

The rule: definitional prompts of the train split, of all axes, are asked with either, and the one
with which the right group wins more often suits the model; if both win as often, the one with the
larger mean margin; if that is equal as well, none, which is simpler. Bias has no part in it, and no
prompt, item or lead-in that a result rests on has either.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from evenkeel.datasets.records import Prompt
from evenkeel.datasets.templates import lead_in
from evenkeel.metrics import bias
from evenkeel.models.loading import LoadedModel
from evenkeel.scoring.group_reads import encode_prompt, group_log_probs
from evenkeel.statistics.estimate import rounded

LeadIn = Literal["none", "sentence"]
KINDS: tuple[LeadIn, ...] = ("none", "sentence")
"""The simpler one first."""


@dataclass(frozen=True)
class LeadInFigures:
    """How a model does on definitional train prompts with one kind of lead-in."""

    definitional_accuracy: float
    """Share of prompts on which the right group wins."""
    definitional_margin: float
    """Mean log-odds of the right group against the likeliest wrong one, in nats."""


@dataclass(frozen=True)
class LeadInChoice:
    """Both kinds, which of them suits the model, and which one the data set has."""

    figures: dict[LeadIn, LeadInFigures]
    used: LeadIn

    @property
    def suited(self) -> LeadIn:
        """By the rule at the head of this module."""
        return max(KINDS, key=lambda kind: tuple(asdict(self.figures[kind]).values()))

    @property
    def gain(self) -> float:
        """Definitional accuracy with what suits the model, less that with what is used."""
        suited, used = (self.figures[kind] for kind in (self.suited, self.used))
        return suited.definitional_accuracy - used.definitional_accuracy

    def record(self) -> dict[str, Any]:
        """As JSON values."""
        kinds = {
            kind: {name: rounded(value) for name, value in asdict(each).items()}
            for kind, each in self.figures.items()
        }
        return {"used": self.used, "suited": self.suited, "kinds": kinds}


def judge_lead_ins(
    loaded: LoadedModel, prompts: Sequence[Prompt], batch_size: int
) -> LeadInChoice | None:
    """Ask the definitional prompts of the train split with and without a lead-in.

    Args:
        loaded: the model, unsteered.
        prompts: of any number of axes and splits, with the lead-ins of the data set.
        batch_size: rows in a forward pass.

    Returns:
        None where there are no definitional prompts of the train split.
    """
    asked = [p for p in prompts if p.split == "train" and p.kind == "definitional"]
    if not asked:
        return None
    used: LeadIn = "sentence" if any(prompt.lead_in for prompt in asked) else "none"
    before = _sentences(asked)
    figures = {
        kind: _figures(
            loaded,
            [
                prompt.model_copy(update={"lead_in": text if kind == "sentence" else ""})
                for prompt, text in zip(asked, before, strict=True)
            ],
            batch_size,
        )
        for kind in KINDS
    }
    return LeadInChoice(figures, used)


def _sentences(prompts: Sequence[Prompt]) -> list[str]:
    """The lead-in of each prompt; where it has none, one by its template's number in the axis."""
    numbers: dict[str, dict[str, int]] = {}
    for prompt in prompts:
        of_axis = numbers.setdefault(prompt.axis, {})
        of_axis.setdefault(prompt.template, len(of_axis))
    return [
        prompt.lead_in or lead_in(prompt.split, numbers[prompt.axis][prompt.template])
        for prompt in prompts
    ]


def _figures(loaded: LoadedModel, prompts: Sequence[Prompt], batch_size: int) -> LeadInFigures:
    margins: list[float] = []
    for groups in dict.fromkeys(prompt.groups for prompt in prompts):
        own = [prompt for prompt in prompts if prompt.groups == groups]
        encoded = [encode_prompt(loaded.tokenizer, prompt) for prompt in own]
        scores = bias.centred(group_log_probs(loaded.model, encoded, batch_size))
        expected = np.array([groups.index(str(prompt.expected)) for prompt in own])
        margins += bias.margins(scores, expected).tolist()
    return LeadInFigures(float(np.mean(np.array(margins) > 0)), float(np.mean(margins)))
