"""The page: self-contained, inert whatever models say, and the same bytes twice."""

import csv
import dataclasses
import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any, get_args
from xml.etree import ElementTree

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from evenkeel.conditions.recipe import Recipe
from evenkeel.judging.result import Judging
from evenkeel.params import BenchmarkName
from evenkeel.params.fields import Action, EraserMethod, LearnedMethod
from evenkeel.reporting.benchmarks import WORDINGS
from evenkeel.reporting.cards import Histogram
from evenkeel.reporting.drawing import SHAPES, Drawing, kind, look
from evenkeel.reporting.figures.items import item_figure
from evenkeel.reporting.figures.sweep import heat_figure, sweep_figure
from evenkeel.reporting.page import make_page
from evenkeel.reporting.palette import LIGHT
from evenkeel.reporting.results import Results
from tests.reporting.evaluations import (
    GROUPS,
    ITEMS,
    axis_results,
    condition,
    item_rows,
    judging,
    localisation,
)
from tests.reporting.samples import HOSTILE, cards, hostile_results, make_results, specificity

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


def page_text(results: Results, params: dict[str, Any] = PARAMS) -> str:
    """What a page reads, its white space made single."""
    outline = Outline(make_page(results, "A report", params).html)
    assert not outline.unbalanced
    return " ".join(outline.text.split())


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages without what is in their figures, which take most of the time: for tests of words."""
    monkeypatch.setattr(Drawing, "_drawn_once", "<svg></svg>")


@pytest.fixture(scope="module")
def html() -> str:
    """Of two axes, one of them with four groups."""
    return make_page(make_results(axes=("gender", "race")), "A report", PARAMS).html


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
    assert outline.text.count('<script>alert("x")</script>') >= 12
    assert "\u202e" not in outline.text.replace(PARAMS["model"]["id"], "")
    assert "\\u202e" in outline.text


def test_every_action_has_a_shape_of_its_own() -> None:
    assert set(SHAPES) == {
        *get_args(Action),
        *get_args(LearnedMethod),
        *get_args(EraserMethod),
    }
    assert len(set(SHAPES.values())) == len(SHAPES)


@pytest.mark.usefixtures("undrawn")
def test_a_learned_edit_is_called_by_its_method_and_ranked_among_nulls() -> None:
    learned, prompt = ("reft", None, "probe"), ("prompt", None, "none")
    assert [kind(*learned), kind(*prompt)] == ["reft, gated", "prompt"]
    assert look(*learned, LIGHT)[1] != look(*prompt, LIGHT)[1]
    recipe = Recipe(method="reft", layer=(1, 2), multiplier=1.0, rank=2, gate="probe")
    results = make_results()
    first = next(iter(results.axes.values()))
    ranks = {"shuffled_items": 0.1667, "random_subspace": 0.0476, "unknown": None}
    first.evaluation.conditions.append(condition(recipe, p_nulls=ranks))
    (row,) = re.findall("rank 2, probe gate.*", page_text(results))
    assert "12.3 k0.12 %" in row  # to make, and in use
    assert "0.020.17×" in row  # cells of one row: p, and the largest of those among nulls


def test_where_an_axis_is_read_stands_beside_where_it_is_decoded() -> None:
    """Of gender; of race without heads, which not every model has; age has no gap to trace."""
    results = make_results(axes=("gender", "race", "age"))
    headless = localisation("race").model_copy(update={"effects": localisation("race").by_role})
    found = {"race": headless, "age": localisation("age", reportable=False)}
    axes = {
        axis: dataclasses.replace(of_axis, localisation=found.get(axis, of_axis.localisation))
        for axis, of_axis in results.axes.items()
    }
    page = make_page(dataclasses.replace(results, axes=axes), "A report", PARAMS)
    text = " ".join(Outline(page.html).text.split())
    assert "gender121.50 [1.00, 2.00]1 [1, 2]2.1: 0.94 [0.94, 1.10]0.98" in text
    assert "race121.50 [1.00, 2.00]1 [1, 2]–0.98" in text
    assert "age120.10 [−0.50, 0.70]no gap to trace" in text
    assert "Gender: where it can be decoded and where it is read" in text
    assert "Age: where it can be decoded" not in text
    assert "layer 1, head 0: 0.58 [0.58, 1.10]; same association 0.01" in page.html
    tables = {drawing.name: drawing.csv().splitlines() for drawing in page.drawings}
    assert "age/localisation" not in tables
    assert {len(tables[f"{axis}/localisation"]) for axis in ("gender", "race")} == {1 + 12, 1 + 6}
    (first, *_) = csv.DictReader(tables["gender/localisation"])
    assert (first["layer"], first["role"], first["head"]) == ("0", "item", "")


@pytest.mark.usefixtures("undrawn")
def test_the_accuracy_of_a_judge_stands_before_its_figures_or_in_their_place() -> None:
    """Of gender above chance, of race not; age is not judged; religion by a hostile model."""
    results = make_results(axes=("gender", "race", "age", "religion"))
    found = {
        "gender": judging("gender"),
        "race": judging("race", right=28),
        "age": Judging.of_nothing("age"),
        "religion": judging("religion", model=HOSTILE),
    }
    axes = {
        axis: dataclasses.replace(of_axis, judging=found[axis])
        for axis, of_axis in results.axes.items()
    }
    html = make_page(dataclasses.replace(results, axes=axes), "A report", PARAMS).html
    parts = html.split("<h3>Sampled text, judged</h3>")
    assert len(parts) == 1 + 3
    gender, race, religion = (" ".join(Outline(part).text.split()) for part in parts[1:])
    assert gender.index("Its accuracy on 60 labelled texts is 95.0 %") < gender.index("83 %")
    assert "−22 percentage points [−31, −13]" in gender
    assert "No share is shown: it does not read" in race
    assert "percentage points" not in race
    assert '<script>alert("x")</script>' in religion
    assert "<script>" not in parts[3].split("<h3>")[0]


def test_a_figure_is_a_file_of_its_own_too() -> None:
    drawing = item_figure(item_rows(GROUPS["gender"]), GROUPS["gender"])
    assert ElementTree.fromstring(drawing.svg()).tag.endswith("svg")  # noqa: S314  ours
    assert "var(--" not in drawing.svg()
    assert b"matplotlib" not in drawing.png()
    assert drawing.png() == drawing.png()
    rows = list(csv.DictReader(drawing.csv().splitlines()))
    assert [row["item"] for row in rows] == [name for name, *_ in ITEMS]


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
    results = dataclasses.replace(results, benchmarks=[], harness=[])
    outline = Outline(make_page(results, "A report", PARAMS).html)
    assert "No intervention was selected on gender." in outline.text
    assert "No feature is associated with an axis" in outline.text
    assert "Not checked in this run" in outline.text
    assert "Not run: name one under benchmarks.run in params.yaml" in outline.text
    assert "benchmarks" not in [attributes.get("id") for _, attributes in outline.tags]
    assert not outline.unbalanced
    assert "None" not in outline.text


def test_a_benchmark_is_shown_with_all_that_a_reader_must_know(html: str) -> None:
    text = " ".join(Outline(html).text.split())
    assert "CrowS-Pairs: 1,499 pairs, 9 left out, too long for the model" in text
    assert "share of pairs; 0.500 without bias" in text
    assert "bos_mean 0.620 [0.520, 0.720]too weak to tell 0.550 [0.450, 0.650] −0.070" in text
    assert "bos_sum, nobos_sum 0.440 [0.340, 0.540] 0.470 [0.370, 0.570] 0.030" in text
    assert "4 changed, p = 0.62" in text
    assert "share of sentences likelier than their words shuffled; 0.500 by chance" in text
    assert "bos_mean, bos_sum, nobos_sum 0.860" in text
    assert "pairs.csvnot known as official, SHA-256 1111" in text


def test_what_else_changed_is_said_with_a_verdict() -> None:
    results = dataclasses.replace(make_results(), benchmarks=[specificity()])
    page = make_page(results, "A report", PARAMS)
    outline = Outline(page.html)
    text = " ".join(outline.text.split())
    assert "Flagged: the intervention costs knowledge. Lost is what fell by more than 0.05" in text
    assert "of each capability, as its rule says; 1.000 at best" in text
    assert "−0.300 [−0.400, −0.200]lost, p = 0.001" in text
    assert "−0.010 [−0.110, 0.090]kept, p = 0.4" in text
    assert "0.100 [0.000, 0.200]too weak to tell" in text
    assert "Score under every rule, with intervals" in text
    assert "On the line there is no bias" not in text
    assert not outline.unbalanced


@pytest.mark.usefixtures("undrawn")
def test_every_rule_is_drawn_over_all_items_and_over_the_axis() -> None:
    drawings = {each.name: each for each in make_page(make_results(), "A report", PARAMS).drawings}
    rows = list(csv.DictReader(drawings["benchmark_crows_pairs"].csv().splitlines()))
    assert [(row["rule"], row["group"]) for row in rows] == [
        (rule, group)
        for rule in ("bos_mean", "bos_sum", "nobos_sum")
        for group in ("all", "gender")
    ]
    assert (rows[0]["baseline"], rows[0]["steered_high"]) == ("0.62", "0.65")


def test_the_drawing_of_a_benchmark_is_on_the_page(html: str) -> None:
    section = html.split('<section id="benchmarks">')[1].split("</section>")[0]
    assert section.index("<svg") < section.index("Stereotype preferred under every rule")
    assert "On the line there is no bias." in section


@pytest.mark.usefixtures("undrawn")
def test_a_benchmark_of_the_unsteered_model_has_no_steered_column() -> None:
    outline = Outline(make_page(make_results(selected=False), "A report", PARAMS).html)
    text = " ".join(outline.text.split())
    assert "The unsteered model was scored on each" in text
    assert "bos_mean 0.620 [0.520, 0.720]too weak to tell bos_sum, nobos_sum 0.440" in text
    assert not outline.unbalanced


def test_the_harness_stands_beside_our_scoring(html: str) -> None:
    text = " ".join(Outline(html).text.split())
    assert "Metrics of lm-evaluation-harness 0.4.9" in text
    assert "accchoose, version 3.0, 4 items " + "0.250 ± 0.125 " * 4 + "perplexity" in text
    assert "perplexitychoose, version 3.0, 4 items 9.000 – 9.000 –" in text
    assert "by at most 2e-06 nats" in text


def test_the_page_has_words_for_every_benchmark() -> None:
    assert set(WORDINGS) == set(get_args(BenchmarkName))


def test_case_studies_are_shown_with_their_verdicts(html: str) -> None:
    section = html.split('<section id="case-studies">')[1].split("</section>")[0]
    assert "group &lt;b&gt;" in section
    assert '1.50 <span class="ci">[1.00, 2.00]</span>' in section
    assert "wrapper 100\N{NO-BREAK SPACE}%" in section
    assert "<strong>undecided</strong>" in section
    assert ">unknown</td>" in section  # a difference that one axis alone does not tell


def test_what_changed_is_marked(html: str) -> None:
    assert re.findall(r"<mark>(.*?)</mark>", html) == ["he", "she"] * 2


@pytest.mark.usefixtures("undrawn")
def test_of_each_prompt_a_continuation_is_shown_that_changed() -> None:
    results = make_results()
    found = results.axes["gender"]
    (row,) = found.continuations
    same = row.model_copy(update={"unsteered": " it rained.", "steered": " it rained."})
    other = same.model_copy(update={"id": "2", "unsteered": " so.", "steered": " so."})
    rows = [same, row.model_copy(update={"sample": 1}), other]
    axes = {"gender": dataclasses.replace(found, continuations=rows)}
    text = page_text(dataclasses.replace(results, axes=axes))
    assert "Steering changed 1 of 3 continuations" in text
    assert "she was tired." in text
    assert "it rained." not in text
    assert "so." in text


def test_parameters_are_shown(html: str) -> None:
    assert "seed: 0" in html


def row_of(html: str, section: str, header: str) -> list[str]:
    """Texts of the cells of a table's row."""
    part = html[html.index(f'<section id="{section}"') :]
    row = next(row for row in part.split("<tr>")[1:] if f">{header}<" in row.split("</th>")[0])
    cells = re.findall(r"<td[^>]*>(.*?)</td>", row.split("</tr>")[0], re.DOTALL)
    return [" ".join(Outline(cell).text.split()) for cell in cells]


