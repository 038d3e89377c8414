"""The judge is judged first: no figure of one whose accuracy is not above chance."""

from collections import Counter

import pytest

from evenkeel.judging.judges import LexiconJudge, group_words
from evenkeel.judging.measuring import judge_axis
from evenkeel.judging.result import Judging
from evenkeel.judging.texts import JudgedText, LabelledText, SampledPair, blind_order
from tests.judging.cases import HELD, Rule, RuleJudge, labelled, pairs, prompts, read


def judged(judge: RuleJudge) -> Judging:
    result, _ = judge_axis(judge, "gender", labelled(), pairs(), resamples=200, seed=0)
    return result


def test_labelled_texts_are_of_validation_items_and_of_four_kinds() -> None:
    """Four items, two prompts each, three texts of each prompt; of statements a third as many."""
    texts = labelled()
    assert Counter(each.kind for each in texts) == {
        "stereotype": 8, "other_group": 8, "no_group": 8, "statement": 8
    }  # fmt: skip
    assert all(each.label == read(each.shown) for each in texts)
    assert not any("test " in each.shown.item or "clerk" in each.shown.item for each in texts)


def test_figures_of_a_judge_that_reads_are_the_counts_of_the_texts() -> None:
    result = judged(RuleJudge(read))
    assert result.calibration
    assert (result.calibration.accuracy, result.calibration.passed) == (1.0, True)
    assert result.calibration.accuracy_ci95
    assert result.calibration.accuracy_ci95[0] < 1  # exact, where a bootstrap has no width
    assert result.withheld is None
    assert (result.items, result.texts, result.unanswered) == (4, 12, 0)
    assert result.unsteered
    assert result.steered
    assert (result.unsteered.stereotype, result.unsteered.other_group) == (1.0, 0.0)
    assert (result.steered.stereotype, result.steered.no_group) == (pytest.approx(2 / 3, 1e-5), 0.0)
    assert result.stereotype_change == pytest.approx(-1 / 3, 1e-5)


@pytest.mark.parametrize(
    "rule",
    [
        lambda shown: "female",
        lambda shown: "none",
        lambda shown: None,
        lambda shown: {"female": "male", "male": "none", "none": "female"}[read(shown)],
        # Answers from what it believes of the item, whatever the text says.
        lambda shown: HELD.get(shown.item.split()[-1], "none"),
    ],
    ids=["female", "none", "no answer", "wrong", "stereotyping"],
)
def test_a_judge_no_better_than_chance_gets_no_sampled_text(rule: Rule) -> None:
    judge = RuleJudge(rule)
    result = judged(judge)
    assert result.calibration
    assert not result.calibration.passed
    assert result.withheld
    assert (result.unsteered, result.steered, result.stereotype_change) == (None, None, None)
    assert len(judge.judged) == 1, "sampled texts are paid for only once the judge has passed"


def test_chance_is_the_accuracy_of_the_best_judge_that_ignores_the_text() -> None:
    held = {text.shown: text.held_against for text in labelled()}
    rules = [
        lambda shown: "female",
        lambda shown: "male",
        lambda shown: "none",
        lambda shown: held[shown],  # always the group of the stereotype
    ]
    calibrations = [judged(RuleJudge(rule)).calibration for rule in rules]
    accuracies = [one.accuracy for one in calibrations if one]
    assert {one.chance for one in calibrations if one} == {max(accuracies)}


def test_order_tells_nothing_of_what_wrote_a_text() -> None:
    """Exchanging steered and unsteered texts changes nothing that the judge is shown."""
    shown = [text for pair in pairs() for text in pair.shown]
    exchanged = [text for pair in pairs() for text in reversed(pair.shown)]
    order = blind_order(shown, seed=3)
    assert order == blind_order(exchanged, seed=3) == blind_order(shown * 2, seed=3)
    assert order != sorted(order)
    assert set(order) == set(shown)
    judge = RuleJudge(read)
    judged(judge)
    assert set(judge.judged[1]) == set(shown)
    assert not any({"steered", "unsteered", "held"} & set(vars(text)) for text in judge.judged[1])


def test_pairs_without_both_verdicts_are_left_out_and_counted() -> None:
    lost = pairs()[0].unsteered
    result = judged(RuleJudge(lambda shown: None if shown.text == lost else read(shown)))
    assert (result.texts, result.unanswered) == (11, 1)
    assert result.steered
    assert result.steered.stereotype == pytest.approx(8 / 11, 1e-5)


@pytest.mark.parametrize(
    ("texts", "sampled", "why"),
    [([], pairs(), "no labelled text"), (labelled(), [], "evaluation.generation.per_item is 0")],
    ids=["nothing labelled", "nothing sampled"],
)
def test_where_there_would_be_no_figure_nothing_is_judged(
    texts: list[LabelledText], sampled: list[SampledPair], why: str
) -> None:
    judge = RuleJudge(read)
    result, rows = judge_axis(judge, "gender", texts, sampled, 200, 0)
    assert why in (result.withheld or "")
    assert (judge.announced, judge.judged, rows, result.table) == ([], [], [], [])


def test_the_accuracy_is_the_first_row_of_the_table() -> None:
    table = judged(RuleJudge(read)).table
    assert [row[:2] for row in table[:4]] == [
        ("labelled", "right"), ("labelled", "chance"), ("labelled", "no verdict"),
        ("unsteered", "stereotype"),
    ]  # fmt: skip
    assert len(table) == 3 + 2 * 3
    silent = judged(RuleJudge(lambda shown: None)).table
    assert [estimate.value for _, _, estimate in silent] == [0.0, 13 / 32, 1.0]


def test_the_same_seed_gives_the_same_record() -> None:
    runs = [
        judge_axis(RuleJudge(read), "gender", labelled(), pairs(), 200, seed) for seed in (1, 1)
    ]
    assert runs[0] == runs[1]


def test_the_lexicon_finds_pronouns_and_nouns_as_whole_words() -> None:
    judge = LexiconJudge(group_words("gender", prompts()))
    texts = ["The nurse said SHE left.", "Our sister slept.", "The shed is here.", "", "He or she"]
    verdicts = judge.judge([JudgedText("nurse", text) for text in texts])
    assert verdicts == ["female", "female", "none", "none", "male"]
    result, rows = judge_axis(judge, "gender", labelled(), pairs(), 200, 0)
    assert result.withheld is None
    assert len(rows) == 32 + 2 * 12


def test_an_axis_that_the_lexicon_does_not_have_is_judged_by_the_words_of_its_prompts() -> None:
    words = {"female": ["she"], "male": ["he"]}
    assert group_words("height", prompts()) == words
    assert set(group_words("gender", prompts())) == set(words)
    foreign = [
        prompt.model_copy(update={"continuations": {"tall": (" up",)}}) for prompt in prompts()
    ]
    assert group_words("gender", foreign) == {"tall": ["up"]}


def test_letters_that_fold_alike_are_no_error() -> None:
    """A dotless i matches an i where case is ignored, and is another letter where it is folded."""
    judge = LexiconJudge({"male": ["his"], "female": ["hers"]})
    assert judge.judge([JudgedText("nurse", "It is h\u0131s.")]) == ["male"]
