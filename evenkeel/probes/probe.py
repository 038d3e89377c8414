"""The linear probe: one dot product that says how biased a statement's activation is."""

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Self

import torch
from jaxtyping import Float
from pydantic import AfterValidator, Field
from torch import Tensor

from evenkeel.errors import BadInputError
from evenkeel.files.fields import made_of
from evenkeel.models.sites import HookPoint


def _ordered(interval: tuple[float, float]) -> tuple[float, float]:
    if interval[0] > interval[1]:
        raise ValueError("an interval begins with its lower end")
    return interval


# Read records are held to these; what is made here keeps them.
Share = Annotated[float, Field(ge=0, le=1)]
Interval = Annotated[tuple[Share, Share], AfterValidator(_ordered)]
Count = Annotated[int, Field(ge=1)]


@dataclass(frozen=True)
class ProbeMetrics:
    """What a probe is worth; all on test statements unless said otherwise."""

    accuracy: Share
    accuracy_ci95: Interval
    """95% bootstrap interval, terms resampled."""
    auroc: Share
    auroc_ci95: Interval
    control_accuracy: Share
    """Accuracy of the same probe on random labels of the terms. Terms of test are not in train,
    so this is chance unless the splits leak."""
    control_train_accuracy: Share
    """Its accuracy on the statements it was fitted to: how well it can memorize terms."""
    selectivity: Annotated[float, Field(ge=-1, le=1)]
    """accuracy - control_accuracy (Hewitt & Liang 2019)."""
    validation_auroc: Share
    n_train: Count
    n_validation: Count
    n_test: Count


@dataclass(frozen=True, eq=False)
class Probe:
    """Log-odds of biased against neutral, linear in the stream of one layer at one site.

    Raises:
        BadInputError: the weight is no finite float32 vector, or the bias is not finite.
    """

    axis: str
    """Kind of bias: gender, race, ..."""
    site: str
    """Place in the block, a `Site`."""
    layer: int
    """Block, from 0."""
    weight: Float[Tensor, " d_model"]
    """In units of log-odds per unit of activation, float32; the standardization is folded in."""
    bias: float
    c: Annotated[float, Field(gt=0)]
    """Inverse strength of the L2 penalty that validation chose."""
    metrics: ProbeMetrics

    def __post_init__(self) -> None:
        where = "probe " + "/".join(map(str, self.key))
        if self.weight.ndim != 1 or self.weight.dtype != torch.float32:
            raise BadInputError(
                f"{where}: weight has shape {tuple(self.weight.shape)} and type "
                f"{self.weight.dtype}; it must be one float32 vector [d_model]"
            )
        if not (bool(self.weight.isfinite().all()) and math.isfinite(self.bias)):
            raise BadInputError(f"{where}: weight or bias is not finite; train the probes again")
        if self.layer < 0:
            raise BadInputError(f"{where}: layers count from 0")
        HookPoint.of(self.site, self.layer)  # refuses sites that no model has

    @property
    def key(self) -> tuple[str, str, int]:
        """Axis, site, layer: unique in a ProbeSet."""
        return self.axis, self.site, self.layer

    @property
    def point(self) -> HookPoint:
        return HookPoint.of(self.site, self.layer)

    def scores(self, x: Float[Tensor, "*batch d_model"]) -> Float[Tensor, "*batch"]:
        """Log-odds that each activation is of a biased statement."""
        return x @ self.weight.to(x) + self.bias

    def record(self) -> dict[str, Any]:
        """Every field but the weight, as JSON values."""
        return {
            "axis": self.axis,
            "bias": self.bias,
            "c": self.c,
            "layer": self.layer,
            "metrics": asdict(self.metrics),
            "site": self.site,
        }

    def row(self) -> dict[str, Any]:
        """What a metrics file says of it: where it is and its metrics, as JSON values."""
        return {"C": self.c, "layer": self.layer, "site": self.site, **asdict(self.metrics)}

    @classmethod
    def from_record(cls, weight: Float[Tensor, " d_model"], record: Any, source: Path) -> Self:
        """Undo `record`; `source` is the file that messages name.

        Raises:
            BadInputError: a field is missing, unknown or invalid.
        """
        return made_of(cls, record, f"{source}: probe", "train the probes again", weight=weight)
