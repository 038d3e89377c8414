"""From statements' activations to a probe whose worth is known."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float, Int

from evenkeel.errors import BadInputError
from evenkeel.probes.control import control_labels
from evenkeel.probes.logistic import Linear, choose_c, fit_logistics, scores
from evenkeel.probes.metrics import accuracy, auroc
from evenkeel.probes.probe import Probe, ProbeMetrics
from evenkeel.probes.statements import biased, select, terms
from evenkeel.statistics.two_way import factor_weights, interval95

Labels = Bool[np.ndarray, " statements"]
Rows = Int[np.ndarray, " rows"]


@dataclass(frozen=True, eq=False)
class ProbeTask:
    """Biased against neutral on one axis: what is the same at every layer and site.

    The resamples and the control labels are drawn once, so layers are compared on the same draws.
    """

    axis: str
    train: Rows
    validation: Rows
    test: Rows
    labels: Labels
    """Of all statements: true is biased."""
    controls: tuple[Labels, ...]
    """Random labels of all statements, constant on each attribute."""
    weights: Float[np.ndarray, "resamples test_rows"]
    """Of the test statements in each bootstrap resample."""

    @classmethod
    def of(
        cls,
        statements: pd.DataFrame,
        axis: str,
        *,
        control_draws: int,
        resamples: int,
        seed: int,
    ) -> Self:
        """Prepare the task from the statements' records.

        Args:
            statements: columns axis, split, label and terms ('|'-joined).
            axis: which statements to use.
            control_draws: random labelings that the control averages over.
            resamples: bootstrap resamples behind each interval.
            seed: of the labelings and of the resamples.

        Raises:
            BadInputError: a split is empty, or holds one label only.
        """
        filled = terms(statements)
        test = select(statements, axis, "test")
        train = select(statements, axis, "train")
        attributes = [slots[-1] for slots in filled]
        bootstrap, control = (np.random.default_rng([seed, stream]) for stream in (0, 1))
        controls = []
        for _ in range(control_draws):
            labels = np.zeros(len(statements), dtype=bool)
            for rows in (train, test):  # halved in each, or few terms might leave one class empty
                labels[rows] = control_labels([attributes[row] for row in rows], control)
            controls.append(labels)
        if any(len(set(labels[train])) == 1 for labels in controls):
            raise BadInputError(
                f"statements of axis {axis!r}, split 'train': one attribute only; "
                "the control task needs two, synthesize more statements"
            )
        return cls(
            axis=axis,
            train=train,
            validation=select(statements, axis, "validation"),
            test=test,
            labels=biased(statements),
            controls=tuple(controls),
            weights=factor_weights([filled[row] for row in test], resamples, bootstrap),
        )

    def probe(
        self,
        x: Float[np.ndarray, "statements d_model"],
        *,
        site: str,
        layer: int,
        regularization: Sequence[float],
    ) -> Probe:
        """Fit on train, choose C on validation, measure on test.

        Args:
            x: one finite activation a statement, in the order of the records.
            site: where they are from.
            layer: where they are from.
            regularization: values of C to choose from.
        """
        train, validation, test = x[self.train], x[self.validation], x[self.test]
        labels = self.labels
        c, linear = choose_c(
            (train, labels[self.train]), (validation, labels[self.validation]), regularization
        )
        on_test = scores(test, linear)
        positive = labels[self.test]
        where = f"probe {self.axis}/{site}/{layer}, split 'test'"
        hit = float(accuracy(on_test, positive)[0])
        control, control_train = self._control(train, test, c)
        metrics = ProbeMetrics(
            accuracy=hit,
            accuracy_ci95=interval95(accuracy(on_test, positive, self.weights), where),
            auroc=float(auroc(on_test, positive)[0]),
            auroc_ci95=interval95(auroc(on_test, positive, self.weights), where),
            control_accuracy=control,
            control_train_accuracy=control_train,
            selectivity=hit - control,
            validation_auroc=_auroc_of(linear, validation, labels[self.validation]),
            n_train=len(train),
            n_validation=len(validation),
            n_test=len(test),
        )
        weight, bias = linear
        return Probe(
            axis=self.axis,
            site=site,
            layer=layer,
            weight=torch.from_numpy(weight),
            bias=bias,
            c=c,
            metrics=metrics,
        )

    def _control(
        self,
        train: Float[np.ndarray, "train_rows d_model"],
        test: Float[np.ndarray, "test_rows d_model"],
        c: float,
    ) -> tuple[float, float]:
        """Accuracy on test and on train of the same probe on random labels, over all draws."""
        on_test, on_train = [], []
        of_train = [labels[self.train] for labels in self.controls]
        linears = fit_logistics(train, of_train, [c] * len(of_train))
        for labels, linear in zip(self.controls, linears, strict=True):
            on_test.append(accuracy(scores(test, linear), labels[self.test])[0])
            on_train.append(accuracy(scores(train, linear), labels[self.train])[0])
        return float(np.mean(on_test)), float(np.mean(on_train))


def _auroc_of(
    linear: Linear, x: Float[np.ndarray, "rows d_model"], positive: Bool[np.ndarray, " rows"]
) -> float:
    return float(auroc(scores(x, linear), positive)[0])
