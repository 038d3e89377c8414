"""The page in a real browser: it works with mouse and keyboard, and what models say stays text."""

from pathlib import Path
from typing import Any

import pytest

from evenkeel.reporting.page import Page, make_page
from tests.reporting.samples import hostile_results, make_results
from tests.reporting.test_size import large_page

__all__ = ["large_page"]  # a fixture

pytestmark = pytest.mark.xdist_group("browser")  # one browser for the module

LONG = "x" * 10_000
MARK = "document.title = 'owned'"
ATTACK = f'</script></title><script>{MARK}</script><img src=x onerror="{MARK}">\u2028{LONG}\u202e'


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    results = make_results(axes=("gender", "race", "age"))
    path.write_text(make_page(results, "A report", {}).html, encoding="utf-8")
    return path


def read(browser: Any, page: Path) -> None:
    """Open a page and wait for its last element: what is long may still be read from the disk."""
    from selenium.webdriver.support.wait import WebDriverWait

    browser.get(page.as_uri())
    WebDriverWait(browser, 30).until(lambda _: find(browser, "#tip + script"))


def find(browser: Any, selector: str) -> list[Any]:
    found: list[Any] = browser.find_elements("css selector", selector)
    return found


def shown(browser: Any) -> list[str]:
    """The features that can be seen, from top to bottom."""
    buttons = find(browser, "#features > tbody:not([hidden]) > tr:first-child button")
    return [button.text for button in buttons]


def test_nothing_goes_wrong(browser: Any, page: Path) -> None:
    read(browser, page)
    assert browser.get_log("browser") == []
    assert browser.title == "A report"


def test_a_page_of_six_axes_opens(browser: Any, large_page: Page, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text(large_page.html, encoding="utf-8")
    read(browser, path)
    assert len(find(browser, "section[id^='axis-']")) == 6
    assert browser.get_log("browser") == []


def test_the_navigation_leads_to_every_axis_without_a_script(browser: Any, page: Path) -> None:
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        for width in (390, 1280):
            screen = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
            browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
            read(browser, page)
            for axis in ("age", "gender", "race"):
                link = find(browser, f"nav a[href='#axis-{axis}']")[0]
                link.send_keys("\ue007")  # enter
                assert browser.current_url.endswith(f"#axis-{axis}")
                assert link.is_displayed(), "the navigation stays in sight"
                top = find(browser, f"#axis-{axis} h2")[0].rect["y"]
                assert top > 0
        assert find(browser, "#features .card")[0].is_displayed(), "nothing is hidden without it"
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_a_phone_reads_the_first_table_without_scrolling_sideways(browser: Any, page: Path) -> None:
    screen = {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    read(browser, page)
    for width in browser.execute_script(
        "return [...document.querySelectorAll('.overview td, .overview th')]"
        ".map((cell) => cell.getBoundingClientRect().right)"
    ):
        assert width <= 390
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_the_table_is_searched_and_sorted(browser: Any, page: Path) -> None:
    read(browser, page)
    assert shown(browser) == ["0", "1"]
    find(browser, "body")[0].send_keys("/")
    search = browser.switch_to.active_element
    assert search.get_attribute("id") == "search"
    search.send_keys("SHE gender")
    assert shown(browser) == ["0"]
    assert find(browser, "#found")[0].text == "1 of 2"
    search.send_keys("\ue00c")  # escape
    assert shown(browser) == ["0", "1"]
    auroc = find(browser, "#features > thead button")[3]
    for order, expected in (("ascending", ["0", "1"]), ("descending", ["1", "0"])):
        auroc.click()
        assert shown(browser) == expected
        assert find(browser, f"#features th[aria-sort={order}]")[0].text.startswith("AUROC")


def test_a_card_opens_with_mouse_and_keyboard(browser: Any, page: Path) -> None:
    read(browser, page)
    card, other = find(browser, "#features .card")
    assert not card.is_displayed()
    first, second = find(browser, "#features > tbody > tr:first-child button")
    first.click()
    assert card.is_displayed()
    assert first.get_attribute("aria-expanded") == "true"
    assert "Fires on them." in card.text
    first.send_keys("\ue015")  # arrow down
    assert browser.switch_to.active_element == second
    second.send_keys("\ue007")  # enter
    assert other.is_displayed()
    first.click()
    assert not card.is_displayed()


def test_a_mark_says_what_it_is(browser: Any, page: Path) -> None:
    from selenium import webdriver
    from selenium.webdriver.support.wait import WebDriverWait

    read(browser, page)
    mark, other = (
        find(browser, f"[data-tip^='pilot, female, {when}']")[0]
        for when in ("unsteered", "steered")
    )
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", mark)

    def said(_: Any) -> bool:  # scrolling, which may end late, hides it
        webdriver.ActionChains(browser).move_to_element(other).move_to_element(mark).perform()
        return find(browser, "#tip")[0].text == "pilot, female, unsteered: −2.00 [−2.30, −1.70]"

    WebDriverWait(browser, 10).until(said)


def test_hostile_text_stays_text(browser: Any, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text(make_page(hostile_results(ATTACK), "A report", {}).html, encoding="utf-8")
    for scheme, width in (("dark", 360), ("light", 1200)):
        media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
        screen = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        read(browser, path)
        for button in find(browser, "#features > tbody button"):
            button.click()
        assert browser.title == "A report"
        assert browser.get_log("browser") == []
        assert len(find(browser, "script")) == 1
        assert find(browser, "img") == []
        assert "<script>" in find(browser, "#axis-gender")[0].text
        scrolled = browser.execute_script("return document.documentElement.scrollWidth")
        assert scrolled <= width, "the page is wider than the screen"
