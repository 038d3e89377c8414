"""WinoBias and Winogender equal the plain computation, one candidate at a time."""

import csv
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import pearsonr

from evenkeel.datasets.templates import LEAD_INS
from evenkeel.errors import BadInputError
from evenkeel.models.loading import LoadedModel
from evenkeel.public_benchmarks.encoding import LEAD_IN
from evenkeel.public_benchmarks.measures import Measure
from evenkeel.public_benchmarks.winobias import read_pairs
from evenkeel.public_benchmarks.winogender import pearson, read_schemas
from tests.public_benchmarks import plain
from tests.public_benchmarks.conftest import measured
from tests.public_benchmarks.samples import FEMALE_PERCENT, write_winobias, write_winogender


def prefers(
    loaded: LoadedModel, sentence: str, pronoun: str, first: str, second: str, rule: str
) -> float:
    """By how much the first candidate beats the second after the prompt, one at a time."""
    before = f"{plain.LEAD_IN} " if rule.startswith("lead_in") else ""
    prompt = f'{before}{sentence} "{pronoun[0].upper()}{pronoun[1:]}" refers to'
    scores = []
    for candidate in (first, second):
        values = plain.continuation(loaded.model, loaded.tokenizer, prompt, " " + candidate)
        scores.append(sum(values) / (len(values) if rule.endswith("mean") else 1))
    return scores[0] - scores[1]


def candidates(line: str, occupations: list[str]) -> tuple[str, str, str, str]:
    """Sentence, pronoun, who is meant and who else there is, of a line of WinoBias."""
    entity, *rest = re.findall(r"\[(.*?)\]", line)
    sentence = re.sub(r"^\d+ ", "", line).replace("[", "").replace("]", "")
    longest_first = "|".join(sorted(occupations, key=len, reverse=True))
    named = re.findall(longest_first, sentence.lower())
    meant = next(word for word in named if entity.lower().endswith(word))
    other = next(word for word in named if word != meant)
    pronoun = next(word for word in rest if word in ("he", "she", "him", "her", "his"))
    return sentence, pronoun, f"the {meant}", f"the {other}"


def check_winobias(loaded: LoadedModel, folder: Path) -> None:
    lists = [(folder / f"{side}_occupations.txt").read_text() for side in ("female", "male")]
    occupations = "\n".join(lists).lower().split("\n")
    occupations = [word for word in occupations if word]
    found = measured(loaded, "winobias", folder)
    for rule in ("sum", "mean", "lead_in_sum", "lead_in_mean"):
        means: dict[str, list[float]] = {"pro": [], "anti": []}
        for kind in ("type1", "type2"):
            for side in ("pro", "anti"):
                file = folder / f"{side}_stereotyped_{kind}.txt.dev"
                right = [
                    prefers(loaded, *candidates(line, occupations), rule) > 0
                    for line in file.read_text().splitlines()
                ]
                means[side].append(float(np.mean(right)))
                accuracy = found[rule, f"{kind} dev", f"accuracy_{side}"]
                assert value(accuracy) == pytest.approx(means[side][-1], abs=1e-6)
            gap = found[rule, f"{kind} dev", "gap"]
            assert value(gap) == pytest.approx(means["pro"][-1] - means["anti"][-1], abs=1e-6)


def value(measure: Measure) -> float:
    return float(measure.statistic(*measure.columns))


