"""Whatever is sent, the server does not fail: requests made from its own OpenAPI description."""

import httpx
import pytest
from hypothesis import HealthCheck, settings

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")
pytestmark = pytest.mark.xdist_group("serving")
EXAMPLES = 12
"""Of each route, and of each kind of request; `--hypothesis-profile` does not reach them."""


@pytest.mark.parametrize(
    "route",
    ["/v1/completions", "/v1/chat/completions", "/playground/read", "/v1/models/{name}"],
)
def test_no_request_makes_it_fail(address: str, route: str) -> None:
    schema = schemathesis.openapi.from_url(f"{address}/openapi.json")
    method = "GET" if route.endswith("}") else "POST"
    operation = schema[route][method]
    cases = [operation.as_strategy(generation_mode=mode) for mode in schemathesis.GenerationMode]
    from hypothesis import given
    from hypothesis import strategies as st

    @given(case=st.one_of(cases))
    @settings(
        max_examples=EXAMPLES,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    def run(case: object) -> None:
        answer = case.call(timeout=60)  # type: ignore[attr-defined]
        assert answer.status_code < 500, answer.text
        if answer.status_code >= 400:
            assert answer.json()["error"]["message"]

    run()
    assert httpx.get(f"{address}/healthz").status_code == 200
