"""The material of an evaluation, split by split: prompt sets, competence gates, evaluators."""

from collections.abc import Sequence
from functools import cache, cached_property

from evenkeel.datasets.records import Direction, Prompt
from evenkeel.errors import BadInputError
from evenkeel.metrics.competence import CompetenceGate
from evenkeel.metrics.measures import PromptSetMeasures
from evenkeel.metrics.sampled import per_item
from evenkeel.models.chat import render_message
from evenkeel.models.loading import LoadedModel
from evenkeel.params import EvaluationParams, Split
from evenkeel.scoring.group_reads import Encode, encode_rendered, encode_text
from evenkeel.scoring.prompt_set import PromptSet
from evenkeel.scoring.result_cache import NOT_KEPT, ResultCache
from evenkeel.selection.evaluator import Evaluator
from evenkeel.selection.sampling import Sampling
from evenkeel.selection.search import part_of_prompts
from evenkeel.steering.continuations import spread_over_kinds

PART_RESAMPLES = 200
"""Of the intervals by which the staged search drops candidates."""
CONTROL_TEXTS = 0.25
"""Share of the test texts that null directions are read on."""
CHAT_REQUEST = "Write a short text."
"""What a user asks; the answer begins with a prompt."""


class Material:
    """Prompt sets and evaluators of each split of one axis.

    Args:
        loaded: the model to steer.
        axis: for messages.
        prompts: of the axis and all splits.
        texts: held-out plain texts; of the first `params.heldout_texts`, every other one belongs to
            validation and the rest to test. None where perplexity is measured elsewhere.
        params: how it is measured.
        seed: of sampling and resampling.
        results: keeps what each pass gives.

    Raises:
        BadInputError: there are too few texts.
    """

    def __init__(
        self,
        loaded: LoadedModel,
        axis: str,
        prompts: Sequence[Prompt],
        texts: Sequence[str] | None,
        params: EvaluationParams,
        seed: int,
        results: ResultCache = NOT_KEPT,
    ) -> None:
        texts = None if texts is None else texts[: params.heldout_texts]
        if texts is not None and len(texts) < 2:
            raise BadInputError(
                f"the held-out file has {len(texts)} texts of kind 'plain'; perplexity needs at "
                "least one for selection and one for the report, so give it more "
                "(dataset.heldout_texts)"
            )
        self._loaded, self._axis, self._prompts = loaded, axis, prompts
        self._params, self._seed, self._cache = params, seed, results
        texts = texts or ()
        self._texts: dict[Split, Sequence[str]] = {"validation": texts[0::2], "test": texts[1::2]}
        self.evaluator = cache(self._evaluator)
        self.part = cache(self._part)

    def of_split(self, split: Split) -> list[Prompt]:
        return [prompt for prompt in self._prompts if prompt.split == split]

    def _evaluator(self, split: Split) -> Evaluator:
        """The evaluator of a whole split; of test also on prompts of the other direction."""
        prompts = self.of_split(split)
        continued = spread_over_kinds(
            [prompt for prompt in prompts if prompt.direction == "group_given_item"],
            self._params.generation.prompts,
        )
        generation = self._params.generation
        items = per_item(prompts, generation.per_item) if split == "test" else ()
        sampling = Sampling(tuple(continued), generation, self._seed, tuple(items))
        return self._evaluator_of(
            split, prompts, self._texts[split], self._params.resamples, sampling
        )

    @cached_property
    def controls(self) -> Evaluator:
        """The test split for many null directions: prompts of one direction, fewer texts."""
        texts = self._share_of_texts("test", CONTROL_TEXTS)
        return self._evaluator_of("test", self._one_direction, texts, self._params.resamples)

    @cached_property
    def chat(self) -> Evaluator:
        """The same prompts as the beginning of an answer in a chat, without texts.

        Raises:
            BadInputError: the tokenizer has no chat template, or it cannot be used.
        """
        if not getattr(self._loaded.tokenizer, "chat_template", None):
            raise BadInputError(
                "evaluation.chat is true, but this model's tokenizer has no chat template; "
                "set it to false or auto"
            )
        try:
            before = render_message(self._loaded.tokenizer, CHAT_REQUEST)
        except BadInputError as error:
            raise BadInputError(f"{error}; or set evaluation.chat to false or auto") from error
        resamples = self._params.resamples
        return self._evaluator_of("test", self._one_direction, (), resamples, before=before)

    @property
    def _one_direction(self) -> list[Prompt]:
        """Test prompts of the direction that candidates are chosen on, and definitional ones."""
        return [
            prompt
            for prompt in self.of_split("test")
            if prompt.kind == "definitional" or prompt.direction == self._params.direction
        ]

    def _share_of_texts(self, split: Split, share: float) -> Sequence[str]:
        texts = self._texts[split]
        return texts[: max(1, round(share * len(texts)))]

    @cached_property
    def comparison(self) -> Evaluator:
        """One stereotypical test prompt of each item, and nothing else, for null directions of many
        conditions; no model is too weak for it."""
        prompts = per_item(self.of_split("test"), 1, self._params.direction)
        evaluator = self._evaluator_of("test", prompts, (), 0)
        return evaluator.with_gate(CompetenceGate(margin=-1.0))

    def _part(self, share: float) -> Evaluator:
        """The evaluator of a share of the validation split."""
        if share == 1:
            return self.evaluator("validation")
        prompts = part_of_prompts(self.of_split("validation"), share, self._seed)
        texts = self._share_of_texts("validation", share)
        evaluator = self._evaluator_of("validation", prompts, texts, PART_RESAMPLES)
        return evaluator.with_gate(CompetenceGate(self._params.competence_margin, surely=True))

    def _evaluator_of(
        self,
        split: Split,
        prompts: Sequence[Prompt],
        texts: Sequence[str],
        resamples: int,
        sampling: Sampling | None = None,
        before: str = "",
    ) -> Evaluator:
        """Measures what a split's prompts and texts show; `before`, which a chat template has
        rendered, stands before every prompt."""
        params = self._params
        directions = self._directions(split, prompts)

        def behind(prefix: str) -> PromptSet:
            encode = encode_rendered if before else encode_text
            return self._prompt_set(split, prompts, texts, directions, before + prefix, encode)

        prompt_set = behind("")
        measures = PromptSetMeasures(prompt_set, resamples, self._seed, params.direction)
        gate = CompetenceGate(params.competence_margin)
        return Evaluator(
            self._loaded.model,
            self._loaded.tokenizer,
            measures,
            gate,
            batch_size=params.batch_size,
            behind=behind,
            sampling=sampling,
            cache=self._cache,
        )

    def _directions(self, split: Split, prompts: Sequence[Prompt]) -> list[Direction]:
        """Candidates are chosen on one direction; test reports both."""
        both: tuple[Direction, ...] = ("group_given_item", "item_given_group")
        asked = {prompt.direction for prompt in prompts if prompt.kind == "stereotypical"}
        first = self._params.direction
        return [d for d in both if d == first or (split == "test" and d in asked)]

    def _prompt_set(
        self,
        split: Split,
        prompts: Sequence[Prompt],
        texts: Sequence[str],
        directions: Sequence[Direction],
        prefix: str,
        encode: Encode,
    ) -> PromptSet:
        model, tokenizer = self._loaded.model, self._loaded.tokenizer
        try:
            return PromptSet.of(model, tokenizer, prompts, texts, directions, prefix, encode)
        except BadInputError as error:
            where = f"{split} split of axis {self._axis!r}"
            behind = f", behind the prefix {prefix!r}" if prefix else ""
            raise BadInputError(f"{where}{behind}: {error}") from error
