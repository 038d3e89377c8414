"""The judge judged: its accuracy on labelled texts, beside that of one that ignores the text."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from evenkeel.judging.result import Calibration, KindAccuracy
from evenkeel.judging.texts import LabelledText, Verdict
from evenkeel.statistics.bootstrap import ClusterBootstrap, share
from evenkeel.statistics.clusters import Clusters
from evenkeel.statistics.estimate import rounded


def calibrate(
    labelled: Sequence[LabelledText], verdicts: Sequence[Verdict], resamples: int, seed: int
) -> Calibration:
    """Accuracy of verdicts, and that of the best judge that ignores the text.

    Args:
        labelled: one or more texts.
        verdicts: of each.
        resamples: bootstrap resamples of items.
        seed: of the resamples.
    """
    right = np.array(
        [verdict == text.label for text, verdict in zip(labelled, verdicts, strict=True)], float
    )
    constant = max(Counter(text.label for text in labelled).values())
    stereotyping = sum(text.label == text.held_against for text in labelled)
    items = Clusters.of([text.shown.item for text in labelled])
    accuracy = share(
        ClusterBootstrap(len(items), resamples, seed), items.sum(right), items.counts
    ).columns("accuracy")
    kind_of = np.array([text.kind for text in labelled])
    return Calibration.model_validate(
        {
            "texts": len(labelled),
            "unanswered": sum(verdict is None for verdict in verdicts),
            "chance": rounded(max(constant, stereotyping) / len(labelled)),
            "kinds": [
                KindAccuracy(
                    kind=kind,
                    texts=int((kind_of == kind).sum()),
                    right=int(right[kind_of == kind].sum()),
                )
                for kind in dict.fromkeys(text.kind for text in labelled)
            ],
        }
        | accuracy
    )
