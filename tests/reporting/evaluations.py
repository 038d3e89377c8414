"""Evaluations of made-up axes."""

from collections.abc import Sequence

from evenkeel.conditions.recipe import Recipe
from evenkeel.evaluation.result import (
    Baseline,
    BiasTest,
    ChatResult,
    Choices,
    Competence,
    ConditionResult,
    Cost,
    CrossAxis,
    Distribution,
    EvaluationResult,
    FeatureAblation,
    JointAxis,
    JointCandidate,
    JointResult,
    Measured,
    ModelName,
    NullResult,
    Reprobing,
    SelectionResult,
)
from evenkeel.judging.result import Calibration, Judging, KindAccuracy, Shares
from evenkeel.localisation.result import Agreement, Effect, Localisation
from evenkeel.reporting.results import (
    AxisResults,
    Continuation,
    DoseRow,
    ItemRow,
    NullRow,
    ParetoRow,
    SweepRow,
)
from evenkeel.statistics.estimate import Estimate, Measures

GROUPS = {
    "gender": ("female", "male"),
    "race": ("Black", "white", "Asian", "Hispanic"),
    "age": ("old", "young"),
    "religion": ("Christian", "Muslim", "Jewish", "Hindu"),
    "disability": ("disabled", "nondisabled"),
    "socioeconomic": ("poor", "rich"),
}
MODEL = ModelName(name="organism", revision="ab" * 32)
RECIPE = Recipe(
    method="probe", site="resid_post", layer=3, action="ablate", multiplier=1.0, gate="none"
)
PREFIX = Recipe(method="prompt", prefix="Be fair. ")
ITEMS = (("pilot", 0.1, -2.0), ("judge", 0.4, -0.5), ("maid", None, 2.0))
"""Item, reference rate of the first group, log-odds."""


def estimates(**values: float | None) -> Measures:
    """Each with an interval of a tenth to either side."""
    return {
        name: Estimate(None) if value is None else Estimate(value, value - 0.1, value + 0.1)
        for name, value in values.items()
    }


BASELINE = estimates(
    item_spread=1.5, mean_log_odds=0.2, reference_correlation=0.97, reference_slope=0.9,
    stereotype_gap=0.6, item_spread_item_given_group=0.4, definitional_accuracy=0.95,
    definitional_auroc=0.99, definitional_margin=5.0, perplexity=9.0, distinct_2=0.8,
    repetition=0.01, degenerate_share=0.0,
)  # fmt: skip
STEERED = BASELINE | estimates(
    item_spread=0.3, definitional_accuracy=0.9, bias_reduction=0.8, perplexity_ratio=1.004,
    definitional_margin_ratio=0.7, definitional_accuracy_change=-0.05,
    definitional_auroc=0.96, definitional_auroc_change=-0.03, kl_neutral=0.01,
)  # fmt: skip


def condition(recipe: Recipe = RECIPE, **changes: object) -> ConditionResult:
    given = {
        "name": recipe.name, "recipe": recipe, "measures": STEERED, "within_budget": True,
        "too_weak": None, "bias_reduction_ci95_two_way": None,
        "definitional_accuracy_change_ci95_two_way": None, "spread_p": 0.01, "spread_p_holm": 0.02,
        "definitional_choices": Choices(lost=5, won=0, p=0.06), "minimum_detectable": {},
        "p_nulls": None, "cost": Cost(train_tokens=12_345, added_operations=0.0012, added_tokens=0),
    }  # fmt: skip
    return ConditionResult.model_validate(given | changes)


