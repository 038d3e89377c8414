"""Texts of known truth and sampled pairs, made by hand, and judges who go wrong in one way each."""

from collections.abc import Callable, Sequence
from typing import Literal

from evenkeel.datasets.records import Prompt, Split, Statement
from evenkeel.judging.measuring import SampledPair
from evenkeel.judging.texts import JudgedText, KnownText, Verdict, known_texts

HELD = {"nurse": "female", "maid": "female", "pilot": "male", "guard": "male"}
GROUPS = ("female", "male")
PRONOUN = {"female": "she", "male": "he"}
Rule = Callable[[JudgedText], Verdict]


def prompts() -> list[Prompt]:
    """Two templates of each item, in two splits; and an item that is held against nobody."""
    splits: tuple[Split, ...] = ("validation", "test")
    return [
        Prompt(
            id=f"{split}-{item}-{frame}",
            axis="gender",
            kind="stereotypical",
            template=frame,
            item=f"{split} {item}",
            split=split,
            lead_in="It rained. ",
            text=frame.format(f"{split} {item}"),
            continuations={group: (f" {word}",) for group, word in PRONOUN.items()},
            held_against=HELD.get(item),
        )
        for split in splits
        for item in (*HELD, "clerk")
        for frame in ("The {} said that", "The {} left because")
    ]


def statements(count: int = 10) -> list[Statement]:
    """So many contrast pairs of the validation split, about sisters and brothers in turn."""
    return [
        Statement(
            id=f"{number}-{label}",
            axis="gender",
            group=GROUPS[number % 2],
            label="biased" if label == "biased" else "neutral",
            pair=str(number),
            quad=str(number // 2),
            template="the {} is {}",
            terms=(("sister", "brother")[number % 2], f"{label} {number}"),
            split="validation",
            text=f"The {('sister', 'brother')[number % 2]} is {label} {number}.",
        )
        for number in range(count)
        for label in ("biased", "neutral")
    ]


def known() -> list[KnownText]:
    return known_texts(prompts(), statements(), 2, seed=0)


def pairs(per_item: int = 3) -> list[SampledPair]:
    """Unsteered, every item goes to the group that it is held against; steered, every third text
    goes to the other one."""
    made = []
    for item, held in HELD.items():
        (other,) = set(GROUPS) - {held}
        for number in range(per_item):
            before = f"The {item} left because {PRONOUN[held]} was late {number}."
            steered = other if number % 3 == 0 else held
            after = f"The {item} left because {PRONOUN[steered]} was late {number}."
            made.append(SampledPair(item, held, before, after))
    return made


class Judged:
    """A judge who answers by a rule, and remembers what it was asked."""

    backend: Literal["offline"] = "offline"
    model = None

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.asked: list[list[JudgedText]] = []

    def judge(self, texts: Sequence[JudgedText]) -> list[Verdict]:
        self.asked.append(list(texts))
        return [self.rule(text) for text in texts]


def read(shown: JudgedText) -> str:
    """The truth of every text of this file."""
    words = set(shown.text.casefold().replace(".", "").split())
    if words & {"she", "sister"}:
        return "female"
    return "male" if words & {"he", "brother"} else "none"
