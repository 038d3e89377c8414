"""The page: self-contained, inert whatever models say, and the same bytes twice."""

import re
from html.parser import HTMLParser

import pytest

from evenkeel.reporting.page import make_page
from tests.reporting.samples import HOSTILE, make_results

PARAMS = {"seed": 0, "model": {"id": HOSTILE}}


class Outline(HTMLParser):
    """What a browser makes of a page: its tags, their attributes, its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.unbalanced: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))
        if tag not in ("meta", "path", "use", "rect"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag: str) -> None:
        if tag in ("path", "use", "rect"):
            return
        if not self.open or self.open.pop() != tag:
            self.unbalanced.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def html() -> str:
    return make_page(make_results(), "A report", PARAMS).html


def test_the_page_is_well_formed(html: str) -> None:
    outline = Outline(html)
    assert not outline.unbalanced
    assert not outline.open
    ids = [attributes["id"] for _, attributes in outline.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = [attributes["href"] for tag, attributes in outline.tags if tag == "a"]
    assert links
    assert all(link and link[0] == "#" and link[1:] in ids for link in links)


def test_nothing_is_fetched(html: str) -> None:
    assert "default-src 'none'" in html
    outline = Outline(html)
    assert not {tag for tag, _ in outline.tags} & {"script", "link", "img", "iframe", "object"}
    addresses = re.findall(r"(?:https?:)?//[^\s\"'<]+", html)
    assert {a for a in addresses if "www.w3.org" not in a} == set(), "namespaces are no addresses"


def test_hostile_text_is_inert() -> None:
    results = make_results(text=HOSTILE)
    results = results.model_copy(
        update={
            "model": results.model.model_copy(update={"name": HOSTILE, "revision": HOSTILE}),
            "occupations": [
                row.model_copy(update={"occupation": HOSTILE}) for row in results.occupations
            ],
            "continuations": [
                row.model_copy(update={"prompt": HOSTILE, "unsteered": HOSTILE})
                for row in results.continuations
            ],
        }
    )
    html = make_page(results, HOSTILE, PARAMS).html
    outline = Outline(html)
    assert not {tag for tag, _ in outline.tags} & {"script", "img"}
    assert not any(name.startswith("on") for _, given in outline.tags for name in given)
    assert outline.text.count('<script>alert("x")</script>') >= 4
    body = html[html.index("<main") :]
    assert "\u202e" not in re.sub(r"<svg.*?</svg>|<pre>.*?</pre>", "", body, flags=re.DOTALL)
    assert "\\u202e" in body


def test_the_same_results_give_the_same_bytes() -> None:
    one, two = (make_page(make_results(), "A report", PARAMS) for _ in range(2))
    assert one.html == two.html
    for first, second in zip(one.drawings, two.drawings, strict=True):
        assert first.png() == second.png()
        assert b"matplotlib" not in first.png()


def test_figures_take_the_colours_of_the_page(html: str) -> None:
    outline = Outline(html)
    drawn = [a.get("style") or "" for tag, a in outline.tags if tag in ("path", "text", "use")]
    colors = set(re.findall(r"#[0-9a-f]{6}|var\(--\w+\)", " ".join(drawn)))
    assert {"var(--ink)", "var(--muted)", "var(--before)", "var(--after)"} <= colors
    assert not {color for color in colors if color.startswith("#")}


def test_nothing_selected_is_said() -> None:
    outline = Outline(make_page(make_results(selected=False), "A report", PARAMS).html)
    assert "Nothing was selected" in outline.text
    assert not outline.unbalanced
    assert "None" not in outline.text


def test_what_changed_is_marked(html: str) -> None:
    assert re.findall(r"<mark>(.*?)</mark>", html) == ["he", "she"]


def test_parameters_are_shown(html: str) -> None:
    assert "seed: 0" in html
