"""Which tokens of a corpus an SAE is trained on, and which it is measured on."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from evenkeel.activations.sinks import first_tokens
from evenkeel.activations.store import ActivationStore
from evenkeel.errors import BadInputError
from evenkeel.models.sites import HookPoint
from evenkeel.params import Sinks

_ROWS_AT_ONCE = 1 << 16


@dataclass(frozen=True, eq=False)
class Corpus:
    """The activations of every token of a text set at one place."""

    store: ActivationStore
    place: HookPoint
    first_position: int = 0
    """Tokens at each text's start that the SAE in use was not trained on."""

    def __post_init__(self) -> None:
        """Check that the store has what is needed.

        Raises:
            BadInputError: it kept no such place, or not every token.
        """
        site, layer = self.place.site, self.place.layer
        sites = self.store.sites
        if site not in sites or layer not in self.store.layers(site):
            kept = "; ".join(f"{name} of layers {list(self.store.layers(name))}" for name in sites)
            raise BadInputError(
                f"{self.store.path} keeps {kept}, but the SAE reads {self.place.hook_name}: set "
                f"activations.corpus.sites to [{site}] and activations.corpus.layers to [{layer}]"
            )
        if self.store.positions != "all":
            raise BadInputError(
                f"{self.store.path} keeps positions {self.store.positions!r}, but an SAE needs "
                "every token; set activations.corpus.positions to all"
            )

    @property
    def width(self) -> int:
        return self.store.d_model(self.place.site)

    @cached_property
    def text_of_row(self) -> Int[np.ndarray, " rows"]:
        """Number of the text that each row is a token of."""
        lengths = np.diff(self.store.offsets)
        return np.repeat(np.arange(len(lengths)), lengths)

    @property
    def skipped(self) -> int:
        """Tokens at each text's start that are left out: the SAE's, and attention sinks."""
        return max(self.first_position, first_tokens(self.sinks))

    @property
    def sinks(self) -> Sinks:
        """Whether the store was made to leave attention sinks out."""
        return self.store.header.sinks

    @cached_property
    def used(self) -> Bool[np.ndarray, " rows"]:
        """Rows that are not among the first positions of their text, nor attention sinks."""
        position = np.arange(self.store.rows) - self.store.offsets[:-1][self.text_of_row]
        used: np.ndarray = position >= self.skipped
        probe = self.store.sink_probe(self.place.site, self.place.layer)
        if probe is not None:
            for where, x in self.batches(_ROWS_AT_ONCE):
                used[where] &= ~probe(x).numpy()
        return used

    @cached_property
    def _kinds(self) -> Int[np.ndarray, " texts"]:
        """A number for each text, the same for equal texts, in order of first occurrence."""
        numbers: np.ndarray = pd.factorize(self.store.texts["text"])[0]
        return numbers

    @property
    def first_of_its_kind(self) -> Bool[np.ndarray, " texts"]:
        """False for a text that equals an earlier one."""
        first = np.zeros(len(self._kinds), dtype=bool)
        first[np.unique(self._kinds, return_index=True)[1]] = True
        return first

    def held_out(self, share: float, seed: int) -> Bool[np.ndarray, " texts"]:
        """Texts kept from training, at random; of equal texts all or none.

        Raises:
            BadInputError: the share leaves nothing on one side.
        """
        kind = self._kinds
        kinds = int(kind.max()) + 1
        count = round(share * kinds)
        if not 0 < count < kinds:
            raise BadInputError(
                f"sae.heldout_share: {share} of {kinds} different texts is {count}; at least one "
                "text is needed on either side"
            )
        chosen = np.random.default_rng(seed).choice(kinds, count, replace=False)
        held: np.ndarray = np.isin(kind, chosen)
        return held

    def spans(self, rows: int) -> Iterator[range]:
        """Whole texts in order, about `rows` rows at a time."""
        offsets = self.store.offsets
        first = 0
        while first < len(offsets) - 1:
            after = int(np.searchsorted(offsets, offsets[first] + rows, side="right")) - 1
            after = max(after, first + 1)
            yield range(first, after)
            first = after

    def batches(
        self, rows: int, spans: Iterable[range] | None = None
    ) -> Iterator[tuple[slice, Float[Tensor, "rows d_model"]]]:
        """Where the rows of each span of texts are, and these rows.

        Args:
            rows: about as many at a time.
            spans: some of `spans(rows)`; all, if not given.
        """
        offsets = self.store.offsets
        for span in self.spans(rows) if spans is None else spans:
            where = slice(int(offsets[span.start]), int(offsets[span.stop]))
            read = self.store.read(self.place.site, self.place.layer, where.start, where.stop)
            yield where, torch.from_numpy(read)
