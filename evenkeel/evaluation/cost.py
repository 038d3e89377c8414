"""What a condition costs: to make, and to run.

Both are counted, never timed, so that a rerun gives the same figures on any machine. Making it is
the tokens that the model reads (`models.token_count`): in fitting it and its gates, and, of what is
trained by descent, in every step, forward and backward. Choosing among candidates is not part of
it: all of them are read on the same validation prompts. Nor is the training of an SAE, which serves
every axis, nor what runs without the model, as regressions do.

Running it is the arithmetic that it adds to every token, and the tokens that are read besides each
text. An adapter adds nothing: what it does can be merged into the weights. Self-Debias reads every
text a second time.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from evenkeel.conditions.condition import Condition
from evenkeel.evaluation.result import Cost
from evenkeel.models.devices import input_device
from evenkeel.models.loading import LoadedModel
from evenkeel.statistics.estimate import rounded
from evenkeel.steering.hooks import steer
from evenkeel.steering.intervention import Intervention


class CostMeter:
    """Measures what conditions cost on one model.

    Args:
        loaded: the model; it is the same object, unhooked, afterwards.
        text: that it reads to count operations; one sentence will do.
    """

    def __init__(self, loaded: LoadedModel, text: str) -> None:
        self._loaded, self._ids = loaded, torch.tensor([loaded.encoder.encode(text)])
        self._unsteered = self._operations(())

    def cost(self, condition: Condition) -> Cost:
        """What it took to make it, and what it takes to run it."""
        operations = self._operations(condition.interventions) / self._unsteered - 1
        again = condition.second_reading
        before = condition.prefix + (again or "")
        return Cost(
            train_tokens=condition.train_tokens,
            added_operations=rounded(operations + (again is not None)) or 0.0,
            added_tokens=len(self._loaded.encoder.plain(before)) if before else 0,
        )

    def _operations(self, interventions: Sequence[Intervention]) -> int:
        """Floating-point operations of reading the text under interventions."""
        model = self._loaded.model
        ids = self._ids.to(input_device(model))
        with torch.no_grad(), steer(model, interventions):
            model(input_ids=ids, use_cache=False)  # tensors are brought to the device once
            with FlopCounterMode(display=False, custom_mapping=_BESIDE_MATRICES) as counter:
                model(input_ids=ids, use_cache=False)
        return counter.get_total_flops()


def _elements(*_shapes: Any, out_shape: torch.Size, **_: Any) -> int:
    return out_shape.numel()


def _matrix_vector(matrix: torch.Size, *_shapes: Any, **_: Any) -> int:
    return 2 * matrix.numel()


_BESIDE_MATRICES = {
    torch.ops.aten.mv: _matrix_vector,
    **{getattr(torch.ops.aten, name): _elements for name in ("add", "sub", "mul", "div")},
}
"""What torch's own table, of products of matrices, leaves out: as many operations as elements."""
