"""Results of a made-up study."""

import dataclasses
from pathlib import Path
from typing import Any

import pandas as pd

from evenkeel.interpretation.records import Detection, Explanation, Failure, Interpretation
from evenkeel.reporting.benchmark_results import Benchmark, Harness
from evenkeel.reporting.cards import Card, make_cards
from evenkeel.reporting.lineage import StageNode
from evenkeel.reporting.results import (
    AxisProbes,
    Continuation,
    DoseRow,
    Evaluation,
    FrontierRow,
    GroundTruth,
    ModelInfo,
    NullRow,
    OccupationRow,
    ProbeRow,
    Probes,
    ProjectionRow,
    RecoveryRow,
    Results,
    SaeInfo,
    SweepRow,
)
from evenkeel.sae.results import Context


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


BASELINE = measure(
    occupation_spread=1.5, parity_offset=0.2, planted_correlation=0.97, planted_slope=0.9,
    definitional_accuracy=0.95, definitional_margin=5.0, perplexity=9.0, distinct_2=0.8,
    repetition=0.01, degenerate_share=0.0,
)  # fmt: skip
STEERED = (
    BASELINE
    | measure(
        occupation_spread=0.3, definitional_accuracy=0.9, bias_reduction=0.8,
        perplexity_ratio=1.004, definitional_margin_ratio=0.7,
        definitional_accuracy_change=-0.05, kl_neutral=0.01,
    )
    | {
        "method": "probe", "site": "resid_post", "layer": 3, "action": "ablate", "multiplier": 1.0,
        "gate": "none", "within_budget": True, "too_weak": None, "spread_p_holm": 0.02,
        "definitional_choices": {"lost": 5, "won": 0, "p": 0.06},
    }
)  # fmt: skip
SAID = (("pilot", 0.1, -2.0), ("judge", 0.4, -0.5), ("maid", None, 2.0))
"""Occupation, share of women, log-odds."""
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
    results = make_results(text=text)
    return dataclasses.replace(
        results,
        model=results.model.model_copy(update={"name": text, "revision": text}),
        cards=cards(text),
        occupations=[row.model_copy(update={"occupation": text}) for row in results.occupations],
        continuations=[
            row.model_copy(update={"prompt": text, "unsteered": text})
            for row in results.continuations
        ],
        benchmarks=[benchmark(text)],
        harness=[harness(text)],
    )


def write_inputs(folder: Path) -> dict[str, Path]:
    """The files of a made-up study, by the option of the stage that takes them."""
    results = make_results()
    paths = {}
    for name in ("model", "probes", "evaluation", "sae"):
        paths[name] = folder / f"{name}.json"
        paths[name].write_text(getattr(results, name).model_dump_json())
    for name in ("sweep", "frontier", "nulls", "doses", "occupations", "projections"):
        paths[name] = folder / f"{name}.csv"
        rows = [row.model_dump() for row in getattr(results, name)]
        pd.DataFrame(rows).to_csv(paths[name], index=False)
    lines = {
        "continuations": results.continuations,
        "contexts": contexts(),
        "interpretations": interpretations(),
    }
    for name, rows in lines.items():
        paths[name] = folder / f"{name}.jsonl"
        paths[name].write_text("".join(row.model_dump_json() + "\n" for row in rows))
    paths["features"] = folder / "features.parquet"
    feature_table().to_parquet(paths["features"])
    paths["validation"] = folder / "validation"
    paths["validation"].mkdir()
    assert results.ground_truth
    summary = results.ground_truth.model_dump_json()
    (paths["validation"] / "summary.json").write_text(summary)
    recovery = pd.DataFrame([row.model_dump() for row in results.recovery])
    recovery.to_csv(paths["validation"] / "recovery.csv", index=False)
    paths["benchmarks"] = folder / "benchmarks"
    (paths["benchmarks"] / "harness").mkdir(parents=True)
    found = {"crows_pairs.json": benchmark(), "harness/choose.json": harness()}
    for name, record in found.items():
        (paths["benchmarks"] / name).write_text(record.model_dump_json())
    paths["pipeline"] = folder / "dvc.yaml"
    paths["pipeline"].write_text(PIPELINE)
    return paths


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
"""Stages in no order; `cache` is repeated, and `look` waits for `write` through `cache` already."""


