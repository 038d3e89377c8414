"""Texts become the same tokens everywhere: what is put in front is kept once, nothing is behind."""

import shutil
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from evenkeel.activations.capture import capture_texts, measure_sinks
from evenkeel.datasets.records import Prompt
from evenkeel.errors import BadInputError
from evenkeel.models.batching import context_length
from evenkeel.models.encoding import TextEncoder, added_tokens, front_of
from evenkeel.models.loading import LoadedModel, load_model
from evenkeel.models.provenance import record_provenance
from evenkeel.models.sites import HookPoint
from evenkeel.scoring.group_reads import encode_prompt
from evenkeel.steering.continuations import continue_texts
from tests.models.conftest import Framing
from tests.models.families import tiny_model

TEMPLATES = ["$A", "<bos> $A", "$A <eos>", "<bos> $A <eos>", "<bos> <bos> $A <eos> <eos>"]
TEXTS = ["The nurse said that", "he", "café 护士", " two  spaces "]


@pytest.mark.parametrize("template", TEMPLATES)
def test_what_is_behind_is_left_out_and_what_is_in_front_kept(
    framing: Framing, template: str
) -> None:
    tokenizer = framing(template)
    bos, eos = tokenizer.bos_token_id, tokenizer.eos_token_id
    encoder = TextEncoder.of(tokenizer)
    front = (bos,) * template.count("<bos>")
    assert (encoder.added.front, encoder.added.behind) == (front, (eos,) * template.count("<eos>"))
    for text in TEXTS:
        own = tuple(tokenizer(text, add_special_tokens=False)["input_ids"])
        assert encoder.encode(text) == front + own
        assert encoder.plain(text) == own
    for text, row in zip(TEXTS, encoder.encode_all(TEXTS), strict=True):
        assert tuple(row) == encoder.encode(text)
        assert row.dtype == np.int32
    assert encoder.describe() == {
        "put_in_front": ["<bos>"] * template.count("<bos>"),
        "left_out_behind": ["<eos>"] * template.count("<eos>"),
        "chat_date": None,
    }


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_text_that_begins_with_bos_gets_no_second_one(framing: Framing, template: str) -> None:
    encoder = TextEncoder.of(framing(template))
    bos = encoder.tokenizer.bos_token_id
    fewest = max(1, template.count("<bos>"))
    rows = [encoder.encode("<bos>The nurse"), tuple(encoder.encode_all(["<bos>The nurse"])[0])]
    for row in rows:
        assert row[:fewest] == (bos,) * fewest
        assert row[fewest:] == encoder.plain("The nurse")


def test_tokens_that_depend_on_the_text_are_refused(tokenizer: Any) -> None:
    class Moody:
        name_or_path = "moody"

        def __init__(self, special: Any) -> None:
            self._special = special

        def __call__(self, text: str, add_special_tokens: bool = True) -> dict[str, list[int]]:
            own = tokenizer(text, add_special_tokens=False)["input_ids"]
            return {"input_ids": self._special(own) if add_special_tokens else own}

    with pytest.raises(BadInputError, match="other special tokens around 'The nurse said that'"):
        added_tokens(Moody(lambda own: [len(own), *own]))
    with pytest.raises(BadInputError, match="does not keep the tokens"):
        added_tokens(Moody(lambda own: [own[0], 0, *own[1:]]))


@pytest.fixture
def endless(tiny_folder: Path, tokenizer: Any) -> LoadedModel:
    """The tiny model with a tokenizer that ends every text."""
    from tokenizers import processors

    ending = deepcopy(tokenizer)
    end = (ending.eos_token, ending.eos_token_id)
    ending.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single=f"$A {end[0]}", special_tokens=[end]
    )
    ending.save_pretrained(tiny_folder)
    record_provenance(tiny_folder, "local", "tiny", "float32")
    return load_model(tiny_folder, "cpu")


def test_loading_says_what_is_left_out(
    endless: LoadedModel, caplog: pytest.LogCaptureFixture, tmp_path: Path, saved_tiny: Path
) -> None:
    assert endless.encoder.describe()["left_out_behind"] == ["<|endoftext|>"]
    load_model(Path(endless.model.name_or_path), "cpu")
    assert "<|endoftext|> behind every text; it is left out" in caplog.text
    caplog.clear()
    plain = Path(shutil.copytree(saved_tiny, tmp_path / "plain"))
    record_provenance(plain, "local", "tiny", "float32")
    load_model(plain, "cpu")
    assert not caplog.messages


def test_nothing_is_read_or_written_after_the_end_of_a_text(
    endless: LoadedModel, tiny_gpt2: Any, tokenizer: Any
) -> None:
    """Activations, prompts and generation of a model whose tokenizer ends every text."""
    texts = [TEXTS[0], TEXTS[2]]
    (rows,) = capture_texts(endless, texts, ["resid_post"], [1], positions="last").values()
    for text, row in zip(texts, rows, strict=True):
        ids = torch.tensor([tokenizer(text)["input_ids"]])
        with torch.no_grad():
            stream = tiny_gpt2(ids, output_hidden_states=True).hidden_states[2][0, -1]
        np.testing.assert_allclose(row, stream, atol=1e-5)
    how = {"max_new_tokens": 6, "temperature": 0.0, "top_p": 1.0, "batch_size": 4, "seed": 0}
    assert continue_texts(endless.model, endless.tokenizer, texts, **how) == continue_texts(
        tiny_gpt2, tokenizer, texts, **how
    )


