"""The battery scores what its rules say, compares pairwise, and says only what it can tell."""

import json
from collections.abc import Sequence
from copy import deepcopy
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from evenkeel.errors import BadInputError
from evenkeel.models.chat import render_message
from evenkeel.models.loading import LoadedModel
from evenkeel.public_benchmarks.encoding import Encoder
from evenkeel.public_benchmarks.measures import Figure, Measure, compare
from evenkeel.public_benchmarks.running import open_task, run_benchmark
from evenkeel.public_benchmarks.scoring import Scorer
from evenkeel.public_benchmarks.specificity.capabilities import ANSWER, OPINION, REFUSALS
from evenkeel.public_benchmarks.specificity.items import own_items, read_items
from evenkeel.public_benchmarks.specificity.task import Specificity
from evenkeel.public_benchmarks.specificity.verdict import Verdict, verdict_of
from evenkeel.statistics.bootstrap import mean
from evenkeel.statistics.significance import holm, lowered
from evenkeel.steering.intervention import Add
from evenkeel.steering.spec import InterventionSpec
from tests.public_benchmarks.samples import (
    CLOZES,
    INSTRUCTIONS,
    OPENINGS,
    OPINIONS,
    REQUESTS,
    write_specificity,
)

TEMPLATE = (
    "{% for message in messages %}User: {{ message['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}You: {% endif %}"
)


@pytest.fixture(scope="module")
def chat(loaded: LoadedModel) -> LoadedModel:
    """The tiny model, with a chat template."""
    tokenizer = deepcopy(loaded.tokenizer)
    tokenizer.chat_template = TEMPLATE
    return LoadedModel(loaded.model, tokenizer, loaded.provenance)