def make_results(*, selected: bool = True, text: str = " she was tired.") -> Results:
    sample = {
        "occupations": 3,
        "stereotypical_prompts": 6,
        "definitional_prompts": 40,
        "texts": 100,
    }
    return Results(
        model=ModelInfo(
            source="organism", name="organism", revision="ab" * 32, family="gpt2", layers=6,
            parameters=1_200_000, **measure(planted_correlation=0.96, definitional_accuracy=0.95),
        ),
        probes=Probes(
            axes={
                axis: AxisProbes(best=probe(2), layers=[probe(layer) for layer in range(3)])
                for axis in AXES
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
        evaluation=Evaluation(
            axis="gender",
            sample={
                "validation": sample,
                "test": sample | {"continued_prompts": 1, "samples_of_each": 2},
            },
            competence={"accuracy": 0.95, "accuracy_ci95": [0.85, 0.99], "chance": 0.5,
                        "margin": 0.1, "too_weak": None},
            bias_test={"verdict": "bias found", "p": 0.001, "occupations": 3,
                       "minimum_detectable_correlation": 0.9},
            baseline=BASELINE,
            interventions=[STEERED | {"name": "probe_ablate", "too_weak": None}],
            selected=STEERED | {"name": "probe_ablate"} if selected else None,
            selection={
                "max_perplexity_ratio": 1.02, "max_definitional_loss": 0.05,
                "max_parity_shift": 0.25,
                "candidates": 2, "candidates_within_budget": 1,
                "reason": "highest bias reduction on validation",
            },
            prompting=[STEERED | {"prefix": "Be fair. ", "too_weak": "too weak to tell"}],
            nulls=[{"kind": "random", "draws": 2, "p": 0.3,
                    "bias_reduction": {"median": 0.0, "q95": 0.01, "max": 0.02}}],
            transfer=[measure(bias_reduction=0.1, perplexity_ratio=1.0)
                      | {"axis": "age", "cosine": 0.3}],
            reprobing=[measure(unsteered=0.9, steered=0.7)
                       | {"target": "stereotypical", "probe": "linear", "layer": 5}],
        ),
        frontier=[
            FrontierRow(method=method, layer="3", action="ablate", multiplier=1.0, gate=gate,
                        damage=damage, on_frontier=gate == "band", test_bias_reduction=gain,
                        test_bias_reduction_low=0.0, test_bias_reduction_high=0.9,
                        test_perplexity_ratio=1.01, test_definitional_accuracy_change=0.0)
            for method, gate, damage, gain in (
                ("probe", "band", 0.3, 0.7), ("random", "none", 0.1, 0.02)
            )
        ],
        nulls=[
            NullRow(kind=kind, draw=draw, bias_reduction=0.8 if kind == "selected" else 0.01)
            for kind, draw in (("selected", 0), ("random", 0), ("random", 1), ("shuffled", 0))
        ],
        doses=[
            DoseRow(dose=dose, bias_reduction=gain, bias_reduction_low=None,
                    bias_reduction_high=None, definitional_accuracy=0.9,
                    definitional_accuracy_low=0.8, definitional_accuracy_high=0.95,
                    degenerate_share=0.0, degenerate_share_low=0.0, degenerate_share_high=0.1)
            for dose, gain in ((0.0, None), (0.5, 0.4), (1.0, 0.8), (2.0, None))
        ],
        sweep=[
            SweepRow(
                method="probe", site="resid_post", layer=layer, action="ablate", multiplier=1.0,
                gate="none", bias_reduction=gain, perplexity_ratio=cost,
                definitional_accuracy=0.9, within_budget=layer == "3",
            )
            for layer, gain, cost in (("3", 0.8, 1.004), ("all", -2.0, 30.0), ("0", None, None))
        ],
        occupations=[
            OccupationRow(
                occupation=name, share_female=share, baseline=value, baseline_low=value - 0.3,
                baseline_high=value + 0.3, steered=value / 5 if selected else None,
                steered_low=None, steered_high=None,
            )
            for name, share, value in SAID
        ],
        continuations=[
            Continuation(
                id="1", kind="stereotypical", term="pilot", prompt="The pilot said that", sample=0,
                unsteered=" he was tired.", steered=text if selected else None,
            )
        ],
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
        lineage=[
            StageNode("prepare_model", "Train", ("models/base",), (), 0),
            StageNode("evaluate", "Measure", ("reports/evaluation",), ("prepare_model",), 1),
        ],
        inputs={"reports/metrics/model.json": "0" * 32},
        versions={"python": "3.12.0"},
    )  # fmt: skip
