"""The section `interpretation`."""

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
)
from pydantic_core import PydanticCustomError

from evenkeel.params.fields import Section, distinct


def _without_credentials(url: str) -> str:
    """A URL of scheme, host, port and path. No message repeats it: it may hold credentials."""
    try:
        parts = urlsplit(url)
        port_is_valid = parts.port != 0
    except ValueError:
        raise PydanticCustomError(
            "secret_url", "has a host or a port that no URL can have"
        ) from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise PydanticCustomError(
            "secret_url", "must start with http:// or https:// and name a host"
        )
    if "@" in url or "?" in url or "#" in url:
        raise PydanticCustomError(
            "secret_url",
            "must hold no credentials, no query and no fragment; a key belongs in OPENAI_API_KEY, "
            "not in a file",
        )
    if (
        not port_is_valid
        or not url.isascii()
        or not url.isprintable()
        or set(url) & set(' \\"<>^`{|}')
    ):
        raise PydanticCustomError("secret_url", "holds a port or a character that no URL can have")
    return url.rstrip("/")


class PriceParams(Section):
    input: NonNegativeFloat
    """US dollars for a million tokens of a request."""
    output: NonNegativeFloat
    """US dollars for a million tokens of an answer."""
    batch_factor: Annotated[float, Field(gt=0, le=1)]
    """What a batched token costs, as a share of the above."""


class ChatParams(Section):
    model: Annotated[str, Field(min_length=1)]
    """Name of a model of the server that can answer in a JSON schema."""
    base_url: Annotated[str, AfterValidator(_without_credentials)]
    """Root of an OpenAI-compatible API, as in https://api.openai.com/v1."""
    temperature: Annotated[float, Field(ge=0, le=2)] | None
    """Sampling temperature; null leaves it out, as models that reason require."""
    max_output_tokens: PositiveInt
    """Longest answer; a longer one is cut off, which fails that feature."""
    concurrency: Annotated[int, Field(ge=1, le=256)]
    """Requests under way at once."""
    timeout_seconds: PositiveFloat
    """How long an answer is waited for."""
    max_retries: Annotated[int, Field(ge=0, le=20)]
    """Further attempts after 408, 409, 429, 5xx, a timeout or a lost connection."""
    max_failed_share: Annotated[float, Field(ge=0, lt=1)] = 0.05
    """Share of requests, of the explanations and of their tests, that may fail for a reason which
    may pass (timeouts, rate limits, errors of the server). Beyond it the stage fails, so that the
    next run asks again for what is missing, and pays for nothing else."""
    budget_usd: NonNegativeFloat
    """Most that one run may spend; requests that could pass it are not made."""
    usd_per_million_tokens: PriceParams
    batch: bool
    """Send requests through the Batch API: cheaper, answered within a day."""
    poll_seconds: PositiveFloat
    """How often a batch is asked whether it is done."""


class InterpretationParams(Section):
    backend: Literal["offline", "openai"]
    """offline: name features by the lexicon's words; openai: ask a language model."""
    max_q: Annotated[float, Field(gt=0, lt=1)]
    """A feature belongs to an axis, and a word category to a feature, below this q-value."""
    top_features: NonNegativeInt
    """Features taken for each axis, the strongest associations first."""
    features: Annotated[list[NonNegativeInt], AfterValidator(distinct)]
    """Features that are interpreted whatever their associations."""
    shown_contexts: PositiveInt
    """Top contexts, at most, that an explanation may rest on."""
    heldout_contexts: PositiveInt
    """Other contexts of each kind, at most, by which the explanation is tested."""
    resamples: Annotated[int, Field(ge=100)]
    """Bootstrap resamples of features behind the interval of the mean."""
    openai: ChatParams
