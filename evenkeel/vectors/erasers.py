"""LEACE erasers: the smallest affine change after which no linear probe reads a concept."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import torch
from concept_erasure import LeaceFitter
from jaxtyping import Float, Int
from torch import Tensor

from evenkeel.activations.store import ActivationStore
from evenkeel.errors import BadInputError
from evenkeel.probes.statements import select, statements_of
from evenkeel.tensor_files import read_tensors, write_tensors

KIND = "eraser"
VERSION = 1
Concept = Literal["label", "group"]
Batch = tuple[Float[Tensor, "rows d_model"], Int[Tensor, " rows"]]


@dataclass(frozen=True, eq=False)
class Eraser:
    """x - proj_left @ proj_right @ (x - bias), at one layer and site.

    Belrose et al. 2023, "LEACE: Perfect linear concept erasure in closed form", theorem 4.3.

    Raises:
        BadInputError: the shapes do not fit, or a value is not finite.
    """

    proj_left: Float[Tensor, "d_model rank"]
    proj_right: Float[Tensor, "rank d_model"]
    bias: Float[Tensor, " d_model"]
    """Mean of the activations, which erasure keeps."""
    axis: str
    """Kind of bias: gender, race, ..."""
    concept: str
    """What is erased: label (biased or neutral) or group."""
    site: str
    layer: int
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """Where it comes from: model name, revision and fingerprint, number of rows."""

    def __post_init__(self) -> None:
        where = f"eraser {self.axis}/{self.concept}/{self.site}/{self.layer}"
        left, right, bias = self.proj_left, self.proj_right, self.bias
        if left.ndim != 2 or left.shape != right.mT.shape or bias.shape != left.shape[:1]:
            raise BadInputError(
                f"{where}: proj_left {tuple(left.shape)}, proj_right {tuple(right.shape)} and bias "
                f"{tuple(bias.shape)} must be [d_model, rank], [rank, d_model] and [d_model]"
            )
        if not all(bool(tensor.isfinite().all()) for tensor in (left, right, bias)):
            raise BadInputError(f"{where}: a NaN or an infinity; fit it again")

    def apply(self, x: Float[Tensor, "*batch d_model"]) -> Float[Tensor, "*batch d_model"]:
        """Erase the concept from activations; applying it again changes nothing."""
        left, right, bias = (t.to(x) for t in (self.proj_left, self.proj_right, self.bias))
        return x - (x - bias) @ right.mT @ left.mT

    def save(self, path: Path) -> None:
        """Write one safetensors file; the other fields are JSON in its header."""
        tensors = {"bias": self.bias, "proj_left": self.proj_left, "proj_right": self.proj_right}
        record = {
            "axis": self.axis,
            "concept": self.concept,
            "layer": self.layer,
            "metadata": dict(self.metadata),
            "site": self.site,
        }
        write_tensors(path, tensors, record, kind=KIND, version=VERSION)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a file that `save` wrote.

        Raises:
            BadInputError: the file is missing, truncated, foreign or holds an invalid eraser.
        """
        tensors, record = read_tensors(path, kind=KIND, version=VERSION)
        try:
            return cls(**{**tensors, **record})
        except BadInputError as error:
            raise BadInputError(f"{path}: {error}") from error
        except TypeError as error:
            raise BadInputError(f"{path}: wrong fields ({error}); fit the eraser again") from error


def fit_eraser(batches: Iterable[Batch], classes: int, **fields: Any) -> Eraser:
    """Fit on batches of activations and their classes, in one pass and bounded memory.

    Args:
        batches: activations, and the class of each row from 0.
        classes: how many there are.
        fields: axis, concept, site, layer and metadata of the eraser.

    Raises:
        BadInputError: fewer than two classes occur.
    """
    fitter: Any = None
    seen = torch.zeros(classes, dtype=torch.long)
    for x, labels in batches:
        if fitter is None:
            # The default tolerance leaves a concept with a correlation under 1% in place.
            fitter = LeaceFitter(x.shape[1], classes, dtype=torch.float64, svd_tol=1e-6)
        fitter.update(x.double(), torch.nn.functional.one_hot(labels, classes))
        seen += torch.bincount(labels, minlength=classes)
    if int((seen > 0).sum()) < 2:
        raise BadInputError(
            f"eraser: rows by class are {seen.tolist()}; at least two classes must occur"
        )
    found = fitter.eraser
    left, right = found.proj_left, found.proj_right
    used = left.norm(dim=0) > 0  # a concept of k classes has rank k - 1 at most
    return Eraser(
        proj_left=left[:, used].float(),
        proj_right=right[used].float(),
        bias=found.bias.float(),
        **fields,
    )


def fit_statement_eraser(
    store: ActivationStore,
    axis: str,
    concept: Concept,
    site: str,
    layer: int,
    batch_texts: int = 1024,
) -> Eraser:
    """Fit on the training statements of an axis; all stored tokens of a statement have its class.

    Args:
        store: activations of statements.
        axis: which statements to use.
        concept: what to erase, "label" or "group".
        site: where.
        layer: where.
        batch_texts: texts read at once; the result does not depend on it.

    Raises:
        BadInputError: the texts are no statements, the axis has none in train or one class only, or
            the store lacks the site or layer.
    """
    statements = statements_of(store)
    train = np.zeros(len(statements), dtype=bool)
    train[select(statements, axis, "train")] = True
    names, labels = np.unique(statements[concept].to_numpy()[train], return_inverse=True)
    classes = np.zeros(len(statements), dtype=np.int64)
    classes[train] = labels
    ends = store.offsets if store.positions == "all" else np.arange(len(statements) + 1)
    rows = int(np.diff(ends)[train].sum())

    def batches() -> Iterable[Batch]:
        for start in range(0, len(statements), batch_texts):
            stop = min(start + batch_texts, len(statements))
            kept = train[start:stop]
            if not kept.any():
                continue
            lengths = np.diff(ends[start : stop + 1])
            x = store.read(site, layer, int(ends[start]), int(ends[stop]))[kept.repeat(lengths)]
            of_rows = classes[start:stop][kept].repeat(lengths[kept])
            yield torch.from_numpy(x), torch.from_numpy(of_rows)

    return fit_eraser(
        batches(),
        len(names),
        axis=axis,
        concept=concept,
        site=site,
        layer=layer,
        metadata={"classes": list(names), "model": store.model, "rows": rows},
    )
