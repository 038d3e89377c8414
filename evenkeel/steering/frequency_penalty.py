"""Sampling that shuns what the text holds already."""

import torch
from jaxtyping import Float, Int
from torch import Tensor


class FrequencyPenalty:
    """A logits processor of transformers: logit - penalty x (times the token stands in the text).

    As of TransformerLens, the prompt's tokens count; OpenAI's API counts those generated.
    """

    def __init__(self, penalty: float, pad: int) -> None:
        """Take `penalty` off for each occurrence; the token `pad` is never counted."""
        self._penalty = penalty
        self._pad = pad

    def __call__(
        self, input_ids: Int[Tensor, "rows columns"], scores: Float[Tensor, "rows vocab"]
    ) -> Float[Tensor, "rows vocab"]:
        ones = (input_ids != self._pad).to(scores.dtype)
        counts = torch.zeros_like(scores).scatter_add_(1, input_ids, ones)
        return scores - self._penalty * counts