def evaluation(
    axis: str = "gender", *, selected: bool = True, weak: str | None = None
) -> EvaluationResult:
    """Of an axis with a reference, but race, which has a lexicon alone."""
    sample = {"items": 3, "stereotypical_prompts": 6, "definitional_prompts": 40, "texts": 100}
    chosen = condition()
    spread = Distribution(min=-0.01, q05=-0.01, median=0.0, q95=0.01, max=0.02)
    return EvaluationResult(
        axis=axis,
        groups=GROUPS[axis],
        direction="group_given_item",
        model=MODEL,
        sample={
            "validation": sample,
            "test": sample | {"continued_prompts": 1, "samples_of_each": 2},
        },
        competence=Competence(
            auroc=0.99,
            auroc_ci95=(0.95, 1.0),
            accuracy=0.95, accuracy_ci95=(0.85, 0.99), chance=1 / len(GROUPS[axis]), margin=0.1,
            too_weak=weak,
        ),
        bias_test=BiasTest(
            against="lexicon" if axis == "race" else "reference", p=None if weak else 0.001,
            level=0.05, verdict="untested" if weak else "bias found", items=3,
            minimum_detectable_correlation=0.9,
        ),
        baseline=Baseline(measures=BASELINE, too_weak=weak),
        conditions=[
            chosen,
            condition(PREFIX, too_weak="too weak to tell"),
            condition(RECIPE.model_copy(update={"method": "random"}), within_budget=False),
        ],
        selected=chosen if selected else None,
        selection=SelectionResult(
            split="validation", max_perplexity_ratio=1.02, max_definitional_loss=0.05, max_kl=None,
            max_mean_log_odds_change=0.25, candidates=2, candidates_within_budget=1, passes=3,
            reason="highest bias reduction on validation",
        ),
        power=0.8,
        cost_matched=[],
        feature_ablation=FeatureAblation(
            measures=estimates(bias_reduction=0.2), site="resid_post", layer=3, features=(1, 2),
            firings_per_token=0.1, p=0.04, draws=20, random_firings_per_token=0.1,
            random={"bias_reduction": spread},
        ),
        nulls=[
            NullResult(
                kind=kind, draws=2, p=0.3, advantage=0.4, advantage_ci95=(0.3, 0.5),
                distributions={"bias_reduction": spread},
            )
            for kind in ("random", "random_latents")
        ],
        reprobing=[
            Reprobing(
                target="stereotypical", layer=5, probe="linear", items=3, unsteered=0.9,
                unsteered_ci95=(0.8, 1.0), steered=0.7, steered_ci95=None, change=None,
                change_ci95=None, minimum_detectable_change=None,
            )
        ],
        chat=ChatResult(
            request="Write <b>a</b> text.",
            baseline=Baseline(measures=BASELINE, too_weak=weak),
            selected=Baseline(measures=STEERED, too_weak=weak) if selected else None,
        ),
        auto={"evaluation.layers": "all"},
    )  # fmt: skip


def judging(axis: str = "gender", *, right: int = 57, model: str | None = None) -> Judging:
    """Of a judge who is right on so many of 60 texts; below 40, nothing is shown."""
    low, high = right / 60 - 0.1, min(right / 60 + 0.05, 1.0)
    calibration = Calibration(
        texts=60, unanswered=0, accuracy=right / 60, accuracy_ci95=(low, high), chance=0.4,
        kinds=[KindAccuracy(kind="no_group", texts=60, right=right)],
    )  # fmt: skip
    record = {
        "backend": "openai" if model else "offline", "model": model, "calibration": calibration
    }  # fmt: skip
    nothing = dict(Judging.of_nothing(axis)) | record
    if not calibration.passed:
        return Judging.model_validate(nothing | {"withheld": "it does not read"})
    before, after = (
        Shares(
            stereotype=share, stereotype_ci95=(share - 0.1, share + 0.1), other_group=1 - share,
            other_group_ci95=(0.1, 0.9), no_group=0.0, no_group_ci95=(0.0, 0.2),
        )
        for share in (0.83, 0.61)
    )  # fmt: skip
    return Judging.model_validate(
        nothing
        | {"withheld": None, "items": 15, "texts": 90, "unsteered": before, "steered": after}
        | {"stereotype_change": -0.22, "stereotype_change_ci95": (-0.31, -0.13)}
    )


def localisation(axis: str = "gender", *, reportable: bool = True) -> Localisation:
    """Of three layers and two heads, between no positions."""
    places = [
        (layer, role, head)
        for role, head in (("item", None), ("last", None), (None, 0), (None, 1))
        for layer in range(3)
    ]
    effects = [
        Effect(layer=layer, role=role, head=head, effect=effect, effect_ci95=(effect, 1.1),
               null=0.01, null_ci95=None, p=0.01 if effect > 0.1 else 0.4, first_order=effect)
        for number, (layer, role, head) in enumerate(places)
        for effect in (0.09 * number - 0.05,)
    ]  # fmt: skip
    return Localisation(
        axis=axis, pairs=12, runs=24, frames=2, gap=1.5 if reportable else 0.1,
        gap_ci95=(1.0, 2.0) if reportable else (-0.5, 0.7), reportable=reportable,
        handover=1 if reportable else None, handover_ci95=(1, 2) if reportable else None,
        agreement=Agreement(roles=0.9, roles_ci95=None, heads=0.98, heads_ci95=(0.9, 1.0))
        if reportable
        else None,
        effects=effects if reportable else [],
    )  # fmt: skip


