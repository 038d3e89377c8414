"""What is reported of the table of features."""

from pathlib import Path

import numpy as np
import pandas as pd

from evenkeel.files import write_json
from evenkeel.sae.table import summary


def test_a_summary_of_dead_latents_is_json(tmp_path: Path) -> None:
    table = pd.DataFrame({"frequency": [0.0, 0.0], "coherence": [np.nan, np.nan]})
    found = summary(table)
    assert found["dead"] == 2
    assert found["mean_coherence"] is None
    write_json(tmp_path / "features.json", found)


def test_the_summary_names_the_group_that_the_strongest_feature_tells_from_the_others() -> None:
    columns = {
        f"{axis}_group_{measure}_{part}": [0.5, 0.5]
        for axis in ("age", "race")
        for measure in ("auroc", "q")
        for part in ("selection", "test")
    }
    columns |= {f"{axis}_top40_unique": [False, False] for axis in ("age", "race")}
    columns |= {
        "feature": [0, 1],
        "frequency": [0.1, 0.1],
        "coherence": [0.2, 0.4],
        "race_group_auroc_selection": [0.6, 0.1],
        "race_group_auroc_test": [0.7, 0.2],
        "race_group_q_selection": [0.04, 0.06],
        "race_group_strongest": ["Asian", "white"],
    }
    found = summary(pd.DataFrame(columns))["strongest"]
    assert found["race_group"] == {
        "feature": 1,
        "auroc_selection": 0.1,
        "auroc_test": 0.2,
        "separation_test": 0.8,
        "group": "white",
        "significant": 1,
    }
    assert found["age_group"]["group"] is None
