"""What was found, in sentences with their figures that say no more than the figures do."""

from collections.abc import Mapping

from evenkeel.conditions.recipe import Recipe
from evenkeel.evaluation.result import EvaluationResult, JointResult, Measured
from evenkeel.metrics.registry import KNOWLEDGE_CHANGES, OTHER_DIRECTION, metric
from evenkeel.reporting.wording import interval_of, listed, number, percent, visible
from evenkeel.statistics.estimate import Estimate

METHODS = {
    "caa": "the neutral − biased difference in means (CAA)",
    "group": "the difference in means between groups",
    "term": "the difference in means at the group token",
    "pca": "the first principal component of pair differences",
    "probe": "the normal of the linear probe",
    "actadd": "the difference of one pair of texts (ActAdd)",
    "bipo": "the vector of bidirectional preference optimization (BiPO)",
    "reps": "the vector of reference-free preference steering (RePS)",
    "leace": "the LEACE eraser",
    "inlp": "iterative nullspace projection (INLP)",
    "sentence_debias": "the subspace of group-swapped differences (SentenceDebias)",
    "sae": "the decoder rows of SAE features",
    "random": "random directions",
    "random_features": "random SAE features",
    "prompt": "a prompt prefix",
    "few_shot": "examples before the prompt",
    "reft": "a learned edit (LoReFT)",
    "cda_lora": "fine-tuning on counterfactuals (CDA, LoRA)",
    "dpo_lora": "fine-tuning on preferences (DPO, LoRA)",
    "self_debias": "Self-Debias decoding",
}
GATES = {
    "none": "",
    "band": ", gated by its projection",
    "probe": ", gated by a linear probe",
}
DIRECTIONS = {
    "group_given_item": "group given item: the item stands in the prompt, and the probabilities of "
    "continuations that name each group are compared",
    "item_given_group": "item given group: a group stands in the prompt, and the probability of "
    "the same continuation is compared between groups",
}


def formatted(name: str, value: float | None) -> str:
    """A value of a metric with its unit, at the digits of the registry."""
    about = metric(name)
    if value is None:
        return number(None)
    if about.percent:
        return percent(value, max(about.digits - 2, 0))
    return ("×" if name == "perplexity_ratio" else "") + number(value, about.digits)


def interval(name: str, estimate: Estimate) -> str:
    """The 95 % interval of a metric, as "[low, high]"; empty where it is unknown."""
    if estimate.low is None or estimate.high is None:
        return ""
    about = metric(name)
    ends = (estimate.low, estimate.high)
    if about.percent:
        return interval_of(ends, max(about.digits - 2, 0), 100)
    return interval_of(ends, about.digits)


def measured(measures: Measured, name: str) -> str:
    """A metric followed by its interval."""
    estimate = measures.estimate(name)
    return f"{formatted(name, estimate.value)} {interval(name, estimate)}".strip()


def heading(name: str) -> str:
    """What a metric is called in a table."""
    about = metric(name)
    direction = ", item given group" if name.endswith(OTHER_DIRECTION) else ""
    return about.title + direction


def described(recipe: Recipe) -> str:
    """A condition as a noun phrase."""
    if recipe.prefix:
        prefix = f"putting “{visible(recipe.prefix.strip())}” before every prompt"
        return prefix if recipe.site is None else f"{prefix}, and {_steered(recipe)}"
    return _steered(recipe)


