"""The page: self-contained, inert whatever models say, and the same bytes twice."""

import csv
import dataclasses
import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from typing import get_args
from xml.etree import ElementTree

import pytest

from evenkeel.params.fields import Action
from evenkeel.reporting.cards import Histogram
from evenkeel.reporting.figures.looks import SHAPES
from evenkeel.reporting.figures.occupations import occupation_figure
from evenkeel.reporting.page import make_page
from tests.reporting.samples import HOSTILE, SAID, cards, hostile_results, make_results

PARAMS = {"seed": 0, "model": {"id": HOSTILE}}


VOID = ("meta", "path", "use", "rect", "input")


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
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
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
    assert not {tag for tag, _ in outline.tags} & {"link", "img", "iframe", "object"}
    assert [given for tag, given in outline.tags if tag == "script"] == [{}]
    addresses = re.findall(r"(?:https?:)?//[^\s\"'<]+", html)
    assert {a for a in addresses if "www.w3.org" not in a} == set(), "namespaces are no addresses"


def test_hostile_text_is_inert() -> None:
    outline = Outline(make_page(hostile_results(), HOSTILE, PARAMS).html)
    assert [tag for tag, _ in outline.tags if tag in ("script", "img")] == ["script"]
    assert not any(name.startswith("on") for _, given in outline.tags for name in given)
    assert outline.text.count('<script>alert("x")</script>') >= 4
    assert "\u202e" not in outline.text.replace(PARAMS["model"]["id"], "")
    assert "\\u202e" in outline.text


def test_every_action_has_a_shape_of_its_own() -> None:
    assert set(SHAPES) == set(get_args(Action))
    assert len(set(SHAPES.values())) == len(SHAPES)


def test_a_figure_is_a_file_of_its_own_too() -> None:
    drawing = occupation_figure(make_results().occupations)
    assert ElementTree.fromstring(drawing.svg()).tag.endswith("svg")  # noqa: S314  ours
    assert "var(--" not in drawing.svg()
    assert b"matplotlib" not in drawing.png()
    assert drawing.png() == drawing.png()
    rows = list(csv.DictReader(drawing.csv().splitlines()))
    assert [row["occupation"] for row in rows] == [name for name, *_ in SAID]


def test_the_page_names_the_hash_of_its_script(html: str) -> None:
    script = html[html.index("<script>") + len("<script>") : html.index("</script>")]
    digest = b64encode(sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in html


def test_the_strongest_association_is_chosen_without_test(html: str) -> None:
    first, second = cards()
    assert (first.strongest.axis, first.strongest.contrast) == ("gender", "group")
    assert first.strongest.auroc == 0.15
    assert (second.strongest.axis, second.strongest.contrast) == ("age", "bias")
    assert "men against women" in html


def test_tokens_are_shaded_by_activation() -> None:
    top = cards()[0].contexts
    assert [[token.shade for token in context] for context in top] == [[0, 1, 0, 3], [0, 1, 0, 2]]


def test_a_histogram_is_drawn_to_its_edges() -> None:
    path = Histogram((0, 3, 1), -1.0, 1.0).path(30, 10)
    assert path == "M0 10V10.0h10V0.0h10V5.0h10V10Z"


def test_figures_take_the_colours_of_the_page(html: str) -> None:
    outline = Outline(html)
    drawn = [a.get("style") or "" for tag, a in outline.tags if tag in ("path", "text", "use")]
    colors = set(re.findall(r"#[0-9a-f]{6}|var\(--\w+\)", " ".join(drawn)))
    assert {"var(--ink)", "var(--muted)", "var(--before)", "var(--after)"} <= colors
    assert not {color for color in colors if color.startswith("#")}


def test_what_was_not_found_is_said() -> None:
    results = dataclasses.replace(make_results(selected=False), cards=[], ground_truth=None)
    outline = Outline(make_page(results, "A report", PARAMS).html)
    assert "Nothing was selected" in outline.text
    assert "No feature goes with an axis" in outline.text
    assert "Not checked in this run" in outline.text
    assert not outline.unbalanced
    assert "None" not in outline.text


def test_what_changed_is_marked(html: str) -> None:
    assert re.findall(r"<mark>(.*?)</mark>", html) == ["he", "she"]


def test_parameters_are_shown(html: str) -> None:
    assert "seed: 0" in html
