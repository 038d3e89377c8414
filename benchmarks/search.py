"""What the staged search costs beside the exhaustive sweep, and what it loses.

On a finished run of the pipeline. The exhaustive sweep reads every candidate on the whole
validation split once (--kept holds what was read, so that a killed benchmark goes on); then the
staged search is replayed on those readings, with other parts of the split for each seed. Cost is
counted in forward-equivalent tokens: tokens times the share of the blocks that run, since both
reuse the blocks upstream of an edit. The passes of the unsteered model, which both take, are not
counted, and learned edits, which are few, are left out.

    python -m benchmarks.search --run . --axis gender --kept /tmp/search
    python -m benchmarks.search --run studies/smollm2 --all-layers --seeds 0

The second counts what the sweep would cost without making it, and runs the staged search once.
"""

import argparse
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, get_args

import numpy as np
import torch

from benchmarks.figures import Figure, show
from evenkeel.conditions.condition import Condition
from evenkeel.datasets.reading import read_prompts
from evenkeel.datasets.records import CorpusText
from evenkeel.errors import BadInputError
from evenkeel.evaluation.candidates import candidate_conditions
from evenkeel.evaluation.material import Material
from evenkeel.files import read_jsonl
from evenkeel.models.loading import LoadedModel, load_model
from evenkeel.params import EraserMethod, EvaluationParams, load_params
from evenkeel.progress import Progress
from evenkeel.sae.dictionary import Dictionary
from evenkeel.scoring.prefix_reuse import first_affected
from evenkeel.scoring.prompt_set import PromptSet, Readings
from evenkeel.scoring.result_cache import NOT_KEPT, ResultCache
from evenkeel.selection.budget import Budget
from evenkeel.selection.candidate import Candidate
from evenkeel.selection.choice import select
from evenkeel.selection.evaluator import Evaluator
from evenkeel.selection.first_order import PASSES
from evenkeel.selection.search import search
from evenkeel.steering.intervention import Intervention
from evenkeel.steering.spec import digest_of
from evenkeel.vectors.erasers import EraserSet
from evenkeel.vectors.vector_set import VectorSet

RESAMPLES = 1000
GOALS = {True: 0.15, False: 0.05}
"""Tokens of the staged search over those of the exhaustive sweep, of a small model and others."""
REGRET, GOOD_SEEDS = 0.01, 0.95
Edit = Sequence[Intervention]


class Recorded:
    """Readings of a prompt set under every edit, handed out again for any part of the set."""

    def __init__(
        self,
        whole: PromptSet,
        part: PromptSet,
        baseline: Readings,
        steered: dict[str, Readings],
    ) -> None:
        def rows(name: str) -> np.ndarray:
            place = {prompt.id: row for row, prompt in enumerate(getattr(whole, name))}
            return np.array([place[prompt.id] for prompt in getattr(part, name)], dtype=int)

        self._rows = {name: rows(name) for name in ("stereotypical", "definitional")}
        self._texts = len(part.texts)
        assert whole.texts[: self._texts] == part.texts
        self._steered = steered
        self._baseline = self._of_part(baseline)

    @property
    def baseline(self) -> Readings:
        return self._baseline

    def steered(self, edits: Sequence[Edit], _title: str) -> list[Readings]:
        return [self._of_part(self._steered[digest_of(edit)]) for edit in edits]

    def _of_part(self, readings: Readings) -> Readings:
        return Readings(
            readings.stereotypical[self._rows["stereotypical"]],
            readings.definitional[self._rows["definitional"]],
            readings.losses[: self._texts],
        )


class Counted:
    """An evaluator that counts the tokens that it would read."""

    def __init__(self, evaluator: Evaluator, blocks: int) -> None:
        self._evaluator, self._blocks, self.tokens = evaluator, blocks, 0.0
        prompt_set = evaluator.measures.prompt_set
        self._texts = sum(map(len, prompt_set.texts))
        self._prompts = (
            sum(
                int(batch.inputs["attention_mask"].sum())
                for batch in prompt_set.batches(evaluator.batch_size)
            )
            - self._texts
        )
        self.interpolate = evaluator.interpolate

    def of(self, conditions: Sequence[Condition]) -> float:
        """Tokens that measuring these conditions takes."""
        run = sum(1 - first_affected(each.interventions) / self._blocks for each in conditions)
        return run * (self._prompts + self._texts)

    def estimate(self, conditions: Sequence[Condition]) -> list[Candidate | None]:
        self.tokens += PASSES * self._prompts
        return self._evaluator.estimate(conditions)

    def compare(self, conditions: Sequence[Condition], title: str, **how: Any) -> list[Candidate]:
        self.tokens += self.of(conditions)
        return self._evaluator.compare(conditions, title, **how)