def test_the_page_opens_with_one_row_an_axis(html: str) -> None:
    gender = row_of(html, "verdict", "Gender")
    assert gender == [
        "yes p = 0.001", "1.50 [1.40, 1.60]", "80 % [70, 90]", "76 % [66, 86]",
        "95.0 % → 90.0 % [80.0, 100.0]", "×1.004 [0.904, 1.104]", "0.20 → 0.20 [0.10, 0.30]",
    ]  # fmt: skip
    assert row_of(html, "verdict", "Race") == gender
    assert "×1.012 [0.912, 1.112]" in row_of(html, "verdict", "All at once")


def test_every_axis_has_its_section_and_its_link(html: str) -> None:
    outline = Outline(html)
    ids = [given["id"] for tag, given in outline.tags if tag == "section"]
    assert ids[:4] == ["verdict", "axis-gender", "axis-race", "joint"]
    nav = html[html.index("<nav") : html.index("</nav>")]
    assert re.findall(r'href="#([\w-]+)"', nav) == ids
    gender, race = (html[html.index(f'id="axis-{axis}"') :] for axis in ("gender", "race"))
    gender = gender[: gender.index('id="axis-race"')]
    race = race[: race.index('id="joint"')]
    assert re.sub(r"<svg.*?</svg>", "", gender, flags=re.DOTALL).count("<h3>") == 4
    for part in (gender, race):
        assert part.count("<svg") == 6
        assert part.count("<details>") == 7
        assert part.count("Asked through the chat template") == 1
        assert "By competence none suits it; here prompts have one." in part
    assert "Hispanic" in race
    assert "female" in gender
    assert "female" not in race


