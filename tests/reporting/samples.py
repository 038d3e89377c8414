"""Results of a made-up study."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import BaseModel

from evenkeel.interpretation.records import Detection, Explanation, Failure, Interpretation
from evenkeel.reporting.benchmarks import Benchmark, Harness
from evenkeel.reporting.cards import Card, make_cards
from evenkeel.reporting.case_studies import (
    AnswerRow,
    AnswerShare,
    BestCase,
    CaseStudies,
    Finding,
)
from evenkeel.reporting.lineage import StageNode
from evenkeel.reporting.model import LeadIns, ModelAxis, ModelInfo, Template
from evenkeel.reporting.results import (
    AxisProbes,
    AxisResults,
    GroundTruth,
    ProbeRow,
    Probes,
    ProjectionRow,
    RecipeRow,
    RecoveryRow,
    Results,
    SaeInfo,
)
from evenkeel.sae.results import Context
from tests.reporting.evaluations import axis_results, estimates, joint


def probe(layer: int) -> ProbeRow:
    accuracy = 0.6 + 0.05 * layer
    return ProbeRow(
        layer=layer, site="resid_post", accuracy=accuracy, auroc=accuracy + 0.02,
        accuracy_ci95=(accuracy - 0.1, accuracy + 0.1), auroc_ci95=(accuracy - 0.1, 0.99),
        control_accuracy=0.49, selectivity=accuracy - 0.49, n_test=80,
    )  # fmt: skip


def measure(**values: float | None) -> dict[str, Any]:
    """Measures with an interval of a tenth to either side."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat |= {name: value, f"{name}_ci95": None if value is None else [value - 0.1, value + 0.1]}
    return flat


HOSTILE = '<script>alert("x")</script><img src=x onerror=alert(1)>\u202e & \u200b'


AXES = ("age", "gender", "race")


def feature_table(text: str = " she") -> pd.DataFrame:
    """Three features; the first goes with the groups of gender, the second with biased age."""
    table = pd.DataFrame(
        {
            "feature": [0, 1, 2], "mean": 0.0, "std": 0.1, "skewness": 0.0, "kurtosis": 3.0,
            "sparsity": -1.0, "top_activated_words": [[text, " her"], [" old"] * 2, ["a", "b"]],
            "top_logits": [[0.9, 0.5]] * 3, "bottom_words": [[" he", " his"]] * 3,
            "bottom_logits": [[-0.8, -0.4]] * 3, "logit_histogram": [[1, 3, 40, 3, 1]] * 3,
            "frequency": [0.1, 0.02, 0.5], "max_active": [4.0, 2.0, 1.0],
        }
    )  # fmt: skip
    for axis in AXES:
        table[f"{axis}_top40_unique"] = False
        for contrast in ("bias", "group", "definition")[: 3 if axis == "gender" else 2]:
            for part in ("selection", "test"):
                table[f"{axis}_{contrast}_auroc_{part}"] = 0.5
                table[f"{axis}_{contrast}_smd_{part}"] = 0.0
                table[f"{axis}_{contrast}_q_{part}"] = 1.0
    table.loc[0, ["gender_group_auroc_selection", "gender_group_auroc_test"]] = [0.1, 0.15]
    table.loc[0, "gender_group_q_test"] = 0.001
    table.loc[1, ["age_bias_auroc_selection", "age_bias_auroc_test"]] = [0.8, 0.7]
    return table


def contexts(text: str = " she") -> list[Context]:
    tokens = ("The", " nurse", " said", text)
    return [
        Context(feature=feature, kind="top", rank=rank, tokens=tokens,
                activations=(0.0, 0.1, 0.0, 2.0 - rank), peak=3)
        for feature in range(3)
        for rank in range(2)
    ] + [
        Context(feature=0, kind="silent", rank=0, tokens=tokens, activations=(0.0,) * 4, peak=0)
    ]  # fmt: skip


def interpretations(label: str = "words for women") -> list[Interpretation]:
    held = Detection(contexts=24, balanced_accuracy=0.9, balanced_accuracy_ci95=(0.75, 0.97),
                     sensitivity=0.9, specificity=0.9)  # fmt: skip
    said = Explanation(label=label, explanation="Fires on them.", about_axis="gender",
                       confidence=None, evidence=(" she",))  # fmt: skip
    unnamed = Failure(kind="no_enrichment", message="no category is what it fires on")
    return [
        Interpretation(feature=0, axes=("gender",), backend="offline", model=None,
                       explanation=said, failure=None, detection=held, detection_failure=None),
        Interpretation(feature=1, axes=("age",), backend="offline", model=None, explanation=None,
                       failure=unnamed, detection=None, detection_failure=None),
    ]  # fmt: skip


