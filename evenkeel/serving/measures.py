"""What Prometheus is told."""

from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)


class Measures:
    """Counters of one server."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        made: dict[str, Any] = {"registry": self.registry, "namespace": "evenkeel"}
        self.requests = Counter(
            "requests", "Answered requests by route and status.", ["route", "status"], **made
        )
        self.seconds = Histogram(
            "request_seconds", "From arrival to the last byte.", ["route"], buckets=_SECONDS, **made
        )
        self.first_token = Histogram(
            "first_token_seconds", "From arrival to the first token.", buckets=_SECONDS, **made
        )
        self.prompt = Counter("prompt_tokens", "Tokens read of prompts.", **made)
        self.generated = Counter("generated_tokens", "Tokens drawn.", **made)
        self.steered = Counter(
            "steered_requests", "Generating requests by intervention.", ["intervention"], **made
        )
        self.running = Gauge("running_rows", "Texts that are being generated.", **made)
        self.waiting = Gauge("waiting_requests", "Requests that wait for a row.", **made)

    def text(self) -> bytes:
        """In the text format of Prometheus."""
        return generate_latest(self.registry)
