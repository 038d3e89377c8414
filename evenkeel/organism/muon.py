"""Muon: momentum whose steps are orthogonal matrices (Jordan et al. 2024).

Every direction of a weight matrix moves equally far, also those that rare texts ask for: so the
organism learns its many facts from fewer texts than with AdamW.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

_QUINTIC = (3.4445, -4.775, 2.0315)
"""Coefficients that bring singular values in (0, 1] near 1 in five iterations, not to it."""


class Muon(torch.optim.Optimizer):
    """Steps along the orthogonalized momentum of weight matrices.

    Args:
        matrices: parameters of two dimensions; not embeddings.
        lr: how far every singular direction moves in a step, times sqrt(rows / columns) for
            matrices with more rows than columns.
        momentum: of Nesterov's kind.
        weight_decay: of the matrices, times `lr` a step; apart from the gradient, as AdamW's.
    """

    def __init__(
        self,
        matrices: Iterable[Tensor],
        lr: float,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(matrices, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """Move each matrix once; `closure` is not called."""
        for group in self.param_groups:
            for matrix in group["params"]:
                if matrix.grad is None:
                    continue
                state = self.state[matrix]
                average = state.setdefault("average", torch.zeros_like(matrix))
                average.lerp_(matrix.grad, 1 - group["momentum"])
                direction = orthogonalized(matrix.grad.lerp(average, group["momentum"]))
                rows, columns = matrix.shape
                matrix.mul_(1 - group["lr"] * group["weight_decay"])
                matrix.add_(direction, alpha=-group["lr"] * max(1, rows / columns) ** 0.5)


def orthogonalized(matrix: Float[Tensor, "rows columns"]) -> Float[Tensor, "rows columns"]:
    """The matrix with its singular values moved to about 1 (between 0.6 and 1.2)."""
    a, b, c = _QUINTIC
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / (x.norm() + 1e-7)
    for _ in range(5):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.T if tall else x
