"""All probes of one model, saved together."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from evenkeel.errors import BadInputError
from evenkeel.files.json_files import problem_of
from evenkeel.params import Sinks
from evenkeel.probes.detector import Detector
from evenkeel.probes.probe import Probe
from evenkeel.tensor_files import read_tensor_folder, write_tensor_folder

KIND = "set of probes"
VERSION = 1


class _Metadata(BaseModel):
    """What is read of a set's metadata, where it says so."""

    model_config = ConfigDict(strict=True)

    model: dict[str, str] = {}
    positions: Literal["all", "last", "mean"] = "last"
    sinks: Sinks = "include"
    seed: int = 0


@dataclass(frozen=True)
class ProbeSet:
    """Probes in the order of axis, site, layer; at most one for each."""

    probes: tuple[Probe, ...]
    detectors: tuple[Detector, ...] = ()
    """All probes of an axis together; none for an axis whose probes are at chance."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """Where they come from: model name, revision and fingerprint, positions policy, seed."""

    @classmethod
    def of(
        cls,
        probes: Iterable[Probe],
        detectors: Iterable[Detector] = (),
        metadata: Mapping[str, Any] | None = None,
    ) -> Self:
        """Sort and check.

        Raises:
            BadInputError: no probe, two for the same axis, site and layer or of different widths
                at the same place, two detectors for the same axis, or one that has another number
                of weights than its axis has probes.
        """
        ordered = tuple(sorted(probes, key=lambda probe: probe.key))
        if not ordered:
            raise BadInputError("a set of probes needs at least one probe")
        for left, right in pairwise(ordered):
            if left.key == right.key:
                raise BadInputError(f"two probes for {'/'.join(map(str, left.key))}")
        widths = {probe.point: len(probe.weight) for probe in ordered}
        for probe in ordered:
            if len(probe.weight) != (width := widths[probe.point]):
                raise BadInputError(
                    f"probe {_name(probe)}: made for a width of {len(probe.weight)}, but another "
                    f"axis's at the same place for {width}; train the probes again"
                )
        found = cls(
            ordered, tuple(sorted(detectors, key=lambda detector: detector.axis)), metadata or {}
        )
        for one, other in pairwise(found.detectors):
            if one.axis == other.axis:
                raise BadInputError(f"two detectors for axis {one.axis!r}")
        for detector in found.detectors:
            if len(detector.weights) != (count := len(found.of_axis(detector.axis))):
                raise BadInputError(
                    f"the detector of axis {detector.axis!r} has {len(detector.weights)} weights "
                    f"for {count} probes; train the probes again"
                )
        return found

    def __iter__(self) -> Iterator[Probe]:
        return iter(self.probes)

    def __len__(self) -> int:
        return len(self.probes)

    @property
    def axes(self) -> list[str]:
        """The axes that have a probe, sorted."""
        return sorted({probe.axis for probe in self.probes})

    def of_axis(self, axis: str) -> list[Probe]:
        """The probes of one axis, by site and layer.

        Raises:
            BadInputError: there is none; the message lists the axes that have one.
        """
        probes = [probe for probe in self.probes if probe.axis == axis]
        if not probes:
            raise BadInputError(f"no probe for axis {axis!r}; there are {', '.join(self.axes)}")
        return probes

    def get(self, axis: str, site: str, layer: int) -> Probe:
        """The probe of this axis, site and layer.

        Raises:
            BadInputError: there is none; the message lists what there is for the axis.
        """
        probes = self.of_axis(axis)
        for probe in probes:
            if probe.key == (axis, site, layer):
                return probe
        there = ", ".join(f"{probe.site}/{probe.layer}" for probe in probes)
        raise BadInputError(f"no probe {axis}/{site}/{layer}; for this axis there are: {there}")

    def best(self, axis: str) -> Probe:
        """The probe of the axis with the highest AUROC on validation: test has no say."""
        return max(self.of_axis(axis), key=lambda probe: probe.metrics.validation_auroc)

    def detector(self, axis: str) -> Detector:
        """All probes of the axis together.

        Raises:
            BadInputError: there is none; the message says why.
        """
        for detector in self.detectors:
            if detector.axis == axis:
                return detector
        self.of_axis(axis)
        raise BadInputError(
            f"no detector for axis {axis!r}: none of its probes is better than chance on "
            "validation, so the model shows nothing to detect"
        )

    @property
    def positions(self) -> str:
        """What of a text the probes were trained on: its last token, or (mean, all) its mean.

        Raises:
            BadInputError: the metadata does not say.
        """
        if "positions" not in self.metadata:
            raise BadInputError(
                "these probes do not say which positions they were trained on; train them again"
            )
        return str(self.metadata["positions"])

    @property
    def sinks(self) -> Sinks:
        """Whether attention sinks were left out of what they were trained on."""
        return "exclude" if self.metadata.get("sinks") == "exclude" else "include"

    def save(self, path: Path) -> None:
        """Write a folder: tensors.safetensors and record.json."""
        write_tensor_folder(
            path,
            {_name(probe): probe.weight for probe in self.probes},
            {
                "detectors": [detector.record() for detector in self.detectors],
                "metadata": dict(self.metadata),
                "probes": {_name(probe): probe.record() for probe in self.probes},
            },
            kind=KIND,
            version=VERSION,
        )

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a folder that `save` wrote.

        Raises:
            BadInputError: a file is missing, truncated or foreign, or holds an invalid probe.
        """
        tensors, record = read_tensor_folder(path, kind=KIND, version=VERSION)
        records = record.get("probes") if isinstance(record, dict) else None
        if not isinstance(records, dict) or set(tensors) != set(records):
            raise BadInputError(
                f"{path}: tensors.safetensors and record.json list different probes; "
                "train the probes again"
            )
        probes = [Probe.from_record(tensors[name], records[name], path) for name in records]
        found, metadata = record.get("detectors", []), record.get("metadata", {})
        misnamed = [n for n, probe in zip(records, probes, strict=True) if _name(probe) != n]
        if misnamed or not isinstance(found, list) or not isinstance(metadata, dict):
            what = f"probe {misnamed[0]} is another" if misnamed else "detectors or metadata"
            raise BadInputError(f"{path}: wrong {what} in record.json; train the probes again")
        try:
            _Metadata.model_validate(metadata)
        except ValidationError as error:
            raise BadInputError(
                f"{path}: metadata.{problem_of(error)}; train the probes again"
            ) from None
        return cls.of(probes, [Detector.from_record(each, path) for each in found], metadata)


def _name(probe: Probe) -> str:
    return "/".join(map(str, probe.key))