def cards(text: str = " she") -> list[Card]:
    return make_cards(feature_table(text), contexts(text), interpretations(text))


def bias(baseline: float, steered: float, *, weak: bool = False) -> dict[str, Any]:
    """A figure of bias as a benchmark writes it."""
    return measure(baseline=baseline, steered=steered, difference=steered - baseline) | {
        "unbiased": 0.5, "choices": {"lost": 3, "won": 1, "p": 0.625},
        "too_weak_to_tell": {"baseline": weak, "steered": False},
    }  # fmt: skip


COMPETENCE = measure(baseline=0.86, steered=0.85, difference=-0.01) | {"chance": 0.5}


def benchmark(text: str = "pairs.csv") -> Benchmark:
    """CrowS-Pairs by three rules of which two find the same; the first is at chance on gender."""
    found = {
        "bos_mean": bias(0.62, 0.55, weak=True), "bos_sum": bias(0.44, 0.47),
        "nobos_sum": bias(0.44, 0.47),
    }  # fmt: skip
    return Benchmark(
        benchmark="crows_pairs",
        data={"files": {text: {"sha256": "1" * 64, "official": False}}, "license": "CC BY-SA 4.0",
              "source": "nyu-mll/crows-pairs@8aaa"},
        figures={
            rule: {
                group: {"stereotype_preferred": figure, "beats_shuffled": COMPETENCE}
                for group in ("all", "gender", "race-color")
            }
            for rule, figure in found.items()
        },
        rules=dict.fromkeys(found, "log-likelihood in some way"),
        size={"left_out": 9, "pairs": 1499},
    )  # fmt: skip


def specificity() -> Benchmark:
    """Of three capabilities one is lost, one kept, and one was never there."""

    def figures(score: float, change: float, competence: float) -> dict[str, Any]:
        weak = {"baseline": competence < 0.1, "steered": competence < 0.1}
        changed = measure(baseline=score, steered=score + change, difference=change)
        able = measure(baseline=competence, steered=competence, difference=0.0)
        return {
            "score": changed | {"best": 1.0, "too_weak_to_tell": weak},
            "competence": able | {"chance": 0.0},
        }

    found = {
        "knowledge": figures(0.8, -0.3, 0.5), "civil_words": figures(0.7, -0.01, 0.2),
        "harmful_refused": figures(0.1, -0.1, 0.05),
    }  # fmt: skip
    return Benchmark(
        benchmark="specificity",
        data={"files": {"knowledge.jsonl": {"sha256": "2" * 64, "official": None}},
              "license": None, "source": None},
        figures={rule: {"all": each} for rule, each in found.items()},
        rules=dict.fromkeys(found, "asked in some way"),
        size={"items_of_knowledge": 86},
        verdict={
            "flagged": True, "margin": 0.05, "level": 0.05,
            "findings": {
                "knowledge": {"finding": "lost", "p": 0.001},
                "civil_words": {"finding": "kept", "p": 0.4},
                "harmful_refused": {"finding": "too weak to tell", "p": None},
            },
        },
    )  # fmt: skip


def harness(text: str = "choose") -> Harness:
    """A task that both score, and a figure that only the harness gives."""
    models = ("lm_eval baseline", "evenkeel baseline", "lm_eval steered", "evenkeel steered")
    figures = {
        "acc": dict.fromkeys(models, 0.25), "acc_stderr": dict.fromkeys(models, 0.125),
        "perplexity": dict.fromkeys(models[::2], 9.0),
    }  # fmt: skip
    return Harness(
        task=text, harness="0.4.9", largest_difference=2e-6,
        tasks={text: {"version": 3.0, "items": 4, "figures": figures}},
    )  # fmt: skip


def hostile_results(text: str = HOSTILE) -> Results:
    """As `make_results`, but every text of models and files is `text`."""
    results = make_results(axes=("gender", "race"), text=text)
    assert results.joint
    candidates = [each.model_copy(update={"name": text}) for each in results.joint.candidates]
    return dataclasses.replace(
        results,
        model=results.model.model_copy(
            update={"name": text, "revision": text, "dequantized": text}
        ),
        sae=results.sae.model_copy(update={"warnings": [text]}),
        cards=cards(text),
        axes={axis: _hostile(found, text) for axis, found in results.axes.items()},
        joint=results.joint.model_copy(update={"composition": text, "candidates": candidates}),
        benchmarks=[benchmark(text)],
        harness=[harness(text)],
    )


