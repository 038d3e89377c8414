"""The bias gate: its test of non-inferiority, its reports, and the command."""

import json
import shutil
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from click.testing import CliRunner, Result

from evenkeel.cli import group
from evenkeel.errors import BadInputError
from evenkeel.evaluation.bias_check import check_axis, split_of
from evenkeel.files.markers import MARKER, mark_folder
from evenkeel.metrics import bias
from evenkeel.models.provenance import PROVENANCE_FILE
from evenkeel.scoring.prompt_set import PromptSet, Readings
from evenkeel.statistics.jackknife import log_jackknife, log_upper_bound
from tests.evaluation.samples import make_prompts

ITEMS = 20


def spread_of(scores: Any) -> Any:
    return scores.std(axis=-1, ddof=1)


def passes(generator: np.random.Generator, spread: float, limit: float, alpha: float) -> bool:
    bound = log_upper_bound(spread_of, generator.normal(0, spread, ITEMS), alpha=alpha)
    return bound is not None and bound < limit


@pytest.mark.parametrize("alpha", [0.05, 0.2])
def test_a_model_at_its_limit_passes_as_rarely_as_alpha_says(alpha: float) -> None:
    generator = np.random.default_rng(0)
    rate = np.mean([passes(generator, 1.0, 1.0, alpha) for _ in range(2000)])
    # Three standard errors of 2,000 draws; the jackknife of 20 items is off by less than 0.02.
    assert abs(rate - alpha) < 0.02 + 3 * np.sqrt(alpha * (1 - alpha) / 2000)


def test_a_model_well_below_passes_and_a_regression_does_not() -> None:
    generator = np.random.default_rng(1)
    good = np.mean([passes(generator, 0.5, 1.0, 0.05) for _ in range(500)])
    bad = np.mean([passes(generator, 1.3, 1.0, 0.05) for _ in range(500)])
    assert good >= 0.95
    assert bad <= 0.01


def test_the_bound_goes_with_the_two_sided_interval() -> None:
    scores = np.random.default_rng(2).normal(size=ITEMS)
    interval = log_jackknife(spread_of, scores)
    assert interval is not None
    assert log_upper_bound(spread_of, scores, alpha=0.025) == pytest.approx(interval[1])
    assert log_upper_bound(spread_of, scores[:2], alpha=0.05) is None


class Standing:
    """Readings of a model whose items have a given spread, and that knows what is right or not."""

    def __init__(self, spread: float, right: bool = True) -> None:
        self.spread, self.right = spread, right

    def read(self, prompt_set: PromptSet, _model: Any, _batch_size: int) -> Readings:
        names = dict.fromkeys(prompt.item for prompt in prompt_set.stereotypical)
        draws = np.random.default_rng(7).normal(size=len(names))
        draws *= self.spread / draws.std(ddof=1)
        odds = dict(zip(names, draws, strict=True))
        rows = [[odds[prompt.item] / 2, -odds[prompt.item] / 2] for prompt in
                prompt_set.stereotypical]  # fmt: skip
        known = [
            [1.0 if (group == prompt.expected) == self.right else -1.0
             for group in prompt_set.groups]
            for prompt in prompt_set.definitional
        ]  # fmt: skip
        return Readings(np.array(rows) - 1, np.array(known), np.zeros(0))


