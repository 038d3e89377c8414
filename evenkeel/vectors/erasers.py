"""LEACE erasers: the smallest affine change after which no linear probe reads a concept."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from concept_erasure import LeaceFitter
from jaxtyping import Float, Int
from torch import Tensor

from evenkeel.activations.sinks import kept_rows
from evenkeel.activations.store import ActivationStore
from evenkeel.errors import BadInputError
from evenkeel.models.sites import HookPoint
from evenkeel.params import Concept, Sinks
from evenkeel.probes.statements import select, statements_of
from evenkeel.tensor_files import read_tensor_folder, write_tensor_folder

KIND = "set of erasers"
VERSION = 1
_PARTS = ("bias", "proj_left", "proj_right")
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
    sinks: Sinks = "exclude"
    """Whether attention sinks were left out when it was fitted; erasure leaves them alone then."""
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

    @property
    def point(self) -> HookPoint:
        return HookPoint.of(self.site, self.layer)

    @property
    def key(self) -> tuple[str, str, str, int]:
        """Unique in an EraserSet."""
        return (self.axis, self.concept, self.site, self.layer)

    def tensors(self) -> dict[str, Tensor]:
        """Its tensors by name."""
        return {"bias": self.bias, "proj_left": self.proj_left, "proj_right": self.proj_right}

    def record(self) -> dict[str, Any]:
        """Every other field, as JSON values."""
        return {
            "axis": self.axis,
            "concept": self.concept,
            "layer": self.layer,
            "metadata": dict(self.metadata),
            "sinks": self.sinks,
            "site": self.site,
        }


@dataclass(frozen=True)
class EraserSet:
    """Erasers in the order of axis, concept, site and layer; at most one for each."""

    erasers: tuple[Eraser, ...]

    @classmethod
    def of(cls, erasers: Iterable[Eraser]) -> Self:
        """Sort and check.

        Raises:
            BadInputError: two of the same axis, concept, site and layer.
        """
        ordered = tuple(sorted(erasers, key=lambda eraser: eraser.key))
        for left, right in pairwise(ordered):
            if left.key == right.key:
                raise BadInputError(f"two erasers for {_name(left)}")
        return cls(ordered)

    def __iter__(self) -> Iterator[Eraser]:
        return iter(self.erasers)

    def __len__(self) -> int:
        return len(self.erasers)

    def select(
        self,
        *,
        axis: str | None = None,
        concept: str | None = None,
        site: str | None = None,
        layer: int | None = None,
    ) -> tuple[Eraser, ...]:
        """The erasers that have all of what is named, in the order of the set; it may be none."""
        wanted = {"axis": axis, "concept": concept, "site": site, "layer": layer}
        named = {name: value for name, value in wanted.items() if value is not None}
        return tuple(
            eraser
            for eraser in self.erasers
            if all(getattr(eraser, name) == value for name, value in named.items())
        )

    def save(self, path: Path) -> None:
        """Write a folder: tensors.safetensors and record.json."""
        tensors = {
            f"{_name(eraser)}/{name}": tensor
            for eraser in self.erasers
            for name, tensor in eraser.tensors().items()
        }
        records = {_name(eraser): eraser.record() for eraser in self.erasers}
        write_tensor_folder(path, tensors, records, kind=KIND, version=VERSION)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a folder that `save` wrote.

        Raises:
            BadInputError: a file is missing, truncated or foreign, or holds an invalid eraser.
        """
        tensors, records = read_tensor_folder(path, kind=KIND, version=VERSION)
        again = "compute the vectors again"
        if not isinstance(records, dict):
            raise BadInputError(f"{path}: lists no erasers; {again}")
        erasers = []
        for name, record in records.items():
            try:
                parts: dict[str, Any] = {part: tensors[f"{name}/{part}"] for part in _PARTS}
                erasers.append(Eraser(**parts, **record))
            except BadInputError as error:
                raise BadInputError(f"{path}: {error}") from error
            except (KeyError, TypeError) as error:
                raise BadInputError(f"{path}: {name}: wrong fields ({error}); {again}") from error
        return cls.of(erasers)


def _name(eraser: Eraser) -> str:
    return "/".join(map(str, eraser.key))


def fit_eraser(batches: Iterable[Batch], classes: int, **fields: Any) -> Eraser:
    """Fit LEACE on batches of activations and their classes, in one pass and bounded memory.

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

    Attention sinks among them are left out, unless the store says that they count.

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
    sinks, probe = store.header.sinks, store.sink_probe(site, layer)
    rows = 0

    def batches() -> Iterable[Batch]:
        nonlocal rows
        for start in range(0, len(statements), batch_texts):
            stop = min(start + batch_texts, len(statements))
            kept = train[start:stop]
            if not kept.any():
                continue
            lengths = np.diff(ends[start : stop + 1])
            x = store.read(site, layer, int(ends[start]), int(ends[stop]))
            used = kept.repeat(lengths)
            if store.positions == "all":
                used &= kept_rows(x, ends[start : stop + 1] - ends[start], sinks, probe)
            rows += int(used.sum())
            of_rows = classes[start:stop].repeat(lengths)[used]
            yield torch.from_numpy(x[used]), torch.from_numpy(of_rows)

    found = fit_eraser(
        batches(), len(names), axis=axis, concept=concept, site=site, layer=layer, sinks=sinks
    )
    metadata = {"classes": names.tolist(), "model": store.model, "rows": rows}
    return replace(found, metadata=metadata)


def fit_erasers(store: ActivationStore, concepts: Sequence[Concept]) -> EraserSet:
    """An eraser of each axis, concept, site and layer of a store of statements.

    Raises:
        BadInputError: as of `fit_statement_eraser`.
    """
    axes = sorted(set(statements_of(store)["axis"]))
    return EraserSet.of(
        fit_statement_eraser(store, axis, concept, site, layer)
        for axis in axes
        for concept in concepts
        for site in store.sites
        for layer in store.layers(site)
    )
