"""What published demonstrations found, tested on the cases at hand."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from evenkeel.case_studies.cases import Case
from evenkeel.case_studies.effects import Effect
from evenkeel.case_studies.summary import has_collapsed
from evenkeel.params import FeatureRecipeParams, TextsRecipeParams
from evenkeel.probes.probe_set import ProbeSet
from evenkeel.statistics.bootstrap import ClusterBootstrap, mean
from evenkeel.statistics.estimate import Estimate
from evenkeel.steering.degeneration import repetition

SEPARABLE_FROM = 16 / 36
"""Depth from which on GPT-2 large is said to separate biased from neutral statements best."""
GOLDEN = (7 / 12, 9 / 12)
"""Depths between which vectors are said to steer GPT-2 best: its layers 7 and 8."""


@dataclass(frozen=True)
class Finding:
    """A claim, and the quantity that is positive if it holds."""

    claim: str
    estimate: Estimate

    @property
    def verdict(self) -> str:
        """confirmed or refuted where the 95 % interval leaves zero out, else undecided."""
        low, high = self.estimate.low, self.estimate.high
        if low is None or high is None or low <= 0 <= high:
            return "undecided"
        return "confirmed" if low > 0 else "refuted"

    def record(self) -> dict[str, Any]:
        """As JSON values."""
        return {"claim": self.claim, "verdict": self.verdict} | self.estimate.columns("difference")


def layers_separate_late(probes: ProbeSet, layers: int, resamples: int, seed: int) -> Finding:
    """Validation AUROC of the later layers - that of the earlier ones; axes are resampled."""
    gaps = []
    for axis in probes.axes:
        late: list[float] = []
        early: list[float] = []
        for probe in probes.of_axis(axis):
            side = late if probe.layer / layers >= SEPARABLE_FROM else early
            side.append(probe.metrics.validation_auroc)
        if late and early:
            gaps.append(float(np.mean(late) - np.mean(early)))
    found = ClusterBootstrap(len(gaps), resamples, seed).estimate(mean, np.array(gaps))
    return Finding("probes separate better from depth 16/36 on (AUROC)", found)


def steering_findings(
    effects: Sequence[Effect], layers: int, samples: int, resamples: int, seed: int
) -> list[Finding]:
    """What the cases say of golden layers, collapse, short pairs and scaled features.

    Prompts are resampled. Shifts are in nats, of cases that have not collapsed, and of a recipe in
    the sense of its strongest case.

    Args:
        effects: the model as it is, and then the cases.
        layers: of the model.
        samples: texts of each prompt.
        resamples: bootstrap resamples.
        seed: of the resamples.
    """
    baseline, *cases = effects
    if baseline.log_odds is None:
        return []
    bootstrap = ClusterBootstrap(len(baseline.log_odds), resamples, seed)
    found: list[Finding] = []

    def add(claim: str, gap: Float[ndarray, " prompts"] | None) -> None:
        if gap is not None:
            found.append(Finding(claim, bootstrap.estimate(mean, gap)))

    pairs: dict[str, Float[ndarray, " prompts"]] = {}
    for name, own in groupby(cases, key=_name):
        group = list(own)
        recipe = _case(group[0]).recipe
        if isinstance(recipe, FeatureRecipeParams):
            if recipe.action == "scale":
                least = min(group, key=lambda effect: _case(effect).multiplier)
                claim = f"{name}, scaled by {_case(least).multiplier:g}: words likelier (nats)"
                add(claim, _shifts(least, baseline))
            continue
        claim = f"{name}: depths 7/12 to 9/12 shift further than the others (nats)"
        add(claim, _golden_gap(group, baseline, layers))
        claim = f"{name}: the strongest force repeats more than the gentlest (share)"
        add(claim, _repetition_gap(group, samples))
        strongest = _strongest(group, baseline)
        if isinstance(recipe, TextsRecipeParams) and strongest is not None:
            pairs[name] = strongest
    for name, shifts in list(pairs.items())[1:]:
        first = next(iter(pairs))
        add(f"{first} shifts further than {name} (nats)", pairs[first] - shifts)
    return found


def _case(effect: Effect) -> Case:
    assert effect.case is not None
    return effect.case


def _name(effect: Effect) -> str:
    return _case(effect).recipe.name


def _shifts(effect: Effect, baseline: Effect) -> Float[ndarray, " prompts"]:
    assert effect.log_odds is not None
    assert baseline.log_odds is not None
    return effect.log_odds - baseline.log_odds


def _strongest(effects: Sequence[Effect], baseline: Effect) -> Float[ndarray, " prompts"] | None:
    """Shift of the case that shifts most on average, its sense made positive."""
    calm = [effect for effect in effects if not has_collapsed(effect, baseline)]
    if not calm:
        return None
    shifts = max((_shifts(e, baseline) for e in calm), key=lambda shift: abs(shift.mean()))
    return shifts * np.sign(shifts.mean())


def _golden_gap(
    effects: Sequence[Effect], baseline: Effect, layers: int
) -> Float[ndarray, " prompts"] | None:
    inside: list[ndarray] = []
    outside: list[ndarray] = []
    for layer, own in groupby(effects, key=lambda effect: _case(effect).layer):
        strongest = _strongest(list(own), baseline)
        middle = (layer + 0.5) / layers
        side = inside if GOLDEN[0] <= middle <= GOLDEN[1] else outside
        if strongest is not None:
            side.append(strongest)
    if not (inside and outside):
        return None
    gap: ndarray = np.mean(inside, axis=0) - np.mean(outside, axis=0)
    return gap


def _repetition_gap(effects: Sequence[Effect], samples: int) -> Float[ndarray, " prompts"] | None:
    forces = [abs(_case(effect).multiplier) for effect in effects]
    if max(forces) == min(forces):
        return None

    def repeats(force: float) -> ndarray:
        return np.mean(
            [
                np.reshape([repetition(text) for text in effect.continuations], (-1, samples))
                for effect in effects
                if abs(_case(effect).multiplier) == force
            ],
            axis=(0, 2),
        )

    gap: ndarray = repeats(max(forces)) - repeats(min(forces))
    return gap
