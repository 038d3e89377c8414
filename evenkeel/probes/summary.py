"""What is reported of a set of probes."""

from dataclasses import asdict
from typing import Any

import pandas as pd

from evenkeel.probes.probe_set import ProbeSet


def probe_metrics(probes: ProbeSet) -> dict[str, Any]:
    """By axis: `layers`, one entry a site and layer, the `best` of them on validation, and what the
    `detector` of all of them together is worth on test (null where none beats chance).
    """
    detectors = {detector.axis: asdict(detector.metrics) for detector in probes.detectors}
    return {
        "axes": {
            axis: {
                "best": probes.best(axis).row(),
                "detector": detectors.get(axis),
                "layers": _rows(probes, axis),
            }
            for axis in probes.axes
        }
    }


def probe_table(probes: ProbeSet) -> pd.DataFrame:
    """One row an axis, site and layer; intervals as `_low` and `_high` columns."""
    rows = []
    for axis in probes.axes:
        for found in _rows(probes, axis):
            row: dict[str, Any] = {"axis": axis, "site": found["site"], "layer": found["layer"]}
            for name, value in found.items():
                if name.endswith("_ci95"):
                    measure = name.removesuffix("_ci95")
                    row[f"{measure}_low"], row[f"{measure}_high"] = value
                else:
                    row[name] = value
            rows.append(row)
    return pd.DataFrame(rows)


def _rows(probes: ProbeSet, axis: str) -> list[dict[str, Any]]:
    """What is known of each probe, and its `importance`: its say in the axis's detector, from 0 to
    1 and together 1; null where there is no detector.
    """
    weights = {detector.axis: detector.weights for detector in probes.detectors}
    members = probes.of_axis(axis)
    shares = weights.get(axis, (None,) * len(members))
    return [
        probe.row() | {"importance": share} for probe, share in zip(members, shares, strict=True)
    ]
