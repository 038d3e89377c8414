"""The section `benchmarks`."""

from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from evenkeel.params.fields import Section

BenchmarkName = Literal["crows_pairs", "stereoset", "winobias", "winogender", "bbq", "wikitext"]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class BenchmarksParams(Section):
    download: dict[BenchmarkName, dict[str, Sha256]]
    """Benchmarks to fetch from their official source into data/benchmarks/<name>, each with the
    SHA-256 of those files whose checksum is not known; without one it is reported."""
    run: dict[BenchmarkName, Annotated[str, Field(min_length=1)]]
    """Benchmarks to run, and the file or folder of each: data/benchmarks/<name>, or your own."""
    batch_tokens: PositiveInt
    """Tokens in a forward pass, padding included."""
    stride: PositiveInt | None
    """Tokens from one window of WikiText to the next; null is a whole window, without overlap."""
    resamples: Annotated[int, Field(ge=100)]
    """Bootstrap resamples behind each interval."""