def _hostile(found: AxisResults, text: str) -> AxisResults:
    evaluation = found.evaluation
    groups = tuple(f"{text}{number}" for number, _ in enumerate(evaluation.groups))
    prefixed = [
        row.model_copy(update={"recipe": row.recipe.model_copy(update={"prefix": text})})
        for row in evaluation.conditions
    ]
    changes = {"groups": groups, "conditions": prefixed, "selected": prefixed[0]}
    named = dict(zip(evaluation.groups, groups, strict=True))
    return dataclasses.replace(
        found,
        evaluation=evaluation.model_copy(update=changes),
        items=[
            row.model_copy(update={"item": text, "group": named[row.group], "held_against": text})
            for row in found.items
        ],
        continuations=[
            row.model_copy(update={"prompt": text, "unsteered": text})
            for row in found.continuations
        ],
    )


def write_inputs(folder: Path, axes: Sequence[str] = ("gender", "race")) -> dict[str, Path]:
    """The files of a made-up study, where the stages leave them, by the report's options."""
    results = make_results(axes=axes)
    paths = {
        "metrics": folder / "reports/metrics",
        "plots": folder / "reports/plots",
        "texts": folder / "reports/evaluation",
        "features": folder / "data/features",
        "validation": folder / "reports/validation",
    }
    pages = {
        "metrics/evaluation",
        "metrics/judging",
        "metrics/localisation",
        "metrics/benchmarks/harness",
    }
    for path in (*paths.values(), *(folder / "reports" / page for page in pages)):
        path.mkdir(parents=True)
    assert results.ground_truth
    records: dict[Path, BaseModel] = {
        paths["metrics"] / "model.json": results.model,
        paths["metrics"] / "probes.json": results.probes,
        paths["metrics"] / "sae.json": results.sae,
        paths["metrics"] / "demonstration.json": results.case_studies,
        paths["metrics"] / "benchmarks/crows_pairs.json": benchmark(),
        paths["metrics"] / "benchmarks/harness/choose.json": harness(),
        paths["validation"] / "summary.json": results.ground_truth,
    }
    tables: dict[Path, Sequence[BaseModel]] = {
        paths["plots"] / "projections.csv": results.projections,
        paths["validation"] / "recovery.csv": results.recovery,
    }
    lines: dict[Path, Sequence[BaseModel]] = {
        paths["features"] / "contexts.jsonl": contexts(),
        paths["features"] / "interpretations.jsonl": interpretations(),
    }
    for axis, found in results.axes.items():
        records[paths["metrics"] / f"evaluation/{axis}.json"] = found.evaluation
        records[paths["metrics"] / f"localisation/{axis}.json"] = found.localisation
        records[paths["metrics"] / f"judging/{axis}.json"] = found.judging
        plots = paths["plots"] / "evaluation" / axis
        plots.mkdir(parents=True)
        tables |= {
            plots / "sweep.csv": found.sweep,
            plots / "pareto.csv": found.pareto,
            plots / "nulls.csv": found.nulls,
            plots / "dose.csv": found.doses,
            plots / "items.csv": found.items,
        }
        (paths["texts"] / axis).mkdir()
        lines[paths["texts"] / axis / "continuations.jsonl"] = found.continuations
    if results.joint:
        records[paths["metrics"] / "evaluation/joint.json"] = results.joint
    for path, record in records.items():
        path.write_text(record.model_dump_json())
    for path, rows in tables.items():
        cells = [row.cells() if isinstance(row, RecipeRow) else row.model_dump() for row in rows]
        pd.DataFrame(cells).to_csv(path, index=False)
    for path, rows in lines.items():
        path.write_text("".join(row.model_dump_json() + "\n" for row in rows))
    feature_table().to_parquet(paths["features"] / "features.parquet")
    paths["pipeline"] = folder / "dvc.yaml"
    paths["pipeline"].write_text(PIPELINE)
    return paths


