"""Prompting, as one more method: a text stands before every prompt, by itself or with a vector."""

from collections.abc import Sequence
from dataclasses import dataclass

from evenkeel.conditions.condition import Condition
from evenkeel.conditions.recipe import Recipe
from evenkeel.datasets.records import Prompt
from evenkeel.steering.intervention import Intervention


@dataclass(frozen=True)
class PromptCondition(Condition):
    """A prefix: an instruction (method prompt), or examples (few_shot)."""

    text: str
    """Its last space included."""
    method: str = "prompt"

    @property
    def recipe(self) -> Recipe:
        return Recipe(method=self.method, prefix=self.text)


@dataclass(frozen=True, eq=False)
class PromptedCondition(Condition):
    """Another condition behind a prefix."""

    steered: Condition
    text: str

    @property
    def recipe(self) -> Recipe:
        return self.steered.recipe.model_copy(update={"prefix": self.text})

    @property
    def interventions(self) -> Sequence[Intervention]:
        return self.steered.interventions

    @property
    def train_tokens(self) -> int | None:
        return self.steered.train_tokens


def few_shot(prompts: Sequence[Prompt], examples: int) -> PromptCondition | None:
    """Train prompts that go on against the stereotype, as a prefix; None if there are none.

    One example an item, whose templates take turns. Each is completed by the group that the
    reference gives the lowest rate; of items without rates, by that after the one that they are
    held against.
    """
    by_item: dict[str, list[Prompt]] = {}
    for prompt in prompts:
        asked = prompt.kind == "stereotypical" and prompt.direction == "group_given_item"
        if asked and prompt.split == "train" and (prompt.reference or prompt.held_against):
            by_item.setdefault(prompt.item, []).append(prompt)
    # Evenly from all items, which files list by their rates.
    names = list(by_item)
    step = max(1, len(names) // examples) if examples else 1
    sentences = []
    for place, name in enumerate(names[::step][:examples]):
        prompt = by_item[name][place % len(by_item[name])]
        group = _against(prompt)
        sentences.append(f"{prompt.text}{prompt.continuations[group][0]}. ")
    return PromptCondition("".join(sentences), "few_shot") if sentences else None


def _against(prompt: Prompt) -> str:
    if prompt.reference:
        return min(prompt.reference, key=prompt.reference.__getitem__)
    assert prompt.held_against is not None
    groups = prompt.groups
    return groups[(groups.index(prompt.held_against) + 1) % len(groups)]
