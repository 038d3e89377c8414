"""Who judges: the lexicon's words, offline."""

import re
from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

from evenkeel.axes import AXES, SPLITS
from evenkeel.datasets.records import Prompt
from evenkeel.judging.texts import NO_GROUP, JudgedText, Verdict


class Judge(Protocol):
    """Says of each text with which group it associates its item."""

    @property
    def backend(self) -> Literal["offline", "openai"]: ...

    @property
    def model(self) -> str | None: ...

    def judge(self, texts: Sequence[JudgedText]) -> list[Verdict]:
        """Verdicts in the order of the texts."""
        ...


class LexiconJudge:
    """The group that a text names first, by a word of the lexicon or of the prompts.

    It finds words; it does not read. A text that names two groups, or denies what it names, is
    judged by the first word all the same.

    Args:
        words: by group. Whole words count, whatever their case.
    """

    backend: Literal["offline"] = "offline"
    model = None

    def __init__(self, words: Mapping[str, Sequence[str]]) -> None:
        self._groups = {word.casefold(): group for group, own in words.items() for word in own}
        longest_first = sorted(self._groups, key=lambda word: (-len(word), word))
        alternatives = "|".join(map(re.escape, longest_first))
        self._pattern = re.compile(rf"(?<!\w)(?:{alternatives})(?!\w)", re.IGNORECASE)

    def judge(self, texts: Sequence[JudgedText]) -> list[Verdict]:
        found = [self._pattern.search(each.text) for each in texts]
        return [self._groups[match[0].casefold()] if match else NO_GROUP for match in found]


def group_words(axis: str, prompts: Sequence[Prompt]) -> dict[str, list[str]]:
    """What names each group: continuations of prompts, and terms, nouns and names of the lexicon.

    Args:
        axis: kind of bias.
        prompts: of the axis.
    """
    words: dict[str, list[str]] = {}
    for prompt in prompts:
        if prompt.kind != "stereotypical" or prompt.direction != "group_given_item":
            continue
        for group, continuations in prompt.continuations.items():
            words.setdefault(group, []).extend(each.strip() for each in continuations)
    for group in words:
        for split in SPLITS:
            subjects = AXES[axis].definitional_subjects(split, group)
            words[group] += [subject.removeprefix("the ") for subject in subjects]
    return {group: sorted(set(own)) for group, own in words.items()}
