"""interpret_features and ask_features through their commands."""

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from click.testing import CliRunner, Result

from evenkeel.files import read_jsonl, write_jsonl
from evenkeel.interpretation.records import Interpretation
from evenkeel.sae.results import LEADING
from stages.ask_features import main as ask
from stages.interpret_features import main
from tests.interpretation.cases import JOBS, KEY, MEN, WOMEN, contexts_on
from tests.interpretation.server import Answer, Response, Server, completion
from tests.interpretation.test_ask import find_nurses
from tests.interpretation.test_chat import capable

ROOT = Path(__file__).parents[2]
OUTPUT = Path("data/features/interpretations.jsonl")
METRICS = Path("reports/metrics/interpretations.json")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Five features: on women, on men, on occupations, on "bridge", and one that never fires."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    Path("data/features").mkdir(parents=True)
    words = [WOMEN, MEN, JOBS, ["bridge"], ["nothing"]]
    table = pd.DataFrame({name: [0.0] * 5 for name in LEADING})
    table["feature"] = range(5)
    table["top_activated_words"] = words
    for contrast, auroc, q in (
        ("group", [0.99, 0.02, 0.5, 0.6, 0.5], 1e-9),
        ("bias", [0.5] * 5, 1),
    ):
        table[f"gender_{contrast}_auroc_selection"] = auroc
        table[f"gender_{contrast}_q_selection"] = [q, q, 1.0, 1.0, 1.0]
    table.to_parquet("data/features/features.parquet")
    rows = [context for n, each in enumerate(words[:4]) for context in contexts_on(n, each)]
    write_jsonl(Path("data/features/contexts.jsonl"), rows)
    set_params()
    return tmp_path


def set_params(**changes: Any) -> None:
    params = yaml.safe_load((ROOT / "tests" / "reduced_params.yaml").read_text())
    chat = {"max_retries": 1, "timeout_seconds": 5.0, "model": "stub"}
    section = params["interpretation"] | {"features": [2, 3, 4]}
    section["openai"] |= chat | changes.pop("openai", {})
    params["interpretation"] = section | changes
    Path("params.yaml").write_text(yaml.safe_dump(params))


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Server]]:
    with ExitStack() as stack:

        def start(answer: Answer, **changes: Any) -> Server:
            monkeypatch.setenv("OPENAI_API_KEY", KEY)
            server = stack.enter_context(Server(answer).running())
            set_params(backend="openai", openai={"base_url": server.url, **changes})
            return server

        yield start


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def test_offline_every_feature_gets_a_row(folder: Path) -> None:
    result = run()
    assert result.exit_code == 0, result.output
    rows = read_jsonl(OUTPUT, Interpretation)
    assert [row.feature for row in rows] == [0, 1, 2, 3, 4]
    assert [row.axes for row in rows] == [("gender",), ("gender",), (), (), ()]
    assert {row.backend for row in rows} == {"offline"}
    assert [row.summary for row in rows] == [
        "women",
        "men",
        "occupations",
        'fires on "bridge"; promotes "bridge"',
        "(too_few_contexts)",
    ]
    assert rows[0].fires_on == ("mother", "queen", "sister", "woman")
    assert rows[0].promotes == tuple(WOMEN)
    assert (rows[4].fires_on, rows[4].promotes) == ((), ("nothing",))
    metrics = json.loads(METRICS.read_text())
    assert metrics["backend"] == "offline"
    assert metrics["bill"] is None
    assert (metrics["features"], metrics["explained"], metrics["scored"]) == (5, 3, 3)
    assert metrics["failures"] == {"no_enrichment": 1, "too_few_contexts": 1}
    assert metrics["balanced_accuracy"] == 1.0
    assert metrics["balanced_accuracy_ci95"] == [1.0, 1.0]
    assert metrics["about_their_axis"] == 2
    assert "women" in result.output
    assert not (folder / ".cache").exists()


def test_the_same_inputs_give_the_same_bytes(folder: Path) -> None:
    run()
    before = OUTPUT.read_bytes(), METRICS.read_bytes()
    run()
    assert (OUTPUT.read_bytes(), METRICS.read_bytes()) == before