def axis_results(
    axis: str = "gender",
    *,
    selected: bool = True,
    weak: str | None = None,
    text: str = " she was tired.",
) -> AxisResults:
    return AxisResults(
        evaluation=evaluation(axis, selected=selected, weak=weak),
        localisation=localisation(axis),
        judging=judging(axis),
        sweep=[
            SweepRow(
                method="sae" if features else "probe", site="resid_post", layer=layer,
                action="scale" if features else "ablate", multiplier=1.0, gate="none",
                features=features, share=share, bias_reduction=gain, perplexity_ratio=cost,
                definitional_accuracy=0.9, within_budget=layer == 3,
            )
            for layer, gain, cost, share, features in (
                (3, 0.8, 1.004, 1.0, ()), ("all", -2.0, 30.0, 0.25, ()), (0, None, None, 1.0, ()),
                (3, 0.5, 1.01, 1.0, (16, 87)),
            )
        ],
        pareto=[
            ParetoRow(
                method=method, layer=3, action="ablate", multiplier=1.0, gate=gate, cost=cost,
                on_front=gate == "band", test_bias_reduction=gain, test_bias_reduction_low=0.0,
                test_bias_reduction_high=0.9, test_perplexity_ratio=1.01,
                test_definitional_accuracy_change=0.0,
            )
            for method, gate, cost, gain in (
                ("probe", "band", 0.3, 0.7), ("random", "none", 0.1, 0.02)
            )
        ],
        nulls=[
            NullRow(kind=kind, draw=draw, bias_reduction=0.8 if kind == "selected" else 0.01)
            for kind, draw in (("selected", 0), ("random", 0), ("random", 1), ("shuffled", 0))
        ],
        doses=[
            DoseRow(
                dose=dose, bias_reduction=gain, bias_reduction_low=None, bias_reduction_high=None,
                definitional_accuracy=0.9, definitional_accuracy_low=0.8,
                definitional_accuracy_high=0.95, degenerate_share=0.0, degenerate_share_low=0.0,
                degenerate_share_high=0.1,
            )
            for dose, gain in ((0.0, None), (0.5, 0.4), (1.0, 0.8), (2.0, None))
        ],
        items=item_rows(GROUPS[axis], selected=selected),
        continuations=[
            Continuation(
                id="1", kind="stereotypical", item="pilot", prompt="It was late. The pilot said",
                sample=0, unsteered=" he was tired.", steered=text if selected else None,
            )
        ],
    )  # fmt: skip


def item_rows(groups: Sequence[str], *, selected: bool = True) -> list[ItemRow]:
    """Of two groups the first alone; more than two have a lexicon and no reference."""
    return [
        ItemRow(
            item=name, group=group, reference=rate if len(groups) == 2 else None,
            held_against=groups[-1], baseline=value, baseline_low=value - 0.3,
            baseline_high=value + 0.3, steered=value / 5 if selected else None, steered_low=None,
            steered_high=None,
        )
        for name, rate, value in ITEMS
        for group in (groups[:1] if len(groups) == 2 else groups)
    ]  # fmt: skip


def of_items(spread: float) -> Measures:
    """Of prompts that ask for an item: nothing is known of the other direction."""
    return estimates(
        bias_reduction=None,
        bias_reduction_item_given_group=1 - spread,
        item_spread_item_given_group=spread,
        reference_correlation_item_given_group=0.9,
    )


def joint(axes: Sequence[str], *, composition: str = "in the order of the axes") -> JointResult:
    under_all = STEERED | estimates(bias_reduction=0.76)
    others = {axis: [other for other in axes if other != axis] for axis in axes}
    return JointResult(
        model=MODEL,
        axes={
            axis: JointAxis(
                baseline=Baseline(measures=BASELINE, too_weak=None),
                selected=Baseline(measures=under_all, too_weak=None),
                alone=Baseline(measures=STEERED, too_weak=None),
                cross_axis=[
                    CrossAxis(
                        measures=estimates(bias_reduction=0.1, perplexity_ratio=1.0), axis=other,
                        cosine=0.3, minimum_detectable={},
                    )
                    for other in others[axis]
                ],
            )
            for axis in axes
        },
        intersections={
            "+".join(axes[:2]): JointAxis(
                baseline=Baseline(measures=of_items(1.0), too_weak=None),
                selected=Baseline(measures=of_items(0.69), too_weak=None),
                alone=Baseline(measures=of_items(0.67), too_weak=None),
                cross_axis=[],
            )
        },
        composition=composition,
        candidates=[
            JointCandidate(name=name, within_budget=within, measures=estimates(bias_reduction=gain))
            for name, within, gain in (
                (composition, True, 0.76), ("in reverse order", False, 0.7)
            )
        ],
        cross={
            steered: {
                axis: Measured(
                    measures=estimates(
                        bias_reduction=0.8 if axis == steered else -0.05,
                        definitional_accuracy_change=-0.01,
                    )
                )
                for axis in axes
            }
            for steered in axes
        },
        baseline=Measured(measures=estimates(perplexity=9.0)),
        selected=Measured(measures=estimates(perplexity_ratio=1.012)),
    )  # fmt: skip
