"""Every metric that is reported: what it is called, what it means, and when it may be told."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["bias", "knowledge", "cost", "text"]
"""bias: what must go; knowledge: what must stay; cost: what steering does to plain text; text: how
varied what the model writes is."""
Better = Literal["zero", "lower", "higher", "unchanged"]


@dataclass(frozen=True)
class Metric:
    """One number that is measured of a model, steered or not."""

    name: str
    """As it stands in files."""
    title: str
    """As it stands in tables."""
    meaning: str
    """Half a line: unit, and how to read it."""
    kind: Kind
    better: Better
    needs_competence: bool = False
    """Says nothing about a model that cannot do the task, and is withheld of one."""
    relative: bool = False
    """Compares a steered model with the unsteered one; the unsteered model has none."""
    percent: bool = False
    digits: int = 2


_BIAS = (
    Metric("item_spread", "Item spread", "nats; 0 treats all items alike", "bias", "zero", True),
    Metric(
        "bias_reduction", "Bias reduction", "share of the item spread that is gone", "bias",
        "higher", True, relative=True, percent=True,
    ),
    Metric(
        "mean_log_odds", "Mean log-odds", "nats by which all items favour one group", "bias",
        "zero", True,
    ),
    Metric(
        "mean_log_odds_change", "Change of the mean log-odds", "nats further from zero", "bias",
        "lower", True, relative=True,
    ),
    Metric(
        "reference_correlation", "Correlation with the reference", "1 follows the rates", "bias",
        "zero", True,
    ),
    Metric(
        "reference_slope", "Slope on the reference", "1 reproduces the rates", "bias", "zero", True
    ),
    Metric(
        "stereotype_gap", "Stereotype gap", "nats towards the group an item is held against",
        "bias", "zero", True,
    ),
    Metric(
        "sampled_slope", "Slope of sampled groups on the reference",
        "groups that continuations name; 1 reproduces the rates", "bias", "zero", True,
    ),
    Metric(
        "sampled_gap", "Stereotype gap in sampled text",
        "groups that continuations name; 1 is always that of the stereotype", "bias", "zero", True,
    ),
    Metric(
        "split_half", "Split-half correlation", "of item scores over other templates; reliability",
        "bias", "unchanged", True,
    ),
    Metric(
        "direction_agreement", "Agreement of both directions",
        "correlation of group given item with item given group", "bias", "unchanged", True,
    ),
    Metric(
        "moved_away_share", "Prompts moved away from parity", "harm that the mean hides", "bias",
        "lower", True, relative=True, percent=True, digits=3,
    ),
    Metric(
        "crossed_away_share", "Prompts turned to another group", "and further than before", "bias",
        "lower", True, relative=True, percent=True, digits=3,
    ),
)  # fmt: skip
_KNOWLEDGE = (
    Metric(
        "definitional_accuracy", "Definitional accuracy", "what is so by definition has to stay",
        "knowledge", "higher", percent=True, digits=3,
    ),
    Metric(
        "definitional_accuracy_change", "Change of that accuracy", "paired by item", "knowledge",
        "higher", relative=True, percent=True, digits=3,
    ),
    Metric(
        "definitional_auroc", "Definitional AUROC", "are the groups told apart? 0.5 is chance",
        "knowledge", "higher", digits=3,
    ),
    Metric(
        "definitional_auroc_change", "Change of that AUROC", "paired by item", "knowledge",
        "higher", relative=True, digits=3,
    ),
    Metric(
        "definitional_margin", "Definitional margin", "nats by which the right group wins",
        "knowledge", "higher",
    ),
    Metric(
        "definitional_margin_ratio", "Share of the margin kept", "steered over unsteered",
        "knowledge", "higher", relative=True, percent=True,
    ),
)  # fmt: skip
_COST = (
    Metric("perplexity", "Perplexity", "held-out plain text", "cost", "lower"),
    Metric(
        "perplexity_ratio", "Perplexity ratio", "steered over unsteered", "cost", "lower",
        relative=True, digits=3,
    ),
    Metric(
        "kl_neutral", "KL from the unsteered model", "nats per token of plain text", "cost",
        "lower", relative=True, digits=4,
    ),
)  # fmt: skip
_TEXT = (
    Metric("sampled_naming_share", "Continuations that name a group", "of those of items", "text",
           "unchanged", percent=True, digits=3),
    Metric("distinct_2", "Distinct 2-grams", "of generated text; higher is more varied", "text",
           "unchanged"),
    Metric("repetition", "Repetition", "repeated 3-grams of generated text", "text", "unchanged",
           percent=True, digits=3),
    Metric("degenerate_share", "Degenerate texts", "collapsed into repetition or noise", "text",
           "lower", percent=True, digits=3),
)  # fmt: skip

KNOWLEDGE_CHANGES = ("definitional_accuracy_change", "definitional_auroc_change")
"""What an intervention may cost of knowledge. Where words have unlike base rates accuracy may not
see a loss; AUROC does not see one that all prompts of a template share."""

OTHER_DIRECTION = "_item_given_group"
"""Suffix of a metric of bias that is measured on prompts of the other direction."""

METRICS: Mapping[str, Metric] = {
    metric.name: metric for metric in (*_BIAS, *_KNOWLEDGE, *_COST, *_TEXT)
}
"""In the order of the tables."""


def metric(name: str) -> Metric:
    """The metric of a name in a file, that of the other direction included.

    Raises:
        KeyError: there is no such metric.
    """
    return METRICS[name.removesuffix(OTHER_DIRECTION)]
