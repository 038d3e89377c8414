"""What the continuations answer: of which class are the words in them?"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from evenkeel.case_studies.effects import Effect
from evenkeel.case_studies.findings import Finding
from evenkeel.datasets.terms import find_term
from evenkeel.params import NO_CLASS, SEVERAL_CLASSES, FeatureRecipeParams
from evenkeel.statistics.bootstrap import ClusterBootstrap, change_of_share, mean, share


@dataclass(frozen=True)
class Answers:
    """Sorts answers by their words, and counts them; prompts are resampled.

    Args:
        classes: words of each class.
        samples: answers to each prompt.
        resamples: bootstrap resamples.
        seed: of the resamples.
    """

    classes: Mapping[str, Sequence[str]]
    samples: int
    resamples: int
    seed: int

    def of(self, text: str) -> str:
        """The class whose words a text holds, as whole words in any case; "none" or "several"."""
        named = [
            name
            for name, words in self.classes.items()
            if any(find_term(text, word) for word in words)
        ]
        if len(named) > 1:
            return SEVERAL_CLASSES
        return named[0] if named else NO_CLASS

    def rows(self, effects: Sequence[Effect]) -> Iterator[dict[str, Any]]:
        """Share of the answers of every class under each case, and its change, paired."""
        baseline = effects[0]
        for effect in effects:
            classes: dict[str, Any] = {}
            for name in (*self.classes, SEVERAL_CLASSES, NO_CLASS):
                before, after = (self._hits(each, name) for each in (baseline, effect))
                counts = np.full(len(after), float(self.samples))
                bootstrap = self._bootstrap(after)
                classes[name] = share(bootstrap, after, counts).columns("share")
                if effect is not baseline:
                    change = change_of_share(bootstrap, before, after, counts)
                    classes[name] |= change.columns("change")
            yield effect.recipe() | {"classes": classes}

    def findings(self, effects: Sequence[Effect]) -> Iterator[Finding]:
        """Of every scaled feature, at its least multiplier: do fewer answers name one class?"""
        baseline, *cases = effects
        least: dict[str, Effect] = {}
        for effect in cases:
            assert effect.case is not None
            recipe = effect.case.recipe
            if isinstance(recipe, FeatureRecipeParams) and recipe.action == "scale":
                held = least.get(recipe.name)
                if held is None or effect.recipe()["multiplier"] < held.recipe()["multiplier"]:
                    least[recipe.name] = effect
        for name, effect in least.items():
            before, after = (
                np.sum([self._hits(each, kind) for kind in self.classes], axis=0) / self.samples
                for each in (baseline, effect)
            )
            multiplier = effect.recipe()["multiplier"]
            yield Finding(
                f"{name}, scaled by {multiplier:g}: fewer answers name one class (share)",
                self._bootstrap(before).estimate(mean, before - after),
            )

    def _hits(self, effect: Effect, name: str) -> Float[ndarray, " prompts"]:
        """How many answers to each prompt are of a class."""
        hits = [float(self.of(text) == name) for text in effect.continuations]
        return np.reshape(hits, (-1, self.samples)).sum(axis=1)

    def _bootstrap(self, prompts: Float[ndarray, " prompts"]) -> ClusterBootstrap:
        return ClusterBootstrap(len(prompts), self.resamples, self.seed)
