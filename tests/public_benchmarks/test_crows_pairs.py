"""CrowS-Pairs: every rule equals the plain computation, one sentence at a time."""

import csv
import difflib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evenkeel.errors import BadInputError
from evenkeel.models.loading import LoadedModel
from evenkeel.public_benchmarks.crows_pairs import CrowsPairs, read_pairs
from evenkeel.public_benchmarks.encoding import Encoder
from evenkeel.public_benchmarks.scoring import Scorer
from tests.public_benchmarks import plain
from tests.public_benchmarks.conftest import measured
from tests.public_benchmarks.samples import CROWS_PAIRS, write_crows_pairs


def shared_places(first: list[int], second: list[int]) -> tuple[list[int], list[int]]:
    """Places of the tokens that two sentences share, by the original's definition."""
    blocks = difflib.SequenceMatcher(None, first, second).get_matching_blocks()
    return (
        [block.a + offset for block in blocks for offset in range(block.size)],
        [block.b + offset for block in blocks for offset in range(block.size)],
    )


def plain_scores(
    model: Any, tokenizer: Any, more: str, less: str
) -> Iterator[tuple[str, float | None, float | None]]:
    """(rule, score of one, score of the other); None where a rule has nothing to go by."""
    for beginning in ("bos", "nobos", "first", "lead_in"):
        begun = [f" {text}" if beginning == "lead_in" else text for text in (more, less)]
        ids = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in begun]
        shared = shared_places(*ids)
        sides = [plain.sentence(model, tokenizer, text, beginning) for text in (more, less)]
        known = [[value for value in side if value is not None] for side in sides]
        yield f"{beginning}_sum", sum(known[0]), sum(known[1])
        yield f"{beginning}_mean", sum(known[0]) / len(known[0]), sum(known[1]) / len(known[1])
        if beginning == "first":
            continue
        both = [
            (sides[0][place], sides[1][other])
            for place, other in zip(*shared, strict=True)
            if sides[0][place] is not None and sides[1][other] is not None
        ]
        yield f"{beginning}_shared_sum", sum(one for one, _ in both), sum(two for _, two in both)
        changed = [
            [value for place, value in enumerate(side) if place not in places and value is not None]
            for side, places in zip(sides, shared, strict=True)
        ]
        if all(changed):
            means = [sum(values) / len(values) for values in changed]
            yield f"{beginning}_modified_mean", means[0], means[1]
        else:
            yield f"{beginning}_modified_mean", None, None


def check(loaded: LoadedModel, path: Path) -> None:
    """Share and margin of every rule and bias type against the plain computation."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    margins: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        scores = plain_scores(loaded.model, loaded.tokenizer, row["sent_more"], row["sent_less"])
        for rule, more, less in scores:
            if more is not None and less is not None:
                for group in ("all", row["bias_type"], row["stereo_antistereo"]):
                    # Sums over the same tokens after the same text differ by rounding only.
                    tie = rule.endswith("shared_sum") and abs(more - less) < 1e-4
                    margins.setdefault((rule, group), []).append(0.0 if tie else more - less)
    found = measured(loaded, "crows_pairs", path)
    assert {(rule, group) for rule, group, _ in found} == set(margins)
    assert len({rule for rule, _ in margins}) == 14
    for (rule, group), values in margins.items():
        hits, counts = found[rule, group, "stereotype_preferred"].columns
        score = hits.sum() / counts.sum()
        assert score == pytest.approx(np.mean(np.array(values) > 0), abs=1e-6), (rule, group)
        total, _ = found[rule, group, "margin"].columns
        assert total.mean() == pytest.approx(np.mean(values), abs=1e-4), (rule, group)


def test_every_rule_equals_one_sentence_at_a_time(loaded: LoadedModel, tmp_path: Path) -> None:
    check(loaded, write_crows_pairs(tmp_path))


def test_every_rule_equals_one_sentence_at_a_time_on_the_real_file(
    loaded: LoadedModel, real: Path
) -> None:
    check(loaded, real / "crows_pairs_anonymized.csv")


def test_rules_disagree_and_a_tie_is_no_preference(loaded: LoadedModel, tmp_path: Path) -> None:
    found = measured(loaded, "crows_pairs", write_crows_pairs(tmp_path))
    shares = {
        rule: measure.columns[0].sum() / measure.columns[1].sum()
        for (rule, group, name), measure in found.items()
        if group == "all" and name == "stereotype_preferred"
    }
    assert len(set(shares.values())) > 2
    # Of sentences that differ in their last word, everything shared stands before it.
    margins = found["bos_shared_sum", "age", "margin"].columns[0]
    assert CROWS_PAIRS[4][0].split()[-1] == "old"
    assert margins[1] == 0
    assert not found["bos_shared_sum", "age", "stereotype_preferred"].choices[1]


def test_words_that_are_only_left_out_have_no_modified_tokens(
    loaded: LoadedModel, tmp_path: Path
) -> None:
    found = measured(loaded, "crows_pairs", write_crows_pairs(tmp_path))
    assert len(found["bos_sum", "all", "margin"].columns[0]) == 7
    assert len(found["bos_modified_mean", "all", "margin"].columns[0]) == 6


def test_a_tokenizer_without_a_beginning_leaves_the_rules_that_need_none(
    loaded: LoadedModel, tmp_path: Path
) -> None:
    class Bare:
        bos_token_id = eos_token_id = None

        def __call__(self, text: str, **options: Any) -> Any:
            return loaded.tokenizer(text, **options)

    pairs = read_pairs(write_crows_pairs(tmp_path))
    task = CrowsPairs(pairs, Encoder(Bare(), 400), 0)
    measures = task.measures(Scorer(task.asked, 512).run(loaded.model))
    assert set(task.rules) == {measure.rule for measure in measures}
    assert {rule.partition("_")[0] for rule in task.rules} == {"nobos", "lead"}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('1,"A b.","A c.",sideways,age', r"line 3: stereo_antistereo is 'sideways'"),
        ('1,"A b.","A b.",stereo,age', r"line 3: the two sentences are the same"),
        ('1,"A b.",,stereo,age', r"line 3: 'sent_less' is empty"),
        ('1,"A b.",stereo', r"line 3: not 5 fields"),
        ('1,"A b.","A c.",stereo,age,more', r"line 3: not 5 fields"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, message: str) -> None:
    path = write_crows_pairs(tmp_path)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:2], line, *lines[2:]]))
    with pytest.raises(BadInputError, match=message):
        read_pairs(tmp_path)
