"""What the server refuses, and how; what it says of itself."""

import json
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from evenkeel.errors import BadInputError
from evenkeel.interpretation.secret import Secret
from evenkeel.serving.limits import Limits
from evenkeel.serving.running import allowed_hosts, server_key
from evenkeel.serving.service import Service
from tests.serving.conftest import make_service, serving

pytestmark = pytest.mark.xdist_group("serving")
Post = Callable[..., httpx.Response]
ASKED = {"model": "tiny", "prompt": "Hi", "max_tokens": 2}


@pytest.mark.parametrize(
    ("change", "status", "message"),
    [
        ({"model": "other"}, 404, "there is no model 'other' here; there is 'tiny'"),
        ({"max_tokens": 41}, 400, "max_tokens is 41; this server writes 40"),
        ({"max_tokens": 0}, 400, "max_tokens: Input should be greater than or equal to 1"),
        ({"n": 9}, 400, "this server writes 8 texts at once"),
        ({"prompt": "word " * 70}, 400, "the model reads at most 64"),
        ({"prompt": [9999]}, 400, "the model has tokens 0 to 299"),
        ({"prompt": ""}, 400, "prompt 0 (from 0) is empty"),
        ({"temperature": 3}, 400, "temperature: Input should be less than or equal to 2"),
        ({"tempreature": 1}, 400, "tempreature: Extra inputs are not permitted"),
        ({"frequency_penalty": 0.5}, 400, "frequency_penalty: Input should be 0 or None"),
        ({"stop": [""]}, 400, "stop.0: String should have at least 1 character"),
        ({"stop": list("abcde")}, 400, "stop: List should have at most 4 items"),
        ({"prompt": []}, 400, "prompt: List should have at least 1 item"),
        ({"prompt": [-1]}, 400, "prompt.0: Input should be greater than or equal to 0"),
        ({"prompt": ["a", 1]}, 400, "prompt."),
        ({"prompt": None}, 400, "prompt: Input should be a valid"),
        (
            {"steering": {"vectors": [{"source": "a"}]}},
            400,
            "steering.vectors.0.apply: Field required",
        ),
        ({"steering": {"name": "none"}}, 400, "there is no intervention 'none'; there are: push"),
        ({"steering": {"multiplier": 1e9}}, 400, "steering.multiplier: Input should be less"),
        (
            {"steering": {"vectors": [{"source": "/etc/passwd", "apply": {"prompt": "all"}}]}},
            400,
            "a source is the name of a vector that this server holds, never a path: gender/caa",
        ),
        (
            {"steering": {"vectors": [{"data": {"1": [1.0]}, "apply": {"prompt": "all"}}]}},
            400,
            "made for a width of 1, but this model has 32",
        ),
        (
            {"steering": {"vectors": [{"data": {"9": [1.0] * 32}, "apply": {"prompt": "all"}}]}},
            400,
            "layer 9 does not exist",
        ),
        (
            {"steering": {"vectors": [{"source": "gender/caa", "apply": {}}]}},
            400,
            "apply must be",
        ),
    ],
)
def test_what_is_wrong_is_refused_with_one_clear_sentence(
    post: Post, change: dict[str, Any], status: int, message: str
) -> None:
    answer = post("/v1/completions", ASKED | change)
    error = answer.json()["error"]
    assert answer.status_code == status, error
    assert message in error["message"]
    assert error["type"] == ("not_found_error" if status == 404 else "invalid_request_error")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "body: Field required"),
        (b"{", "JSON decode error: Expecting property name enclosed in double quotes"),
        (b"{}", "model: Field required"),
        (b"[]", "Input should be a valid dictionary"),
    ],
)
def test_a_wrong_body_says_what_is_wrong_with_it(address: str, body: bytes, message: str) -> None:
    headers = {"Content-Type": "application/json"}
    answer = httpx.post(f"{address}/v1/completions", content=body, headers=headers)
    assert answer.status_code == 400
    assert message in answer.json()["error"]["message"]


