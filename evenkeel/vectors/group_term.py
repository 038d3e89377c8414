"""The stream at the word that names a group, where the concept enters it."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float

from evenkeel.activations.capture import capture_texts
from evenkeel.datasets.terms import find_term
from evenkeel.errors import BadInputError
from evenkeel.models.loading import LoadedModel
from evenkeel.models.sites import HookPoint
from evenkeel.probes.statements import terms


def group_term_streams(
    loaded: LoadedModel, statements: pd.DataFrame, points: Sequence[HookPoint]
) -> dict[HookPoint, Float[np.ndarray, "statements d_model"]]:
    """The stream at the last token of each statement's group term, at each site and layer.

    Raises:
        BadInputError: a statement does not hold its group term, or the model lacks a site or layer.
    """
    beginnings = []
    lead_ins = statements.get("lead_in", pd.Series("", index=statements.index))
    for text, lead_in, (group_term, *_) in zip(
        statements["text"], lead_ins, terms(statements), strict=True
    ):
        place = find_term(text[len(lead_in) :], group_term)
        if place is None:
            raise BadInputError(
                f"statement {text!r} does not hold its group term {group_term!r} as a word, "
                "which the method term reads; name it first among its terms, or drop term from "
                "vectors.methods"
            )
        beginnings.append(text[: len(lead_in) + place.stop])
    distinct, rows = np.unique(beginnings, return_inverse=True)
    streams: dict[HookPoint, Float[np.ndarray, "statements d_model"]] = {}
    for site in sorted({point.site for point in points}):
        layers = [point.layer for point in points if point.site == site]
        found = capture_texts(loaded, distinct.tolist(), [site], layers, "last")
        streams |= {point: values[rows] for point, values in found.items()}
    return streams
