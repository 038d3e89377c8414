"""What is reported of the computed vectors."""

from collections.abc import Sequence
from typing import Any

from evenkeel.vectors.task import Computed


def vector_metrics(results: Sequence[Computed]) -> dict[str, Any]:
    """`vectors`, one entry an axis, method, site and layer, and the `best` by axis and method."""
    best: dict[str, dict[str, Any]] = {}
    for row in best_rows(results):
        best.setdefault(row["axis"], {})[row["method"]] = row
    return {"best": best, "vectors": [result.row() for result in _sorted(results)]}


def best_rows(results: Sequence[Computed]) -> list[dict[str, Any]]:
    """Of each axis and method the row with the highest separation on validation."""
    best: dict[tuple[str, str], dict[str, Any]] = {}
    for result in _sorted(results):
        row = result.row()
        if row["separation_auroc"] is None:
            continue
        held = best.setdefault((result.axis, result.method), row)
        if row["separation_auroc"] > held["separation_auroc"]:
            best[result.axis, result.method] = row
    return list(best.values())


def _sorted(results: Sequence[Computed]) -> list[Computed]:
    return sorted(results, key=lambda result: result.key)
