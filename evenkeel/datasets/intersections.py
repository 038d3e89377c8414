"""Prompts that name a group of two axes at once ("the Black woman was bad at")."""

from collections.abc import Iterator, Mapping, Sequence

from evenkeel.axes import SPLITS, Split
from evenkeel.axes.intersections import INTERSECTIONS, Intersection
from evenkeel.axes.joint import cell_rates
from evenkeel.datasets.grammar import sentence_case
from evenkeel.datasets.records import Prompt
from evenkeel.datasets.templates import ATTRIBUTE_TEMPLATES, lead_in


def make_intersection_prompts(
    axes: Sequence[str], strengths: Mapping[str, float], lead_ins: bool
) -> list[Prompt]:
    """Write the prompts of each pair of axes, both of which are asked for.

    Their axis is named after the two ("gender+race") and so are its groups ("female+Black"); an
    item is held against a group of one axis, so `held_against` names no cell.

    Args:
        axes: keys of `AXES`.
        strengths: by axis, see `cell_rates`, which gives `reference`.
        lead_ins: whether a neutral sentence stands before each prompt.
    """
    return [
        prompt
        for pair in INTERSECTIONS.values()
        if {axis.name for axis in pair.axes} <= set(axes)
        for split in SPLITS
        for prompt in _prompts(pair, split, cell_rates(pair, strengths), lead_ins)
    ]


def _prompts(
    pair: Intersection, split: Split, rates: Mapping[str, Mapping[str, float]], lead_ins: bool
) -> Iterator[Prompt]:
    for item in pair.items(split):
        for number, template in enumerate(ATTRIBUTE_TEMPLATES[split]):
            yield Prompt(
                id=f"{pair.name}-{split}-{item.text}-{number}",
                axis=pair.name,
                kind="stereotypical",
                direction="item_given_group",
                template=template,
                item=item.text,
                split=split,
                lead_in=lead_in(split, number) if lead_ins else "",
                text=f"{sentence_case(template)} {item.lead}",
                contexts={
                    cell: f"{sentence_case(template.format(group=term))} {item.lead}"
                    for cell, term in zip(pair.cell_names, pair.terms(split), strict=True)
                },
                continuations=dict.fromkeys(pair.cell_names, (f" {item.word}",)),
                reference=rates[item.text],
            )
