"""What a vector is made from: two kinds of statements, matched on everything else."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from evenkeel.errors import BadInputError
from evenkeel.probes.metrics import auroc
from evenkeel.probes.statements import select, terms
from evenkeel.statistics.two_way import factor_weights, interval95
from evenkeel.vectors.vector import Separation

Rows = Int[np.ndarray, "units each"]


@dataclass(frozen=True, eq=False)
class Contrast:
    """First kind against second kind on one axis: rows to make a vector from, rows to judge it by.

    A unit is the smallest matched set: a pair for labels, a quad for groups.
    """

    axis: str
    name: str
    """First - second, as in neutral - biased."""
    first: Rows
    """Training rows of the first kind, by unit."""
    second: Rows
    validation: Int[np.ndarray, " rows"]
    positive: Bool[np.ndarray, " rows"]
    """Which validation rows are of the first kind."""
    weights: Float[np.ndarray, "resamples rows"]
    """Of the validation rows in each bootstrap resample."""

    @classmethod
    def of_labels(cls, statements: pd.DataFrame, axis: str, *, resamples: int, seed: int) -> Self:
        """Neutral - biased, matched in pairs: same template, same group term.

        Args:
            statements: columns axis, split, label, group, pair, quad and terms ('|'-joined).
            axis: which statements to use.
            resamples: bootstrap resamples behind the interval of the separation.
            seed: of the resamples.

        Raises:
            BadInputError: a split is empty or holds one label only, or no pair is complete.
        """
        table = _units(statements, "pair", ["label"], axis)
        sides = {label: table[[label]].to_numpy() for label in ("neutral", "biased")}
        rows = select(statements, axis, "validation")
        positive = (statements["label"].to_numpy()[rows] == "neutral").astype(bool)
        return cls(
            axis=axis,
            name="neutral - biased",
            first=sides["neutral"],
            second=sides["biased"],
            validation=rows,
            positive=positive,
            weights=_weights(statements, rows, resamples, seed),
        )

    @classmethod
    def of_groups(cls, statements: pd.DataFrame, axis: str, *, resamples: int, seed: int) -> Self:
        """First group - second group in alphabetical order, matched in quads, labels balanced.

        Arguments and errors as of `of_labels`.
        """
        side = statements.groupby("quad")["group"].rank(method="dense").astype(int)
        ranked = statements.assign(side=side)
        table = _units(ranked, "quad", ["side", "label"], axis)
        rows = select(statements, axis, "validation")
        names = statements.groupby("quad")["group"].agg(lambda g: " - ".join(sorted(set(g))))
        return cls(
            axis=axis,
            name=", ".join(sorted(set(names[table.index]))),
            first=table[1].to_numpy(),
            second=table[2].to_numpy(),
            validation=rows,
            positive=(ranked["side"].to_numpy()[rows] == 1).astype(bool),
            weights=_weights(statements, rows, resamples, seed),
        )

    def differences(
        self, x: Float[np.ndarray, "statements d_model"]
    ) -> Float[np.ndarray, "units d_model"]:
        """First - second of each training unit, in float64."""
        x = x.astype(np.float64)
        return x[self.first].mean(axis=1) - x[self.second].mean(axis=1)

    def shuffled(self, generator: np.random.Generator) -> Self:
        """The same training rows, dealt anew to the two kinds: what is left when labels lie."""
        rows = generator.permutation(np.concatenate([self.first.ravel(), self.second.ravel()]))
        first, second = np.split(rows, [self.first.size])
        return replace(
            self,
            first=first.reshape(self.first.shape),
            second=second.reshape(self.second.shape),
        )

    def separation(
        self,
        x: Float[np.ndarray, "statements d_model"],
        direction: Float[np.ndarray, " d_model"],
    ) -> Separation:
        """AUROC of the projection on `direction` on validation statements.

        Raises:
            BadInputError: too few terms for an interval.
        """
        projections = x[self.validation].astype(np.float64) @ direction
        where = f"separation of {self.name} on axis {self.axis!r}, split 'validation'"
        return Separation(
            contrast=self.name,
            auroc=float(auroc(projections, self.positive)[0]),
            auroc_ci95=interval95(auroc(projections, self.positive, self.weights), where),
            statements=len(self.validation),
        )


def _units(statements: pd.DataFrame, unit: str, kinds: list[str], axis: str) -> pd.DataFrame:
    """Row numbers of the complete training units, a line each, in the order of their names."""
    rows = select(statements, axis, "train")
    statements = statements.iloc[rows].assign(row=rows)
    keys = [unit, *kinds]
    if statements.duplicated(keys).any():
        twice = statements.loc[statements.duplicated(keys), unit].iloc[0]
        raise BadInputError(
            f"statements of axis {axis!r}: {unit} {twice!r} has two statements of the same "
            f"{' and '.join(kinds)}; each {unit} needs one of a kind"
        )
    table = statements.pivot(index=unit, columns=kinds, values="row")
    complete = table.dropna()
    if complete.empty or len(complete.columns) != 2 ** len(kinds):
        raise BadInputError(
            f"statements of axis {axis!r}, split 'train': no complete {unit}; "
            "cache more texts or synthesize more statements"
        )
    return complete.astype(int).sort_index()


def _weights(
    statements: pd.DataFrame, rows: Int[np.ndarray, " rows"], resamples: int, seed: int
) -> Float[np.ndarray, "resamples rows"]:
    filled = terms(statements)
    return factor_weights(
        [filled[row] for row in rows], resamples, np.random.default_rng([seed, 2])
    )
