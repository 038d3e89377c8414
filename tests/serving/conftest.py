"""A server of a tiny model, in a thread of the test's process."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
import torch
import uvicorn

from evenkeel.models.loading import LoadedModel
from evenkeel.models.provenance import Provenance
from evenkeel.serving.api import build_app
from evenkeel.serving.catalogue import Catalogue
from evenkeel.serving.engine import Engine
from evenkeel.serving.features import Features
from evenkeel.serving.limits import Limits
from evenkeel.serving.measures import Measures
from evenkeel.serving.service import Service
from evenkeel.steering.gates import ProbeGate
from evenkeel.steering.intervention import Ablate, Add
from evenkeel.steering.spec import InterventionSpec
from evenkeel.vectors.vector import SteeringVector
from evenkeel.vectors.vector_set import VectorSet
from tests.conftest import _tiny_gpt2
from tests.steering.saes import random_sae

TEMPLATE = (
    "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant:{% endif %}"
)


def loaded_model(tokenizer: Any) -> LoadedModel:
    """In float64, where neither batches nor padding turn a token."""
    hashes = dict.fromkeys(("fingerprint", "tokenizer_hash", "revision"), "0" * 64)
    provenance = Provenance(source="local", name="tiny", dtype="float32", **hashes)
    return LoadedModel(_tiny_gpt2(tokenizer).double(), tokenizer, provenance)


def interventions() -> dict[str, InterventionSpec]:
    """One that always acts, one that is gated, and one that acts while generating."""
    generator = torch.Generator().manual_seed(5)

    def draw() -> torch.Tensor:
        return torch.randn(32, generator=generator)

    where: Any = {"layer": 1, "site": "resid_post"}
    return {
        "push": InterventionSpec((Add(draw(), 6.0, **where),)),
        "gated": InterventionSpec((Ablate(draw(), 2.0, gates=(ProbeGate(draw(), 0.0),), **where),)),
        "later": InterventionSpec((Add(draw(), 6.0, positions="generated", **where),)),
    }


def make_service(tokenizer: Any, limits: Limits | None = None, **options: Any) -> Service:
    limits = limits or Limits(rows=8, queue=16, tokens=40, seconds=60)
    loaded = loaded_model(tokenizer)
    vectors = VectorSet.of(
        SteeringVector.of(
            torch.randn(32, generator=torch.Generator().manual_seed(layer)),
            axis="gender", method="caa", site="resid_post", layer=layer, stream_norm=9.0,
        )
        for layer in (0, 1, 2)
    )  # fmt: skip
    catalogue = Catalogue.of(loaded.model, interventions(), "push", vectors)
    measures = Measures()
    engine = Engine(loaded, limits, measures)
    return Service(engine, catalogue, limits, measures, "tiny", **options)


@contextmanager
def serving(service: Service, *, buffer: int | None = None, **options: Any) -> Iterator[str]:
    """Serve while the block runs, at the address that is yielded; sockets hold `buffer` bytes."""
    config = uvicorn.Config(build_app(service, **options), port=0, log_config=None)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()))
    thread.start()
    while not server.started:
        assert thread.is_alive()
        thread.join(0.02)
    listening = server.servers[0].sockets[0]
    if buffer is not None:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer)
    port = listening.getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="session")
def chat_tokenizer(tokenizer: Any) -> Any:
    from copy import deepcopy

    chatty = deepcopy(tokenizer)
    chatty.chat_template = TEMPLATE
    return chatty


def make_features() -> Features:
    """Twelve latents that fire often; what is known of them tries to be more than text."""
    sae = random_sae("resid_post", 1, first=1)
    cards = [
        {
            "feature": number,
            "label": f"label {number} <img src=x onerror=alert(1)>",
            "explanation": None,
            "axes": ["gender"],
            "fires_on": ["she"],
            "promotes": [" her", "<b>"],
            "suppresses": [" him"],
            "frequency": 0.25,
        }
        for number in range(12)
    ]
    return Features(sae, [10.0] * 12, cards)


@pytest.fixture(scope="session")
def service(chat_tokenizer: Any) -> Service:
    return make_service(chat_tokenizer, features=make_features())


@pytest.fixture(scope="session")
def address(service: Service) -> Iterator[str]:
    with serving(service) as address:
        yield address


@pytest.fixture(scope="session")
def client(address: str) -> Any:
    """The official client."""
    openai = pytest.importorskip("openai", reason="openai is not installed")
    return openai.OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0)


@pytest.fixture
def post(address: str) -> Callable[..., httpx.Response]:
    def send(route: str, body: Any, **options: Any) -> httpx.Response:
        return httpx.post(address + route, json=body, timeout=60, **options)

    return send
