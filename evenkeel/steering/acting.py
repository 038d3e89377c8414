"""Where in a text an intervention acts, and how much of the residual stream it changes there."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from evenkeel.models.devices import input_device
from evenkeel.models.sites import HookPoint
from evenkeel.steering.hooks import all_hooked
from evenkeel.steering.intervention import Edit
from evenkeel.steering.plan import plan
from evenkeel.steering.positions import PositionTracker
from evenkeel.steering.rows import RowShares, RowSpec
from evenkeel.steering.spec import interventions_in


@torch.inference_mode()
def relative_changes(
    model: Any, row: RowSpec, prompt: Sequence[int], written: Sequence[int] = ()
) -> dict[HookPoint, Float[Tensor, " position"]]:
    """Norm of what is changed over the norm of the residual stream there, at each token of a text.

    0 is a token at which nothing is done there: a gate is closed, say.

    Args:
        model: a causal LM of transformers, not steered otherwise.
        row: what is done.
        prompt: token ids of the prompt.
        written: those that the model has written after it.

    Raises:
        BadInputError: an intervention does not fit the model.
    """
    if row.spec is None or not row.share:
        return {}
    tracker = PositionTracker()
    found: dict[HookPoint, list[Tensor]] = {}

    def noting(point: HookPoint, edit: Edit) -> Edit:
        parts = found.setdefault(point, [])

        def noted(stream: Tensor) -> Tensor:
            edited = edit(stream)
            change = (edited - stream).float().norm(dim=-1)
            parts.append((change / stream.float().norm(dim=-1).clamp(min=1e-12))[0].cpu())
            return edited

        return noted

    with tracker.watching(model):
        places = plan(model, interventions_in(row.spec), tracker, RowShares((row.share,)))
        places = [replace(place, edit=noting(place.point, place.edit)) for place in places]
        with all_hooked(places):
            start = input_device(model)
            output = model(input_ids=torch.tensor([list(prompt)], device=start), use_cache=True)
            if written:
                model(
                    input_ids=torch.tensor([list(written)], device=start),
                    past_key_values=output.past_key_values,
                )
    return {point: torch.cat(parts) for point, parts in found.items()}
