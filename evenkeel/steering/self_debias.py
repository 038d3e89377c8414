"""Self-Debias: decoding that discounts what a model says more readily of a text called biased."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from evenkeel.errors import BadInputError
from evenkeel.models.batching import context_length, padded
from evenkeel.models.devices import input_device
from evenkeel.models.encoding import TextEncoder, Tokens
from evenkeel.models.logits import logits_at


class SelfDebiased:
    """A model that reads every text twice, once behind a diagnosis (Schick et al. 2021).

    p(w) is multiplied by exp(decay * D(w)) where D(w) = p(w | text) - p(w | diagnosis, text) is
    negative, and then normalized. It may stand in the model's place where logits are read and text
    is generated; the model itself is not touched.

    Args:
        model: a causal LM of transformers.
        tokenizer: of the model.
        diagnosis: what is said of a text before it, behind what the tokenizer puts in front, if the
            text has it: a chat template may leave it out.
        decay: how sharply tokens are discounted; 0 is the model as it is.
    """

    def __init__(self, model: Any, tokenizer: Any, diagnosis: str, decay: float) -> None:
        # Under the name by which `models.decoding` finds a model that another stands around.
        self._module, self._decay = model, decay
        encoder = TextEncoder.of(tokenizer)
        self._front, self._diagnosis = encoder.added.front, encoder.plain(diagnosis)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)

    def get_output_embeddings(self) -> None:
        """None: the unembedding runs twice in a pass, at different columns."""

    def __call__(
        self, input_ids: Int[Tensor, "rows columns"], attention_mask: Tensor, **how: Any
    ) -> Any:
        """A forward pass of rows that are padded on the right.

        Raises:
            BadInputError: a row does not fit the context together with the diagnosis.
        """
        added = torch.tensor(self._diagnosis, device=input_ids.device).expand(len(input_ids), -1)
        self._require_room(input_ids.shape[1] + added.shape[1])
        output = self._module(input_ids=input_ids, attention_mask=attention_mask, **how)
        front = torch.tensor(self._front, dtype=input_ids.dtype, device=input_ids.device)
        begun = (input_ids[:, : len(front)] == front).all(dim=1, keepdim=True)
        diagnosed = self._module(
            input_ids=self._inserted(input_ids, added, begun),
            attention_mask=self._inserted(attention_mask, torch.ones_like(added), begun),
            **how,
        )
        # The token that stood in a column stands as many further right.
        output.logits = self._discounted(output.logits, diagnosed.logits[:, added.shape[1] :])
        return output

    def generate(self, **how: Any) -> Any:
        """`generate` of the model, each token from discounted logits."""
        given = how.pop("logits_processor", [])
        prompt = how["attention_mask"]

        def discount(input_ids: Tensor, logits: Tensor) -> Tensor:
            new = prompt.new_ones(len(input_ids), input_ids.shape[1] - prompt.shape[1])
            kept = torch.cat([prompt, new], dim=1).bool()
            rows = [tuple(ids[keep].tolist()) for ids, keep in zip(input_ids, kept, strict=True)]
            return self._discounted(logits, self._last_logits(rows))

        return self._module.generate(**how, logits_processor=[*given, discount])

    def _last_logits(self, rows: Sequence[Tokens]) -> Float[Tensor, "rows vocab"]:
        """Of the token after each row, behind the diagnosis."""
        front = len(self._front)
        starts = [front if row[:front] == self._front else 0 for row in rows]
        texts = [
            row[:start] + self._diagnosis + row[start:]
            for row, start in zip(rows, starts, strict=True)
        ]
        last = torch.tensor([len(text) - 1 for text in texts])
        self._require_room(int(last.max()) + 1)
        inputs = padded(texts, device=input_device(self._module))
        return logits_at(self._module, inputs, torch.arange(len(texts)), last)

    def _inserted(self, rows: Tensor, added: Tensor, begun: Tensor) -> Tensor:
        """Rows with what is added before them: behind what the tokenizer puts in front, if any."""
        front = len(self._front)
        behind = torch.cat([rows[:, :front], added, rows[:, front:]], dim=1)
        return behind.where(begun, torch.cat([added, rows], dim=1))

    def _discounted(
        self, logits: Float[Tensor, "*places vocab"], diagnosed: Float[Tensor, "*places vocab"]
    ) -> Float[Tensor, "*places vocab"]:
        plain, warned = (each.float().softmax(dim=-1) for each in (logits, diagnosed))
        return logits.float() + self._decay * (plain - warned).clamp(max=0)

    def _require_room(self, tokens: int) -> None:
        limit = context_length(self._module)
        if limit is not None and tokens > limit:
            raise BadInputError(
                f"a text and the diagnosis of Self-Debias before it are {tokens} tokens, and the "
                f"model's context {limit}; shorten evaluation.self_debias.diagnosis, or drop "
                "self_debias from evaluation.baselines"
            )
