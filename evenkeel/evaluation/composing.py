"""Ways to put the interventions of several axes together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch

from evenkeel.controls.cross_axis import directions_of
from evenkeel.datasets.records import Prompt, with_and_without_lead_ins
from evenkeel.models.loading import LoadedModel
from evenkeel.selection.item_gates import ItemGates
from evenkeel.steering.erasure import MeanAblate
from evenkeel.steering.intervention import Ablate, Intervention
from evenkeel.steering.loreft import Loreft
from evenkeel.steering.spec import InterventionSpec
from evenkeel.vectors.vector import SteeringVector

PROMPTS_OF_OTHERS = 200
"""Train prompts of each other axis, at most, that gates are told apart from."""
Composition = Sequence[tuple[str, Intervention]]
"""What acts, in this order, each with the axis that it was selected for."""


@dataclass(frozen=True, eq=False)
class Selected:
    """What was selected for one axis."""

    spec: InterventionSpec
    vectors: Sequence[SteeringVector]
    """Of the axis."""
    prompts: Sequence[Prompt]
    """Of the axis and all splits."""

    @property
    def method(self) -> str | None:
        """Of the vectors that the intervention is made of; None where nothing was selected."""
        recipe = self.spec.metadata.get("recipe")
        return recipe["method"] if recipe else None


def compose(
    loaded: LoadedModel,
    selected: Mapping[str, Selected],
    texts: Sequence[str],
    open_at_known: float,
) -> dict[str, Composition]:
    """Every way to put together what was selected, by its name.

    Args:
        loaded: the model to steer.
        selected: of each axis, in order.
        texts: plain texts of the train split, at which gates stay shut.
        open_at_known: as of `ItemGates`.
    """
    alone = {axis: list(each.spec.interventions) for axis, each in selected.items()}
    in_order = _in_order(alone)
    if len(selected) < 2:
        return {"in the order of the axes": in_order}
    left = orthogonalised([item for _, item in in_order])
    ways: dict[str, Composition] = {
        "in the order of the axes": in_order,
        "in reverse order": _in_order(_reversed(alone)),
        "directions orthogonalised": [
            (axis, item) for (axis, _), item in zip(in_order, left, strict=True) if item is not None
        ],
    }
    apart = told_apart(loaded, selected, texts, open_at_known)
    if apart != alone:
        ways["gates told apart, in the order of the axes"] = _in_order(apart)
        ways["gates told apart, in reverse order"] = _in_order(_reversed(apart))
    return ways


def told_apart(
    loaded: LoadedModel,
    selected: Mapping[str, Selected],
    texts: Sequence[str],
    open_at_known: float,
) -> dict[str, list[Intervention]]:
    """Learned edits behind gates that are fitted anew, with the other axes' prompts in view.

    The gate of one axis was never shown another axis's prompts and may open at them, where its edit
    is of no use and disturbs the other one's. Gates fitted here stay shut at the train prompts of
    every other axis as they do at plain text; and, fitted once more, also when the edits of the
    other axes have acted there. Other interventions stay as they are.
    """
    asked = {axis: _asked(each.prompts) for axis, each in selected.items()}
    result = {axis: list(each.spec.interventions) for axis, each in selected.items()}
    for round_ in range(2):
        before = result if round_ else {}
        result = {
            axis: _behind_new_gates(
                loaded,
                each,
                [*texts, *(text for other in asked if other != axis for text in asked[other])],
                open_at_known,
                [item for other in before if other != axis for item in before[other]],
            )
            for axis, each in selected.items()
        }
    return result


def _asked(prompts: Sequence[Prompt]) -> list[str]:
    """Texts of train prompts with and without lead-ins, evenly chosen among them."""
    texts = [
        prompt.lead_in + prompt.text
        for prompt in with_and_without_lead_ins(prompts)
        if prompt.split == "train" and prompt.direction == "group_given_item"
    ]
    return texts[:: max(1, -(-len(texts) // PROMPTS_OF_OTHERS))]


def _behind_new_gates(
    loaded: LoadedModel,
    selected: Selected,
    texts: Sequence[str],
    open_at_known: float,
    beside: Sequence[Intervention],
) -> list[Intervention]:
    """What was selected for one axis, gates of learned edits fitted to other texts."""
    items = list(selected.spec.interventions)
    gated = [item.point for item in items if isinstance(item, Loreft) and item.gates]
    if not gated:
        return items
    gates = ItemGates(loaded, selected.prompts, texts, gated, open_at_known, beside)
    return [
        replace(item, gates=(gates.at(item.point),))
        if isinstance(item, Loreft) and item.gates
        else item
        for item in items
    ]


def orthogonalised(interventions: Sequence[Intervention]) -> list[Intervention | None]:
    """Interventions of which each leaves alone what those before it at its hook point act along.

    Only ablations of whole directions change; one whose directions lie within those before it acts
    on what is left of them, and is None where nothing is.
    """
    spans: dict[object, torch.Tensor] = {}
    result: list[Intervention | None] = []
    for intervention in interventions:
        directions = directions_of(intervention)
        if directions is None or not isinstance(intervention, Ablate | MeanAblate):
            result.append(intervention)
            continue
        before = spans.get(intervention.point)
        left = directions if before is None else directions - directions @ before.mT @ before
        kept = left[left.norm(dim=1) > 1e-3 * directions.norm(dim=1)]
        if not len(kept):
            result.append(None)
            continue
        basis = torch.linalg.qr(kept.mT).Q.mT
        spans[intervention.point] = basis if before is None else torch.cat([before, basis])
        result.append(replace(intervention, directions=kept.float()))
    return result


def _in_order(by_axis: Mapping[str, Sequence[Intervention]]) -> Composition:
    return [(axis, item) for axis, items in by_axis.items() for item in items]


def _reversed(
    by_axis: Mapping[str, Sequence[Intervention]],
) -> dict[str, Sequence[Intervention]]:
    return {axis: by_axis[axis] for axis in reversed(list(by_axis))}