def test_a_body_that_is_no_json_too_large_or_of_another_type(address: str) -> None:
    for body, status in ((b"{", 400), (b"[" * 100_000, 400), (b'"\\ud800"', 400)):
        headers = {"Content-Type": "application/json"}
        answer = httpx.post(f"{address}/v1/completions", content=body, headers=headers)
        assert answer.status_code == status
        assert answer.json()["error"]["message"]
    odd = json.dumps(ASKED | {"prompt": "\ud800", "\ud800": 1}).encode()
    answer = httpx.post(
        f"{address}/v1/completions", content=odd, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 400
    text = httpx.post(
        f"{address}/v1/completions",
        content=json.dumps(ASKED),
        headers={"Content-Type": "text/plain"},
    )
    assert text.status_code == 400  # as a form of another site could send it
    large = b" " * 1_000_001
    assert httpx.post(f"{address}/v1/completions", content=large).status_code == 413
    assert httpx.post(f"{address}/v1/completions", content=iter([large])).status_code == 413


def test_no_chat_template_is_said(tokenizer: Any) -> None:
    asked = {"model": "tiny", "messages": [{"role": "user", "content": "Hi"}]}
    with serving(make_service(tokenizer)) as address:
        answer = httpx.post(f"{address}/v1/chat/completions", json=asked)
    assert answer.status_code == 400
    assert "no chat template" in answer.json()["error"]["message"]


def test_the_key_is_asked_for_everywhere_but_for_the_page(tokenizer: Any) -> None:
    key = Secret("k" * 20)
    with serving(make_service(tokenizer), key=key) as address:
        for route, status in (
            ("/v1/models", 401),
            ("/metrics", 401),
            ("/", 200),
            ("/healthz", 200),
        ):
            assert httpx.get(address + route).status_code == status
        for given, status in (("k" * 20, 200), ("k" * 19, 401), ("x", 401)):
            headers = {"Authorization": f"Bearer {given}"}
            assert httpx.get(f"{address}/v1/models", headers=headers).status_code == status
        answer = httpx.get(f"{address}/v1/models")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "k" * 20 not in answer.text


def test_other_hosts_and_other_sites_are_kept_out(tokenizer: Any) -> None:
    with serving(make_service(tokenizer), hosts=allowed_hosts("127.0.0.1", ())) as address:
        for host, status in (("evil.example", 421), ("localhost:1", 200), ("[::1]:1", 200)):
            found = httpx.get(f"{address}/v1/models", headers={"Host": host})
            assert found.status_code == status
        asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
        answer = httpx.options(f"{address}/v1/completions", headers=asked)
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_too_many_requests_are_told_to_come_again(tokenizer: Any) -> None:
    service = make_service(tokenizer, Limits(rows=1, queue=1, tokens=60, seconds=60))
    slow = ASKED | {"max_tokens": 60, "temperature": 1.9, "steering": {"enabled": False}}
    with serving(service) as address, ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(lambda _: httpx.post(f"{address}/v1/completions", json=slow), range(8))
        )
        refused = [answer for answer in answers if answer.status_code == 429]
        assert {answer.status_code for answer in answers} == {200, 429}
        assert refused[0].headers["retry-after"] == "1"
        assert "try again later" in refused[0].json()["error"]["message"]
        after = httpx.post(f"{address}/v1/completions", json=ASKED)
    assert after.status_code == 200


@pytest.mark.parametrize("stream", [False, True])
def test_a_request_that_takes_too_long_is_ended(tokenizer: Any, stream: bool) -> None:
    service = make_service(tokenizer, Limits(tokens=60, seconds=0.001))
    with serving(service) as address:
        asked = ASKED | {"max_tokens": 60, "stream": stream}
        answer = httpx.post(f"{address}/v1/completions", json=asked)
    assert "not done in the time" in answer.text
    assert answer.status_code == 504 or (stream and "data: {" in answer.text)


def test_a_client_that_goes_frees_its_row(tokenizer: Any) -> None:
    service = make_service(tokenizer, Limits(rows=1, queue=4, tokens=10_000, seconds=600))
    object.__setattr__(service.encoder, "context", None)
    model = service.engine.loaded.model
    endless = ASKED | {"max_tokens": 10_000, "stream": True, "ignore_eos": True}
    stepped = model.forward

    def short(*args: Any, **kwargs: Any) -> Any:
        time.sleep(0.001)
        if kwargs.get("position_ids") is not None:  # it has 64 positions
            kwargs["position_ids"] = kwargs["position_ids"].clamp(max=63)
        return stepped(*args, **kwargs)

    model.forward = short
    with serving(service) as address:
        with httpx.stream("POST", f"{address}/v1/completions", json=endless, timeout=60) as answer:
            assert next(answer.iter_lines()).startswith("data: ")
        gone = httpx.post(f"{address}/v1/completions", json=ASKED, timeout=60)
        assert gone.status_code == 200
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{address}/v1/completions", json=endless | {"stream": False}, timeout=0.5)
        assert httpx.post(f"{address}/v1/completions", json=ASKED, timeout=60).status_code == 200


