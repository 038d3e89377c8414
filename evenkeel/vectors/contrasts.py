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
    group: str | None = None
    """The first kind, on an axis of more than two groups."""

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
        table = _units(statements, ["pair"], ["label"], axis)
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
    def of_groups(
        cls, statements: pd.DataFrame, axis: str, *, resamples: int, seed: int
    ) -> tuple[Self, ...]:
        """Group - group, matched in quads, labels balanced.

        Of two groups the first - the second in alphabetical order; of more, each - the others in
        turn. Arguments and errors as of `of_labels`.
        """
        names = sorted(set(statements.loc[statements["axis"] == axis, "group"]))
        table = _units(statements, ["quad", "group"], ["label"], axis)
        quads: dict[str, dict[str, list[int]]] = {}
        for (quad, group), rows in zip(table.index, table.to_numpy().tolist(), strict=True):
            quads.setdefault(quad, {})[group] = rows
        validation = select(statements, axis, "validation")
        of_row = statements["group"].to_numpy()[validation]
        weights = _weights(statements, validation, resamples, seed)
        contrasts = []
        for group in names[:1] if len(names) == 2 else names:
            pairs = [
                (of_quad[group], of_quad[other])
                for of_quad in quads.values()
                if group in of_quad
                for other in names
                if other != group and other in of_quad
            ]
            if not pairs:
                raise BadInputError(
                    f"statements of axis {axis!r}, split 'train': no quad is complete for group "
                    f"{group!r}; cache more texts or synthesize more statements"
                )
            first, second = np.array(pairs).transpose(1, 0, 2)
            contrasts.append(
                cls(
                    axis=axis,
                    name=" - ".join(names) if len(names) == 2 else f"{group} - others",
                    group=None if len(names) == 2 else group,
                    first=first,
                    second=second,
                    validation=validation,
                    positive=(of_row == group).astype(bool),
                    weights=weights,
                )
            )
        return tuple(contrasts)

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


def _units(statements: pd.DataFrame, unit: list[str], kinds: list[str], axis: str) -> pd.DataFrame:
    """Row numbers of the complete training units, a line each, in the order of their names."""
    rows = select(statements, axis, "train")
    statements = statements.iloc[rows].assign(row=rows)
    name = " and ".join(unit)
    if statements.duplicated([*unit, *kinds]).any():
        twice = statements.loc[statements.duplicated([*unit, *kinds]), unit[0]].iloc[0]
        raise BadInputError(
            f"statements of axis {axis!r}: {name} {twice!r} has two statements of the same "
            f"{' and '.join(kinds)}; each {name} needs one of a kind"
        )
    table = statements.pivot(index=unit, columns=kinds, values="row")
    complete = table.dropna()
    if complete.empty or len(complete.columns) != 2 ** len(kinds):
        raise BadInputError(
            f"statements of axis {axis!r}, split 'train': no complete {name}; "
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
