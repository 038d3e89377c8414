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
                "layers": [probe.row() for probe in probes.of_axis(axis)],
            }
            for axis in probes.axes
        }
    }


def probe_table(probes: ProbeSet) -> pd.DataFrame:
    """One row an axis, site and layer; intervals as `_low` and `_high` columns."""
    rows = []
    for probe in probes:
        row: dict[str, Any] = {"axis": probe.axis, "site": probe.site, "layer": probe.layer}
        for name, value in probe.row().items():
            if name.endswith("_ci95"):
                measure = name.removesuffix("_ci95")
                row[f"{measure}_low"], row[f"{measure}_high"] = value
            else:
                row[name] = value
        rows.append(row)
    return pd.DataFrame(rows)