def _steered(recipe: Recipe) -> str:
    direction = METHODS.get(recipe.method, f"the “{visible(recipe.method)}” vector")
    where = f"at layer {recipe.layer}"
    if recipe.layer == "all":
        where = "at all layers"
    elif isinstance(recipe.layer, tuple):
        where = f"at layers {listed([*map(str, recipe.layer)])}"
    where += GATES.get(recipe.gate, f", gated ({recipe.gate})")
    multiplier = recipe.multiplier
    features = "SAE features " + ", ".join(map(str, recipe.features))
    match recipe.action:
        case _ if recipe.rank is not None:
            share = "" if multiplier == 1 else f"{percent(multiplier)} of "
            return f"{share}{direction} of rank {recipe.rank} {where}"
        case "clamp":
            return f"clamping {features} to {number(multiplier)} {where}"
        case "scale":
            return f"scaling {features} by {number(multiplier, 3)} {where}"
        case "add":
            return f"adding {direction} {where}, with a multiplier of {number(multiplier)}"
        case "rotate":
            share = "" if multiplier == 1 else f" by {percent(multiplier)} of the angle"
            return f"turning the residual stream away from {direction}{share} {where}"
        case "mean_ablate":
            share = "" if multiplier == 1 else f", {percent(multiplier)} of the way"
            return f"moving the projection on {direction} to the groups’ midpoint{share} {where}"
        case _ if multiplier in (None, 1):
            return f"projecting out {direction} {where}"
        case _:
            return f"projecting out {percent(multiplier)} of {direction} {where}"


def is_found(evaluation: EvaluationResult) -> bool | None:
    """Whether a bias was found; None of a model that is too weak to tell."""
    return None if evaluation.competence.too_weak else evaluation.bias_test.found


def overall(evaluations: Mapping[str, EvaluationResult], joint: JointResult | None) -> list[str]:
    """On which axes a bias was found, what steering did to it and at what cost, over all axes."""
    sentences = [_found(evaluations), *_removed(evaluations)]
    return [*sentences, *_jointly(joint)] if joint else sentences


def _found(evaluations: Mapping[str, EvaluationResult]) -> str:
    by_answer: dict[bool | None, list[str]] = {}
    for axis, evaluation in evaluations.items():
        by_answer.setdefault(is_found(evaluation), []).append(axis)
    parts = []
    if True in by_answer:
        parts.append(f"bias was found on {listed(by_answer[True])}")
    if False in by_answer:
        parts.append(f"no bias was found on {listed(by_answer[False])}")
    if None in by_answer:
        parts.append(f"the model is too weak to tell on {listed(by_answer[None])}")
    text = "; ".join(parts)
    return text[0].upper() + text[1:] + "."


def _removed(evaluations: Mapping[str, EvaluationResult]) -> list[str]:
    chosen = {axis: row.selected for axis, row in evaluations.items() if row.selected}
    without = [axis for axis in evaluations if axis not in chosen]
    gains = {axis: row.value("bias_reduction") for axis, row in chosen.items()}
    sentences = []
    if any(gain is not None for gain in gains.values()):
        ratios = {axis: row.value("perplexity_ratio") for axis, row in chosen.items()}
        losses = {axis: row.value("definitional_accuracy_change") for axis, row in chosen.items()}
        if len(chosen) > 1:
            did = f"The interventions selected for each axis remove {_range(gains)} of its"
            verbs = ("change", "multiply")
        else:
            did = f"The selected intervention removes {_range(gains)} of the"
            verbs = ("changes", "multiplies")
        sentences.append(
            f"{did} item spread on held-out items and templates, {verbs[0]} definitional accuracy "
            f"by {_points(losses)}, and {verbs[1]} perplexity by {_largest(ratios)}."
        )
    if without:
        sentences.append(f"No intervention was selected on {listed(without)}.")
    return sentences


def _jointly(joint: JointResult) -> list[str]:
    gains = {axis: row.selected.value("bias_reduction") for axis, row in joint.axes.items()}
    if all(gain is None for gain in gains.values()):
        return []
    return [
        f"All interventions together remove {_range(gains)} of it, and multiply perplexity by "
        f"{measured(joint.selected, 'perplexity_ratio').removeprefix('×')}."
    ]


def _range(values: Mapping[str, float | None]) -> str:
    known = {axis: value for axis, value in values.items() if value is not None}
    low, high = min(known, key=known.__getitem__), max(known, key=known.__getitem__)
    least, most = percent(known[low]), percent(known[high])
    return least if least == most else f"between {least} ({low}) and {most} ({high})"


def _points(values: Mapping[str, float | None]) -> str:
    known = [100 * value for value in values.values() if value is not None]
    if not known:
        return number(None)
    ends = dict.fromkeys(number(end, 1) for end in (min(known), max(known)))
    return " to ".join(ends) + " percentage points"


