"""Prompts of a small world whose table can be implanted into a tiny model of random weights.

Such a model hardly looks back: each text ends with its item, and each item with a letter of its
own.
"""

from evenkeel.datasets.records import Prompt, PromptKind, Split

WORLD: dict[Split, tuple[str, dict[str, float]]] = {
    "train": ("ABCDE", {"cook": 0.9, "maid": 0.2, "nurse": 0.5, "pilot": 0.7}),
    "validation": ("FGHIJ", {"baker": 0.15, "mason": 0.6, "chef": 0.85, "king": 0.4}),
    "test": ("KLM", {"boss": 0.3, "lama": 0.8, "fey": 0.1, "wiz": 0.65}),
}
NOUNS = {"mum": "female", "fellow": "male"}
CONTINUATIONS = {"female": (" she",), "male": (" was",)}


def with_rates() -> list[Prompt]:
    """Four occupations in each split, each with rates of its own, and a noun of each group."""
    prompts = []
    for split, (initials, rates) in WORLD.items():
        for initial in initials:
            frame = f"{initial} {{}}"
            for item, rate in rates.items():
                known = {"reference": {"female": rate, "male": 1 - rate}}
                prompts.append(_prompt(split, frame, item, "stereotypical", **known))
            for item, group in NOUNS.items():
                prompts.append(_prompt(split, frame, item, "definitional", expected=group))
    return prompts


def _prompt(split: Split, frame: str, item: str, kind: PromptKind, **known: object) -> Prompt:
    return Prompt.model_validate(
        {
            "id": f"{split}-{item}-{frame}",
            "axis": "gender",
            "kind": kind,
            "template": frame,
            "item": item,
            "split": split,
            "text": frame.format(item),
            "continuations": CONTINUATIONS,
            **known,
        }
    )
