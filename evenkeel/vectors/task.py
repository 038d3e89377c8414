"""Every vector of one axis at one layer and site, and what each is worth."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self, get_args

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int

from evenkeel.models.sites import HookPoint
from evenkeel.params import PreferenceMethod, Sinks
from evenkeel.probes.probe import Probe
from evenkeel.vectors.contrasts import Contrast
from evenkeel.vectors.directions import cosine, mean_difference, principal_difference
from evenkeel.vectors.vector import Key, SteeringVector, stream_norm, vector_key

Direction = Float[np.ndarray, " d_model"]
_NOTHING = 1e-6
"""A difference under this share of the stream's norm is rounding, and has no direction."""


@dataclass(frozen=True, eq=False)
class Computed:
    """A vector, or that there is none, and how large the difference behind it is."""

    axis: str
    method: str
    site: str
    layer: int
    vector: SteeringVector | None
    """None where the two sides do not differ: at the first layer, say, on texts that all end in
    the same token."""
    relative_norm: float
    """Norm of the raw difference in units of the stream's mean norm; of a probe, the distance
    between its two classes' means along its normal; of a feature, what one unit of it adds."""
    cosine_with_group: float | None
    """With the group vector of the same axis, layer and site; None where one of them is missing."""
    feature: int | None = None
    """Of method sae, as in the vector."""
    group: str | None = None
    """On an axis of more than two groups, as in the vector."""

    @property
    def key(self) -> Key:
        return vector_key(self.axis, self.method, self.site, self.layer, self.feature, self.group)

    def row(self) -> dict[str, Any]:
        """What a metrics file says of it, as JSON values."""
        separation = self.vector.separation if self.vector else None
        return {
            "axis": self.axis,
            "cosine_with_group": self.cosine_with_group,
            "feature": self.feature,
            "group": self.group,
            "layer": self.layer,
            "method": self.method,
            "relative_norm": self.relative_norm,
            "separation_auroc": separation.auroc if separation else None,
            "separation_auroc_ci95": list(separation.auroc_ci95) if separation else None,
            "separation_contrast": separation.contrast if separation else None,
            "sinks": self.vector.sinks if self.vector else None,
            "site": self.site,
        }


