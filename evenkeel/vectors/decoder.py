"""Decoder rows of a sparse autoencoder: what each feature that goes with an axis writes."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
from jaxtyping import Float

from evenkeel.activations.store import ActivationStore
from evenkeel.errors import BadInputError
from evenkeel.models.sites import HookPoint
from evenkeel.params import FeatureVectorsParams
from evenkeel.probes.statements import statements_of
from evenkeel.sae.loading import LoadedSae
from evenkeel.sae.selection import associated_features, check_listed

log = logging.getLogger(__name__)

Rows = Mapping[int, Float[np.ndarray, " d_model"]]
"""What a unit of each feature adds to the stream; the strongest association with the axis first."""


@dataclass(frozen=True, eq=False)
class DecoderRows:
    """Rows of each axis's features, at the SAE's own place."""

    place: HookPoint
    by_axis: Mapping[str, Rows]

    @classmethod
    def of(
        cls,
        sae: LoadedSae,
        table: pd.DataFrame,
        store: ActivationStore,
        params: FeatureVectorsParams,
    ) -> Self:
        """Select features and look up their rows.

        Args:
            sae: whose features.
            table: of these features, as extract_features writes it.
            store: activations of statements, at the SAE's place among others.
            params: which to select; listed ones are for every axis, after the selected ones.

        Raises:
            BadInputError: table, SAE and store do not fit, the texts are no statements, or a listed
                feature is not there.
        """
        site, layer = sae.place.site, sae.place.layer
        if len(table) != sae.d_sae:
            raise BadInputError(
                f"the table has {len(table)} features, the SAE {sae.d_sae}; run extract_features"
            )
        if site not in store.sites or layer not in store.layers(site):
            raise BadInputError(
                f"{store.path} keeps no {sae.place}, where the SAE reads: add it to "
                "activations.statements, or take sae out of vectors.methods"
            )
        if store.d_model(site) != sae.d_in:
            raise BadInputError(
                f"the SAE reads a width of {sae.d_in}, but {store.path} keeps {sae.place} of width "
                f"{store.d_model(site)}; run train_sae and cache_activations on the same model"
            )
        check_listed(table, params.features, "vectors.sae.features")
        decoder = sae.decoder.double().cpu().numpy()
        by_axis = {}
        for axis in sorted(set(statements_of(store)["axis"])):
            selected = associated_features(table, axis, params.max_q, params.top_features)
            features = dict.fromkeys(selected + params.features)
            by_axis[axis] = {feature: decoder[feature] for feature in features}
            if not features:
                log.warning("no feature goes with axis %s (q < %g)", axis, params.max_q)
        return cls(sae.place, by_axis)

    def at(self, axis: str, point: HookPoint) -> Rows:
        """The rows of an axis at a place: none but at the SAE's own."""
        return self.by_axis[axis] if point == self.place else {}
