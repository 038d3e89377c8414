"""The API key: no file, log, message or traceback holds it, whatever goes wrong."""

import logging
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import yaml

from evenkeel.errors import BadInputError
from evenkeel.interpretation.answers import AskAnswer
from evenkeel.interpretation.chat import connect as connect_to
from evenkeel.interpretation.client import ChatClient
from evenkeel.interpretation.replies import Reply
from evenkeel.interpretation.requests import Request
from evenkeel.interpretation.secret import Secret, read_key
from evenkeel.params import load_params
from tests.interpretation.cases import KEY, chat_params
from tests.interpretation.server import Answer, Response, Server, completion

ROOT = Path(__file__).parents[2]
ECHO = {"X-Echo": KEY, "X-Request-Id": KEY}
LEAKS = {
    "unauthorized": Response({"error": {"message": f"Incorrect API key: {KEY}"}}, 401, ECHO),
    "bad request": Response({"error": {"message": f"Bearer {KEY} asked"}}, 400, ECHO),
    "late in a long message": Response({"error": {"message": "x" * 190 + KEY}}, 400, ECHO),
    "server error": Response(f"<html>{KEY}</html>", 500, ECHO),
    "in an answer": completion({"matches": [{"feature": 1, "reason": KEY}]}),
    "in a refusal": completion(None, refusal=f"I will not use {KEY}"),
    "in garbage": Response(f'{{"choices": "{KEY}"', headers=ECHO),
    "in the wrong field": Response({"choices": [{"message": {"content": [KEY]}}]}),
    "broken connection": Response(f'{{"a": "{KEY}', promised=500),
    "redirect in circles": Response(status=307, headers={"Location": f"/v1/{KEY}"}),
}


@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize("name", LEAKS)
def test_the_key_is_nowhere(
    serve: Callable[[Answer], Server],
    connect: Callable[..., ChatClient],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
    name: str,
    batch: bool,
) -> None:
    caplog.set_level(logging.DEBUG)
    client = connect(serve(lambda body, before: LEAKS[name]), batch=batch, max_retries=1)
    request = Request.build("ask", client.params, "system", "question", AskAnswer)
    caught: list[BaseException] = []
    try:
        outcome: object = client.send([request])
    except BadInputError as error:
        outcome = _traceback(error)
        caught = _causes(error)
    captured = capfd.readouterr()
    files = "".join(path.read_text() for path in tmp_path.rglob("*") if path.is_file())
    shown = f"{outcome} {client!r} {vars(client)}" + caplog.text + captured.out + captured.err
    assert KEY not in shown + files
    assert KEY[8:24] not in shown + files, "nor a good part of it"
    assert len(caught) <= 1, "a cause holds the request, and with it the key"


def _traceback(error: BaseException) -> list[str]:
    """With the local variables of every frame, as some loggers print it."""
    found = traceback.TracebackException.from_exception(error, capture_locals=True)
    # The test's own frame knows the key, of course.
    found.stack = traceback.StackSummary.from_list(
        frame for frame in found.stack if not frame.filename.startswith(str(Path(__file__).parent))
    )
    return list(found.format())


def _causes(error: BaseException) -> list[BaseException]:
    chain = [error]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) is not None:
        chain.append(cause)
    return chain


def test_an_echoed_key_is_blotted_out_of_what_is_kept(
    serve: Callable[[Answer], Server], connect: Callable[..., ChatClient]
) -> None:
    client = connect(serve(lambda body, before: LEAKS["in a refusal"]))
    (reply,) = client.send([Request.build("ask", client.params, "s", "q", AskAnswer)])
    assert isinstance(reply, Reply)
    assert reply.refusal == "I will not use [API key]"


@pytest.mark.parametrize("environ", [{}, {"OPENAI_API_KEY": ""}, {"OPENAI_API_KEY": " \n"}])
def test_no_key_says_what_to_do(environ: dict[str, str]) -> None:
    with pytest.raises(BadInputError, match=r"OPENAI_API_KEY is not set; export it .* offline"):
        read_key(environ)


