"""Read a store that does not fit into memory."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import zip_longest

import numpy as np
from jaxtyping import Float

from evenkeel.activations.store import ActivationStore

_BLOCK_BYTES = 1 << 20
_BLOCKS_MIXED = 16
_READERS = 2


def blocks(store: ActivationStore, site: str, layer: int) -> Iterator[Float[np.ndarray, "rows w"]]:
    """All rows of a site and layer, in order, a MiB at a time; the next are read meanwhile.

    Raises:
        BadInputError: the site or layer was not kept, or a row does not match its checksum.
    """
    return _ahead(store, site, layer, [[span] for span in _spans(store, site)])


def shuffled_batches(
    store: ActivationStore, site: str, layer: int, batch_rows: int, seed: int
) -> Iterator[Float[np.ndarray, "batch width"]]:
    """Each row once, in random order, in batches; the last batch may be shorter.

    Blocks of neighbouring rows are drawn at random and mixed sixteen at a time, so that the disk is
    read in long stretches and memory holds three such mixes. The same seed gives the same order.

    Raises:
        BadInputError: as `blocks`.
    """
    generator = np.random.default_rng(seed)
    spans = _spans(store, site)
    drawn = [spans[index] for index in generator.permutation(len(spans))]
    mixes = [drawn[at : at + _BLOCKS_MIXED] for at in range(0, len(drawn), _BLOCKS_MIXED)]
    rest = np.empty((0, store.d_model(site)), np.float32)
    for mix in _ahead(store, site, layer, mixes):
        order = generator.permutation(len(mix))
        begin = 0
        if len(rest):
            begin = batch_rows - len(rest)
            rest = np.concatenate([rest, mix.take(order[:begin], axis=0)])
            if len(rest) < batch_rows:
                continue
            yield rest
        while begin + batch_rows <= len(mix):
            yield mix.take(order[begin : begin + batch_rows], axis=0)
            begin += batch_rows
        rest = mix.take(order[begin:], axis=0)
    if len(rest):
        yield rest


def _spans(store: ActivationStore, site: str) -> list[tuple[int, int]]:
    rows = max(1, _BLOCK_BYTES // (4 * store.d_model(site)))
    return [(start, min(start + rows, store.rows)) for start in range(0, store.rows, rows)]


def _ahead(
    store: ActivationStore, site: str, layer: int, groups: Sequence[Sequence[tuple[int, int]]]
) -> Iterator[Float[np.ndarray, "rows width"]]:
    """Read each group of spans as one array, the next two while the last one is used.

    The system is told of the two after them, so that the disk need not wait for checksums.
    """

    def load(
        group: Sequence[tuple[int, int]], later: Sequence[tuple[int, int]]
    ) -> Float[np.ndarray, "rows width"]:
        for start, stop in later:
            store.will_read(site, layer, start, stop)
        out = np.empty(
            (sum(stop - start for start, stop in group), store.d_model(site)), np.float32
        )
        begin = 0
        for start, stop in group:
            store.read_into(out[begin : begin + stop - start], site, layer, start)
            begin += stop - start
        return out

    with ThreadPoolExecutor(_READERS) as readers:
        coming: deque[Future[Float[np.ndarray, "rows width"]]] = deque()
        for group, later in zip_longest(groups, groups[_READERS:], fillvalue=()):
            coming.append(readers.submit(load, group, later))
            if len(coming) > _READERS:
                yield coming.popleft().result()
        while coming:
            yield coming.popleft().result()
