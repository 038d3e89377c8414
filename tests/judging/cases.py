"""Labelled texts and sampled pairs, made by hand, and judges whose verdicts follow a rule."""

from collections.abc import Callable, Sequence
from typing import Literal

from evenkeel.datasets.records import Prompt, Split, Statement
from evenkeel.judging.texts import JudgedText, LabelledText, SampledPair, Verdict, labelled_texts

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


def labelled() -> list[LabelledText]:
    return labelled_texts(prompts(), statements(), 2, seed=0)


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


class RuleJudge:
    """Its verdicts follow a rule; it remembers what was announced to it and what it judged."""

    backend: Literal["offline"] = "offline"
    model = None
    usd = None

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.announced: list[list[JudgedText]] = []
        self.judged: list[list[JudgedText]] = []

    def announce(self, texts: Sequence[Sequence[JudgedText]]) -> None:
        assert not self.judged
        self.announced = [list(part) for part in texts]

    def judge(self, texts: Sequence[JudgedText]) -> list[Verdict]:
        assert list(texts) in self.announced
        self.judged.append(list(texts))
        return [self.rule(text) for text in texts]


def read(shown: JudgedText) -> str:
    """The label of every text of this file."""
    words = set(shown.text.casefold().replace(".", "").split())
    if words & {"she", "sister"}:
        return "female"
    return "male" if words & {"he", "brother"} else "none"
