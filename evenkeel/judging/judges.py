"""What a judge is, and the offline one: the lexicon's words."""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Literal, Protocol

from evenkeel.axes import AXES, SPLITS
from evenkeel.datasets.records import Prompt
from evenkeel.judging.texts import NO_GROUP, JudgedText, Verdict
from evenkeel.metrics.sampled import named_group


class Judge(Protocol):
    """Says of each text with which group it associates its item."""

    @property
    def backend(self) -> Literal["offline", "openai"]: ...

    @property
    def model(self) -> str | None: ...

    @property
    def usd(self) -> float | None:
        """Cost of the verdicts so far; None where they cost nothing."""
        ...

    def announce(self, texts: Sequence[Sequence[JudgedText]]) -> None:
        """Log the cost of judging lists of texts, before any of it is paid.

        Raises:
            BadInputError: the budget does not allow that.
        """
        ...

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
    usd = None

    def __init__(self, words: Mapping[str, Sequence[str]]) -> None:
        self._words = words

    def announce(self, texts: Sequence[Sequence[JudgedText]]) -> None:
        """Words cost nothing."""

    def judge(self, texts: Sequence[JudgedText]) -> list[Verdict]:
        return [named_group(shown.text, self._words) or NO_GROUP for shown in texts]


def group_words(axis: str, prompts: Sequence[Prompt]) -> dict[str, list[str]]:
    """What names each group: continuations of prompts, and terms, nouns and names of the lexicon.

    Args:
        axis: kind of bias; the lexicon need not have it, nor its groups.
        prompts: of the axis.
    """
    words: dict[str, set[str]] = {}
    for prompt in prompts:
        if prompt.kind != "stereotypical" or prompt.direction != "group_given_item":
            continue
        for group, continuations in prompt.continuations.items():
            words.setdefault(group, set()).update(word.strip() for word in continuations)
    if lexicon := AXES.get(axis):
        for group, split in product(set(words) & set(lexicon.group_names), SPLITS):
            subjects = lexicon.definitional_subjects(split, group)
            words[group].update(subject.removeprefix("the ") for subject in subjects)
    return {group: sorted(of_group) for group, of_group in words.items()}
