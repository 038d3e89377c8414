"""What is judged: continuations of each item's prompts, unsteered and steered."""

from collections.abc import Sequence
from typing import Any

from evenkeel.datasets.records import Prompt
from evenkeel.judging.texts import SampledPair, judged_prompts
from evenkeel.models.loading import LoadedModel
from evenkeel.params import GenerationParams
from evenkeel.steering.continuations import continue_texts
from evenkeel.steering.hooks import steer
from evenkeel.steering.spec import InterventionSpec


def sample_pairs(
    loaded: LoadedModel,
    spec: InterventionSpec,
    prompts: Sequence[Prompt],
    params: GenerationParams,
    batch_size: int,
    seed: int,
) -> list[SampledPair]:
    """Continue `params.per_item` test prompts of each item that is held against a group.

    Args:
        loaded: the model to steer.
        spec: the selected intervention; without interventions, nothing is steered.
        prompts: of the axis.
        params: of sampling.
        batch_size: texts in a batch.
        seed: of sampling.
    """
    chosen = judged_prompts(prompts, "test", params.per_item)
    beginnings = [prompt.lead_in + prompt.text for prompt in chosen]

    def continued() -> list[str]:
        how: dict[str, Any] = params.model_dump(include={"max_new_tokens", "temperature", "top_p"})
        texts = continue_texts(
            loaded.model, loaded.tokenizer, beginnings, batch_size=batch_size, seed=seed, **how
        )
        return [before + text for before, text in zip(beginnings, texts, strict=True)]

    unsteered = continued()
    steered: list[str | None] = [None] * len(chosen)
    if spec.interventions:
        with steer(loaded.model, spec):
            steered = list(continued())
    return [
        SampledPair(prompt.item, prompt.held_against or "", before, after)
        for prompt, before, after in zip(chosen, unsteered, steered, strict=True)
    ]
