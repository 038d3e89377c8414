"""The candidates of an evaluation: every condition that params.yaml asks for."""

from collections.abc import Sequence
from typing import get_args

import numpy as np

from evenkeel.conditions.condition import Condition, DosedCondition
from evenkeel.conditions.eraser import make_eraser_conditions
from evenkeel.conditions.latents import make_latents_conditions
from evenkeel.conditions.prompt import PromptCondition, PromptedCondition, few_shot
from evenkeel.conditions.vector import make_vector_conditions
from evenkeel.controls.nulls import RANDOM, random_vector
from evenkeel.datasets.records import Prompt
from evenkeel.errors import BadInputError
from evenkeel.models.loading import LoadedModel
from evenkeel.params import Action, EraserMethod, EvaluationParams, LearnedMethod
from evenkeel.sae.dictionary import Dictionary
from evenkeel.selection.budget import Budget
from evenkeel.selection.candidate import Candidate
from evenkeel.selection.choice import best_of
from evenkeel.selection.evaluator import Evaluator
from evenkeel.selection.gating import GateFitter
from evenkeel.vectors.erasers import Eraser
from evenkeel.vectors.vector import SteeringVector


def candidate_conditions(
    loaded: LoadedModel,
    axis: str,
    vectors: Sequence[SteeringVector],
    prompts: Sequence[Prompt],
    params: EvaluationParams,
    seed: int,
    dictionary: Dictionary | None,
    erasers: Sequence[Eraser],
) -> tuple[list[Condition], list[Condition]]:
    """Candidates that mean something, and the same with random directions in their place.

    Learned edits are not among them: they have to be trained first. Arguments and errors as of
    `evaluate_axis`.
    """
    ablations = params.ablate_multipliers
    by_action: dict[Action, Sequence[float]] = {
        "add": params.add_multipliers,
        "ablate": ablations,
        "mean_ablate": ablations,
        "rotate": ablations,
        "clamp": params.clamp_values,
        "scale": params.scale_factors,
    }
    multipliers = {action: by_action[action] for action in params.actions}
    latent_actions: tuple[Action, ...] = ("clamp", "scale")
    of_vectors = {a: m for a, m in multipliers.items() if a not in latent_actions}
    of_latents = {a: m for a, m in multipliers.items() if a in latent_actions}
    points = [vector.point for vector in vectors] + [eraser.point for eraser in erasers]
    fitter = GateFitter(loaded, prompts, list(dict.fromkeys(points)))
    fit_gates = fitter.fit
    has_features = any(vector.method == "sae" for vector in vectors)
    erasing = [method for method in params.methods if method in get_args(EraserMethod)]
    others = (*erasing, *get_args(LearnedMethod))
    made = [method for method in params.methods if method not in others]
    methods = [method for method in made if method != "sae" or has_features]
    meant: list[Condition] = list(
        make_vector_conditions(
            vectors, axis, methods, params.layers, of_vectors, params.gates, fit_gates
        )
    )
    if dictionary and "sae" in methods:
        meant += make_latents_conditions(
            vectors, axis, dictionary, of_latents, params.gates, fit_gates
        )
    meant += make_eraser_conditions(
        erasers, axis, erasing, params.layers, params.gates, fitter.at_items
    )
    generator = np.random.default_rng([seed, 0])
    stand_ins = [
        random_vector(vector, generator) for vector in vectors if vector.method in made[:1]
    ]
    if not stand_ins:
        return meant, []
    random = make_vector_conditions(stand_ins, axis, [RANDOM], params.layers, of_vectors)
    return meant, list(random)


def require_room(
    evaluators: Sequence[Evaluator], prompts: Sequence[Prompt], params: EvaluationParams
) -> None:
    """Refuse instructions and examples that leave no room, before anything is tried.

    Raises:
        BadInputError: a prompt, or what continues it, does not fit behind one.
    """
    instructions, examples = _prefixes(prompts, params)
    for condition in instructions + examples:
        for evaluator in evaluators:
            try:
                evaluator.require_room(condition.prefix)
            except BadInputError as error:
                setting = "few_shot" if condition in examples else "prefixes"
                cure = "fewer examples" if condition in examples else "a shorter prefix"
                raise BadInputError(f"evaluation.{setting}: {error}, or give {cure}") from error


def _prefixes(
    prompts: Sequence[Prompt], params: EvaluationParams
) -> tuple[list[PromptCondition], list[PromptCondition]]:
    """Instructions, and the examples, if any."""
    examples = few_shot(prompts, params.few_shot)
    return [PromptCondition(text) for text in params.prefixes], [examples] if examples else []


def behind_prefixes(
    validation: Evaluator,
    budget: Budget,
    prompts: Sequence[Prompt],
    params: EvaluationParams,
    chosen: DosedCondition | None,
    with_kl: bool,
) -> list[Candidate]:
    """The best instruction, the examples, and what was selected behind the best of these."""
    instructions, examples = _prefixes(prompts, params)
    prefixes = instructions + examples
    if not prefixes:
        return []
    tried = validation.compare(prefixes, "prefixes", with_kl=with_kl)
    apart = (tried[: len(instructions)], tried[len(instructions) :])
    best = [best_of(candidates, budget) for candidates in apart if candidates]
    if chosen:
        both = PromptedCondition(chosen, best_of(best, budget).condition.prefix)
        best += validation.compare([both], "prefix and intervention", with_kl=with_kl)
    return best
