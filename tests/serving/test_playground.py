"""The playground in a real browser, and what it is allowed to do."""

import json
import re
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import httpx
import numpy as np
import pytest

from evenkeel.sae.prompted import read_prompts
from evenkeel.serving.service import Service
from tests.serving.conftest import make_service, serving

pytestmark = pytest.mark.xdist_group("browser")  # one browser at a time
ATTACK = "</p><img src=x onerror=alert(1)>"


def until(done: Callable[[], Any]) -> Any:
    for _ in range(400):
        if found := done():
            return found
        time.sleep(0.05)
    raise AssertionError("it did not happen within 20 s")


def opened(browser: Any, address: str, settings: dict[str, Any] | None = None) -> Any:
    browser.get("about:blank")
    browser.get(f"{address}/" + (f"#{quote(json.dumps(settings))}" if settings else ""))
    until(lambda: browser.find_elements("css selector", "#groups .bar"))
    return lambda name: browser.find_element("id", name)


def texts(browser: Any, selector: str) -> list[str]:
    """Of all such elements at one moment: the page may draw them anew at any time."""
    script = "return [...document.querySelectorAll(arguments[0])].map((each) => each.textContent)"
    found: list[str] = browser.execute_script(script, selector)
    return found


def generated(browser: Any, find: Any) -> tuple[str, str]:
    until(lambda: find("save").is_enabled())
    return find("unsteered").text, find("steered").text


def test_it_shows_both_texts_marks_the_change_and_reads_the_tokens(
    browser: Any, address: str
) -> None:
    asked = {"prompt": "My father", "intervention": "later", "temperature": "0", "tokens": "8"}
    find = opened(browser, address, asked)
    assert find("prompt").get_property("value") == "My father"
    find("run").click()
    plain, steered = generated(browser, find)
    assert plain != steered
    assert plain.startswith("My father")
    assert browser.find_elements("css selector", "#steered mark")
    until(lambda: browser.find_elements("css selector", "#read .edited"))
    shares = until(lambda: texts(browser, "#groups .bar b"))
    assert all(share.endswith("%") for share in shares)
    assert not browser.get_log("browser")


def test_multiplier_zero_says_the_same(browser: Any, address: str) -> None:
    find = opened(browser, address, {"multiplier": "0", "temperature": "1.5", "seed": "3"})
    find("run").click()
    plain, steered = generated(browser, find)
    assert plain == steered.removesuffix("\nThe same text as unsteered.")
    assert find("note").text == "The same text as unsteered."
    assert not browser.find_elements("css selector", "mark")


def test_keyboard_link_and_download(browser: Any, address: str) -> None:
    keys = pytest.importorskip("selenium.webdriver.common.keys").Keys
    find = opened(browser, address, {"tokens": "6", "chat": False})
    prompt = find("prompt")
    prompt.clear()
    prompt.send_keys("Hello there", keys.CONTROL, keys.ENTER)
    first = generated(browser, find)
    until(lambda: "Hello there" in find("read").text)
    link = browser.current_url
    browser.get("about:blank")
    browser.get(link)
    until(lambda: browser.find_elements("css selector", "#groups .bar"))
    assert find("prompt").get_property("value") == "Hello there"
    find("run").click()
    assert generated(browser, find) == first
    before = until(lambda: find("mass").text)
    find("read").send_keys(keys.ARROW_RIGHT)
    until(lambda: find("mass").text != before)
    find("save").click()
    file = browser.downloads / "evenkeel-playground.json"
    until(file.exists)
    saved = json.loads(file.read_text())
    assert saved["settings"]["prompt"] == "Hello there"
    assert saved["steered"]["intervention"].startswith("push; multiplier=1")