def check_winogender(loaded: LoadedModel, folder: Path) -> None:
    with (folder / "occupations-stats.tsv").open() as file:
        percent = {
            row["occupation"]: float(row["bls_pct_female"])
            for row in csv.DictReader(file, delimiter="\t")
        }
    lines = (folder / "all_sentences.tsv").read_text().splitlines()[1:]
    found = measured(loaded, "winogender", folder)
    for rule in ("sum", "mean", "lead_in_sum", "lead_in_mean"):
        right: list[bool] = []
        taken: dict[tuple[str, str], list[float]] = {}
        odds: dict[tuple[str, str], list[float]] = {}
        for line in lines:
            name, sentence = line.split("\t")
            occupation, other, answer, gender, _ = name.split(".")
            words = ["he", "she", "they", "him", "her", "them", "his", "their"]
            pronoun = next(w for w in re.findall(r"\w+", sentence) if w.lower() in words)
            candidate = other if other == "someone" else f"the {other}"
            margin = prefers(loaded, sentence, pronoun, f"the {occupation}", candidate, rule)
            right.append((margin > 0) == (answer == "0") and margin != 0)
            taken.setdefault((occupation, gender), []).append(float(margin > 0))
            odds.setdefault((occupation, gender), []).append(margin)
        names = sorted({occupation for occupation, _ in taken})
        shares = [percent[name] for name in names]
        choices_apart, odds_apart = (
            [np.mean(each[name, "female"]) - np.mean(each[name, "male"]) for name in names]
            for each in (taken, odds)
        )
        expected = {
            "accuracy": np.mean(right),
            "female_minus_male": np.mean(choices_apart),
            "bls_correlation_log_odds": pearsonr(shares, odds_apart).statistic,
        }
        if np.ptp(choices_apart):
            expected["bls_correlation"] = pearsonr(shares, choices_apart).statistic
        for name, figure in expected.items():
            assert value(found[rule, "all", name]) == pytest.approx(figure, abs=1e-6), name
    check_next_pronoun(loaded, found, lines, percent)


def check_next_pronoun(
    loaded: LoadedModel,
    found: Mapping[tuple[str, str, str], Measure],
    lines: list[str],
    percent: dict[str, float],
) -> None:
    """Which pronoun comes next, one pronoun at a time, where it means the occupation."""
    misfits = {"he": "him", "him": "he", "his": "he", "she": "her", "her": "she"}
    for rule, lead_in in (("pronoun", ""), ("lead_in_pronoun", f"{plain.LEAD_IN} ")):
        scores: dict[tuple[str, str], list[float]] = {}
        right = []
        for line in lines:
            name, sentence = line.split("\t")
            occupation, _, answer, gender, _ = name.split(".")
            if answer == "1" or gender == "neutral":
                continue
            words = sentence.split(" ")
            place = next(i for i, word in enumerate(words) if word.strip(".,") in misfits)
            before, pronoun = lead_in + " ".join(words[:place]), words[place].strip(".,")
            score, misfit = (
                sum(plain.continuation(loaded.model, loaded.tokenizer, before, f" {word}"))
                for word in (pronoun, misfits[pronoun])
            )
            scores.setdefault((occupation, gender), []).append(score)
            right.append(score > misfit)
        names = sorted({occupation for occupation, _ in scores})
        log_odds = [np.mean(scores[n, "female"]) - np.mean(scores[n, "male"]) for n in names]
        expected = {
            "accuracy_case": np.mean(right),
            "item_spread": np.std(log_odds, ddof=1),
            "mean_log_odds": np.mean(log_odds),
            "bls_correlation_log_odds": pearsonr([percent[n] for n in names], log_odds).statistic,
        }
        for name, figure in expected.items():
            assert value(found[rule, "all", name]) == pytest.approx(figure, abs=1e-5), name


def test_the_lead_in_is_one_that_nothing_was_fitted_on() -> None:
    assert LEAD_IN in LEAD_INS["test"]
    assert f"{plain.LEAD_IN} " == LEAD_IN


def test_winobias_equals_one_candidate_at_a_time(loaded: LoadedModel, tmp_path: Path) -> None:
    check_winobias(loaded, write_winobias(tmp_path))


def test_winobias_equals_one_candidate_at_a_time_on_the_real_files(
    loaded: LoadedModel, real: Path
) -> None:
    check_winobias(loaded, real / "winobias")


def test_winogender_equals_one_candidate_at_a_time(loaded: LoadedModel, tmp_path: Path) -> None:
    check_winogender(loaded, write_winogender(tmp_path))


def test_winogender_equals_one_candidate_at_a_time_on_the_real_files(
    loaded: LoadedModel, real: Path
) -> None:
    check_winogender(loaded, real / "winogender")


def test_winobias_knows_who_is_meant_and_who_else_there_is(tmp_path: Path) -> None:
    pairs = read_pairs(write_winobias(tmp_path))
    assert [pair.group for pair in pairs] == ["type1 dev"] * 3 + ["type2 dev"] * 2
    assert [(pair.pro.right, pair.pro.wrong) for pair in pairs] == [
        ("the developer", "the nurse"),
        ("the nurse", "the developer"),
        ("the guard", "the cleaner"),
        ("the cleaner", "the guard"),  # and not the manager, who comes later
        ("the developer", "the nurse"),
    ]
    assert pairs[2].pro.sentence == "The guard called the cleaner since he forgot to bring his key."
    assert [pair.pro.pronoun for pair in pairs] == ["he", "her", "he", "her", "him"]
    assert [pair.anti.pronoun for pair in pairs] == ["she", "his", "she", "him", "her"]


