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