@pytest.mark.parametrize("axis", ["gender", "race"])
def test_items_are_drawn_for_every_group_but_the_second_of_two(axis: str) -> None:
    groups = GROUPS[axis]
    svg = item_figure(item_rows(groups), groups).inline()
    tips = set(re.findall(r'data-tip="pilot, (\w+), unsteered', svg))
    assert tips == ({"female"} if len(groups) == 2 else set(groups))
    assert ("10\N{NO-BREAK SPACE}%" in svg) == (len(groups) == 2)


@pytest.mark.usefixtures("undrawn")
def test_the_joint_table_holds_every_axis_under_every_intervention(html: str) -> None:
    joint = html[html.index('<section id="joint"') :]
    heat = joint[joint.index('class="heat"') :]
    heat = heat[: heat.index("</table>")]
    shades = re.findall(r'<td class="([\w ]+)"', heat)
    assert shades == ["h8 own", "l0", "l0", "h8 own"]
    shares = [
        cell.replace("\N{NO-BREAK SPACE}", " ") for cell in re.findall(r"<td.*?>(.*?)<", heat)
    ]
    assert shares == ["80 %", "−5 %", "−5 %", "80 %"]
    assert "in the order of the axes" in joint
    row = joint[joint.index(">Gender and race<") :]
    row = Outline(row[: row.index("</tr>")]).text
    assert "33\N{NO-BREAK SPACE}%" in row  # under the interventions of both axes
    assert "31\N{NO-BREAK SPACE}%" in row
    assert "unknown" not in row
    assert "in reverse order*" in Outline(joint).text
    names = [
        each.name for each in make_page(make_results(axes=("gender", "race")), "", {}).drawings
    ]
    assert {"joint/cross", "gender/items", "race/items", "probes"} <= set(names)