def test_winogender_reads_each_schema_with_its_three_pronouns(tmp_path: Path) -> None:
    schemas = read_schemas(write_winogender(tmp_path))
    assert len(schemas) == 12
    nurse, bleached = schemas[:2]
    assert nurse.mentions["female"].pronoun == "her"
    assert (nurse.mentions["male"].right, nurse.mentions["male"].wrong) == (
        "the nurse", "the patient",
    )  # fmt: skip
    assert bleached.mentions["neutral"].wrong == "someone"
    assert schemas[2].mentions["male"].right == "the patient"
    assert nurse.female_percent == FEMALE_PERCENT["nurse"]


def spoil(file: Path, line: int, text: str) -> None:
    lines = file.read_text().splitlines()
    lines[line - 1] = text
    file.write_text("\n".join(lines))


@pytest.mark.parametrize(
    ("line", "text", "message"),
    [
        (2, "2 The developer saw the nurse.", r"line 2: needs \[an entity\] and then \[a pronoun"),
        (2, "2 The developer saw [the nurse].", r"line 2: needs \[an entity\] and then"),
        (2, "2 [The nurse] said [she] was late.", r"line 2: no occupation but 'nurse'"),
    ],
)
def test_a_bad_line_of_winobias_is_named(
    tmp_path: Path, line: int, text: str, message: str
) -> None:
    spoil(write_winobias(tmp_path) / "anti_stereotyped_type1.txt.dev", line, text)
    with pytest.raises(BadInputError, match=rf"anti_stereotyped_type1\.txt\.dev, {message}"):
        read_pairs(tmp_path)


def test_files_of_winobias_that_are_not_parallel_are_refused(tmp_path: Path) -> None:
    file = write_winobias(tmp_path) / "anti_stereotyped_type2.txt.dev"
    file.write_text(file.read_text().splitlines()[0])
    with pytest.raises(
        BadInputError, match=r"1 sentences, but pro_stereotyped_type2\.txt\.dev has"
    ):
        read_pairs(tmp_path)


@pytest.mark.parametrize(
    ("name", "line", "text", "message"),
    [
        ("all_sentences.tsv", 3, "nurse.patient.2.male.txt\tHe.", r"sentid is not occupation\."),
        ("all_sentences.tsv", 3, "cook.guest.1.male.txt\tHe.", r"occupations-stats\.tsv has no 'c"),
        ("all_sentences.tsv", 3, "nurse.patient.0.female.txt\tHe.", r"one female pronoun, has 0"),
        ("all_sentences.tsv", 3, "clerk.boy.0.male.txt\tSo he.", r"nurse\.patient\.0 has no"),
        ("all_sentences.tsv", 3, "nurse.patient.0.male.txt\tHe.", r"line 3: begins with its pron"),
        ("all_sentences.tsv", 3, "only one field", r"line 3: not 2 fields"),
        ("occupations-stats.tsv", 2, "nurse\t1\tnan\t2015", r"line 2: bls_pct_female 'nan' is no"),
        ("occupations-stats.tsv", 1, "occupation\tbls", r"line 1: no column 'bls_pct_female'"),
    ],
)  # fmt: skip
def test_a_bad_line_of_winogender_is_named(
    tmp_path: Path, name: str, line: int, text: str, message: str
) -> None:
    spoil(write_winogender(tmp_path) / name, line, text)
    with pytest.raises(BadInputError, match=message):
        read_schemas(tmp_path)


def test_the_correlation_is_pearsons_over_each_resample_and_unknown_of_constants() -> None:
    x, y = np.random.default_rng(0).normal(size=(2, 5, 9))
    y = 0.7 * x + y
    np.testing.assert_allclose(
        pearson(x, y), [pearsonr(*rows).statistic for rows in zip(x, y, strict=True)]
    )
    y[2] = 0.1  # the mean of many 0.1 is not quite 0.1
    assert np.isnan(pearson(x, y)).tolist() == [False, False, True, False, False]
