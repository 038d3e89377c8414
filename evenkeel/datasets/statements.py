"""Statements: what a stereotype says, beside the same sentence without it, for two groups."""

import random
from collections.abc import Iterator, Mapping, Sequence
from itertools import product

from evenkeel.axes import AXES, SPLITS, Attribute, Axis, Split
from evenkeel.datasets.grammar import sentence_case
from evenkeel.datasets.records import Label, Statement
from evenkeel.datasets.templates import lead_in
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


def make_statements(
    axes: Sequence[str], quads_per_axis: int, seed: int, lead_ins: bool
) -> list[Statement]:
    """Write quads of statements: of each group of an axis, a biased and a neutral sentence.

    A quad is one template, counterparts (woman, man) and one attribute. Its sentences are
    template x group x (stereotype of that group, neutral), so the two of a pair differ in the
    attribute's filler only and the neutral ones of the groups in the group term only. Half of the
    quads train, a quarter each validate and test. No quad occurs twice.

    Args:
        axes: keys of `AXES`.
        quads_per_axis: quads of each axis over all splits.
        seed: decides which quads are drawn.
        lead_ins: whether a neutral sentence, the same for a quad, stands before each statement.

    Raises:
        BadInputError: the lexicon has fewer quads than asked for.
    """
    statements: list[Statement] = []
    for name in axes:
        axis = AXES[name]
        for split, count in _counts(quads_per_axis).items():
            quads = list(product(TEMPLATES[split], axis.terms[split], axis.attributes[split]))
            if count > len(quads):
                raise BadInputError(
                    f"dataset.quads_per_axis: {quads_per_axis} needs {count} {split} quads of axis "
                    f"{name}, and its lexicon makes {len(quads)}; ask for fewer or add words to "
                    f"evenkeel/axes/{name}.py"
                )
            rng = random.Random(f"{seed}/statements/{name}/{split}")
            for number, (template, terms, attribute) in enumerate(rng.sample(quads, count)):
                quad_id = f"{name}-{split}-{number:04d}"
                before = lead_in(split, number) if lead_ins else ""
                statements += _quad(quad_id, axis, split, before, template, terms, attribute)
    return statements


def _counts(quads: int) -> dict[Split, int]:
    quarter = quads // 4
    return dict(zip(SPLITS, (quads - 2 * quarter, quarter, quarter), strict=True))


def _quad(
    quad_id: str,
    axis: Axis,
    split: Split,
    before: str,
    template: str,
    terms: Sequence[str],
    attribute: Attribute,
) -> Iterator[Statement]:
    for side, (group, term) in enumerate(zip(axis.group_names, terms, strict=True)):
        if group not in attribute.fillers:
            continue
        sayings: dict[Label, str]
        sayings = {"biased": attribute.stereotype(group), "neutral": attribute.unbiased()}
        for label, said in sayings.items():
            yield Statement(
                id=f"{quad_id}-{side}-{label}",
                axis=axis.name,
                group=group,
                label=label,
                pair=f"{quad_id}-{side}",
                quad=quad_id,
                template=template,
                terms=(term, said),
                split=split,
                lead_in=before,
                text=sentence_case(template.format(group=term, attribute=said)),
            )