@pytest.mark.usefixtures("undrawn")
def test_one_axis_has_no_joint_intervention() -> None:
    html = make_page(make_results(axes=("race",)), "A report", PARAMS).html
    assert 'id="joint"' not in html
    assert "at once" not in html
    assert "One axis, one language" in html


@pytest.mark.usefixtures("undrawn")
def test_of_a_model_too_weak_no_bias_is_reported() -> None:
    weak = "too weak to tell: right on 30 %"
    html = make_page(make_results(axes=("race", "age"), weak=weak), "A report", PARAMS).html
    assert "The model is too weak to tell on race and age." in html
    assert row_of(html, "verdict", "Race")[:2] == ["too weak to tell", "–"]
    assert "A bias was found: on" not in html


@pytest.mark.usefixtures("undrawn")
def test_axes_with_and_without_an_intervention_stand_side_by_side() -> None:
    results = make_results(axes=("gender", "race", "age"))
    axes = results.axes | {"age": axis_results("age", selected=False)}
    html = make_page(dataclasses.replace(results, axes=axes), "A report", PARAMS).html
    assert row_of(html, "verdict", "Age")[2] == "nothing selected"
    assert row_of(html, "verdict", "Gender")[2] == "80 % [70, 90]"
    assert "No intervention was selected on age." in html
    assert "None" not in Outline(html).text


