"""Features of the autoencoder that are associated with an axis, as the page shows them."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from evenkeel.interpretation.records import Interpretation
from evenkeel.reporting.wording import visible
from evenkeel.sae.association import contrasts_of
from evenkeel.sae.results import Context

SHOWN_CONTEXTS = 8
SHADES = 5
"""Steps of activation that a reader can tell apart."""
MAX_TOKEN = 40
"""Characters of one token."""
SHOWN_TOKENS = 4
"""Tokens that stand in the table for a feature without a name."""


@dataclass(frozen=True)
class Token:
    """A token of a context; shade 0 where the feature does not fire, SHADES where it does most."""

    text: str
    shade: int


@dataclass(frozen=True)
class Association:
    """How well a feature separates the two sides of a contrast on test statements."""

    axis: str
    contrast: str
    auroc: float
    smd: float
    q: float


@dataclass(frozen=True)
class Histogram:
    """Tokens in equal steps of the logit weight, from the smallest to the largest."""

    counts: tuple[int, ...]
    low: float
    high: float

    def path(self, width: float, height: float) -> str:
        """The outline as SVG path data; heights are logarithmic, so that one token can be seen."""
        step = width / len(self.counts)
        top = math.log1p(max(self.counts))
        outline = [f"M0 {height:g}"]
        for count in self.counts:
            outline.append(f"V{height * (1 - math.log1p(count) / top):.1f}h{step:g}")
        return "".join(outline) + f"V{height:g}Z"


@dataclass(frozen=True)
class Card:
    """One feature."""

    feature: int
    axes: tuple[str, ...]
    label: str | None
    explanation: str
    failure: str | None
    """Why it has no label."""
    detection: float | None
    """Balanced accuracy of a judge who knows only the explanation; 0.5 is chance."""
    detection_ci95: tuple[float, float] | None
    frequency: float
    """Share of the corpus's tokens on which it fires."""
    strongest: Association
    """Chosen on the selection statements, measured on test."""
    strength: float
    """Distance of its AUROC from one half, on the selection statements."""
    associations: tuple[Association, ...]
    promoted: tuple[tuple[str, float], ...]
    """Tokens whose logits it raises most, with the weight."""
    suppressed: tuple[tuple[str, float], ...]
    histogram: Histogram
    contexts: tuple[tuple[Token, ...], ...]
    fires_on: tuple[str, ...]
    """Tokens at which it fires most, the most frequent one first."""

    @property
    def contrasts(self) -> tuple[str, ...]:
        """Those that some axis has."""
        return tuple(dict.fromkeys(row.contrast for row in self.associations))

    @property
    def by_axis(self) -> dict[str, dict[str, Association]]:
        """Associations by axis and contrast."""
        by_axis: dict[str, dict[str, Association]] = {}
        for association in self.associations:
            by_axis.setdefault(association.axis, {})[association.contrast] = association
        return by_axis

    @property
    def promotes(self) -> tuple[str, ...]:
        """The first few tokens that it promotes."""
        return tuple(dict.fromkeys(word for word, _ in self.promoted))[:SHOWN_TOKENS]

    @property
    def searched(self) -> str:
        """What a search looks at."""
        words = [*self.fires_on, *(word for word, _ in self.promoted)]
        return " ".join([str(self.feature), *self.axes, self.label or "", *words]).lower()


def make_cards(
    table: pd.DataFrame, contexts: Iterable[Context], interpretations: Sequence[Interpretation]
) -> list[Card]:
    """A card for every feature that was interpreted, the strongest association first.

    Args:
        table: as extract_features writes it.
        contexts: of any features.
        interpretations: of the selected ones.
    """
    firing = defaultdict(list)
    wanted = {row.feature for row in interpretations}
    for context in contexts:
        if context.feature in wanted and context.kind == "top" and context.rank < SHOWN_CONTEXTS:
            firing[context.feature].append(context)
    rows = table.set_index("feature", drop=False)
    cards = [_card(rows.loc[row.feature], firing[row.feature], row) for row in interpretations]
    return sorted(cards, key=lambda card: -card.strength)


def _card(measured: Any, contexts: Sequence[Context], row: Interpretation) -> Card:
    explanation, detection = row.explanation, row.detection
    associations = _associations(measured)
    relevant = [
        candidate for candidate in associations if candidate.axis in row.axes
    ] or associations
    strength = {
        one: abs(measured[f"{one.axis}_{one.contrast}_auroc_selection"] - 0.5) for one in relevant
    }
    promoted = _weights(measured["top_activated_words"], measured["top_logits"])
    suppressed = _weights(measured["bottom_words"], measured["bottom_logits"])
    counts = tuple(int(count) for count in measured["logit_histogram"])
    return Card(
        feature=row.feature,
        axes=row.axes,
        label=visible(explanation.label) if explanation else None,
        explanation=visible(explanation.explanation) if explanation else "",
        failure=row.failure.message if row.failure else None,
        detection=detection.balanced_accuracy if detection else None,
        detection_ci95=detection.balanced_accuracy_ci95 if detection else None,
        frequency=float(measured["frequency"]),
        strongest=max(relevant, key=strength.__getitem__),
        strength=float(max(strength.values())),
        associations=tuple(associations),
        promoted=promoted,
        suppressed=suppressed,
        histogram=Histogram(counts, suppressed[0][1], promoted[0][1]),
        contexts=tuple(_shaded(context, measured["max_active"]) for context in contexts),
        fires_on=_peaks(contexts),
    )


def _peaks(contexts: Sequence[Context]) -> tuple[str, ...]:
    peaks = Counter(shown_token(context.tokens[context.peak]) for context in contexts)
    return tuple(token for token, _ in peaks.most_common(SHOWN_TOKENS))


def _associations(measured: Any) -> list[Association]:
    ranked = "_top40_unique"
    axes = [name.removesuffix(ranked) for name in measured.index if name.endswith(ranked)]
    return [
        Association(
            axis,
            contrast,
            *(float(measured[f"{axis}_{contrast}_{name}_test"]) for name in ("auroc", "smd", "q")),
        )
        for axis in axes
        for contrast in contrasts_of(measured, axis)
    ]


def _weights(words: Iterable[str], weights: Iterable[float]) -> tuple[tuple[str, float], ...]:
    named = zip(words, weights, strict=True)
    return tuple((shown_token(word), float(weight)) for word, weight in named)


def shown_token(text: str) -> str:
    """A token on one line: what is invisible spelt out, and no longer than MAX_TOKEN."""
    return visible(text, MAX_TOKEN).replace("\n", "⏎").replace("\t", "⇥")


def _shaded(context: Context, most: float) -> tuple[Token, ...]:
    shades = (math.ceil(SHADES * max(value, 0) / most) for value in context.activations)
    pieces = zip(context.tokens, shades, strict=True)
    return tuple(Token(shown_token(text), min(shade, SHADES)) for text, shade in pieces)
