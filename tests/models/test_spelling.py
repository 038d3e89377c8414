"""The text of tokens: whole characters with their neighbours, or else their bytes."""

from typing import Any

import pytest

from evenkeel.models.spelling import Spelling, incomplete_tail

TEXTS = ["The nurse said", "护士说 she", "👩‍⚕️ is a nurse", "ممرضة", "naïve café", "a\n\tb  c"]


@pytest.fixture(scope="module")
def sentencepiece() -> Any:
    """A tokenizer in the manner of Llama: ▁ for a space, bytes for what has no piece."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    pieces = ["<unk>", "<s>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", "▁T", "h", "e", "é"]
    bpe = Tokenizer(
        models.BPE(
            vocab={piece: number for number, piece in enumerate(pieces)},
            merges=[],
            unk_token="<unk>",
            byte_fallback=True,
        )
    )
    bpe.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    bpe.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    return PreTrainedTokenizerFast(tokenizer_object=bpe, unk_token="<unk>", bos_token="<s>")


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("kind", ["byte_level", "sentencepiece"])
def test_tokens_in_their_place_are_the_text(
    request: pytest.FixtureRequest, kind: str, text: str
) -> None:
    used = request.getfixturevalue("tokenizer" if kind == "byte_level" else kind)
    ids = used(text, add_special_tokens=False)["input_ids"]
    spelling = Spelling(used)
    assert "".join(spelling.in_place(ids)).lstrip(" ") == text
    assert len(spelling.in_place(ids)) == len(ids)
    runs = list(spelling.runs(ids))
    assert "".join(run for run, _ in runs).lstrip(" ") == text
    assert [place for _, where in runs for place in range(len(ids))[where]] == list(range(len(ids)))
    assert all(run and "\ufffd" not in run for run, _ in runs)


def test_a_half_character_alone_shows_its_bytes(tokenizer: Any, sentencepiece: Any) -> None:
    for used in (tokenizer, sentencepiece):
        ids = used("护", add_special_tokens=False)["input_ids"][-3:]
        spelling = Spelling(used)
        assert [spelling.text(token) for token in ids] == ["\\xe6", "\\x8a", "\\xa4"]
        assert [run for run, _ in spelling.runs(ids)] == ["护"]
        # A window that begins, or ends, within it.
        assert [run for run, _ in spelling.runs(ids[1:])] == ["\\x8a", "\\xa4"]
        assert [run for run, _ in spelling.runs([*ids[:2], *used("h")["input_ids"][-1:]])] == [
            "\\xe6\\x8a",
            "h",
        ]
        assert [run for run, _ in spelling.runs(ids[:2])] == ["\\xe6\\x8a"]


def test_an_id_without_a_token_says_so(tokenizer: Any) -> None:
    unused = len(tokenizer) + 7
    assert Spelling(tokenizer).texts([unused, 0]) == {unused: f"[id {unused}]", 0: "<|endoftext|>"}
    assert Spelling(tokenizer).in_place([unused]) == [f"[id {unused}]"]


def test_an_added_token_is_what_it_is_called(tokenizer: Any) -> None:
    from copy import deepcopy

    added = deepcopy(tokenizer)
    added.add_tokens(["é"])  # in the alphabet of bytes it would be the byte 0xe9
    (token,) = added("é", add_special_tokens=False)["input_ids"]
    assert Spelling(added).text(token) == "é"


@pytest.mark.parametrize(
    ("data", "tail"),
    [
        (b"", b""),
        (b"abc", b""),
        ("é".encode(), b""),
        ("a护".encode()[:-1], b"\xe6\x8a"),
        ("👩".encode()[:3], b"\xf0\x9f\x91"),
        (b"\xff", b""),  # no beginning of anything
        (b"\xe6\x8a\x41", b""),
    ],
)
def test_a_tail_is_the_beginning_of_a_character(data: bytes, tail: bytes) -> None:
    assert incomplete_tail(data) == tail