def test_a_feature_without_a_name_shows_what_it_fires_on_and_promotes(html: str) -> None:
    unnamed = html[html.index('<tr><th scope="row" data-value="1"') :]
    cell = Outline(unnamed[: unnamed.index('<tr class="card"')]).text
    assert "fires on  she" in cell
    assert "promotes  old" in cell
    assert "no name" not in html


@pytest.mark.usefixtures("undrawn")
def test_what_was_left_out_and_warned_of_is_shown() -> None:
    results = make_results()
    sae = results.sae.model_copy(update={"warnings": ["most latents are dead"]})
    model = results.model.model_copy(update={"dequantized": "Q8_0"})
    plain = page_text(results)
    assert "attention sinks" not in plain
    assert "Dequantized" not in plain
    shown = page_text(
        dataclasses.replace(results, sae=sae, model=model),
        {"activations": {"statements": {"sinks": "exclude"}}},
    )
    assert "Warning. most latents are dead" in shown
    assert "Left out: attention sinks." in shown
    assert "loaded from Q8_0 weights" in shown


def test_text_of_models_and_files_finds_its_own_direction(html: str) -> None:
    outline = Outline(html)
    assert all(given.get("dir") == "auto" for tag, given in outline.tags if tag in ("bdi", "pre"))
    for text in (" was tired.", "Fires on them.", "It was late."):
        before = html[: html.index(text)]
        assert before.rfind('dir="auto"') > before.rfind("</bdi>"), text


def test_compacted_figures_keep_their_numbers() -> None:
    gender = make_results().axes["gender"]
    drawing = sweep_figure(gender.sweep, gender.evaluation)
    assert "perplexity ×1.004" in drawing.inline()
    assert len(drawing.inline()) < len(drawing.svg())


@pytest.mark.parametrize(
    "places", [[*range(6), (1, 3, 5), (2, 3, 5), (6, 9, 12, 15)], [*range(30), "all"]]
)
def test_layers_are_named_side_by_side(places: list[Any]) -> None:
    gender = make_results().axes["gender"]
    row = gender.sweep[0].model_copy(update={"bias_reduction": 0.5, "within_budget": True})
    drawing = heat_figure(
        [row.model_copy(update={"layer": at}) for at in places], gender.evaluation
    )
    figure = Figure(figsize=drawing.size)
    FigureCanvasAgg(figure)
    drawing.draw(figure, LIGHT)
    figure.canvas.draw()
    names = [label for label in figure.axes[0].get_xticklabels() if label.get_text()]
    assert len(names) == (len(places) if len(places) < 16 else 16)
    extents = [label.get_window_extent() for label in names]
    assert all(one.x1 < other.x0 for one, other in pairwise(extents))


def test_what_was_only_estimated_is_told_from_what_breaks_the_budget() -> None:
    results = make_results()
    gender = results.axes["gender"]
    row = gender.sweep[0].model_copy(update={"layer": 0, "within_budget": True})
    alike = row.model_copy(update={"bias_reduction": 0.5})
    costly = alike.model_copy(update={"layer": 1, "within_budget": False})
    unknown = {"share": 0.0, "perplexity_ratio": None, "definitional_accuracy": None}
    estimated = costly.model_copy(update={"layer": 2} | unknown)
    sweep = [alike, costly, estimated]
    drawing = heat_figure(sweep, gender.evaluation)
    figure = Figure(figsize=drawing.size)
    drawing.draw(figure, LIGHT)
    assert [text.get_text() for text in figure.axes[0].texts] == ["50", "·", "~"]
    axes = results.axes | {"gender": dataclasses.replace(gender, sweep=sweep)}
    html = make_page(dataclasses.replace(results, axes=axes), "A report", PARAMS).html
    assert "3 candidates, of which 1 were left out by a first-order estimate" in html
    assert "a tilde where all were left out by their estimates" in html


@pytest.mark.usefixtures("undrawn")
def test_templates_are_shown_with_what_they_lack() -> None:
    html = make_page(make_results(), "A report", PARAMS).html
    assert "1 of 2 flagged" in html
    assert "{subject} had &lt;hurt&gt;" in html
    assert "little continuation mass" in html
