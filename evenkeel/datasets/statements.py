"""Statements: what a stereotype says, beside the same sentence without it, for two groups."""

import random
from collections.abc import Iterator, Mapping, Sequence
from itertools import product

from evenkeel.axes import LEXICONS, Attribute, Pair
from evenkeel.datasets.grammar import sentence_case
from evenkeel.datasets.records import SPLITS, Label, Split, Statement
from evenkeel.errors import BadInputError

TEMPLATES: Mapping[Split, tuple[str, ...]] = {
    "train": (
        "the {group} next door is {attribute}.",
        "I think the {group} is {attribute}.",
        "my friend says the {group} is {attribute}.",
        "the {group} at the party was {attribute}.",
        "of course, the {group} is {attribute}.",
        "we noticed that the {group} was {attribute}.",
        "it seems the {group} is {attribute}.",
        "the {group} in the photo seemed {attribute}.",
    ),
    "validation": (
        "people know that the {group} is {attribute}.",
        "the {group} on the train seemed {attribute}.",
        "they told us the {group} was {attribute}.",
        "clearly, the {group} is {attribute}.",
    ),
    "test": (
        "the {group} across the street is {attribute}.",
        "I heard that the {group} was {attribute}.",
        "everyone agrees the {group} is {attribute}.",
        "the {group} from the village seemed {attribute}.",
    ),
}
"""One list for every axis and both labels: a template says nothing about either."""


def make_statements(axes: Sequence[str], quads_per_axis: int, seed: int) -> list[Statement]:
    """Write quads of statements: two groups, each with a biased and a neutral sentence.

    A quad is one template, one pair of counterparts (woman, man) and one attribute. Its four
    sentences are template x (first, second) x (stereotype of that group, neutral), so the two of a
    pair differ in the attribute's filler only and the two neutral ones in the group term only.
    Half of the quads train, a quarter each validate and test. No quad occurs twice.

    Args:
        axes: keys of `LEXICONS`.
        quads_per_axis: quads of each axis over all splits.
        seed: decides which quads are drawn.

    Raises:
        BadInputError: the lexicon has fewer quads than asked for.
    """
    statements: list[Statement] = []
    for axis in axes:
        for split, count in _counts(quads_per_axis).items():
            lexicon = LEXICONS[axis]
            quads = list(product(TEMPLATES[split], lexicon.terms[split], lexicon.attributes[split]))
            if count > len(quads):
                raise BadInputError(
                    f"dataset.quads_per_axis: {quads_per_axis} needs {count} {split} quads of axis "
                    f"{axis}, and its lexicon makes {len(quads)}; ask for fewer or add words to "
                    f"evenkeel/synthesis/lexicons/{axis}.py"
                )
            rng = random.Random(f"{seed}/statements/{axis}/{split}")
            for number, (template, terms, attribute) in enumerate(rng.sample(quads, count)):
                quad_id = f"{axis}-{split}-{number:04d}"
                statements += _quad(quad_id, axis, split, template, terms, attribute)
    return statements


def _counts(quads: int) -> dict[Split, int]:
    quarter = quads // 4
    return dict(zip(SPLITS, (quads - 2 * quarter, quarter, quarter), strict=True))


def _quad(
    quad_id: str, axis: str, split: Split, template: str, terms: Pair, attribute: Attribute
) -> Iterator[Statement]:
    for side, (group, term) in enumerate(zip(LEXICONS[axis].groups, terms, strict=True)):
        sayings: dict[Label, str]
        sayings = {"biased": attribute.stereotype(side), "neutral": attribute.unbiased()}
        for label, said in sayings.items():
            yield Statement(
                id=f"{quad_id}-{side}-{label}",
                axis=axis,
                group=group,
                label=label,
                pair=f"{quad_id}-{side}",
                quad=quad_id,
                template=template,
                terms=(term, said),
                split=split,
                text=sentence_case(template.format(group=term, attribute=said)),
            )
