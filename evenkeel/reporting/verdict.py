"""The verdict: three sentences with their figures, and no more than the figures say."""

from evenkeel.reporting.results import Evaluation, Measures
from evenkeel.reporting.wording import described, measured, measured_percent, number


def verdict(evaluation: Evaluation) -> list[str]:
    """Is it biased; what did steering change; what did that cost.

    Of a model that is too weak to tell, that is said first, and no bias.
    """
    weak = evaluation.competence["too_weak"]
    if weak:
        return [
            f"The model is {weak}.",
            "What it says of occupations is evidence neither of a bias nor of its absence.",
            _steering(evaluation),
        ]
    return [_bias(evaluation), _steering(evaluation), _knowledge(evaluation)]


def _bias(evaluation: Evaluation) -> str:
    baseline, test = evaluation.baseline, evaluation.sample["test"]
    spread = (
        f"On {test['occupations']} held-out occupations, the model’s log-odds of a female against "
        f"a male continuation spread by {measured(baseline, 'occupation_spread')} nats"
    )
    if baseline.get("planted_correlation") is None:
        return spread + "."
    return (
        f"{spread}, and correlate with the share of women in the occupation at "
        f"{measured(baseline, 'planted_correlation')}."
    )


def _steering(evaluation: Evaluation) -> str:
    selected, rule = evaluation.selected, evaluation.selection
    if selected is None:
        return f"Nothing was selected for steering: {rule.reason}."
    reduction = selected.get("bias_reduction")
    if selected["too_weak"]:
        did = f"cannot be judged, as the steered model is {selected['too_weak']}"
    elif reduction is not None and reduction < 0:
        low, high = selected["bias_reduction_ci95"]
        wider = {"spread": -reduction, "spread_ci95": [-high, -low]}
        did = f"added {measured_percent(wider, 'spread')} to that spread"
    else:
        did = f"removed {measured_percent(selected, 'bias_reduction')} of that spread"
    lean = ""
    if selected.get("parity_offset") is not None:
        before = number(evaluation.baseline.get("parity_offset"))
        lean = (
            ", left a lean common to all occupations of "
            f"{measured(selected, 'parity_offset')} nats ({before} before)"
        )
    return (
        f"Of {rule.candidates} candidates, {described(selected)} was chosen on validation; "
        f"on test it {did}{lean}, with perplexity on plain text multiplied by "
        f"{measured(selected, 'perplexity_ratio', 3)}."
    )


def _knowledge(evaluation: Evaluation) -> str:
    baseline, selected = evaluation.baseline, evaluation.selected
    before = measured_percent(baseline, "definitional_accuracy")
    if selected is None:
        return (
            "Definitional gender (a mother is she), which has to stay, is right in "
            f"{before} of prompts."
        )
    after = measured_percent(selected, "definitional_accuracy")
    kept = measured_percent(selected, "definitional_margin_ratio")
    return (
        f"{_whether_kept(selected)}: right in {after} of prompts, {before} before, "
        f"with {kept} of the margin by which the right side won."
    )


def _whether_kept(selected: Measures) -> str:
    change = selected.get("definitional_accuracy_change_ci95")
    margin = selected.get("definitional_margin_ratio_ci95")
    knowledge = "Definitional gender (a mother is she), which has to stay,"
    if not change:
        return f"{knowledge} cannot be compared"
    if change[1] < 0:
        return f"{knowledge} was damaged"
    if margin and margin[1] < 1:
        return f"{knowledge} was kept, but weakened"
    return f"{knowledge} was kept"
