"""The evaluation of one axis: choose on the validation split, measure once on the test split."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from evenkeel.conditions.condition import Condition, DosedCondition
from evenkeel.conditions.learned import make_learned_conditions
from evenkeel.controls.controls import Controls, null_rows, rank_all, run_controls
from evenkeel.controls.feature_ablation import FeatureAblation, ablate_features
from evenkeel.controls.nulls import RANDOM
from evenkeel.datasets.records import Prompt
from evenkeel.evaluation.baselines import best_baselines
from evenkeel.evaluation.candidates import (
    behind_prefixes,
    candidate_conditions,
    require_room,
)
from evenkeel.evaluation.items import Row, item_rows
from evenkeel.evaluation.material import CHAT_REQUEST, Material
from evenkeel.models.loading import LoadedModel
from evenkeel.models.token_count import with_tokens
from evenkeel.params import EvaluationParams
from evenkeel.sae.dictionary import Dictionary
from evenkeel.scoring.result_cache import NOT_KEPT, ResultCache
from evenkeel.selection.backing_off import back_off
from evenkeel.selection.budget import Budget
from evenkeel.selection.candidate import Candidate, Measurement
from evenkeel.selection.choice import Selection, select
from evenkeel.selection.dose import dose_rows
from evenkeel.selection.evaluator import Evaluator
from evenkeel.selection.pareto import ParetoFront, compare_at_matched_cost
from evenkeel.selection.reft import ReftTrainer
from evenkeel.selection.search import STAGES, SearchResult, search
from evenkeel.selection.tables import candidate_row
from evenkeel.steering.spec import InterventionSpec
from evenkeel.vectors.erasers import Eraser
from evenkeel.vectors.shuffled import ShuffledVectors
from evenkeel.vectors.vector import SteeringVector

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class ChatMeasurement:
    """The test prompts, asked through the model's chat template."""

    request: str
    """What the user asks."""
    baseline: Measurement
    selected: Measurement | None


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What was tried, chosen and measured of one axis, and on how much."""

    loaded: LoadedModel
    axis: str
    params: EvaluationParams
    seed: int
    budget: Budget
    validation: Evaluator
    test: Evaluator
    searched: SearchResult
    """Every candidate on validation, random directions last."""
    selection: Selection
    """Among the candidates that mean something."""
    best: tuple[Candidate, ...]
    """On validation: of each method, action and gate, of random directions, of prefixes, the
    selected one behind the best prefix, and of each baseline."""
    measured: dict[Condition, Candidate]
    """These on test."""
    front: ParetoFront
    controls: Controls | None
    """None if nothing was selected."""
    p_nulls: dict[Condition, dict[str, float | None]]
    """Of other conditions: rank of their bias reduction among null directions, by kind."""
    feature_ablation: FeatureAblation | None
    """On test; None if no method is sae, or no feature is associated with the axis."""
    dose: list[dict[str, Any]]
    """On validation; the unsteered model alone if nothing was selected."""
    chat: ChatMeasurement | None
    """None if params.chat is false."""

    @property
    def selected(self) -> Candidate | None:
        """The selected intervention on test."""
        chosen = self.selection.selected
        return self.measured[chosen.condition] if chosen else None

    @property
    def plots(self) -> dict[str, list[dict[str, Any]]]:
        """What is drawn, by the name of its table; each row has the same columns."""
        return {
            "sweep": [candidate_row(each, self.budget) for each in self.searched.candidates],
            "pareto": self.front.rows,
            "dose": self.dose,
            "nulls": null_rows(self.controls),
            "items": self.items,
        }

    @property
    def items(self) -> list[Row]:
        """Every item of the test split, before and after."""
        measures = self.test.measures
        steered = self.selected.measurement.readings if self.selected else None
        groups = measures.prompt_set.groups
        return item_rows(measures.items, groups, self.test.readings, steered)

    @property
    def spec(self) -> InterventionSpec:
        """The selected intervention, to be deployed; without interventions if none was selected."""
        metadata = {
            "axis": self.axis,
            "model": {"name": self.loaded.name, "fingerprint": self.loaded.fingerprint},
            "reason": self.selection.reason,
        }
        if self.selected is None:
            return InterventionSpec((), metadata)
        condition = self.selected.condition
        recipe = condition.recipe.model_dump(mode="json")
        return InterventionSpec(tuple(condition.interventions), metadata | {"recipe": recipe})

    @property
    def continuations(self) -> list[dict[str, str | int | None]]:
        """Prompts of the test split with their continuations, unsteered and steered.

        One row a prompt and sample.
        """
        sampling = self.test.sampling
        assert sampling is not None
        steered = self.selected.measurement.continuations if self.selected else None
        prompts = [
            (p, sample) for p in sampling.prompts for sample in range(sampling.params.samples)
        ]
        return [
            {
                "id": prompt.id,
                "kind": prompt.kind,
                "item": prompt.item,
                "prompt": prompt.lead_in + prompt.text,
                "sample": sample,
                "unsteered": before,
                "steered": steered[index] if steered else None,
            }
            for index, ((prompt, sample), before) in enumerate(
                zip(prompts, self.test.baseline.continuations, strict=True)
            )
        ]


def evaluate_axis(
    loaded: LoadedModel,
    axis: str,
    vectors: Sequence[SteeringVector],
    shuffled: ShuffledVectors,
    prompts: Sequence[Prompt],
    texts: Sequence[str],
    training_texts: Sequence[str],
    params: EvaluationParams,
    seed: int,
    dictionary: Dictionary | None = None,
    erasers: Sequence[Eraser] = (),
    cache: ResultCache = NOT_KEPT,
) -> Evaluation:
    """Search on validation, select, measure the best of each method on test, and the controls.

    Args:
        loaded: the model to steer.
        axis: kind of bias.
        vectors: of the axis, made from that model.
        shuffled: the same of shuffled labels.
        prompts: of the axis and all splits.
        texts: held-out plain texts; of the first `params.heldout_texts`, every other one serves
            selection and the rest the test.
        training_texts: plain texts of the training corpus, which what is trained leaves alone.
        params: what to try and how much to try.
        seed: of sampling, resampling and null directions.
        dictionary: of the SAE whose features are tried (method sae).
        erasers: of the axis, made from that model.
        cache: keeps what the passes over the prompt sets give.

    Raises:
        BadInputError: a split has no prompts, or there are too few texts or vectors.
    """
    material = Material(loaded, axis, prompts, texts, params, seed, cache)
    validation, test = material.evaluator("validation"), material.evaluator("test")
    require_room((validation, test), prompts, params)
    chat = material.chat if params.chat else None
    if chat is None and loaded.refuses_messages:
        log.warning(
            "nothing is asked in a chat: the chat template of %s takes no user's message alone; "
            "evaluation.chat: true shows why",
            loaded.name,
        )
    budget = Budget.of(params)
    meant, random = candidate_conditions(
        loaded, axis, vectors, prompts, params, seed, dictionary, erasers
    )
    if "reft" in params.methods:
        reft = params.reft
        trainer = ReftTrainer(loaded, prompts, training_texts, reft, seed)
        train = with_tokens(loaded.model, trainer.train)
        meant += make_learned_conditions(
            train, reft.ranks, reft.layers, reft.multipliers, reft.shuffles
        )
    with_kl = params.max_kl is not None
    searched = search(
        [*meant, *random],
        material.part,
        budget,
        stages=STAGES if params.search == "staged" else (),
        with_kl=with_kl,
    )
    parts = searched.candidates[: len(meant)], searched.candidates[len(meant) :]
    weaker = [back_off(part, validation, budget, with_kl=with_kl) for part in parts]
    found, chance = ([*part, *less] for part, less in zip(parts, weaker, strict=True))
    searched = SearchResult([*found, *chance], searched.passes + sum(map(len, weaker)))
    selection = select(found, budget)
    best = selection.best + select(chance, budget).best
    chosen = selection.selected.condition if selection.selected else None
    assert chosen is None or isinstance(chosen, DosedCondition)
    best = (
        *best,
        *behind_prefixes(validation, budget, prompts, params, chosen, with_kl),
        *best_baselines(
            validation, budget, loaded, axis, prompts, training_texts, params, seed, with_kl
        ),
    )
    on_test = test.measure([candidate.condition for candidate in best], "test")
    measured = {candidate.condition: candidate for candidate in on_test}
    if chosen:
        measured[chosen] = test.with_sampled_groups(measured[chosen])
    others = [candidate.condition for candidate in best if candidate.condition is not chosen]
    return Evaluation(
        loaded=loaded,
        axis=axis,
        params=params,
        seed=seed,
        budget=budget,
        validation=validation,
        test=test,
        searched=searched,
        selection=selection,
        best=best,
        measured=measured,
        front=compare_at_matched_cost(searched.candidates, budget, test, RANDOM),
        controls=run_controls(
            loaded, measured[chosen], material.controls, shuffled, prompts, params.null_draws, seed
        )
        if chosen
        else None,
        p_nulls=rank_all(others, material.comparison, shuffled, params.compared_null_draws, seed),
        feature_ablation=ablate_features(
            material.controls, vectors, axis, dictionary, params.null_draws, seed
        )
        if dictionary
        else None,
        dose=dose_rows(chosen, params.doses, validation),
        chat=_chat(chat, chosen) if chat else None,
    )


def _chat(evaluator: Evaluator, chosen: Condition | None) -> ChatMeasurement:
    asked = [chosen] if chosen else []
    steered = evaluator.compare(asked, "chat", intervals="all")
    selected = steered[0].measurement if steered else None
    return ChatMeasurement(CHAT_REQUEST, evaluator.baseline, selected)
