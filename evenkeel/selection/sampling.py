"""What models write after prompts, and its metrics."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from evenkeel.datasets.records import Prompt
from evenkeel.metrics.sampled import SampledMeasures
from evenkeel.params import GenerationParams
from evenkeel.statistics.estimate import Measures
from evenkeel.steering.continuations import continue_texts, encoded_to_continue, text_measures


@dataclass(frozen=True)
class Sampling:
    """Prompts that every model continues, and how."""

    prompts: tuple[Prompt, ...]
    params: GenerationParams
    seed: int
    items: tuple[Prompt, ...] = ()
    """Prompts of items that are continued once each, to count the groups that are named."""

    def continuations(
        self, model: Any, tokenizer: Any, batch_size: int, prefix: str = ""
    ) -> list[str]:
        """What a model writes after each prompt, prompt by prompt, all samples of each."""
        prompts = [prompt for prompt in self.prompts for _ in range(self.params.samples)]
        return self._written(model, tokenizer, prompts, batch_size, prefix)

    def text_measures(self, texts: Sequence[str], resamples: int) -> Measures:
        """Metrics of the continuations as texts."""
        return text_measures(texts, self.params.samples, resamples, self.seed)

    def sampled_groups(
        self,
        model: Any,
        tokenizer: Any,
        batch_size: int,
        measured: tuple[int, int],
        prefix: str = "",
    ) -> Measures:
        """Metrics of the groups that a model names after the prompts of items.

        Args:
            model: steered or not.
            tokenizer: of the model.
            batch_size: texts that are continued together.
            measured: resamples, and their seed.
            prefix: before every prompt.
        """
        if not self.items:
            return {}
        texts = self._written(model, tokenizer, self.items, batch_size, prefix)
        return SampledMeasures(self.items, *measured).of(texts)

    def require_room(self, model: Any, tokenizer: Any, prefix: str) -> None:
        """Refuse a prefix behind which a prompt and what continues it do not fit.

        Raises:
            BadInputError: one does not.
        """
        texts = _behind(prefix, [*self.prompts, *self.items])
        encoded_to_continue(model, tokenizer, texts, self.params.max_new_tokens)

    def _written(
        self, model: Any, tokenizer: Any, prompts: Sequence[Prompt], batch_size: int, prefix: str
    ) -> list[str]:
        return continue_texts(
            model,
            tokenizer,
            _behind(prefix, prompts),
            max_new_tokens=self.params.max_new_tokens,
            temperature=self.params.temperature,
            top_p=self.params.top_p,
            batch_size=batch_size,
            seed=self.seed,
        )


def _behind(prefix: str, prompts: Sequence[Prompt]) -> list[str]:
    return [prefix + prompt.lead_in + prompt.text for prompt in prompts]
