"""Baselines that are no interventions: fine-tuned models, decoding; compared, never selected."""

from collections.abc import Iterable, Sequence
from functools import partial

from evenkeel.conditions.adapter import make_adapter_conditions
from evenkeel.conditions.condition import Condition
from evenkeel.conditions.self_debias import SelfDebiasCondition
from evenkeel.datasets.records import Prompt
from evenkeel.learning.lora import LoraTrainer
from evenkeel.models.loading import LoadedModel
from evenkeel.models.token_count import with_tokens
from evenkeel.params import Baseline, EvaluationParams
from evenkeel.selection.budget import Budget
from evenkeel.selection.candidate import Candidate
from evenkeel.selection.choice import best_of
from evenkeel.selection.evaluator import Evaluator


def best_baselines(
    validation: Evaluator,
    budget: Budget,
    loaded: LoadedModel,
    axis: str,
    prompts: Sequence[Prompt],
    texts: Sequence[str],
    params: EvaluationParams,
    seed: int,
    with_kl: bool,
) -> list[Candidate]:
    """Each of `params.baselines` at the strength that validation chooses within the budget.

    Args:
        validation: what strengths are compared on.
        budget: what a baseline may cost; where none is within it, the cheapest is taken.
        loaded: the model; it is as it was afterwards.
        axis: kind of bias.
        prompts: of the axis and all splits.
        texts: plain texts of the training corpus.
        params: which baselines, and how they are made.
        seed: of training.
        with_kl: measure kl_neutral as well.

    Raises:
        BadInputError: there is nothing to train on, or a package is missing.
    """
    trainer = LoraTrainer(loaded, prompts, texts, params.lora, seed)
    lora, decoding = params.lora, params.self_debias

    def strengths(name: Baseline) -> Iterable[Condition]:
        if name == "self_debias":
            diagnosis = decoding.diagnosis.replace("{axis}", axis)
            return [SelfDebiasCondition(diagnosis, decay) for decay in decoding.decays]
        train = with_tokens(loaded.model, partial(trainer.train, name))
        return make_adapter_conditions(train, name, lora.multipliers, lora.shuffles)

    return [
        best_of(validation.compare(list(strengths(name)), name, with_kl=with_kl), budget)
        for name in params.baselines
    ]