@pytest.fixture(scope="module")
def taught(loaded: LoadedModel) -> LoadedModel:
    """The tiny model, trained until it knows the clozes, which is all that it can lose."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = type(loaded.model)(loaded.model.config)
    rows = [list(loaded.encoder.encode(f"{c['text']} {c['good'][0]}")) for c in CLOZES]
    length = max(map(len, rows))
    ids = torch.tensor([row + [0] * (length - len(row)) for row in rows])
    labels = torch.tensor([row + [-100] * (length - len(row)) for row in rows])
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(150):
        optimizer.zero_grad()
        model(ids, labels=labels).loss.backward()
        optimizer.step()
    return LoadedModel(model.eval(), loaded.tokenizer, loaded.provenance)


def log_prob(loaded: LoadedModel, text: str, words: str, front: bool) -> float:
    """Of words after a text, one forward pass for each, special tokens in front or none."""
    plain = loaded.encoder.plain
    context = loaded.encoder.encode(text) if front else plain(text)
    added = plain(text + words)[len(plain(text)) :]
    with torch.no_grad():
        rows = loaded.model(torch.tensor([[*context, *added]])).logits[0].double().log_softmax(-1)
    return sum(float(rows[len(context) + place - 1, token]) for place, token in enumerate(added))


def first_share(values: Sequence[float]) -> float:
    return float(np.exp(values[0]) / np.exp(values).sum())


def test_scores_equal_the_plain_computation(chat: LoadedModel, tmp_path: Path) -> None:
    task = open_task("specificity", write_specificity(tmp_path), chat, None, 0)
    assert isinstance(task, Specificity)
    found = {
        (each.rule, each.name): each.columns[0] for each in task.run(chat, Scorer(task.asked, 512))
    }

    def asked(message: str, begun: str, *words: str) -> list[float]:
        text = render_message(chat.tokenizer, message) + begun
        return [log_prob(chat, text, word, front=False) for word in words]

    def shares_of(before: str) -> list[float]:
        """Of the good word among all, behind a sentence or none."""
        texts = [f"{each.get(before, '')} {each['text']}".strip() for each in OPENINGS]
        return [
            first_share(
                [log_prob(chat, text, f" {word}", True) for word in [*each["good"], *each["bad"]]]
            )
            for text, each in zip(texts, OPENINGS, strict=True)
        ]

    known = shares_of("nothing")
    assert found["knowledge", "score"] == pytest.approx(known, abs=1e-5)
    assert found["knowledge", "competence"] == pytest.approx(np.array(known) - 1 / 3, abs=1e-5)
    assert found["civil_words", "score"] == pytest.approx(known, abs=1e-5)
    swayed = np.array(shares_of("friendly")) > np.array(shares_of("hostile"))
    assert found["civil_words", "competence"].tolist() == (swayed - 0.5).tolist()
    refused = np.array(
        [[np.exp(asked(pair[side], "", *REFUSALS)).sum() for side in ("harmful", "harmless")]
         for pair in REQUESTS]
    )  # fmt: skip
    assert found["harmful_refused", "score"] == pytest.approx(refused[:, 0], rel=1e-4)
    assert found["harmless_answered", "score"] == pytest.approx(1 - refused[:, 1], rel=1e-4)
    told_apart = (refused[:, 0] > refused[:, 1]) - 0.5
    assert found["harmful_refused", "competence"] == pytest.approx(told_apart)
    shares = np.array(
        [
            [
                first_share(asked(message, ANSWER, f" {each['right']}", f" {each['wrong']}"))
                for message in (
                    each["question"],
                    OPINION.format(**each, one=each["right"], other=each["wrong"]),
                    OPINION.format(**each, one=each["wrong"], other=each["right"]),
                )
            ]
            for each in OPINIONS
        ]
    )
    followed = shares[:, 1] - shares[:, 2]
    assert np.abs(followed).max() > 1e-3
    assert found["opinion_resisted", "score"] == pytest.approx(1 - followed, abs=1e-5)
    assert found["opinion_resisted", "competence"] == pytest.approx(shares[:, 0] - 0.5, abs=1e-5)
    assert task.rules.keys() == {name for name, _ in found}


def test_a_followed_instruction_counts_beyond_those_followed_unasked(
    chat: LoadedModel, tmp_path: Path
) -> None:
    task = open_task("specificity", write_specificity(tmp_path), chat, None, 0)
    assert isinstance(task, Specificity)
    # Told to say a letter (8 messages), it says "A" thrice; told to use lower case, it does once.
    answers = ["A", "A", "A", "", "x", "x", "x", "x", "y", "Y", "a"]
    score, competence = (each.columns[0] for each in task.written(answers))
    assert score.tolist() == [1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1]
    # "a" is said by one of three that were told something else, lower case by four of eight.
    unasked = np.array([1 / 3] + [0] * 7 + [4 / 8] * 3)
    assert competence == pytest.approx(score - unasked)
    assert len(answers) == len(INSTRUCTIONS)


def judged(taught: LoadedModel, folder: Path, coefficient: float) -> Verdict:
    """On what was taught: a vector added to all that the block gives."""
    (folder / "knowledge.jsonl").write_text("\n".join(map(json.dumps, CLOZES)))
    add = Add(torch.linspace(-1, 1, 16), coefficient, layer=0, site="resid_post", sinks="include")
    result = run_benchmark(
        "specificity", folder, taught, InterventionSpec((add,)),
        batch_tokens=512, stride=None, resamples=500, seed=0,
    )  # fmt: skip
    figure = next(f for f in result.figures if f.measure.name == "score")
    assert figure.baseline.value is not None
    assert figure.baseline.value > 0.9
    if coefficient == 0:
        assert figure.change is not None
        assert (figure.change.value, figure.change.low, figure.change.high) == (0, 0, 0)
    verdict = result.verdict
    assert verdict is not None
    assert result.record["verdict"] == json.loads(json.dumps(verdict.as_json()))
    return verdict


def test_what_does_nothing_is_kept_and_what_breaks_the_model_is_flagged(
    taught: LoadedModel, tmp_path: Path
) -> None:
    nothing = judged(taught, tmp_path, 0.0)
    assert nothing.flagged is False
    assert nothing.findings["knowledge"].finding == "kept"
    assert nothing.findings["knowledge"].p == 1
    broken = judged(taught, tmp_path, 200.0)
    assert broken.flagged
    assert broken.lost == ["knowledge"]
    assert str(broken) == "flagged (lost: knowledge)"


def test_a_model_at_chance_has_nothing_to_lose(loaded: LoadedModel, tmp_path: Path) -> None:
    spec = InterventionSpec((Add(torch.ones(16), 100.0, layer=0, site="resid_post"),))
    result = run_benchmark(
        "specificity", write_specificity(tmp_path), loaded, spec,
        batch_tokens=512, stride=None, resamples=200, seed=0,
    )  # fmt: skip
    assert result.verdict is not None
    # No chat template: what needs one was not asked.
    assert result.verdict.findings.keys() == {"knowledge", "civil_words"}
    assert {each.finding for each in result.verdict.findings.values()} == {"too weak to tell"}
    assert {each.p for each in result.verdict.findings.values()} == {None}
    assert result.verdict.flagged is None
    assert str(result.verdict) == "no verdict (too weak to tell: knowledge, civil words)"


def figures_of(**capabilities: tuple[np.ndarray, np.ndarray]) -> list[Figure]:
    """Of given scores before and after; all of them are over chance, which is 0."""

    def measures(side: int) -> list[Measure]:
        return [
            Measure(name, "all", measure, kind, 0.0, mean, (values[side],))
            for name, values in capabilities.items()
            for measure, kind in (("score", "capability"), ("competence", "competence"))
        ]  # type: ignore[arg-type]

    return compare(measures(0), measures(1), 200, 0)


def test_a_loss_is_beyond_the_margin_and_beyond_chance() -> None:
    high = np.linspace(0.8, 1.0, 40)
    wobble = np.resize([1.0, -1.0], 40)
    figures = figures_of(
        small=(high, high - 0.03),
        large=(high, high - 0.2),
        uncertain=(high, high - 0.07 + 0.5 * wobble),
        same=(high, high + 0.01 * wobble),
        better=(high, high + 0.2),
    )
    verdict = verdict_of(figures)
    assert verdict is not None
    assert {name: each.finding for name, each in verdict.findings.items()} == {
        "small": "kept", "large": "lost", "uncertain": "unclear", "same": "kept", "better": "kept",
    }  # fmt: skip
    raw = {figure.measure.rule: figure.p_lowered for figure in figures if figure.p_lowered}
    assert {name: each.p for name, each in verdict.findings.items()} == holm(raw)
    assert raw["small"] < 0.01  # what was lost is certain, and too little


def test_changes_by_chance_are_seldom_flagged() -> None:
    generator = np.random.default_rng(0)
    flagged = 0
    for _ in range(60):
        before = generator.uniform(0.5, 1, size=(4, 15))
        after = before + generator.normal(0, 0.4, size=(4, 15))
        verdict = verdict_of(figures_of(**{str(i): (before[i], after[i]) for i in range(4)}))
        assert verdict is not None
        flagged += verdict.flagged
    assert flagged <= 9  # 3 are expected at most; more than 9 come once in a thousand times


def test_the_test_of_a_fall_tries_every_exchange() -> None:
    before = np.array([0.9, 0.4, 0.8, 0.5, 0.7, 0.6])
    after = np.array([0.5, 0.5, 0.2, 0.4, 0.6, 0.1])
    change = after - before
    sums = [np.dot(signs, change) for signs in product((1, -1), repeat=6)]
    expected = np.mean(np.array(sums) <= change.sum() + 1e-12)
    assert lowered(before, after, 1000, 0) == pytest.approx(expected)
    assert lowered(after, before, 1000, 0) > 0.9
    assert lowered(before, before, 1000, 0) == 1


def test_the_own_items_are_sound() -> None:
    items = read_items(own_items())
    assert len(items.knowledge) >= 60
    for cloze in items.knowledge + items.toxicity:
        assert len(set(cloze.good + cloze.bad)) == len(cloze.good) + len(cloze.bad)
        assert not any(word in cloze.text.split() for word in cloze.good)
    assert all(len(cloze.good) == len(cloze.bad) for cloze in items.toxicity)
    for pair in items.refusal:
        assert pair.harmful != pair.harmless
    for question in items.sycophancy:
        assert question.right != question.wrong
        assert question.right not in question.question.split()
    assert len({each.check.kind for each in items.instructions}) >= 8
    # A check is no good that the message itself, said back, would pass by accident.
    assert all(not e.check.met(e.message) for e in items.instructions if e.check.kind == "begins")


def test_bad_items_are_named(tmp_path: Path, loaded: LoadedModel) -> None:
    def refused(name: str, rows: list[Any], match: str) -> None:
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))
        with pytest.raises(BadInputError, match=match):
            read_items(tmp_path)
        (tmp_path / f"{name}.jsonl").unlink()

    with pytest.raises(BadInputError, match=r"none of the battery's files is there \(knowledge, "):
        read_items(tmp_path)
    refused("knowledge", CLOZES[:9], r"knowledge\.jsonl: 9 items; 10 or more are needed")
    refused("knowledge", [*CLOZES, CLOZES[2]], r"line 13: the same as line 3; keep one")
    refused("toxicity", [{**OPENINGS[0], "good": []}], r"toxicity\.jsonl, line 1: good: ")
    refused("refusal", [{"harmful": "x"}], r"line 1: harmless: Field required")
    refused("sycophancy", [{**OPINIONS[0], "right": " "}], r"line 1: right: ")
    refused(
        "instructions", [INSTRUCTIONS[0], {"message": "x", "check": {"kind": "rhymes"}}],
        r"line 2: check: .*'rhymes'",
    )  # fmt: skip
    (tmp_path / "refusal.jsonl").write_text("{")
    with pytest.raises(BadInputError, match=r"refusal\.jsonl, line 1: not JSON"):
        read_items(tmp_path)
    (tmp_path / "refusal.jsonl").write_text("\n".join(map(json.dumps, REQUESTS)))
    with pytest.raises(
        BadInputError, match="no chat template that takes a user's message; add knowledge"
    ):
        Specificity(read_items(tmp_path), Encoder.of(loaded))


def test_a_file_that_is_not_there_is_not_asked(chat: LoadedModel, tmp_path: Path) -> None:
    (tmp_path / "instructions.jsonl").write_text("\n".join(map(json.dumps, INSTRUCTIONS)))
    task = open_task("specificity", tmp_path, chat, None, 0)
    assert task.size == {"items_of_instructions_followed": len(INSTRUCTIONS)}
    found = task.run(chat, Scorer(task.asked, 512))
    assert {each.rule for each in found} == {"instructions_followed"}
