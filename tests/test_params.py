"""params.yaml: every refusal names the key's path and what is allowed."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from evenkeel.errors import BadInputError
from evenkeel.params import ModelShape, Params, load_params
from evenkeel.params.auto import resolve_auto

ROOT = Path(__file__).parents[1]


def changed(tmp_path: Path, key: str, value: Any) -> Path:
    """A copy of params.yaml with one dotted key set."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    *parents, last = key.split(".")
    section = params
    for name in parents:
        section = section[name]
    section[last] = value
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(params))
    return path


@pytest.mark.parametrize("name", ["params.yaml", "tests/reduced_params.yaml"])
def test_the_projects_own_files_are_valid_and_complete(name: str) -> None:
    raw = yaml.safe_load((ROOT / name).read_text())
    (seed, dataset) = load_params(ROOT / name, "seed", "dataset")
    assert seed == raw["seed"]
    assert dataset.axes == raw["dataset"]["axes"]
    # Nothing in the file is a default in disguise: the file says all there is.
    resolved, _ = resolve_auto(raw, ModelShape(layers=6, d_model=128))
    assert Params.model_validate(raw).model_dump() == resolved


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("demonstration.words", {"a": 1}, r"words\.a: unknown key; known here: .*positive"),
        ("sed", 1, r"sed: unknown key; known here: .*seed"),
        ("probes.regularisation", [1.0], r"probes\.regularisation: unknown key; known here: .*reg"),
        ("model.organism.depth", 3, r"model\.organism\.depth: unknown key; known here: .*layers"),
        ("seed", "0", r"seed: Input should be a valid integer \(given: '0'\)"),
        ("seed", True, r"seed: Input should be a valid integer \(given: True\)"),
        ("seed", -1, r"seed: Input should be greater than or equal to 0 \(given: -1\)"),
        ("model.trust_remote_code", "False", r"trust_remote_code: Input should be a valid boolean"),
        (
            "model.source",
            "web",
            r"model\.source: Input should be 'organism', 'hub', 'local' or 'gguf'",
        ),
        ("dataset.axes", ["gendr"], r"dataset\.axes\.0: Input should be 'gender', 'race'"),
        ("dataset.axes", [], r"dataset\.axes: List should have at least 1 item"),
        ("dataset.axes", ["age", "age"], r"dataset\.axes: lists a value twice"),
        ("dataset.planted_strength", 1.5, r"planted_strength: .*1\.5 is no strength"),
        ("dataset.planted_strength", float("nan"), r"planted_strength: .*nan is no strength"),
        ("activations.corpus.layers", [-1], r"activations\.corpus\.layers\.0: Input should be gre"),
        (
            "activations.corpus.layers",
            "some",
            r"activations\.corpus\.layers: Input should be 'all'",
        ),
        ("evaluation.generation.top_p", 0, r"evaluation\.generation\.top_p: Input should be great"),
        ("evaluation.generation.temperature", 0.0, "greedy samples are all alike; raise temperatu"),
        ("probes.regularization", 1.0, r"probes\.regularization: Input should be a valid list"),
    ],
)
def test_a_bad_value_is_named_by_its_path(
    tmp_path: Path, key: str, value: Any, message: str
) -> None:
    with pytest.raises(BadInputError, match=message):
        load_params(changed(tmp_path, key, value), "seed")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("model.organism.heads", 3, r"model\.organism: d_model 128 is not a multiple of heads 3"),
        ("model.source", "hub", r"model: source is hub but id is null; name a repository"),
        ("model.source", "local", r"model: source is local but path is null"),
        ("model.trust_remote_code", True, r"trust_remote_code has no meaning with source organism"),
        ("vectors.methods", ["caa"], r"evaluation\.methods names \['group', 'probe',"),
        (
            "evaluation.gates",
            ["none"],
            r"evaluation: actions has mean_ablate, which needs",
        ),
        (
            "dataset.axes",
            ["age"],
            r"evaluation\.axes names \['disability', .*\], not among dataset\.axes \['age'\]",
        ),
    ],
)
def test_sections_must_fit_together(tmp_path: Path, key: str, value: Any, message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        load_params(changed(tmp_path, key, value), "seed")


def test_all_problems_are_listed_at_once(tmp_path: Path) -> None:
    path = changed(tmp_path, "seed", -1)
    params = yaml.safe_load(path.read_text())
    params["probes"]["control_draws"] = 0
    path.write_text(yaml.safe_dump(params))
    with pytest.raises(BadInputError, match=r"(?s)seed: .*probes\.control_draws: "):
        load_params(path, "dataset")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"seed: [", "not YAML"),
        (b"\xff\xfe\x00", "line 1: not UTF-8 text"),
        (b"- 1", "params: Input should be"),
    ],
)
def test_a_file_that_is_no_params_file_is_refused(
    tmp_path: Path, content: bytes, message: str
) -> None:
    path = tmp_path / "params.yaml"
    path.write_bytes(content)
    with pytest.raises(BadInputError, match=message):
        load_params(path, "seed")


def test_a_missing_file_says_where_to_run(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"params\.yaml: no such file; run from the project's"):
        load_params(tmp_path / "params.yaml", "seed")