@dataclass(frozen=True)
class Case:
    """A finished run of the pipeline, as far as its search reads it."""

    loaded: LoadedModel
    params: EvaluationParams
    conditions: list[Condition]
    meant: int
    """Those of the conditions that are no random directions come first."""
    material: Callable[[int], Material]
    """Of a seed: other parts of the validation split."""

    @classmethod
    def of(cls, run: Path, axis: str, kept: ResultCache, changes: dict[str, Any]) -> Self:
        loaded = load_model(run / "models/base")
        seed, params = load_params(run / "params.yaml", "seed", "evaluation", model=loaded.shape)
        params = params.model_copy(update={"resamples": RESAMPLES} | changes)
        vectors = VectorSet.load(run / "models/vectors" / axis / "vectors").vectors
        prompts = read_prompts(run / "data/dataset/prompts", axis)
        heldout = read_jsonl(run / "data/corpus/heldout.jsonl", CorpusText)
        texts = [text.text for text in heldout if text.kind == "plain"]
        dictionary = Dictionary.open(run / "models/sae") if "sae" in params.methods else None
        erasers = (
            EraserSet.load(run / "models/vectors" / axis / "erasers").erasers
            if set(params.methods) & set(get_args(EraserMethod))
            else ()
        )
        meant, random = candidate_conditions(
            loaded, axis, vectors, prompts, params, seed, dictionary, erasers
        )

        def material(seed: int) -> Material:
            return Material(loaded, axis, prompts, texts, params, seed, kept)

        return cls(loaded, params, [*meant, *random], len(meant), material)

    @property
    def budget(self) -> Budget:
        return Budget.of(self.params)

    def staged(self, part: Callable[[float], Any]) -> tuple[float, Candidate | None]:
        """Tokens of a staged search, and what it selects."""
        blocks, counted = self.loaded.shape.layers, dict[float, Counted]()

        def counting(share: float) -> Any:
            return counted.setdefault(share, Counted(part(share), blocks))

        found = search(self.conditions, counting, self.budget)
        selected = select(found.candidates[: self.meant], self.budget).selected
        return sum(part.tokens for part in counted.values()), selected

    def exhaustive_tokens(self, whole: Evaluator) -> float:
        return Counted(whole, self.loaded.shape.layers).of(self.conditions)


def replays(case: Case, seeds: int) -> tuple[list[float], list[float]]:
    """Of each seed: the tokens of the staged search, and how much less bias its choice removes."""
    whole = case.material(0).part(1.0)
    edits = [condition.interventions for condition in case.conditions]
    names = [digest_of(edit) for edit in edits]
    steered = dict(zip(names, whole.reads.steered(edits, "exhaustive sweep"), strict=True))
    baseline = whole.readings

    def recorded(material: Material, share: float) -> Evaluator:
        part = material.part(share)
        sets = whole.measures.prompt_set, part.measures.prompt_set
        part.reads = Recorded(*sets, baseline, steered)
        return part

    everything = search(case.conditions, lambda _: whole, case.budget, stages=())
    best = _gain(select(everything.candidates[: case.meant], case.budget).selected)
    tokens, regrets = [], []
    for seed in Progress(range(seeds), "replays", seeds):
        material = case.material(seed)
        used, selected = case.staged(lambda share, of=material: recorded(of, share))
        tokens.append(used)
        regrets.append(best - _gain(selected))
    return tokens, regrets


def _gain(candidate: Candidate | None) -> float:
    """Bias reduction on the whole validation split; none if nothing was selected."""
    return (candidate.value("bias_reduction") or 0.0) if candidate else 0.0


def figures(case: Case, seeds: int) -> Iterator[Figure]:
    whole = case.material(0).part(1.0)
    exhaustive = case.exhaustive_tokens(whole)
    goal = GOALS[case.loaded.shape.is_small]
    yield Figure("candidates", len(case.conditions))
    yield Figure("exhaustive sweep, million tokens", exhaustive / 1e6)
    if not seeds:
        tokens, _ = case.staged(case.material(0).part)
        yield Figure("tokens of the staged search over those", tokens / exhaustive, goal)
        return
    used, regrets = replays(case, seeds)
    yield Figure("tokens of the staged search over those", statistics.mean(used) / exhaustive, goal)
    yield Figure("median regret of bias reduction", statistics.median(regrets))
    yield Figure("largest regret", max(regrets))
    good = sum(regret <= REGRET for regret in regrets) / seeds
    yield Figure(f"share of seeds with at most {REGRET}", good, GOOD_SEEDS, "higher")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--run", type=Path, default=Path(), help="folder of a finished run")
    parser.add_argument("--axis", action="append", help="of the run; several times for several")
    parser.add_argument("--seeds", type=int, default=20, help="0: cost only, nothing is swept")
    parser.add_argument("--all-layers", action="store_true", help="whatever params.yaml says")
    parser.add_argument("--kept", type=Path, help="folder that keeps what was read")
    parser.add_argument("--json", action="store_true", help="rows of JSON instead of a table")
    options = parser.parse_args()
    torch.manual_seed(0)
    kept = ResultCache(options.kept, str(options.run.resolve())) if options.kept else NOT_KEPT
    changes = {"layers": "all"} if options.all_layers else {}
    try:
        for axis in options.axis or ["gender"]:
            case = Case.of(options.run, axis, kept, changes)
            how = f"{options.seeds} seeds" if options.seeds else "one search"
            title = f"Staged search over exhaustive sweep: {case.loaded.name}, {axis}, {how}"
            show(title, list(figures(case, options.seeds)), options.json)
    except BadInputError as error:
        sys.exit(f"{error}\n--run names the folder of a finished run, as `make repro` leaves it")


if __name__ == "__main__":
    main()