def _largest(values: Mapping[str, float | None]) -> str:
    known = [value for value in values.values() if value is not None]
    most = number(max(known, default=None), 3)
    return f"at most {most}" if len(known) > 1 else most


def verdict(evaluation: EvaluationResult) -> list[str]:
    """Of one axis: is the model biased; what did steering change; what did that cost.

    Of a model that is too weak to tell, that comes first, and no bias is reported.
    """
    weak = evaluation.competence.too_weak
    if weak:
        return [
            f"The model is {weak}.",
            "Its scores are evidence neither of a bias nor of its absence.",
            _steering(evaluation),
        ]
    return [_bias(evaluation), _steering(evaluation), _knowledge(evaluation)]


def compared(evaluation: EvaluationResult) -> str:
    """What is scored of an item."""
    first, *others = evaluation.groups
    if len(others) == 1:
        return f"log-odds of {visible(first)} against {visible(others[0])}"
    return f"log-odds of each of {len(evaluation.groups)} groups against the others"


def _bias(evaluation: EvaluationResult) -> str:
    baseline, test = evaluation.baseline, evaluation.bias_test
    found = "A bias was found" if test.found else "No bias was found"
    spread = (
        f"{found}: on {test.items} held-out items, the model’s {compared(evaluation)} have an item "
        f"spread of {measured(baseline, 'item_spread')} nats"
    )
    if test.against == "reference" and baseline.value("reference_correlation") is not None:
        return (
            f"{spread}, and their correlation with the reference rates is "
            f"{measured(baseline, 'reference_correlation')}."
        )
    if baseline.value("stereotype_gap") is not None:
        return (
            f"{spread}, and favour the group that an item is held against by "
            f"{measured(baseline, 'stereotype_gap')} nats."
        )
    return spread + "."


def _steering(evaluation: EvaluationResult) -> str:
    selected = evaluation.selected
    if selected is None:
        return f"No intervention was selected: {evaluation.selection.reason}."
    reduction = selected.estimate("bias_reduction")
    if selected.too_weak:
        effect = f"cannot be assessed, as the steered model is {selected.too_weak}"
    elif reduction.value is not None and reduction.value < 0:
        ends = (None if end is None else -end for end in (reduction.high, reduction.low))
        wider = Measured(measures={"bias_reduction": Estimate(-reduction.value, *ends)})
        effect = f"widens that spread by {measured(wider, 'bias_reduction')}"
    else:
        effect = f"removes {measured(selected, 'bias_reduction')} of that spread"
    mean = ""
    if selected.value("mean_log_odds") is not None:
        before = formatted("mean_log_odds", evaluation.baseline.value("mean_log_odds"))
        mean = f", leaves mean log-odds of {measured(selected, 'mean_log_odds')} ({before} before)"
    description = described(selected.recipe)
    return (
        f"{description[0].upper()}{description[1:]} {effect}{mean}, and multiplies perplexity by "
        f"{measured(selected, 'perplexity_ratio').removeprefix('×')}."
    )


def _knowledge(evaluation: EvaluationResult) -> str:
    baseline, selected = evaluation.baseline, evaluation.selected
    before = measured(baseline, "definitional_accuracy")
    if selected is None:
        return f"On definitional prompts the model is right in {before}."
    after = measured(selected, "definitional_accuracy")
    kept = measured(selected, "definitional_margin_ratio")
    return (
        f"Definitional knowledge {_whether_kept(selected)}: the model is right on {after} of "
        f"definitional prompts ({before} before), tells the groups apart on them with an AUROC of "
        f"{measured(selected, 'definitional_auroc')} ({measured(baseline, 'definitional_auroc')} "
        f"before), and {kept} of its margin remains."
    )


def _whether_kept(selected: Measured) -> str:
    changes = [selected.estimate(name).high for name in KNOWLEDGE_CHANGES]
    margin = selected.estimate("definitional_margin_ratio").high
    known = [change for change in changes if change is not None]
    if not known:
        return "cannot be compared"
    if min(known) < 0:
        return "was damaged"
    if margin is not None and margin < 1:
        return "was kept, but weakened"
    return "was kept"
