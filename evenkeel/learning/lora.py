"""Fine-tuning baselines: LoRA adapters trained on counterfactuals, or on preferences."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from evenkeel.datasets.records import Prompt, with_and_without_lead_ins
from evenkeel.errors import BadInputError
from evenkeel.learning.adapters import Adapter, injected
from evenkeel.learning.descent import descend
from evenkeel.learning.losses import preference_loss, rejected_mask
from evenkeel.learning.passes import Rows, shuffled_parts, text_batches
from evenkeel.learning.preference import preferences, rejected_groups
from evenkeel.models.encoding import Tokens
from evenkeel.models.loading import LoadedModel
from evenkeel.params import LoraMethod, LoraParams
from evenkeel.scoring.group_reads import EncodedPrompt, GroupReads, encode_prompt
from evenkeel.scoring.token_reads import text_reads

Loss = Callable[[], Float[Tensor, ""]]
"""Of one batch, from what the model is when it is called."""


class LoraTrainer:
    """Trains adapters of one axis; the same seed gives the same adapter.

    Args:
        loaded: the model; it is the same object, with its own modules, afterwards.
        prompts: of the axis and all splits; the train split is looked at.
        texts: plain texts of the train split, which counterfactuals stand among.
        params: how adapters are trained.
        seed: of first weights, of batches and of shuffles.
    """

    def __init__(
        self,
        loaded: LoadedModel,
        prompts: Sequence[Prompt],
        texts: Sequence[str],
        params: LoraParams,
        seed: int,
    ) -> None:
        self._loaded, self._params, self._seed = loaded, params, seed
        self._prompts, self._texts = list(prompts), texts[: params.texts]

    def train(self, method: LoraMethod, shuffle: int | None = None) -> Adapter:
        """Train one adapter.

        Args:
            method: cda_lora or dpo_lora.
            shuffle: None, or the number of a draw that knows nothing of the items: of
                counterfactuals, each item goes on with one group drawn at random instead of with
                every one; of preferences, it is held against the group of another item.

        Raises:
            BadInputError: there is nothing to train on, or peft is not installed.
        """
        model, params = self._loaded.model, self._params
        make = self._counterfactuals if method == "cda_lora" else self._preferences
        kinds = [losses for losses in make(shuffle) if losses]
        with injected(model, params.rank, seed=self._seed) as factors:

            def loss(step: int) -> Float[Tensor, ""]:
                found = [losses[step % len(losses)]() for losses in kinds]
                return torch.stack(found).sum()

            leaves = list(factors.values())
            descend(leaves, loss, steps=params.steps, rate=params.rate, title=method)
            trained = {name: factor.detach().clone() for name, factor in factors.items()}
        return Adapter(params.rank, trained)

    def _counterfactuals(self, shuffle: int | None) -> list[list[Loss]]:
        """Cross-entropy of every group after items, of the right one, and of plain text."""
        stereotypical, known = self._train("stereotypical"), self._train("definitional")
        if not stereotypical or not self._texts:
            raise BadInputError(
                "cda_lora is trained on stereotypical prompts of the train split and on plain "
                f"texts; there are {len(stereotypical)} and {len(self._texts)}; give some, or drop "
                "it from evaluation.baselines"
            )
        said = {prompt.item: prompt.groups for prompt in stereotypical}
        if shuffle is not None:
            generator = np.random.default_rng([self._seed, 8, shuffle])
            said = {i: (groups[generator.integers(len(groups))],) for i, groups in said.items()}
        generator = np.random.default_rng([self._seed, 9])
        of_prompts = [
            [
                self._said([prompts[i] for i in part], [groups[i] for i in part])
                for part in shuffled_parts(len(prompts), self._params.batch_rows, generator)
            ]
            for prompts, groups in (
                (stereotypical, [said[prompt.item] for prompt in stereotypical]),
                (known, [(str(prompt.expected),) for prompt in known]),
            )
        ]
        texts = text_batches(self._loaded, self._texts, self._params.batch_rows, generator)
        return [*of_prompts, list(map(self._text, texts))]

    def _preferences(self, shuffle: int | None) -> list[list[Loss]]:
        """Any other group before the one that an item is held against; the right one before all."""
        prompts, known = preferences(self._prompts), self._train("definitional")
        rejected = rejected_groups(prompts, self._seed, shuffle)
        generator = np.random.default_rng([self._seed, 10])
        return [
            [
                self._preference([of_kind[i] for i in part], [names[i] for i in part], sign)
                for part in shuffled_parts(len(of_kind), self._params.batch_rows, generator)
            ]
            for of_kind, names, sign in (
                (prompts, rejected, 1.0),
                (known, [str(prompt.expected) for prompt in known], -1.0),
            )
        ]

    def _preference(self, prompts: list[Prompt], named: list[str], sign: float) -> Loss:
        """The DPO loss of a batch; sign -1 turns the named group from rejected to preferred."""
        groups = GroupReads.of([encode_prompt(self._loaded.tokenizer, p) for p in prompts])
        rows = Rows(self._loaded.model, groups.rows, groups.reads)

        def of_groups() -> Float[Tensor, "prompts groups"]:
            return groups.of_groups(rows.of_tokens(rows.log_probs()))

        with torch.no_grad():
            before = of_groups()
        mask = rejected_mask([prompt.groups for prompt in prompts], named).to(before.device)

        def loss() -> Float[Tensor, ""]:
            return preference_loss(sign * (of_groups() - before), mask, self._params.beta)

        return loss

    def _said(self, prompts: list[Prompt], groups: list[tuple[str, ...]]) -> Loss:
        """Mean negative log-likelihood of the continuations of these groups, each by itself."""
        encoded = []
        for prompt, said in zip(prompts, groups, strict=True):
            of_all = encode_prompt(self._loaded.tokenizer, prompt)
            for number, group in enumerate(prompt.groups):
                context, alternatives = of_all.contexts[number], of_all.continuations[number]
                if group in said:
                    encoded += [EncodedPrompt((context,), ((tokens,),)) for tokens in alternatives]
        reads = GroupReads.of(encoded)
        rows = Rows(self._loaded.model, reads.rows, reads.reads)
        return lambda: -reads.of_groups(rows.of_tokens(rows.log_probs())).mean()

    def _text(self, texts: list[Tokens]) -> Loss:
        """Mean negative log-likelihood of a token, of all but each text's first."""
        rows = Rows(self._loaded.model, texts, text_reads(texts, [1] * len(texts)))
        return lambda: -rows.of_tokens(rows.log_probs()).mean()

    def _train(self, kind: str) -> list[Prompt]:
        return with_and_without_lead_ins(
            [
                prompt
                for prompt in self._prompts
                if (prompt.kind, prompt.split, prompt.direction)
                == (kind, "train", "group_given_item")
            ]
        )
