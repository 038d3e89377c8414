"""What one model, as it is, scores on every axis: is what was planted recovered?"""

from collections.abc import Iterator, Sequence
from typing import Any

from evenkeel.datasets.records import Direction, Prompt
from evenkeel.metrics.measures import PromptSetMeasures, as_json
from evenkeel.metrics.templates import judged
from evenkeel.models.loading import LoadedModel
from evenkeel.scoring.prompt_set import PromptSet

DIRECTIONS: tuple[Direction, Direction] = ("group_given_item", "item_given_group")


def metrics_by_axis(
    loaded: LoadedModel,
    prompts: Sequence[Prompt],
    texts: Sequence[str],
    batch_size: int,
    resamples: int,
    seed: int,
) -> dict[str, dict[str, Any]]:
    """Metrics on test of each axis and of each intersection of axes, and how much they rest on.

    An axis is measured group given item where its prompts ask so, and else item given group. Beside
    its metrics stand its `templates`, those of validation and those of test.

    Args:
        loaded: the model, unsteered.
        prompts: of any number of axes; those of the split train are passed over.
        texts: held-out plain texts; their perplexity stands with the first axis.
        batch_size: rows in a forward pass.
        resamples: bootstrap resamples of items.
        seed: of the resamples.

    Raises:
        BadInputError: as of `PromptSet.of`.
    """
    found: dict[str, dict[str, Any]] = {}
    for axis, of_axis in _by_axis(prompts):
        rows, validation = ([p for p in of_axis if p.split == s] for s in ("test", "validation"))
        asked = {row.direction for row in rows if row.kind == "stereotypical"}
        first = next((one for one in DIRECTIONS if one in asked), DIRECTIONS[0])
        own_texts = () if found else texts
        prompt_set = PromptSet.of(loaded.model, loaded.tokenizer, rows, own_texts, DIRECTIONS)
        measures = PromptSetMeasures(prompt_set, resamples, seed, first)
        readings = prompt_set.read(loaded.model, batch_size)
        found[axis] = measures.sample | as_json(measures.of(readings))
        if first == "group_given_item" and validation:
            fixed_on = PromptSet.of(loaded.model, loaded.tokenizer, validation, ())
            fixed = fixed_on, fixed_on.read(loaded.model, batch_size)
            found[axis]["templates"] = judged(fixed, (prompt_set, readings))
    return found


def _by_axis(prompts: Sequence[Prompt]) -> Iterator[tuple[str, list[Prompt]]]:
    for axis in dict.fromkeys(prompt.axis for prompt in prompts):
        yield axis, [prompt for prompt in prompts if prompt.axis == axis]
