"""Tasks of lm-evaluation-harness on the model of the pipeline, its figures beside ours.

The harness brings hundreds of tasks and their data. It scores them itself and, where a task is to
choose among continuations, a second time through our scoring: the two must agree.
"""

import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from evenkeel.errors import BadInputError
from evenkeel.models.decoding import plain_decoding
from evenkeel.models.loading import LoadedModel
from evenkeel.public_benchmarks.encoding import Encoder, Scored
from evenkeel.public_benchmarks.scoring import Scorer
from evenkeel.statistics.estimate import rounded
from evenkeel.steering.hooks import steer
from evenkeel.steering.spec import InterventionSpec

try:
    import lm_eval
    from lm_eval.api.model import LM
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager
except ImportError as error:
    raise BadInputError(
        "benchmarks.harness.tasks needs lm-evaluation-harness: pip install 'evenkeel[harness]'"
    ) from error

CHOICE = "multiple_choice"
RESAMPLES = 1000
"""Of the harness's own standard errors."""
SEED = 1234
"""The harness's own, for the examples that a task puts before its items."""


class WritingLM(HFLM):  # type: ignore[misc]  # the harness has no types
    """The harness's model of transformers, for which an empty text has a beginning to go on from.

    Scoring puts the beginning-of-text token there, or else the end-of-text one; generation, where
    the tokenizer adds none, would be given a text of no tokens, which no model takes.
    """

    def tok_batch_encode(self, strings: Sequence[str], *args: Any, **options: Any) -> Any:
        if not self.tok_encode(""):
            start = self.tok_decode([self.prefix_token_id], skip_special_tokens=False)
            strings = [text or start for text in strings]
        return super().tok_batch_encode(strings, *args, **options)


class ScoringLM(LM):  # type: ignore[misc]  # the harness has no types
    """Our scoring as a model of the harness: the likelihood of given continuations, no more."""

    def __init__(self, loaded: LoadedModel, batch_tokens: int) -> None:
        super().__init__()
        self._model = loaded.model
        self._encoder = Encoder.of(loaded)
        self._batch_tokens = batch_tokens

    def loglikelihood(self, requests: Sequence[Any]) -> list[tuple[float, bool]]:
        """Log-likelihood of each continuation; whether it is the greedy one is not asked here."""
        asked = [self._scored(*request.args) for request in requests]
        found = Scorer(asked, self._batch_tokens).run(self._model)
        return [(float(each.sum()), False) for each in found]

    def _scored(self, context: str, continuation: str) -> Scored:
        if context:
            kept = context.rstrip()
            scored = self._encoder.continuation(kept, context[len(kept) :] + continuation)
        else:
            assert self._encoder.bos is not None
            scored = Scored((self._encoder.bos, *self._encoder.plain(continuation)), 1)
        # As the harness does, the beginning of what is too long is cut off.
        cut = len(scored.tokens) - 1 - (self._encoder.limit or len(scored.tokens))
        return Scored(scored.tokens[cut:], max(1, scored.start - cut)) if cut > 0 else scored

    def loglikelihood_rolling(self, requests: Sequence[Any]) -> list[float]:
        raise NotImplementedError

    def generate_until(self, requests: Sequence[Any]) -> list[str]:
        raise NotImplementedError


@dataclass(frozen=True)
class HarnessResult:
    """What the harness found on the unsteered and the steered model, by itself and through us."""

    task: str
    loaded: LoadedModel
    runs: dict[str, dict[str, Any]]
    """Results of the harness, by who scored and which model: lm_eval baseline, ..."""

    @property
    def record(self) -> dict[str, Any]:
        """For the metrics file."""
        baseline = self.runs["lm_eval baseline"]
        return {
            "task": self.task,
            "harness": lm_eval.__version__,
            "model": {"name": self.loaded.name, "fingerprint": self.loaded.fingerprint},
            "largest_difference": self.largest_difference,
            "tasks": {
                name: {
                    "version": baseline["versions"][name],
                    "items": baseline["n-samples"][name]["effective"],
                    "figures": self._figures(name),
                }
                for name in baseline["n-samples"]
            },
        }

    @cached_property
    def largest_difference(self) -> float | None:
        """Of a log-likelihood by us from that by the harness, in nats; None where we score none."""
        pairs = [
            (run, self.runs[name.replace("lm_eval", "evenkeel")])
            for name, run in self.runs.items()
            if name.startswith("lm_eval") and name.replace("lm_eval", "evenkeel") in self.runs
        ]
        differences = [
            abs(theirs - ours)
            for run, other in pairs
            for name, samples in run["samples"].items()
            for sample, again in zip(samples, other["samples"][name], strict=True)
            for (theirs, _), (ours, _) in zip(
                sample["filtered_resps"], again["filtered_resps"], strict=True
            )
        ]
        return rounded(max(differences)) if differences else None

    def _figures(self, task: str) -> dict[str, dict[str, float]]:
        figures: dict[str, dict[str, float]] = {}
        for who, run in self.runs.items():
            for metric, value in run["results"][task].items():
                greedy = metric.startswith("exact_match") and who.startswith("evenkeel")
                if isinstance(value, int | float) and metric != "sample_len" and not greedy:
                    name = metric.removesuffix(",none").replace(",", " ")
                    figures.setdefault(name, {})[who] = float(f"{value:.6g}")
        return figures

    @property
    def table(self) -> tuple[list[str], list[list[Any]]]:
        """The figures as columns and rows, for people."""
        rows = [
            [task, metric, *(f"{values[who]:.4g}" if who in values else "-" for who in self.runs)]
            for task, found in self.record["tasks"].items()
            for metric, values in found["figures"].items()
        ]
        return ["task", "figure", *self.runs], rows