def test_a_prompt_is_scored_before_the_end_of_its_text(framing: Framing, tokenizer: Any) -> None:
    prompt = Prompt(
        id="p",
        axis="gender",
        kind="stereotypical",
        template="t",
        item="nurse",
        split="test",
        text="The nurse said that",
        continuations={"female": (" she",), "male": (" he",)},
    )
    assert encode_prompt(framing("$A <eos>"), prompt) == encode_prompt(tokenizer, prompt)


@pytest.mark.parametrize(
    ("tokens", "new", "message"),
    [
        (0, 0, "p is empty"),
        (65, 0, "p has 65 tokens, but the model reads at most 64; shorten or split it$"),
        (60, 6, "60 tokens and 6 new ones are to follow.*or lower max_new_tokens"),
    ],
)
def test_what_does_not_fit_is_refused(
    tokenizer: Any, tiny_gpt2: Any, tokens: int, new: int, message: str
) -> None:
    encoder = TextEncoder.of(tokenizer, tiny_gpt2)
    encoder.require_room(60, "p", new=5)  # the last one is not read
    with pytest.raises(BadInputError, match=message):
        encoder.require_room(tokens, "p", new)


@pytest.mark.parametrize("text", ["I met a 护士", "naïve", "👩‍⚕️", "plain"])
def test_a_character_that_the_limit_cuts_is_left_out(tokenizer: Any, text: str) -> None:
    encoder = TextEncoder.of(tokenizer)
    ids = encoder.encode(text)
    assert encoder.decode(ids) == encoder.decode(ids, cut=True) == text
    for stop in range(len(ids) + 1):
        begun = encoder.decode(ids[:stop], cut=True)
        assert text.startswith(begun)
        assert "\ufffd" not in begun
        # Nothing whole is lost, and bytes that are no text are seen.
        assert encoder.decode(ids[:stop]).rstrip("\ufffd") == begun
    (broken,) = tokenizer.convert_tokens_to_ids(["ÿ"])  # the byte 0xff
    assert encoder.decode([*ids, broken], cut=True) == text + "\ufffd"


def test_the_context_is_found_under_every_name(tiny_gpt2: Any) -> None:
    assert context_length(tiny_gpt2) == 64

    class Config:
        def __init__(self, **names: Any) -> None:
            vars(self).update(names)

    class Model:
        def __init__(self, **names: Any) -> None:
            self.config = Config(**names)

    assert context_length(Model(n_ctx=7)) == 7
    assert context_length(Model(max_seq_len=8)) == 8
    assert context_length(Model(max_position_embeddings=None)) is None
    nested = Model()
    nested.config.get_text_config = lambda: Config(max_position_embeddings=9)  # type: ignore[attr-defined]
    assert context_length(nested) == 9


@pytest.mark.parametrize(
    ("family", "context"), [("roberta", 63), ("camembert", 63), ("opt", 64), ("bert", 64)]
)
def test_a_text_as_long_as_the_context_is_read(family: str, context: int) -> None:
    """RoBERTa's table of positions has rows that no token of a text has."""
    model = tiny_model(family)
    assert context_length(model) == context
    with torch.no_grad():
        model(torch.randint(3, 100, (1, context)))
    if context < 64:
        with pytest.raises((IndexError, RuntimeError)):
            model(torch.randint(3, 100, (1, context + 1)))


def test_what_is_no_unicode_text_is_refused(tokenizer: Any) -> None:
    encoder = TextEncoder.of(tokenizer)
    with pytest.raises(BadInputError, match="the text is no Unicode text: character 1"):
        encoder.encode("a\ud800")
    with pytest.raises(BadInputError, match=r"text 8 \(from 0\) is no Unicode text: character 0"):
        encoder.encode_all(["a", "\udcff"], 7)


FRONTS = {"$A": 0, "$A <eos>": 0, "<bos> $A": 1, "<bos> <bos> $A <eos>": 2}


@pytest.mark.parametrize("template", list(FRONTS))
def test_sinks_are_measured_on_texts_begun_as_the_tokenizer_begins_them(
    framing: Framing, tiny_gpt2: Any, template: str
) -> None:
    """Of a model whose first token is long behind BOS alone, as in Gemma 3."""
    tokenizer = framing(template)
    bos = tokenizer.bos_token_id
    tiny_gpt2.resize_token_embeddings(len(tokenizer))
    tiny_gpt2.config.bos_token_id = bos
    with torch.no_grad():
        tiny_gpt2.transformer.wte.weight[bos, 3] += 60
    loaded = LoadedModel(tiny_gpt2, tokenizer, provenance=None)  # type: ignore[arg-type]
    read: list[Any] = []
    tiny_gpt2.register_forward_pre_hook(
        lambda _, __, inputs: read.append(inputs["input_ids"]), with_kwargs=True
    )
    point = HookPoint("resid_post", 0)
    probe = measure_sinks(loaded.model, [point])[point]
    assert (read[-1] == bos).sum(1).tolist() == [FRONTS[template]] * len(read[-1])
    assert (probe is not None) == bool(FRONTS[template])
    assert front_of(deepcopy(loaded.model)) == (bos,) * FRONTS[template]


def test_sinks_are_measured_again_for_another_tokenizer(framing: Framing, tiny_gpt2: Any) -> None:
    point = HookPoint("resid_post", 0)
    found = []
    for template in ("$A", "<bos> $A"):
        tokenizer = framing(template)
        tiny_gpt2.resize_token_embeddings(len(tokenizer))
        with torch.no_grad():
            tiny_gpt2.transformer.wte.weight[tokenizer.bos_token_id, 3] += 60
        loaded = LoadedModel(tiny_gpt2, tokenizer, provenance=None)  # type: ignore[arg-type]
        found.append(measure_sinks(loaded.model, [point])[point])
    assert [probe is not None for probe in found] == [False, True]
