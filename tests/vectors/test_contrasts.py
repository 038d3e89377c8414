import numpy as np
import pandas as pd
import pytest

from evenkeel.errors import BadInputError
from evenkeel.vectors.contrasts import Contrast
from tests.probes.planted import planted_activations, planted_statements


def of_labels(statements: pd.DataFrame) -> Contrast:
    return Contrast.of_labels(statements, "gender", resamples=200, seed=0)


def of_groups(statements: pd.DataFrame) -> Contrast:
    (contrast,) = Contrast.of_groups(statements, "gender", resamples=200, seed=0)
    return contrast


def test_label_differences_are_neutral_minus_biased_within_each_training_pair() -> None:
    statements = planted_statements()
    x = np.random.default_rng(0).standard_normal((len(statements), 4)).astype(np.float32)
    train = statements[statements["split"] == "train"]
    expected = []
    for _, pair in train.groupby("pair"):
        row = {label: index for index, label in pair["label"].items()}
        expected.append(x[row["neutral"]] - x[row["biased"]])
    contrast = of_labels(statements)
    assert contrast.name == "neutral - biased"
    assert contrast.differences(x) == pytest.approx(np.array(expected), abs=1e-6)


def test_group_differences_are_first_minus_second_within_each_training_quad() -> None:
    statements = planted_statements()
    x = np.random.default_rng(0).standard_normal((len(statements), 4)).astype(np.float32)
    train = statements[statements["split"] == "train"]
    expected = [
        x[quad.index[quad["group"] == "men"]].mean(axis=0)
        - x[quad.index[quad["group"] == "women"]].mean(axis=0)
        for _, quad in train.groupby("quad")
    ]
    contrast = of_groups(statements)
    assert (contrast.name, contrast.group) == ("men - women", None)
    assert contrast.differences(x) == pytest.approx(np.array(expected), abs=1e-6)


RACES = ("Asian", "Black", "Hispanic", "white")


def of_races(statements: pd.DataFrame) -> dict[str, Contrast]:
    contrasts = Contrast.of_groups(statements, "race", resamples=200, seed=0)
    assert [contrast.group for contrast in contrasts] == list(RACES)
    return {contrast.name: contrast for contrast in contrasts}


def test_each_of_four_groups_is_compared_with_the_others_within_each_training_quad() -> None:
    statements = planted_statements(("race",), groups=RACES[::-1])
    x = np.random.default_rng(0).standard_normal((len(statements), 4)).astype(np.float32)
    quads = statements[statements["split"] == "train"].groupby(["quad", "group"])
    means = {key: x[rows.index].mean(axis=0) for key, rows in quads}
    names = sorted({quad for quad, _ in means})
    contrasts = of_races(statements)
    assert list(contrasts) == [f"{group} - others" for group in RACES]
    for group in RACES:
        expected = [
            means[quad, group] - means[quad, other]
            for quad in names
            for other in RACES
            if other != group
        ]
        contrast = contrasts[f"{group} - others"]
        assert contrast.differences(x) == pytest.approx(np.array(expected), abs=1e-6)
        rows = statements.iloc[contrast.validation]
        assert set(rows["split"]) == {"validation"}
        assert contrast.positive.tolist() == (rows["group"] == group).tolist()
    # Each group is compared with each other one as often, so that the differences add up to none.
    together = sum(contrast.differences(x).mean(axis=0) for contrast in contrasts.values())
    assert together == pytest.approx(0, abs=1e-6)


def test_a_group_that_a_quad_lacks_is_left_out_of_it() -> None:
    """A frame need not hold a stereotype of every group."""
    statements = planted_statements(("race",), groups=RACES)
    first = statements["quad"] == "race-train-0"
    holed = statements[~(first & (statements["group"] == "white"))].reset_index(drop=True)
    x = np.zeros((len(holed), 2))
    contrasts = of_races(holed)
    assert len(contrasts["white - others"].differences(x)) == 3 * 15
    assert len(contrasts["Asian - others"].differences(x)) == 3 * 16 - 1
    train, white = statements["split"] == "train", statements["group"] == "white"
    lonely = statements[~train | white].reset_index(drop=True)
    with pytest.raises(BadInputError, match="no quad is complete for group 'Asian'"):
        of_races(lonely)


@pytest.mark.parametrize("make", [of_labels, of_groups])
def test_a_constant_and_the_order_of_statements_change_nothing(make) -> None:
    statements = planted_statements()
    x = planted_activations(statements)
    reference = make(statements).differences(x)
    assert make(statements).differences(x + np.float32(64)) == pytest.approx(reference, abs=1e-4)
    order = np.random.default_rng(0).permutation(len(statements))
    shuffled = make(statements.iloc[order].reset_index(drop=True))
    assert shuffled.differences(x[order]) == pytest.approx(reference)
    direction = np.ones(x.shape[1])
    ours, theirs = (
        make(statements).separation(x, direction),
        shuffled.separation(x[order], direction),
    )
    assert theirs.auroc == pytest.approx(ours.auroc)
    assert theirs.auroc_ci95 == pytest.approx(ours.auroc_ci95)


def test_the_separation_has_the_sense_of_its_name() -> None:
    statements = planted_statements()
    x = planted_activations(statements, bias=5, group=5)
    axes = np.eye(x.shape[1])
    labels = of_labels(statements).separation(x, -axes[0])
    assert labels.auroc > 0.99
    assert labels.auroc_ci95[0] <= labels.auroc <= labels.auroc_ci95[1]
    assert labels.statements == 64
    assert of_labels(statements).separation(x, axes[0]).auroc < 0.01
    assert of_groups(statements).separation(x, axes[1]).auroc > 0.99
    assert of_groups(statements).separation(x, axes[0]).auroc == pytest.approx(0.5, abs=0.1)


def test_incomplete_units_are_left_out_and_none_complete_is_refused() -> None:
    statements = planted_statements()
    x = np.zeros((len(statements), 2))
    first = statements.index[statements["split"] == "train"][0]
    holed = statements.drop(index=first).reset_index(drop=True)
    assert len(of_labels(holed).differences(x)) == 31
    assert len(of_groups(holed).differences(x)) == 15
    train = statements["split"] == "train"
    alone = statements[
        ~train | ((statements["group"] == "men") == (statements["label"] == "biased"))
    ]
    alone = alone.reset_index(drop=True)
    with pytest.raises(BadInputError, match="axis 'gender', split 'train': no complete pair"):
        of_labels(alone)
    with pytest.raises(BadInputError, match="axis 'gender', split 'train': no complete quad"):
        of_groups(alone)
    one_group = statements[~train | (statements["group"] == "men")].reset_index(drop=True)
    with pytest.raises(BadInputError, match="no quad is complete for group 'men'"):
        of_groups(one_group)


def test_doubled_statements_are_refused() -> None:
    statements = planted_statements()
    doubled = pd.concat([statements, statements.iloc[:1]], ignore_index=True)
    with pytest.raises(BadInputError, match=r"pair 'gender-train-0-men' has two .* label"):
        of_labels(doubled)