def run_harness(
    task: str,
    loaded: LoadedModel,
    spec: InterventionSpec,
    *,
    include_path: Path | None,
    limit: int | None,
    batch_tokens: int,
) -> HarnessResult:
    """Run one task, or group of tasks, of the harness.

    Args:
        task: its name there.
        loaded: the model; it is the same object, unhooked, afterwards.
        spec: what steering does; an empty one leaves the baseline alone.
        include_path: folder of task files that stand in for the harness's own.
        limit: items of each task at most.
        batch_tokens: tokens in a forward pass.

    Raises:
        BadInputError: the harness does not know the task, cannot get its data or asks for more
            tokens than the model reads, or the tokenizer puts an end-of-text token behind texts.
    """
    if loaded.encoder.added.behind:
        raise BadInputError(
            "benchmarks.harness.tasks: lm-evaluation-harness encodes with the tokenizer itself, "
            "which puts an end-of-text token behind every text, so that answers would be scored "
            "after the end; give the model a tokenizer that does not (add_eos_token: false)"
        )
    logging.getLogger("lm_eval").setLevel(logging.WARNING)
    # The harness reads some ten thousand task files of its own; with others, it need not.
    own = {} if include_path is None else {"include_path": str(include_path)}
    manager = TaskManager(**own, include_defaults=include_path is None)
    loaded_tasks = _load(task, manager)
    tasks = loaded_tasks["tasks"].values()
    for each in tasks:
        if each.get_config("num_fewshot") is None:
            each.set_config("num_fewshot", 0)
        each.set_fewshot_seed(SEED)
    rows = max(1, batch_tokens // (Encoder.of(loaded).limit or batch_tokens))
    models = {
        "lm_eval": WritingLM(pretrained=loaded.model, tokenizer=loaded.tokenizer, batch_size=rows),
        "evenkeel": ScoringLM(loaded, batch_tokens),
    }
    if any(each.get_config("output_type") != CHOICE for each in tasks):
        del models["evenkeel"]
    conditions: dict[str, AbstractContextManager[None]] = {"baseline": nullcontext()}
    if spec.interventions:
        conditions["steered"] = steer(loaded.model, spec)
    runs = {}
    for condition, context in conditions.items():
        # The harness asks `generate`, to which the model's own settings are none of the task's.
        with context, plain_decoding(loaded.model, loaded.tokenizer):
            for who, model in models.items():
                runs[f"{who} {condition}"] = _run(task, model, loaded_tasks, limit)
    return HarnessResult(task, loaded, runs)


def _run(task: str, model: Any, loaded_tasks: Any, limit: int | None) -> Any:
    try:
        # simple_evaluate would also ask pip and git, for seconds, what is installed here.
        return lm_eval.evaluate(model, loaded_tasks, limit=limit, bootstrap_iters=RESAMPLES)
    except AssertionError as error:  # the harness's way to refuse, as more tokens than fit
        if not str(error):
            raise
        raise BadInputError(
            f"benchmarks.harness.tasks: {task!r} cannot be run on this model: {error}"
        ) from error


def _load(task: str, manager: Any) -> dict[str, Any]:
    if task not in manager.all_tasks:
        raise BadInputError(
            f"benchmarks.harness.tasks: there is no task {task!r}; `lm_eval ls tasks` lists those "
            f"of lm-evaluation-harness {lm_eval.__version__}, and with include_path only those of "
            "that folder count"
        )
    try:
        return dict(manager.load([task]))
    except Exception as error:  # the harness, datasets and the hub each raise their own
        first_line = str(error).strip().partition("\n")[0]
        raise BadInputError(
            f"benchmarks.harness.tasks: the data of {task!r} cannot be had ({first_line}); "
            "check the network, or name a task with data of your own"
        ) from error