def test_a_token_shows_its_features_and_a_card_colours_the_text(
    browser: Any, address: str, service: Service
) -> None:
    asked = {"prompt": "My father said that", "which": "prompt", "chat": False}
    find = opened(browser, address, asked | {"colour": "feature"})
    tokens = lambda: browser.find_elements("css selector", "#read span")  # noqa: E731
    cards = lambda: browser.find_elements("css selector", "#cards button")  # noqa: E731
    loaded, features = service.engine.loaded, service.features
    assert features is not None
    ids = loaded.encoder.encode("My father said that")
    (read,) = read_prompts(loaded, features.sae, ["My father said that"])
    tokens()[0].click()
    until(lambda: "None fires there" in find("features-note").text)
    tokens()[3].click()
    until(cards)
    row = read.latents[3]
    order = [number for number in np.argsort(-row, kind="stable") if row[number] > 0][:8]
    titles = [card.find_element("css selector", "strong").text for card in cards()]
    expected = [
        f"Feature {number}: label {number} <img src=x onerror=alert(1)>" for number in order
    ]
    assert titles == expected
    assert "promotes her, <b>" in cards()[0].text
    assert f"activation {row[order[0]]:.2f}" in cards()[0].text
    cards()[0].click()
    until(lambda: cards()[0].get_attribute("aria-pressed") == "true")
    assert f"Stronger colour: feature {order[0]}" in find("legend").text
    strongest = [np.argsort(-each, kind="stable")[:8] for each in read.latents]
    fires = [bool(each[order[0]] > 0 and order[0] in top) for each, top in zip(
        read.latents, strongest, strict=True)]  # fmt: skip
    shown = ["transparent" not in t.get_attribute("style") or " 0%" not in t.get_attribute("style")
             for t in tokens()]  # fmt: skip
    assert len(shown) == len(ids)
    assert shown == fires
    cards()[0].click()
    until(lambda: "the feature that fires most" in find("legend").text)
    assert not browser.find_elements("css selector", "img, #cards b")
    assert not browser.get_log("browser")


def test_without_an_autoencoder_there_is_no_such_colour(browser: Any, tokenizer: Any) -> None:
    with serving(make_service(tokenizer)) as plain:
        find = opened(browser, plain, {"colour": "feature"})
        assert find("colour").get_property("value") == "change"
        choice = browser.find_element("css selector", "#colour [value=feature]")
        assert not choice.is_enabled()


def test_hostile_text_stays_text(browser: Any, address: str) -> None:
    find = opened(browser, address, {"prompt": ATTACK, "axis": ATTACK, "tokens": "2"})
    assert find("axis").get_property("value") == "gender"
    find("run").click()
    plain, _ = generated(browser, find)
    assert plain.startswith(ATTACK)
    browser.get("about:blank")
    browser.get(f"{address}/#%7Bnonsense")
    find = lambda name: browser.find_element("id", name)  # noqa: E731
    until(
        lambda: find("problem").text == "The link is damaged; these are the settings to begin with."
    )
    assert browser.title == "Evenkeel playground"
    assert not browser.find_elements("css selector", "img")


def test_a_refusal_and_a_missing_key_are_said(browser: Any, address: str, tokenizer: Any) -> None:
    from evenkeel.interpretation.secret import Secret

    find = opened(browser, address, {"tokens": "5000"})
    browser.execute_script("document.getElementById('form').noValidate = true")
    find("run").click()
    until(lambda: "max_tokens is 5000; this server writes 40" in find("problem").text)
    key = "k" * 20
    with serving(make_service(tokenizer), key=Secret(key)) as guarded:
        browser.get(guarded)
        until(lambda: find("key-row").is_displayed())
        find("key").send_keys(key, "\n")
        until(lambda: find("about").text == "tiny")


def test_a_phone_shows_it_without_scrolling_sideways(browser: Any, address: str) -> None:
    size = {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        opened(browser, address)
        script = "return document.documentElement.scrollWidth"
        assert browser.execute_script(script) <= 360
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_the_page_is_one_file_that_runs_nothing_else(address: str) -> None:
    answer = httpx.get(address)
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert not re.findall(r"(?:src|href)\s*=\s*\"|https?://|innerHTML|@import", answer.text)