@dataclass(frozen=True, eq=False)
class VectorTask:
    """The contrasts of one axis: the same at every layer and site.

    Sign of the vectors: caa and probe point from biased to neutral, bipo and reps against the
    stereotype; group, term and pca from the second group to the first (alphabetically), on an axis
    of more groups from the others to each; actadd from its negative to its positive text; sae to
    more of the feature.
    """

    labels: Contrast
    groups: tuple[Contrast, ...]
    """One, or one a group on an axis of more than two."""

    @classmethod
    def of(cls, statements: pd.DataFrame, axis: str, *, resamples: int, seed: int) -> Self:
        """Find the matched units of an axis; arguments and errors as of `Contrast.of_labels`."""
        return cls(
            Contrast.of_labels(statements, axis, resamples=resamples, seed=seed),
            Contrast.of_groups(statements, axis, resamples=resamples, seed=seed),
        )

    def compute(
        self,
        x: Float[np.ndarray, "statements d_model"],
        *,
        site: str,
        layer: int,
        methods: Sequence[str],
        streams: Float[np.ndarray, "statements d_model"],
        sinks: Sinks,
        probe: Probe | None = None,
        actadd: Direction | None = None,
        group_terms: Float[np.ndarray, "statements d_model"] | None = None,
        features: Mapping[int, Direction] | None = None,
        trained: Mapping[str, Direction] | None = None,
        tokens: Int[np.ndarray, " statements"],
        tokens_trained: Mapping[str, int] | None = None,
        metadata: Mapping[str, Any],
    ) -> list[Computed]:
        """One result a method, in their order; made from train, judged on validation.

        Of method sae there is one a feature, in the features' order; of a trained method one where
        it was trained.

        Args:
            x: one finite activation a statement, in the order of the records.
            site: where they are from.
            layer: where they are from.
            methods: of caa, group, term, pca, probe, actadd, sae, bipo, reps.
            streams: the residual stream at one token of each statement, in the same order; its mean
                norm is the unit of a relative multiplier.
            sinks: whether attention sinks are left out of all these.
            probe: the trained probe of this axis, site and layer (method probe).
            actadd: activation of the positive - of the negative text (method actadd; Turner et al.
                2023, "Activation Addition").
            group_terms: activation at each statement's group term (method term).
            features: decoder rows of this place (method sae); none elsewhere.
            trained: what was trained for this place, by method (methods bipo and reps).
            tokens: in each statement.
            tokens_trained: how many were read for what was trained, by method.
            metadata: kept with each vector, beside the numbers of statements and of tokens read.

        Raises:
            BadInputError: the stream is zero, or validation has too few terms for an interval.
        """
        used = np.union1d(self.labels.first, self.labels.second)
        unit = stream_norm(streams[used], HookPoint.of(site, layer))
        read: dict[str, int | None] = dict.fromkeys(methods, int(tokens[used].sum()))
        # Two texts of actadd's own, which are not counted.
        read |= {"actadd": None, **(tokens_trained or {})}
        results = []
        for method, feature, raw, contrast in self._raws(
            methods, x, probe, actadd, group_terms, features or {}, trained or {}
        ):
            # Labels are compared with the first of the groups.
            beside = contrast if contrast in self.groups else self.groups[0]
            group = mean_difference(beside.differences(x))
            judged = group_terms if method == "term" and group_terms is not None else x
            relative_norm = float(np.linalg.norm(raw)) / unit
            vector = None
            if relative_norm > _NOTHING:
                vector = SteeringVector.of(
                    torch.from_numpy(raw),
                    axis=contrast.axis,
                    method=method,
                    site=site,
                    layer=layer,
                    stream_norm=unit,
                    separation=contrast.separation(judged, raw / np.linalg.norm(raw)),
                    feature=feature,
                    group=contrast.group if feature is None else None,
                    sinks=sinks,
                    metadata={**metadata, "statements": len(used), "tokens_read": read[method]},
                )
            comparable = vector is not None and np.linalg.norm(group) > _NOTHING * unit
            results.append(
                Computed(
                    axis=contrast.axis,
                    method=method,
                    site=site,
                    layer=layer,
                    vector=vector,
                    relative_norm=relative_norm,
                    cosine_with_group=cosine(raw, group) if comparable else None,
                    feature=feature,
                    group=contrast.group if feature is None else None,
                )
            )
        return results

    def _raws(
        self,
        methods: Sequence[str],
        x: Float[np.ndarray, "statements d_model"],
        probe: Probe | None,
        actadd: Direction | None,
        group_terms: Float[np.ndarray, "statements d_model"] | None,
        features: Mapping[int, Direction],
        trained: Mapping[str, Direction],
    ) -> Iterator[tuple[str, int | None, Direction, Contrast]]:
        """Method, feature, direction before it is normalized, contrast that it should tell apart.

        A feature is judged by the groups: it stands for what a text is about.
        """
        for method in methods:
            if method == "sae":
                for feature, row in features.items():
                    yield method, feature, row, self._furthest(row, x)
            elif method in get_args(PreferenceMethod):
                if method in trained:
                    yield method, None, trained[method], self.labels
            elif method == "caa":
                yield method, None, mean_difference(self.labels.differences(x)), self.labels
            elif method == "probe":
                assert probe is not None, "method probe without a probe"
                yield method, None, self._normal(probe, x), self.labels
            elif method == "actadd":
                assert actadd is not None, "method actadd without its activations"
                yield method, None, actadd.astype(np.float64), self.groups[0]
            else:
                for contrast in self.groups:
                    yield method, None, _of_groups(method, contrast, x, group_terms), contrast

    def _normal(self, probe: Probe, x: Float[np.ndarray, "statements d_model"]) -> Direction:
        """Normal of a probe, as long as the means of its two classes are apart along it."""
        normal = -probe.weight.double().numpy()  # the probe's positive side is biased
        normal = normal / (np.linalg.norm(normal) or 1)
        return normal * abs(float(mean_difference(self.labels.differences(x)) @ normal))

    def _furthest(self, row: Direction, x: Float[np.ndarray, "statements d_model"]) -> Contrast:
        """The contrast of groups whose train means are furthest apart along a decoder row."""
        return max(
            self.groups,
            key=lambda contrast: abs(float(mean_difference(contrast.differences(x)) @ row)),
        )


def _of_groups(
    method: str,
    contrast: Contrast,
    x: Float[np.ndarray, "statements d_model"],
    group_terms: Float[np.ndarray, "statements d_model"] | None,
) -> Direction:
    if method == "group":
        return mean_difference(contrast.differences(x))
    if method == "term":
        assert group_terms is not None, "method term without its activations"
        return mean_difference(contrast.differences(group_terms))
    assert method == "pca", f"no method {method!r}"
    return principal_difference(contrast.differences(x))
