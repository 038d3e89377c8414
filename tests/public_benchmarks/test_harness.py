"""lm-evaluation-harness on a task and data written here: its figures, and ours equal to them."""

import json
from pathlib import Path

import pytest
import torch
import yaml
from transformers import GenerationConfig

from evenkeel.errors import BadInputError
from evenkeel.models.loading import LoadedModel
from evenkeel.steering.hooks import steer
from evenkeel.steering.intervention import Ablate
from evenkeel.steering.spec import InterventionSpec
from tests.public_benchmarks import plain
from tests.public_benchmarks.samples import TASK_ITEMS, write_tasks

pytest.importorskip("lm_eval")
from evenkeel.public_benchmarks.harness import HarnessResult, run_harness


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a task that chooses, one that only scores and one that writes."""
    return write_tasks(tmp_path_factory.mktemp("tasks"))


@pytest.fixture(scope="module")
def spec() -> InterventionSpec:
    return InterventionSpec((Ablate(torch.linspace(-1, 1, 16), layer=0, site="resid_post"),))


def run(task: str, loaded: LoadedModel, spec: InterventionSpec, tasks: Path) -> HarnessResult:
    return run_harness(task, loaded, spec, include_path=tasks, limit=None, batch_tokens=64)


def plain_accuracy(loaded: LoadedModel) -> float:
    hits = 0
    for item in TASK_ITEMS:
        # The harness puts a space between; an empty text becomes the beginning-of-text token.
        start, word = (item["text"].rstrip(), " ") if item["text"] else ("<|endoftext|>", " ")
        scores = [
            sum(plain.continuation(loaded.model, loaded.tokenizer, start, word + choice))
            for choice in item["choices"]
        ]
        hits += scores.index(max(scores)) == item["label"]
    return hits / len(TASK_ITEMS)


def test_our_figures_are_those_of_the_harness(
    loaded: LoadedModel, spec: InterventionSpec, tasks: Path
) -> None:
    result = run("evenkeel_choose", loaded, spec, tasks)
    record = json.loads(json.dumps(result.record, allow_nan=False))
    own = record["tasks"]["evenkeel_choose"]
    assert (own["version"], own["items"]) == (3.0, 4)
    for name in ("acc", "acc_norm"):
        for model in ("baseline", "steered"):
            assert (
                own["figures"][name][f"evenkeel {model}"]
                == own["figures"][name][f"lm_eval {model}"]
            )
    assert own["figures"]["acc"].keys() == {
        "lm_eval baseline", "evenkeel baseline", "lm_eval steered", "evenkeel steered",
    }  # fmt: skip
    assert record["largest_difference"] < 1e-4
    assert own["figures"]["acc"]["lm_eval baseline"] == plain_accuracy(loaded)
    with steer(loaded.model, spec):
        assert own["figures"]["acc"]["lm_eval steered"] == plain_accuracy(loaded)
    columns, rows = result.table
    assert all(len(row) == len(columns) for row in rows)


def test_what_is_no_choice_is_left_to_the_harness(loaded: LoadedModel, tasks: Path) -> None:
    record = run("evenkeel_score", loaded, InterventionSpec(()), tasks).record
    assert record["largest_difference"] is None
    assert record["tasks"]["evenkeel_score"]["figures"]["perplexity"].keys() == {"lm_eval baseline"}


def test_settings_of_the_model_change_nothing_that_it_writes(
    loaded: LoadedModel, tasks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def written() -> list[str]:
        result = run("evenkeel_write", loaded, InterventionSpec(()), tasks)
        samples = result.runs["lm_eval baseline"]["samples"]["evenkeel_write"]
        return [sample["filtered_resps"][0] for sample in samples]

    plain = written()
    own = GenerationConfig(eos_token_id=0, repetition_penalty=9.0, no_repeat_ngram_size=1)
    monkeypatch.setattr(loaded.model, "generation_config", own)
    assert written() == plain
    assert loaded.model.generation_config is own


def test_an_empty_text_is_gone_on_from_its_beginning(loaded: LoadedModel, tasks: Path) -> None:
    result = run("evenkeel_write", loaded, InterventionSpec(()), tasks)
    samples = result.runs["lm_eval baseline"]["samples"]["evenkeel_write"]
    (written,) = [sample["resps"][0][0] for sample in samples if not sample["doc"]["text"]]
    ids = [loaded.tokenizer.bos_token_id]
    for _ in range(6):
        ids.append(int(loaded.model(torch.tensor([ids])).logits[0, -1].argmax()))
    assert written == loaded.tokenizer.decode(ids[1:], skip_special_tokens=True)


def test_a_task_that_asks_for_more_tokens_than_fit_is_refused(
    loaded: LoadedModel, tasks: Path, tmp_path: Path
) -> None:
    task = yaml.safe_load((tasks / "evenkeel_write.yaml").read_text())
    task["generation_kwargs"]["max_gen_toks"] = 100_000
    (tmp_path / "task.yaml").write_text(yaml.safe_dump(task))
    with pytest.raises(BadInputError, match=r"'evenkeel_write' cannot be run .*\(100000\)"):
        run("evenkeel_write", loaded, InterventionSpec(()), tmp_path)


def test_an_unknown_task_and_data_that_are_not_there_are_refused(
    loaded: LoadedModel, spec: InterventionSpec, tasks: Path, tmp_path: Path
) -> None:
    with pytest.raises(BadInputError, match=r"there is no task 'nonsense'; `lm_eval ls"):
        run("nonsense", loaded, spec, tasks)
    task = yaml.safe_load((tasks / "evenkeel_choose.yaml").read_text())
    task["dataset_kwargs"]["data_files"]["test"] = str(tmp_path / "none.jsonl")
    task["task"] = "without_data"
    (tmp_path / "task.yaml").write_text(yaml.safe_dump(task))
    with pytest.raises(BadInputError, match="the data of 'without_data' cannot be had"):
        run("without_data", loaded, spec, tmp_path)
