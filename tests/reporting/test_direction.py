"""Text of models is set in its own direction, whatever the page's is."""

import dataclasses
from html.parser import HTMLParser

from evenkeel.reporting.page import make_page
from tests.reporting.samples import cards, make_results

NURSE = "ممرضة"
VOID = ("meta", "path", "use", "rect", "input", "link", "img", "br", "line", "circle")


class Directions(HTMLParser):
    """Of each run of text that holds NURSE: whether an element around it finds its direction."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self._open: list[bool] = []
        self.found: list[bool] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            # A <bdi> finds its direction by itself.
            self._open.append(tag == "bdi" or ("dir", "auto") in attributes)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        if NURSE in data:
            self.found.append(any(self._open))


def test_a_name_from_right_to_left_finds_its_direction() -> None:
    results = dataclasses.replace(make_results(text=f" {NURSE}"), cards=cards(NURSE))
    found = Directions(make_page(results, "A report", {}).html).found
    assert len(found) > 5
    assert all(found)