def test_a_slow_reader_stalls_nobody(tokenizer: Any) -> None:
    """It is sent more than sockets hold, and reads it when its texts have long been written."""
    service = make_service(tokenizer)
    asked = ASKED | {"max_tokens": 40, "stream": True, "n": 8, "logprobs": 5, "ignore_eos": True}
    small = [(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)]
    with (
        serving(service, buffer=4096) as address,
        httpx.Client(transport=httpx.HTTPTransport(socket_options=small)) as client,
        client.stream("POST", f"{address}/v1/completions", json=asked, timeout=60) as slow,
    ):
        other = httpx.post(f"{address}/v1/completions", json=ASKED | {"n": 8}, timeout=60)
        assert other.status_code == 200  # all rows are free again
        lines = [line for line in slow.iter_lines() if line]
    assert lines[-1] == "data: [DONE]"
    assert len(lines) == 8 * 40 + 1


def test_a_fault_ends_the_requests_that_run_and_not_the_server(
    tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = make_service(tokenizer)
    with serving(service) as address:
        with monkeypatch.context() as patched:
            patched.setattr("evenkeel.serving.batch._draw", lambda *_: 1 / 0)
            answer = httpx.post(f"{address}/v1/completions", json=ASKED)
        assert answer.status_code == 500
        assert "its log says why" in answer.json()["error"]["message"]
        assert httpx.post(f"{address}/v1/completions", json=ASKED).status_code == 200


def test_health_metrics_and_interventions(address: str, post: Post) -> None:
    assert httpx.get(f"{address}/healthz").json() == {"status": "ok"}
    post("/v1/completions", ASKED)
    text = httpx.get(f"{address}/metrics").text
    assert 'evenkeel_requests_total{route="/v1/completions",status="200"}' in text
    assert 'evenkeel_steered_requests_total{intervention="push"}' in text
    assert "evenkeel_running_rows" in text
    data = httpx.get(f"{address}/v1/interventions").json()["data"]
    assert [one["name"] for one in data if one["default"]] == ["push"]
    gated = next(one for one in data if one["name"] == "gated")
    assert gated["interventions"][0]["gates"] == ["ProbeGate"]


def test_the_log_has_one_line_of_json_a_request_and_no_prompt(
    tokenizer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    asked = ASKED | {"prompt": "My secret prompt", "user": "somebody"}
    for log_prompts in (False, True):
        caplog.clear()
        with (
            caplog.at_level("INFO", "evenkeel.requests"),
            serving(make_service(tokenizer, log_prompts=log_prompts)) as address,
        ):
            httpx.post(f"{address}/v1/completions", json=asked)
        (line,) = [json.loads(record.getMessage()) for record in caplog.records]
        assert line["route"] == "/v1/completions"
        assert (line["prompt_tokens"], line["completion_tokens"]) == (14, 2)
        assert ("My secret prompt" in json.dumps(line)) == log_prompts


def test_keys_and_hosts_as_they_are_given(tmp_path: Any) -> None:
    file = tmp_path / "key"
    file.write_text("x" * 32 + "\n")
    key = server_key({}, file)
    assert key is not None
    assert key.reveal() == "x" * 32
    assert server_key({}, None) is None
    with pytest.raises(BadInputError, match="16 to 512 printable") as error:
        server_key({"EVENKEEL_API_KEY": "shortkey"}, None)
    assert "shortkey" not in str(error.value)
    with pytest.raises(BadInputError, match="cannot be read"):
        server_key({}, tmp_path / "none")
    assert allowed_hosts("0.0.0.0", ()) is None  # noqa: S104
    assert "localhost" in (allowed_hosts("127.0.0.1", ()) or ())


def test_a_text_is_read_token_by_token(post: Post, service: Service) -> None:
    asked = {"prompt": "The nurse said", "continuation": " that she", "axis": "gender"}
    found = post("/playground/read", asked | {"steering": {"name": "later"}}).json()
    assert "".join(token["text"] for token in found["tokens"]) == "The nurse said that she"
    for token in found["tokens"]:
        assert (token["change"] > 0) == (not token["prompt"])
    assert found["layers"] == {"resid_post": [1]}
    shares = found["groups"]["shares"]
    assert sum(group["unsteered"] for group in shares) == pytest.approx(1)
    off = post("/playground/read", asked | {"steering": {"enabled": False}}).json()
    assert all(token["change"] == 0 for token in off["tokens"])
    assert all(group["steered"] == group["unsteered"] for group in off["groups"]["shares"])
    answer = post("/playground/read", asked | {"axis": "none"})
    assert answer.status_code == 400
