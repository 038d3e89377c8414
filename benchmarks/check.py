"""How often the gate of `evenkeel check` passes an unchanged model, and fails one that got worse.

Each seed draws other occupations to test. The regression is planted by amplifying what the selected
intervention takes out; its true size is the spread over all occupations, over that of the model
as it was.

    cd <a project after make repro> && python -m benchmarks.check
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from benchmarks.figures import Figure, show
from evenkeel.axes import same_strength
from evenkeel.datasets.prompts import make_prompts
from evenkeel.evaluation.bias_check import AxisCheck, check_axis, split_of
from evenkeel.metrics import bias
from evenkeel.models.loading import load_model
from evenkeel.steering.spec import InterventionSpec

AXIS = "gender"
"""The only one whose test items a seed decides."""
LIMITS = (2.0, 1.5, 1.25, 1.0, 0.8)
"""Of the spread, as shares of the true one."""
ALPHA, MARGIN = 0.05, 0.1


def spread(checks: list[AxisCheck]) -> float:
    """Of all occupations that any seed drew."""
    scores = {
        item: row
        for check in checks
        for item, row in zip(check.record.items, check.record.table, strict=True)
    }
    return float(bias.item_spread(np.array(list(scores.values()))))


def measure(options: argparse.Namespace) -> Iterator[Figure]:
    loaded = load_model(options.model)
    spec = InterventionSpec.load(options.intervention)
    drawn = [
        split_of(make_prompts([AXIS], same_strength(1.0), seed, lead_ins=True), AXIS, "test")
        for seed in range(options.seeds)
    ]

    def checked(what: str, **how: Any) -> list[AxisCheck]:
        limits = how.pop("limits", [{"max_spread": 1.0}] * len(drawn))
        return [
            check_axis(loaded.model, loaded.tokenizer, AXIS, prompts, alpha=ALPHA, **limit, **how)
            for prompts, limit in tqdm(list(zip(drawn, limits, strict=True)), what, disable=None)
        ]

    def share(checks: list[AxisCheck]) -> float:
        return float(np.mean([check.passed for check in checks]))

    before = checked("as it is")
    true = spread(before)
    yield Figure("spread of all occupations, nats", true)
    for limit in LIMITS:
        kept = [check.bound is not None and check.bound < limit * true for check in before]
        goal = ALPHA if limit <= 1 else None
        yield Figure(f"passes a limit of {limit:g} times that", float(np.mean(kept)), goal)
    against = [{"baseline": check.record, "margin": MARGIN} for check in before]
    for amplified in options.amplified:
        worse = replace(
            spec, interventions=tuple(replace(i, multiplier=-amplified) for i in spec.interventions)
        )
        after = checked(f"amplified by {amplified:g}", limits=against, spec=worse)
        name = f"fails a model whose spread is {spread(after) / true:.2f} times the baseline's"
        yield Figure(name, 1 - share(after), better="higher")
    same = checked("another batch size", limits=against, batch_size=7)
    yield Figure("passes the unchanged model, read in other batches", share(same), 0.95, "higher")
    loaded.model.bfloat16()
    rounded = checked("bfloat16", limits=against)
    yield Figure("passes the unchanged model, in bfloat16", share(rounded), 0.95, "higher")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", type=Path, default=Path("models/base"), help="what is checked")
    parser.add_argument(
        "--intervention", type=Path, default=Path(f"reports/evaluation/{AXIS}/intervention"),
        help="what is amplified",
    )  # fmt: skip
    parser.add_argument("--seeds", type=int, default=50, help="draws of the occupations to test")
    parser.add_argument(
        "--amplified", type=float, nargs="*", default=[0.1, 0.15, 0.2, 0.3], help="multipliers"
    )
    parser.add_argument("--json", action="store_true", help="rows of JSON instead of a table")
    options = parser.parse_args()
    for path in (options.model, options.intervention):
        if not path.is_dir():
            sys.exit(f"{path}: no such folder; run this in a project after `make repro`")
    show(f"The gate, {AXIS}, {options.seeds} seeds", list(measure(options)), options.json)


if __name__ == "__main__":
    main()
