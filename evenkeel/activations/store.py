"""The activation store: written once, read many times."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from evenkeel.activations.content import Header
from evenkeel.activations.manifest import read_manifest
from evenkeel.activations.positions import Positions
from evenkeel.activations.shard import Shard
from evenkeel.activations.sinks import SinkProbe, probe_of_rows
from evenkeel.errors import BadInputError
from evenkeel.models.sites import HookPoint

_PROBED_TEXTS = 512


class ActivationStore:
    """Activations of a text set, with its texts, tokens and origin.

    Use as `with ActivationStore.open(path) as store`. Rows are in the order of the input texts.
    """

    def __init__(self, path: Path, shards: Sequence[Shard]) -> None:
        self.path = path
        self.shards = tuple(shards)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open the file, or the folder of shards, that cache_activations wrote.

        Raises:
            BadInputError: it is missing, cut short, damaged, not a store, or of another version.
        """
        shards: list[Shard] = []
        try:
            if not path.is_dir():
                return cls(path, [Shard.open(path)])
            for entry in read_manifest(path):
                shards.append(Shard.open(path / entry.file))
                if shards[-1].identity != entry.identity:
                    raise BadInputError(
                        f"{path / entry.file}: not the shard that the manifest lists: of other "
                        "texts, another model or another run; run cache_activations again"
                    )
        except BaseException:
            for shard in shards:
                shard.close()
            raise
        return cls(path, shards)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        for shard in self.shards:
            shard.close()

    @property
    def header(self) -> Header:
        return self.shards[0].header

    @property
    def positions(self) -> Positions:
        """Rows are all tokens, or each text's last token or mean."""
        return self.header.positions

    @property
    def model(self) -> dict[str, str]:
        """Name, revision and fingerprint of the model that computed the activations."""
        header = self.header
        return {
            "name": header.model,
            "revision": header.revision,
            "fingerprint": header.fingerprint,
        }

    def require_model(self, fingerprint: str) -> None:
        """Refuse to go on with another model than the one that computed the activations.

        Raises:
            BadInputError: naming both.
        """
        if fingerprint != self.header.fingerprint:
            raise BadInputError(
                f"{self.path}: activations of {self.header.model} "
                f"({self.header.fingerprint[:12]}), but the model in use is {fingerprint[:12]}; "
                "run cache_activations again"
            )

    @property
    def sites(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(site for site, _, _ in self.header.points))

    def layers(self, site: str) -> tuple[int, ...]:
        """Layers kept of a site, in order.

        Raises:
            BadInputError: the site was not kept.
        """
        layers = tuple(sorted(layer for name, layer, _ in self.header.points if name == site))
        if not layers:
            raise BadInputError(f"{self.path}: no site {site!r}; it has {', '.join(self.sites)}")
        return layers

    def d_model(self, site: str) -> int:
        """Width of a site's rows.

        Raises:
            BadInputError: the site was not kept.
        """
        return self._width(site, self.layers(site)[0])

    def _width(self, site: str, layer: int) -> int:
        if layer not in self.layers(site):
            raise BadInputError(
                f"{self.path}: no layer {layer} of {site}; it has {list(self.layers(site))}"
            )
        return next(width for name, at, width in self.header.points if (name, at) == (site, layer))

    @property
    def rows(self) -> int:
        """Rows of each array: tokens if positions is "all", else texts."""
        return sum(shard.rows for shard in self.shards)

    @cached_property
    def texts(self) -> pd.DataFrame:
        """One row a text, a column for each field of the input rows."""
        return pd.concat([shard.texts for shard in self.shards], ignore_index=True)

    @cached_property
    def input_ids(self) -> Int[np.ndarray, " tokens"]:
        """Token ids of all texts, one after the other."""
        return np.concatenate([shard.input_ids for shard in self.shards])

    @cached_property
    def offsets(self) -> Int[np.ndarray, " texts_and_end"]:
        """Text i is tokens offsets[i] to offsets[i + 1]."""
        lengths = [np.diff(shard.offsets) for shard in self.shards]
        return np.concatenate([[0], np.cumsum(np.concatenate(lengths))]).astype(np.int64)

    def tokens_of(self, texts: Int[np.ndarray, " texts"]) -> int:
        """How many tokens some texts have together, whatever positions are kept."""
        return int(np.diff(self.offsets)[texts].sum())

    def sink_probe(self, site: str, layer: int) -> SinkProbe | None:
        """What tells attention sinks from other rows, fitted to the first texts.

        None where there are none, where they count, and where not every token is kept.

        Raises:
            BadInputError: the site or layer was not kept, or a row does not match its checksum.
        """
        if self.positions != "all" or self.header.sinks == "include":
            return None
        offsets = self.offsets[: _PROBED_TEXTS + 1]
        return probe_of_rows(self.read(site, layer, 0, int(offsets[-1])), offsets)

    def read(
        self, site: str, layer: int, start: int = 0, stop: int | None = None
    ) -> Float[np.ndarray, "rows width"]:
        """Rows `start` to `stop` (all by default) of a site and layer, as float32.

        Raises:
            BadInputError: the site or layer was not kept, or a row does not match its checksum.
        """
        width = self._width(site, layer)
        start, stop, _ = slice(start, stop).indices(self.rows)
        out = np.empty((max(0, stop - start), width), dtype=np.float32)
        self.read_into(out, site, layer, start)
        return out

    def read_into(
        self, out: Float[np.ndarray, "rows width"], site: str, layer: int, start: int
    ) -> None:
        """Read as many rows as `out` has, from row `start`, without another copy.

        Raises:
            BadInputError: as `read`.
        """
        self._width(site, layer)
        for shard, low, high in self._parts(start, start + len(out)):
            part, out = out[: high - low], out[high - low :]
            shard.read_into(part, HookPoint.of(site, layer), low)

    def will_read(self, site: str, layer: int, start: int, stop: int) -> None:
        """Let the disk fetch rows that are about to be read, where the system can be told.

        Raises:
            BadInputError: the site or layer was not kept.
        """
        self._width(site, layer)
        for shard, low, high in self._parts(start, stop):
            shard.will_read(HookPoint.of(site, layer), low, high)

    def _parts(self, start: int, stop: int) -> Iterator[tuple[Shard, int, int]]:
        """The shards that hold rows `start` to `stop` of the store, and which rows of theirs."""
        begin = 0
        for shard in self.shards:
            low, high = max(start, begin), min(stop, begin + shard.rows)
            if low < high:
                yield shard, low - begin, high - begin
            begin += shard.rows
