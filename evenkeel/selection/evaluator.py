"""Measures conditions on one prompt set, beside the unsteered model."""

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import replace
from functools import cached_property, partial
from typing import Any, Literal, Protocol, Self

import numpy as np

from evenkeel.conditions.condition import Condition, DosedCondition
from evenkeel.metrics.competence import CompetenceGate, withheld
from evenkeel.metrics.measures import PromptSetMeasures
from evenkeel.scoring.divergence import changed_divergences, text_divergences
from evenkeel.scoring.prompt_set import PromptSet, Readings
from evenkeel.scoring.result_cache import NOT_KEPT, ResultCache
from evenkeel.scoring.steered_reads import SteeredReads
from evenkeel.selection.candidate import Candidate, Measurement
from evenkeel.selection.first_order import estimated_reductions
from evenkeel.selection.sampling import Sampling
from evenkeel.statistics.estimate import Estimate, Measures
from evenkeel.steering.intervention import Intervention


class Reads(Protocol):
    """What reads a prompt set from a model, as `SteeredReads` does."""

    @property
    def baseline(self) -> Readings: ...

    def steered(self, edits: Sequence[Sequence[Intervention]], title: str, /) -> list[Readings]: ...


class Evaluator:
    """Owns model, prompt set, competence gate, result cache and the unsteered baseline.

    Args:
        model: the unsteered model; it is the same object, unhooked, afterwards.
        tokenizer: of the model.
        measures: of the prompt set.
        gate: withholds the bias of a model that cannot do the task.
        behind: the prompt set behind a prefix.
        sampling: what is continued in `measure`.
        batch_size: rows in a forward pass.
        cache: keeps what each pass over the prompt set gives.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        measures: PromptSetMeasures,
        gate: CompetenceGate,
        *,
        batch_size: int,
        behind: Callable[[str], PromptSet] | None = None,
        sampling: Sampling | None = None,
        cache: ResultCache = NOT_KEPT,
    ) -> None:
        self.measures, self.gate, self.sampling = measures, gate, sampling
        self._model, self._tokenizer, self._behind = model, tokenizer, behind
        self.batch_size, self._cache = batch_size, cache
        self.reads: Reads = SteeredReads(model, measures.prompt_set, batch_size, cache)

    def with_gate(self, gate: CompetenceGate) -> Self:
        """The same evaluator under another competence gate; what was read is shared."""
        other = copy(self)
        other.gate = gate
        for name in ("baseline", "_weak_before"):
            vars(other).pop(name, None)
        return other

    @property
    def readings(self) -> Readings:
        """What the unsteered model gives; it reads the prompt set once."""
        return self.reads.baseline

    @cached_property
    def baseline(self) -> Measurement:
        """Every metric of the unsteered model."""
        texts = self._continue(self._model)
        measures = self.measures.of(self.readings) | self._text_measures(texts)
        measures |= self._sampled_groups(self._model)
        too_weak = self.gate.reason(measures)
        return Measurement(
            self.readings, withheld(measures) if too_weak else measures, too_weak, tuple(texts)
        )

    @cached_property
    def _weak_before(self) -> str | None:
        return self.gate.reason(self.measures.knowledge.competence(self.readings))

    def compare(
        self,
        conditions: Sequence[Condition],
        title: str,
        *,
        intervals: Literal["all", "headline", "none"] = "headline",
        with_kl: bool = False,
    ) -> list[Candidate]:
        """Measure many conditions, in the order given, by the prompt set alone.

        Args:
            conditions: what to try.
            title: of the progress bar.
            intervals: of which metrics; the headline ones are those that conditions are chosen by.
            with_kl: measure kl_neutral as well, for half a prompt set more.
        """
        quick = self.measures if intervals == "all" else self.measures.values
        known: list[Measures] = [{} for _ in conditions]
        if with_kl:
            known = [{"kl_neutral": quick.kl_neutral(d)} for d in self._divergences(conditions)]
        return [
            self._candidate(condition, readings, intervals, found)
            for condition, readings, found in zip(
                conditions, self._steered(conditions, title), known, strict=True
            )
        ]

    def estimate(self, conditions: Sequence[Condition]) -> list[Candidate | None]:
        """First-order estimates of the bias reduction of each; no other metric is known.

        None of what is no intervention, or where the unsteered model tells no items apart.
        """
        known = [c for c in conditions if c.interventions and not c.apart]
        if not known:
            return [None for _ in conditions]
        found = estimated_reductions(
            self._model,
            self.measures.prompt_set,
            self.measures.items,
            [condition.interventions for condition in known],
            self.batch_size,
        )
        estimates = {
            id(condition): self._estimated(condition, float(reduction))
            for condition, reduction in zip(known, found, strict=True)
            if np.isfinite(reduction)
        }
        return [estimates.get(id(condition)) for condition in conditions]

    def _estimated(self, condition: Condition, reduction: float) -> Candidate:
        measures = {"bias_reduction": Estimate(reduction)}
        measures = withheld(measures) if self._weak_before else measures
        return Candidate(
            condition, Measurement(self.readings, measures, self._weak_before), share=0.0
        )

    def interpolate(
        self,
        condition: DosedCondition,
        measured: Candidate,
        *,
        intervals: Literal["headline", "none"] = "headline",
    ) -> Candidate:
        """What `compare` would find, near enough, from what another multiplier did.

        Log-probabilities are taken to move in proportion to the effect, and KL with its square.

        Args:
            condition: at the multiplier that is asked for; it has an effect.
            measured: at another multiplier of the same sign, on this prompt set.
            intervals: as of `compare`.
        """
        other = measured.condition
        assert isinstance(other, DosedCondition)
        assert condition.effect
        assert other.effect
        ratio = condition.effect / other.effect
        readings = self.readings.moved_to(measured.measurement.readings, ratio)
        kl = measured.value("kl_neutral")
        known = {} if kl is None else {"kl_neutral": Estimate(kl * ratio**2)}
        candidate = self._candidate(condition, readings, intervals, known)
        return replace(candidate, share=measured.share, interpolated=True)

    def _candidate(
        self,
        condition: Condition,
        readings: Readings,
        intervals: Literal["all", "headline", "none"],
        known: Measures,
    ) -> Candidate:
        quick = self.measures if intervals == "all" else self.measures.values
        headline = quick if intervals == "none" else self.measures
        measures = quick.of(readings) | headline.headline(self.readings, readings)
        measures |= quick.beside_headline(self.readings, readings) | known
        if intervals == "headline":
            measures |= self.measures.knowledge.competence(readings)
        too_weak = self._weak_before or self.gate.reason(measures)
        measures = withheld(measures) if too_weak else measures
        return Candidate(condition, Measurement(readings, measures, too_weak))

    def measure(self, conditions: Sequence[Condition], title: str) -> list[Candidate]:
        """Measure a few conditions in full: every interval, KL, and continuations."""
        candidates = []
        for condition, readings, divergence in zip(
            conditions,
            self._steered(conditions, title),
            self._divergences(conditions),
            strict=True,
        ):
            with condition.on(self._model, self._tokenizer) as changed:
                texts = self._continue(changed, condition.prefix)
            measures = self.measures.of(readings) | self._text_measures(texts)
            measures |= self.measures.against(self.readings, readings)
            measures["kl_neutral"] = self.measures.kl_neutral(divergence)
            too_weak = self.baseline.too_weak or self.gate.reason(measures)
            measures = withheld(measures) if too_weak else measures
            measurement = Measurement(readings, measures, too_weak, tuple(texts))
            candidates.append(Candidate(condition, measurement))
        return candidates

    def with_sampled_groups(self, candidate: Candidate) -> Candidate:
        """The candidate with the metrics of the groups that its continuations of items name."""
        condition, measurement = candidate.condition, candidate.measurement
        with condition.on(self._model, self._tokenizer) as changed:
            found = self._sampled_groups(changed, condition.prefix)
        measures = measurement.measures | (withheld(found) if measurement.too_weak else found)
        return replace(candidate, measurement=replace(measurement, measures=measures))

    def _steered(self, conditions: Sequence[Condition], title: str) -> list[Readings]:
        """Readings of each condition; all but those apart share the unsteered passes."""
        edits = [c.interventions for c in conditions if c.interventions and not c.apart]
        shared = iter(self.reads.steered(edits, title) if edits else ())
        readings = []
        for condition in conditions:
            if condition.apart:
                prompt_set = self._prefixed(condition.prefix)
                with condition.on(self._model, self._tokenizer) as changed:
                    readings.append(prompt_set.read(changed, self.batch_size))
            else:
                readings.append(next(shared) if condition.interventions else self.readings)
        return readings

    def _divergences(self, conditions: Sequence[Condition]) -> list[Any]:
        """KL from the unsteered model on each text, summed over its tokens, by condition."""
        prompt_set = self.measures.prompt_set
        edits = [c.interventions for c in conditions if not c.apart]
        texts = text_divergences(self._model, edits, prompt_set, self.batch_size, self._cache)
        steered = iter(texts)
        divergences = []
        for condition in conditions:
            if not condition.apart:
                divergences.append(next(steered))
                continue
            behind = self._prefixed(condition.prefix)
            divergences.append(
                changed_divergences(
                    self._model,
                    partial(condition.on, self._model, self._tokenizer),
                    prompt_set,
                    behind,
                    self.batch_size,
                )
            )
        return divergences

    def require_room(self, prefix: str) -> None:
        """Refuse a prefix behind which a prompt, or what continues it, does not fit.

        Raises:
            BadInputError: one does not.
        """
        self._prefixed(prefix)
        if self.sampling:
            self.sampling.require_room(self._model, self._tokenizer, prefix)

    def _prefixed(self, prefix: str) -> PromptSet:
        if not prefix:
            return self.measures.prompt_set
        assert self._behind is not None, "a condition with a prefix, and no prompt set behind one"
        return self._behind(prefix)

    def _text_measures(self, texts: Sequence[str]) -> Measures:
        if self.sampling is None:
            return {}
        return self.sampling.text_measures(texts, self.measures.resamples)

    def _sampled_groups(self, model: Any, prefix: str = "") -> Measures:
        if self.sampling is None:
            return {}
        measured = self.measures.resamples, self.measures.seed
        return self.sampling.sampled_groups(
            model, self._tokenizer, self.batch_size, measured, prefix
        )

    def _continue(self, model: Any, prefix: str = "") -> list[str]:
        if self.sampling is None:
            return []
        return self.sampling.continuations(model, self._tokenizer, self.batch_size, prefix)
