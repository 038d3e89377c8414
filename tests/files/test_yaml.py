"""params.yaml: what DVC reads is what we read, and what is odd is named with its line and path."""

import math
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.errors import BadInputError
from evenkeel.files import read_yaml
from tests.pipeline.recording import FILES, ROOT


def read(tmp_path: Path, text: str) -> object:
    path = tmp_path / "params.yaml"
    path.write_text(text)
    return read_yaml(path, "write it")


@pytest.mark.parametrize("name", ["params.yaml", "validation/params.yaml", *FILES])
def test_our_own_files_read_as_ever(name: str) -> None:
    assert read_yaml(ROOT / name, "") == yaml.safe_load((ROOT / name).read_text())


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4),
        ("1.5", 1.5),
        ("-3", -3),
        ("+3", 3),
        (".5", 0.5),
        ("1:30", "1:30"),  # 90 in YAML 1.1
        ("010", "010"),  # 8 in YAML 1.1
        ("1_000", "1_000"),
        ("0x10", "0x10"),
        ("on", "on"),
        ("yes", "yes"),
        ("true", True),
        ("~", None),
        ("", None),
        ("2024-13-45", "2024-13-45"),
        ("2024-01-01", "2024-01-01"),
        ("'1'", "1"),
        ("!!str 1", "1"),
        ("!!int 3", 3),
        ("=", "="),
        ("[1, *x]", None),
    ],
)
def test_a_scalar_is_what_yaml_1_2_says(tmp_path: Path, text: str, value: object) -> None:
    if "*" in text:
        found = read(tmp_path, f"x: &x 7\na: {text}\n")
        assert found == {"x": 7, "a": [1, 7]}
        return
    found = read(tmp_path, f"a: {text}\n")
    assert found == {"a": value}
    assert isinstance(found, dict)
    assert type(found["a"]) is type(value)


@pytest.mark.parametrize("inside", ["\x85", "\u2028", "\u2029", "\U0010f000\u2028"])
@pytest.mark.parametrize("quote", ["", "'", '"'])
def test_only_lf_ends_a_line(tmp_path: Path, inside: str, quote: str) -> None:
    text = f"x{inside}y: z" if quote else f"x{inside}y"
    found = read(
        tmp_path, f"# no{inside}key: 1\na: {quote}{text}{quote}\nb{inside}c: |\n  {text}\n"
    )
    assert found == {"a": text, f"b{inside}c": f"{text}\n"}


def test_infinities_reach_the_check_that_names_them(tmp_path: Path) -> None:
    found = read(tmp_path, "a: [.inf, -.INF, .nan]\n")
    assert isinstance(found, dict)
    assert found["a"][:2] == [math.inf, -math.inf]
    assert math.isnan(found["a"][2])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed: 0\nseed: 1\n", r"line 2: seed: is there twice, on lines 1 and 2"),
        ("a:\n  b: 1\n  c: 2\n  b: 1\n", r"line 4: a\.b: is there twice, on lines 2 and 4"),
        ("a: {x: 1}\nb: 2\na: {x: 1}\n", r"line 3: a: is there twice, on lines 1 and 3"),
        ("a: [{b: 1, b: 2}]\n", r"line 1: a\.0\.b: is there twice, on lines 1 and 1"),
        ('a: "\\U00110000"\n', r"not YAML"),
        ("a: !!int abc\n", r"line 1: a: 'abc' is no int"),
        ("a: !!float x\n", r"line 1: a: 'x' is no float"),
        ("a: !!python/object/apply:os.system [x]\n", r"line 1: a: .*is no plain type"),
        ("a: !!timestamp 2024-13-45\n", r"line 1: a: .*is no plain type"),
        ("a: !!binary x\n", r"line 1: a: .*is no plain type"),
        ("a: " + "9" * 5000 + "\n", r"line 1: a: the integer does not fit into 64 bits"),
        (f"a: {2**70}\n", r"line 1: a: the integer does not fit into 64 bits"),
        ("a: {b: 1e300}\n", r"line 1: a\.b: 1e300 is beyond what 32 bits hold"),
        ("a: " + "[" * 5000, r"line 1: nested deeper than 40 levels"),
        ("a: " + "{a: " * 60 + "}" * 60, r"line 1: nested deeper than 40 levels"),
        ("a: &a [*a]\n", r"line 1: .*not YAML|aliases"),
        ("? [1]\n: 2\n", r"line 1: params: a key must be text"),
        ("a: b: c\n", r"line 1: not YAML"),
        ("a: 1\n---\na: 2\n", r"line 2: not YAML"),
        ("a: *b\n", r"line 1: not YAML"),
        ("a: \x07\n", r"not YAML"),
    ],
)
def test_what_is_odd_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(BadInputError, match=message) as caught:
        read(tmp_path, text)
    assert "\n" not in str(caught.value)


def test_aliases_cannot_fill_the_memory(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    with pytest.raises(BadInputError, match=r"its aliases \(\*name\) repeat too much"):
        read(tmp_path, "\n".join(lines) + "\n")


@given(st.text(max_size=60) | st.text("{}[]:,-!&*?|>'\"%@` \n\t#ab01.e", max_size=60))
def test_no_text_gives_anything_but_a_value_or_a_clear_refusal(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        read_yaml(path, "")
    except BadInputError as error:
        refusal = str(error)
    else:
        return
    assert refusal.startswith(str(path))