@pytest.mark.parametrize("flaw", ['"{}"', "{} x", "{}\n{}", "{}é", "Bearer {}", "{}\x00"])
def test_a_key_that_no_header_can_hold_is_refused_unseen(flaw: str) -> None:
    with pytest.raises(BadInputError, match="a character that no API key has") as caught:
        read_key({"OPENAI_API_KEY": flaw.replace("{}", KEY)})
    assert KEY not in str(caught.value)


def test_a_secret_does_not_show_itself() -> None:
    secret = read_key({"OPENAI_API_KEY": f" {KEY}\n"})
    assert secret.reveal() == KEY
    for text in (repr(secret), str(secret), f"{secret}", f"{[secret]}"):
        assert KEY not in text
    assert not hasattr(secret, "__dict__"), "what lists attributes would find it there"


def test_a_placeholder_is_an_ordinary_word() -> None:
    assert Secret("none").scrub("none of these") == "none of these"
    assert Secret(KEY).scrub(f"a {KEY} b {KEY}") == "a [API key] b [API key]"


SECRET = "pw-0123456789"
BAD_URLS = [
    f"https://user:{SECRET}@host/v1",
    f"https://{SECRET}@host/v1",
    f"https://host/v1?key={SECRET}",
    f"https://host/v1#{SECRET}",
    f"https://host/v1/#key={SECRET}",
    f"ftp://user:{SECRET}@host",
    f"user:{SECRET}@host/v1",
    f"https://user:{SECRET} with a space@host/v1",
    f"https://host:{SECRET}/v1",
    f"https://user:{SECRET}@host:99999/v1",
    f"https://host:0/{SECRET}",
    f"https://[::1/{SECRET}",
    f"https://host\\@{SECRET}/v1",
    f"https://ho\nst/{SECRET}",
    f"https:///{SECRET}",
    SECRET,
    [f"https://user:{SECRET}@host/v1"],
    {"url": f"https://user:{SECRET}@host/v1"},
]


@pytest.mark.parametrize("url", BAD_URLS)
def test_a_base_url_with_more_than_an_address_is_refused_unseen(tmp_path: Path, url: Any) -> None:
    params = yaml.safe_load((ROOT / "tests" / "reduced_params.yaml").read_text())
    params["interpretation"]["openai"]["base_url"] = url
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(params))
    with pytest.raises(BadInputError, match=r"interpretation\.openai\.base_url: ") as caught:
        load_params(path, "interpretation")
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["http://localhost:11434/v1", "https://[::1]:8000/v1/", "https://x.openai.azure.com/a"]
)
def test_a_base_url_is_an_address(url: str) -> None:
    assert chat_params(url).base_url == url.rstrip("/")


def test_a_base_url_that_holds_the_key_is_refused() -> None:
    params = chat_params(f"https://host/{KEY}/v1")
    with pytest.raises(BadInputError, match="base_url holds the API key") as caught:
        connect_to(params, {"OPENAI_API_KEY": KEY}, Path())
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        KEY,
        KEY[:20],
        KEY[5:],
        "".join(f"\\u{ord(character):04x}" for character in KEY),
        f'{{"reason": "\\u0073k{KEY[2:]}"}}',
        "".join(f"%{ord(character):02X}" for character in KEY),
        "".join(f"&#{ord(character)};" for character in KEY),
        "".join(f"&#x{ord(character):x};" for character in KEY),
        quote(f"a/{KEY[:16]}=/{KEY[16:]}"),
    ],
)
def test_no_part_of_the_key_and_no_spelling_of_it_is_kept(text: str) -> None:
    scrubbed = Secret(KEY).scrub(f"before {text} after")
    assert scrubbed.startswith("before ")
    assert scrubbed.endswith(" after")
    assert "[API key]" in scrubbed
    assert KEY[6:18] not in scrubbed