def case_studies() -> CaseStudies:
    best = BestCase(recipe="group <b>", layer=3, multiplier=-0.5, shift=1.5, shift_ci95=(1, 2),
                    perplexity=8.1)  # fmt: skip
    return CaseStudies(
        best={best.recipe: best},
        agreement={best.recipe: {"wrapper": 1.0}},
        findings=[
            Finding(
                claim="later layers separate",
                verdict="undecided",
                difference=0.024,
                difference_ci95=(-0.016, 0.079),
            ),
            Finding(claim="one axis alone", verdict="undecided", difference=None),
        ],
        answers=[
            AnswerRow(
                recipe=recipe,
                layer=None,
                multiplier=None,
                classes={"<i>female</i>": AnswerShare(share=0.4, share_ci95=(0.2, 0.6))},
            )
            for recipe in (None, best.recipe)
        ],
    )


PIPELINE = """
stages:
  report: {cmd: r, deps: [data/texts.jsonl, "models/base"], outs: [report.html]}
  cache:
    foreach: {a: data/texts.jsonl}
    do: {cmd: c, deps: ["${item}", models/base], outs: ["data/${key}.h5": {persist: true}]}
  write: {cmd: w, desc: Write texts, outs: [data/texts.jsonl]}
  train: {cmd: t, deps: [data/texts.jsonl], outs: [models/base]}
  look: {cmd: l, deps: [data/a.h5, data/texts.jsonl], metrics: [look.json]}
"""
"""Stages in no order; `cache` is repeated, and `look` depends on `write` through `cache`."""


def make_results(
    *,
    axes: Sequence[str] = ("gender",),
    selected: bool = True,
    weak: str | None = None,
    text: str = " she was tired.",
) -> Results:
    """Of several axes with a joint intervention, of one without."""
    return Results(
        model=ModelInfo(
            source="organism", name="organism", revision="ab" * 32, family="gpt2", layers=6,
            d_model=128, chat_template=False, parameters=1_200_000, dequantized=None,
            lead_ins=LeadIns(
                used="sentence", suited="none",
                kinds={kind: {"definitional_accuracy": share, "definitional_margin": 2.0}
                       for kind, share in (("none", 0.97), ("sentence", 0.925))},
            ),
            axes={
                axis: ModelAxis(
                    measures=estimates(reference_correlation=0.96, reference_slope=1.0),
                    templates=[
                        Template(split="validation", template="{subject} sat down when", prompts=3,
                                 continuation_mass=0.31, definitional_accuracy=1.0, flag=None),
                        Template(split="test", template="{subject} had <hurt>", prompts=3,
                                 continuation_mass=0.01, definitional_accuracy=None,
                                 flag="little continuation mass"),
                    ],
                )
                for axis in axes
            },
            heldout_perplexity=9.5, heldout_perplexity_ci95=(9.4, 9.6),
        ),
        probes=Probes(
            axes={
                axis: AxisProbes(best=probe(2), layers=[probe(layer) for layer in range(3)])
                for axis in dict.fromkeys((*AXES, *axes))
            }
        ),
        projections=[
            ProjectionRow(axis=axis, site="resid_post", layer=2, group=group, label=label,
                          pc1=pc1, pc2=-pc1, pc1_variance=0.4, pc2_variance=0.2)
            for axis in AXES
            for group, pc1 in (("men", 1.0), ("women", 2.0))
            for label in ("biased", "neutral")
        ],
        sae=SaeInfo(source="train", architecture="topk", hook_name="blocks.3.hook_resid_post",
                    d_sae=384, l0=10.0, explained_variance=0.9, ce_loss_recovered=0.98,
                    dead_fraction=0.05),
        cards=cards(),
        axes={
            axis: axis_results(axis, selected=selected, weak=weak, text=text) for axis in axes
        },
        joint=joint(axes) if len(axes) > 1 else None,
        ground_truth=GroundTruth(
            organisms=4, too_weak=1, level=0.05,
            false_positives={"found": 0, "of": 2, "share_ci95": (0.0, 0.8)},
            detected={"found": 1, "of": 1, "share_ci95": (0.03, 1.0)},
            recovery={"slope": 0.98, "slope_ci95": (0.9, 1.06)},
        ),
        recovery=[
            RecoveryRow(organism=name, planted=planted, measured=measured, measured_low=-0.1,
                        measured_high=1.1)
            for name, planted, measured in (("twin-0", 0.0, 0.02), ("strength-1.0", 1.0, 0.99))
        ],
        benchmarks=[benchmark()],
        harness=[harness()],
        case_studies=case_studies(),
        lineage=[
            StageNode("prepare_model", "Train", ("models/base",), (), 0),
            StageNode("evaluate", "Measure", ("reports/evaluation",), ("prepare_model",), 1),
        ],
        inputs={"reports/metrics/model.json": "0" * 32},
        versions={"python": "3.12.0"},
    )  # fmt: skip