def test_a_language_model_explains_and_a_rerun_costs_nothing(
    folder: Path, serve: Callable[..., Server], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    server = serve(capable)
    result = run()
    assert result.exit_code == 0, result.output
    assert "8 requests, 0 of them answered before; about $" in caplog.text
    rows = read_jsonl(OUTPUT, Interpretation)
    assert [row.detection.balanced_accuracy for row in rows if row.detection] == [1.0] * 4
    assert [row.feature for row in rows if row.explanation] == [0, 1, 2, 3]
    metrics = json.loads(METRICS.read_text())
    assert metrics["bill"]["answers"] == len(server.bodies) == 8
    assert metrics["bill"]["usd"] == pytest.approx(8 * (100 * 2.5 + 20 * 10) / 1e6)
    before = OUTPUT.read_bytes(), METRICS.read_bytes()
    assert run().exit_code == 0
    assert (OUTPUT.read_bytes(), METRICS.read_bytes()) == before
    assert len(server.bodies) == 8


def test_the_output_is_the_same_whichever_answer_comes_first(
    folder: Path, serve: Callable[..., Server], tmp_path: Path
) -> None:
    def unsteady(body: dict[str, Any], before: int) -> Response:
        response = capable(body, before)
        response.delay = len(json.dumps(body)) % 7 / 50
        return response

    outputs = []
    for cache, concurrency in (("one", 1), ("many", 8)):
        serve(unsteady, concurrency=concurrency)
        assert run("--cache", str(tmp_path / cache)).exit_code == 0
        outputs.append(OUTPUT.read_bytes())
    assert outputs[0] == outputs[1]


def test_a_budget_that_is_too_small_fails_features_and_says_so(
    folder: Path, serve: Callable[..., Server], caplog: pytest.LogCaptureFixture
) -> None:
    server = serve(capable, budget_usd=0.0)
    result = run()
    assert result.exit_code == 0
    assert "4 requests not made: they could pass the budget of $0" in caplog.text
    assert not server.bodies
    assert json.loads(METRICS.read_text())["failures"] == {"budget": 4, "too_few_contexts": 1}


@pytest.mark.parametrize(
    "response",
    [
        Response({"error": {"message": f"Incorrect API key provided: {KEY}"}}, 401, {"X": KEY}),
        Response({"error": {"message": f"{KEY} is over its limit"}}, 500, {"X-Key": KEY}),
        completion(None, refusal=f"No: {KEY}"),
        completion(f'{{"label": "{KEY}"'),
    ],
)
def test_a_failing_run_leaves_the_key_nowhere(
    folder: Path,
    serve: Callable[..., Server],
    caplog: pytest.LogCaptureFixture,
    response: Response,
) -> None:
    caplog.set_level(logging.DEBUG)
    serve(lambda body, before: response, max_retries=0)
    result = run()
    files = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert KEY.encode() not in files
    assert KEY not in result.output + result.stderr + caplog.text
    if response.status == 401:
        assert result.exit_code == 2
        assert "refuses the API key; check OPENAI_API_KEY" in result.stderr
        assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda: set_params(backend="openai"), "OPENAI_API_KEY is not set"),
        (lambda: set_params(features=[9]), r"lists [9], but"),
        (lambda: Path("data/features/contexts.jsonl").unlink(), "contexts.jsonl: no such file"),
        (lambda: Path("data/features/features.parquet").write_text("x"), "damaged or no Parquet"),
    ],
)
def test_bad_input_leaves_earlier_outputs_alone(
    folder: Path, spoil: Callable[[], Any], message: str
) -> None:
    run()
    before = OUTPUT.read_bytes(), METRICS.read_bytes()
    spoil()
    result = run()
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")
    assert message in result.stderr
    assert (OUTPUT.read_bytes(), METRICS.read_bytes()) == before


def test_brackets_of_a_language_model_are_printed_as_they_are(
    folder: Path, serve: Callable[..., Server]
) -> None:
    explained = {"label": "[/red] x", "explanation": "y", "about_axis": "none"}
    answer = {**explained, "confidence": 1.0, "evidence": ["the"]}
    serve(lambda body, before: completion(answer))
    result = run()
    assert result.exit_code == 0, result.output
    assert "[/red] x" in result.output


def test_a_question_is_asked_of_every_feature(folder: Path, serve: Callable[..., Server]) -> None:
    serve(find_nurses)
    result = CliRunner().invoke(ask, ["features about nurse"])
    assert result.exit_code == 0, result.output
    assert "1 of 5 features fit" in result.output
    assert "nurses" in result.output


def test_a_question_without_an_answer_is_an_error(
    folder: Path, serve: Callable[..., Server]
) -> None:
    serve(lambda body, before: completion(None, refusal="no"))
    result = CliRunner().invoke(ask, ["features about nurse"])
    assert result.exit_code == 2
    assert "5 features have no answer. features 0 to 4: no" in result.stderr
