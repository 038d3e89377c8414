"""Results of a made-up study."""

from typing import Any

from evenkeel.reporting.results import (
    AxisProbes,
    Continuation,
    Evaluation,
    ModelInfo,
    OccupationRow,
    ProbeRow,
    Probes,
    Results,
    SweepRow,
)


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
        "gate": "none", "within_budget": True,
    }
)  # fmt: skip
SAID = (("pilot", 0.1, -2.0), ("judge", 0.4, -0.5), ("maid", None, 2.0))
"""Occupation, share of women, log-odds."""
HOSTILE = '<script>alert("x")</script><img src=x onerror=alert(1)>\u202e & \u200b'


def make_results(*, selected: bool = True, text: str = " she was tired.") -> Results:
    sample = {"occupations": 3, "stereotypical_prompts": 6, "texts": 100}
    return Results(
        model=ModelInfo(
            source="organism", name="organism", revision="ab" * 32, family="gpt2", layers=6,
            parameters=1_200_000, **measure(planted_correlation=0.96, definitional_accuracy=0.95),
        ),
        probes=Probes(
            axes={
                axis: AxisProbes(best=probe(2), layers=[probe(layer) for layer in range(3)])
                for axis in ("age", "gender", "race")
            }
        ),
        evaluation=Evaluation(
            axis="gender",
            sample={"validation": sample, "test": sample | {"continued_prompts": 1}},
            baseline=BASELINE,
            interventions={"probe_ablate": STEERED},
            selected=STEERED | {"name": "probe_ablate"} if selected else None,
            selection={
                "max_perplexity_ratio": 1.02, "max_definitional_loss": 0.05,
                "candidates": 2, "candidates_within_budget": 1,
                "reason": "highest bias reduction on validation",
            },
        ),
        sweep=[
            SweepRow(
                method="probe", site="resid_post", layer=layer, action="ablate", multiplier=1.0,
                gate="none", bias_reduction=gain, perplexity_ratio=cost,
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
                id="1", kind="stereotypical", term="pilot", prompt="The pilot said that",
                unsteered=" he was tired.", steered=text if selected else None,
            )
        ],
    )  # fmt: skip