@pytest.fixture
def run(tiny_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    def run(standing: Standing, *arguments: object) -> Result:
        monkeypatch.setattr(PromptSet, "read", lambda *given: standing.read(*given))
        command = ["check", "--model", tiny_folder, *arguments]
        return CliRunner().invoke(group, [str(argument) for argument in command])

    return run


def test_it_passes_below_the_limit_and_fails_above(run: Any, tmp_path: Path) -> None:
    files = ("--junit", tmp_path / "a.xml", "--summary", tmp_path / "a.md")
    assert run(Standing(0.2), "--max-spread", "gender=0.5", *files).exit_code == 0
    assert ElementTree.parse(tmp_path / "a.xml").getroot().attrib["failures"] == "0"  # noqa: S314
    assert "keeps its limits" in (tmp_path / "a.md").read_text()
    failed = run(Standing(0.6), "--max-spread", "gender=0.5", *files)
    assert failed.exit_code == 1
    assert "not shown to be below 0.5" in failed.stdout
    suite = ElementTree.parse(tmp_path / "a.xml").getroot()  # noqa: S314
    (failure,) = suite.iter("failure")
    assert "not shown to be below 0.5: 95% upper bound" in failure.attrib["message"]
    assert "| gender | failed | 0.6 [" in (tmp_path / "a.md").read_text()


def test_an_unchanged_model_passes_and_a_regression_fails_against_a_baseline(
    run: Any, tmp_path: Path
) -> None:
    report = tmp_path / "baseline.json"
    assert run(Standing(0.4), "--max-spread", "gender=9", "--report", report).exit_code == 0
    again = run(Standing(0.4), "--baseline", report, "--report", tmp_path / "again.json")
    assert again.exit_code == 0
    found = json.loads((tmp_path / "again.json").read_text())["axes"]["gender"]
    assert found["bound"] == pytest.approx(1)
    assert run(Standing(0.42), "--baseline", report).exit_code == 0
    assert run(Standing(0.5), "--baseline", report).exit_code == 1
    assert run(Standing(0.5), "--baseline", report, "--margin", 0.5).exit_code == 0


def test_a_model_too_weak_to_tell_does_not_pass(run: Any, tiny_folder: Path) -> None:
    result = run(Standing(0.1, right=False), "--max-spread", "gender=0.5")
    assert result.exit_code == 1
    assert "too weak to tell" in result.stdout


def test_a_real_model_is_read_and_steered(tiny_folder: Path) -> None:
    command = ["check", "--model", str(tiny_folder), "--max-spread", "gender=5"]
    result = CliRunner().invoke(group, command)
    assert result.exit_code == 1
    assert "too weak to tell" in result.stdout


def test_a_model_of_ours_without_its_record_is_damaged(tiny_folder: Path, tmp_path: Path) -> None:
    ours, foreign = tmp_path / "ours", tmp_path / "foreign"
    for folder in (ours, foreign):
        shutil.copytree(tiny_folder, folder, ignore=shutil.ignore_patterns(PROVENANCE_FILE, MARKER))
    mark_folder(ours)
    command = ["check", "--max-spread", "gender=5", "--model"]
    refused = CliRunner().invoke(group, [*command, str(ours)])
    assert (refused.exit_code, PROVENANCE_FILE in refused.stderr) == (2, True)
    read = CliRunner().invoke(group, [*command, str(foreign)])
    assert (read.exit_code, "too weak to tell" in read.stdout) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no limit is given"),
        (["--max-spread", "gender"], "give it as AXIS=NATS"),
        (["--max-spread", "gender=nan"], "give it as AXIS=NATS"),
        (["--max-spread", "gender=-1"], "give it as AXIS=NATS"),
        (["--max-spread", "height=1"], "there is no axis 'height'; there are: gender"),
        (["--baseline", "none.json"], "no such file"),
        (["--max-spread", "gender=1", "--model", "none"], "no such folder"),
    ],
)
def test_what_is_wrong_is_one_line_and_status_2(
    run: Any, arguments: list[str], message: str
) -> None:
    result = run(Standing(0.1), *arguments)
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_split_is_read_and_no_other() -> None:
    prompts = make_prompts()
    found = split_of(prompts, "gender", "test")
    assert found == [p for p in prompts if p.axis == "gender" and p.split == "test"]
    with pytest.raises(BadInputError, match="no prompts of axis gender and split unknown"):
        split_of(prompts, "gender", "unknown")


def test_other_items_than_the_baselines_are_refused(tiny_gpt2: Any, tokenizer: Any) -> None:
    from evenkeel.axes import same_strength
    from evenkeel.datasets.prompts import make_prompts as make_real_prompts

    prompts = make_real_prompts(["gender"], same_strength(1.0), 0, lead_ins=False)
    test, validation = (split_of(prompts, "gender", split) for split in ("test", "validation"))
    first = check_axis(tiny_gpt2, tokenizer, "gender", test, alpha=0.05, max_spread=1.0)
    assert float(bias.item_spread(first.record.table)) == pytest.approx(first.spread.value)
    with pytest.raises(BadInputError, match="the baseline was made of other items"):
        check_axis(tiny_gpt2, tokenizer, "gender", validation, alpha=0.05, baseline=first.record)
