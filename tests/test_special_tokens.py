"""What stands around texts is the same in every room, whatever a tokenizer puts there.

Of tokenizers with BOS, with BOS and EOS, with neither, with two tokens in front; of chat templates
that write BOS themselves and that do not; of texts that begin with the BOS string.
"""

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from evenkeel.case_studies.asking import Questions
from evenkeel.datasets.records import Prompt
from evenkeel.evaluation.material import CHAT_REQUEST, Material
from evenkeel.localisation.frames import make_frames
from evenkeel.models.chat import render_message
from evenkeel.models.encoding import TextEncoder
from evenkeel.models.loading import LoadedModel
from evenkeel.models.provenance import Provenance
from evenkeel.params import load_params
from evenkeel.public_benchmarks.encoding import Encoder
from evenkeel.scoring.divergence import changed_divergences, text_divergences
from evenkeel.scoring.group_reads import encode_continuation, encode_rendered, encode_text
from evenkeel.scoring.prompt_set import PromptSet
from evenkeel.serving.playground import ReadRequest, _text
from evenkeel.serving.reading import read_text
from evenkeel.steering.hooks import steer
from evenkeel.steering.intervention import Add
from evenkeel.steering.rows import RowSpec
from evenkeel.steering.self_debias import SelfDebiased
from tests.conftest import TEXTS, _tiny_gpt2
from tests.evaluation import samples
from tests.special_tokens import CHATS, KINDS, framed, spaced

REDUCED = Path(__file__).with_name("reduced_params.yaml")
BEHIND = "It rained. "
PROMPT = "<bos>The nurse"


@pytest.fixture(params=["byte-level", "SentencePiece"])
def plain_tokenizer(request: pytest.FixtureRequest, tokenizer: Any) -> Any:
    return tokenizer if request.param == "byte-level" else spaced([*TEXTS, *samples.TEXTS])


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def loaded_of(tokenizer: Any) -> LoadedModel:
    hashes = dict.fromkeys(("fingerprint", "tokenizer_hash", "revision"), "0" * 64)
    provenance = Provenance(source="local", name="tiny", dtype="float32", **hashes)
    return LoadedModel(_tiny_gpt2(tokenizer), tokenizer, provenance)


def log_prob(model: Any, context: tuple[int, ...], added: tuple[int, ...]) -> float:
    """Of tokens after others, by one pass over both."""
    with torch.no_grad():
        logits = model(torch.tensor([context + added])).logits[0].double().log_softmax(-1)
    places = range(len(context) - 1, len(context) + len(added) - 1)
    return sum(float(logits[place, token]) for place, token in zip(places, added, strict=True))


@pytest.mark.parametrize("text", ["The nurse said that", PROMPT, "It was:"])
@pytest.mark.parametrize("word", [" she", "she", ", and he"])
def test_a_continuation_is_what_it_adds_in_place(
    plain_tokenizer: Any, kind: str, text: str, word: str
) -> None:
    own = framed(plain_tokenizer, kind)
    for encode in (encode_text, encode_rendered):
        context, whole = encode(own, text), encode(own, text + word)
        assert whole[: len(context)] == context, "the two merge, which this is no test of"
        assert context + encode_continuation(own, text, context, word) == whole


@pytest.mark.parametrize("chat", list(CHATS))
def test_words_that_begin_an_answer_are_read_where_it_begins(
    plain_tokenizer: Any, kind: str, chat: str
) -> None:
    """`Yes` right behind `assistant:`: alone, SentencePiece would put a space before it."""
    own = framed(plain_tokenizer, kind, chat)
    model = _tiny_gpt2(own)
    words = {"positive": ("she", "her"), "negative": ("he",)}
    asked = Questions(own, ["Who?"], _Given(**words), _Given(chat_template=True), 0)  # type: ignore[arg-type]
    rendered = render_message(own, "Who?")

    def bare(text: str) -> tuple[int, ...]:
        return tuple(own(text, add_special_tokens=False)["input_ids"])

    context = bare(rendered)
    assert context.count(own.bos_token_id) == (chat == "begun")
    expected = {}
    for side, some in words.items():
        whole = [
            tuple(own(rendered + word, add_special_tokens=False)["input_ids"]) for word in some
        ]
        assert all(each[: len(context)] == context for each in whole)
        added = [each[len(context) :] for each in whole]
        expected[side] = np.logaddexp.reduce([log_prob(model, context, each) for each in added])
    found = asked.log_odds(model)
    assert found == pytest.approx([expected["positive"] - expected["negative"]], abs=1e-4)
    scored = Encoder(own, None).answers("Who?", "", words["positive"])
    for each, word in zip(scored, words["positive"], strict=True):
        assert each.tokens == bare(rendered + word)


class _Given:
    """Parameters of which a test gives some."""

    def __init__(self, **fields: Any) -> None:
        vars(self).update(fields)


@pytest.mark.parametrize("chat", list(CHATS))
def test_a_chat_is_scored_as_it_is_generated(tokenizer: Any, kind: str, chat: str) -> None:
    """A template brings its own special tokens: what it leaves out, nobody puts there."""
    loaded = loaded_of(framed(tokenizer, kind, chat))
    (params,) = load_params(REDUCED, "evaluation", model=loaded.shape)
    material = Material(loaded, "gender", samples.make_prompts(), samples.TEXTS, params, 0)
    message = loaded.encoder.message(CHAT_REQUEST)
    for prompt in material.chat.measures.prompt_set.encoded:
        for context in prompt.contexts:
            assert context[: len(message)] == message
            assert context.count(loaded.tokenizer.bos_token_id) == (chat == "begun")


def test_a_prefix_stands_behind_what_the_tokenizer_puts_in_front(
    plain_tokenizer: Any, kind: str
) -> None:
    own = framed(plain_tokenizer, kind)
    model, encoder = _tiny_gpt2(own), TextEncoder.of(own)
    front = encoder.added.front
    texts = [*samples.TEXTS, PROMPT]
    chosen = samples.make_prompts()[:6]
    alone = PromptSet.of(model, own, chosen, texts)
    behind = PromptSet.of(model, own, chosen, texts, prefix=BEHIND)
    assert (alone.scored_tokens == behind.scored_tokens).all()
    for text, row, first in zip(texts, behind.texts, behind.unscored, strict=True):
        begins = encoder.encode(BEHIND)
        assert row[: len(front)] == front
        assert row[: len(begins) - 1] == begins[:-1]
        bare = text.removeprefix("<bos>") if front else text
        scored = encoder.plain(bare)[0 if front else 1 :]
        assert row[first:] == scored[len(scored) - len(row[first:]) :]
        assert not set(row[len(front) :]) & set(front)
    pushed = Add(torch.randn(32), 3.0, layer=1, site="resid_post", sinks="include")
    (moved,) = text_divergences(model, [[pushed]], alone, 4)
    for text, first, found in zip(alone.texts, alone.unscored, moved, strict=True):
        assert first == max(1, len(front))
        with torch.no_grad():
            base = model(torch.tensor([text])).logits[0].double().log_softmax(-1)
            with steer(model, pushed):
                other = model(torch.tensor([text])).logits[0].double().log_softmax(-1)
        by_place = (base.exp() * (base - other)).sum(-1)
        assert found == pytest.approx(float(by_place[first - 1 : -1].sum()), rel=1e-3)

    changed = changed_divergences(model, lambda: nullcontext(model), alone, behind, 4)
    assert (changed > 1e-3).all()


@pytest.mark.parametrize("begun", [True, False])
def test_a_diagnosis_stands_before_a_text_that_has_no_front(
    tokenizer: Any, kind: str, begun: bool
) -> None:
    """Of Self-Debias, in a chat whose template leaves BOS out."""
    own = framed(tokenizer, kind)
    model, encoder = _tiny_gpt2(own), TextEncoder.of(own)
    front, diagnosis = encoder.added.front, encoder.plain(BEHIND)
    debiased = SelfDebiased(model, own, BEHIND, 30.0)
    texts = [encoder.plain(text) for text in samples.TEXTS[:3]]
    rows = [(front if begun else ()) + text for text in texts]
    read = [(front if begun else ()) + diagnosis + text for text in texts]
    for row, warned in zip(rows, read, strict=True):
        with torch.no_grad():
            plain, other = (
                model(torch.tensor([each])).logits[0, -1].float() for each in (row, warned)
            )
            expected = plain + 30.0 * (plain.softmax(-1) - other.softmax(-1)).clamp(max=0)
            ids = torch.tensor([row])
            found = debiased(ids, torch.ones_like(ids)).logits[0, -1]
            last = debiased._discounted(plain[None], debiased._last_logits([row]))[0]
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(last, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("lead_in", ["It was late. ", ""])
def test_what_is_patched_is_the_item(tokenizer: Any, kind: str, lead_in: str) -> None:
    own = framed(tokenizer, kind)
    sides = {"nurse": "female", "maid": "female", "guard": "male", "judge": "male"}
    prompts = [
        Prompt(
            id=f"{item}-{verb}", axis="gender", kind="stereotypical", template=verb, item=item,
            split="train", lead_in=lead_in, text=f"{item} was {verb} because", held_against=side,
            continuations={"female": (" she",), "male": (" he",)},
        )
        for item, side in sides.items() for verb in ("tired", "cold")
    ]  # fmt: skip
    encoder = TextEncoder.of(own)
    items = {
        own.decode(each.contexts[0][frame.item]).strip()
        for frame in make_frames(encoder, prompts, 9, 9, seed=0)
        for each in frame.prompts
    }
    assert items <= set(sides)
    alike = {len(encoder.encode(lead_in + item)) for item in sides}
    assert items or len(alike) > 1


@pytest.mark.parametrize("chat", [None, *CHATS])
@pytest.mark.parametrize("prompt", ["The nurse said that", PROMPT])
def test_the_playground_reads_every_token_from_the_front_on(
    plain_tokenizer: Any, kind: str, chat: str | None, prompt: str
) -> None:
    own = framed(plain_tokenizer, kind, chat)
    loaded = loaded_of(own)
    service: Any = _Service(loaded)
    text = _text(service, ReadRequest(prompt=prompt, chat=bool(chat), axis="gender"))
    front = () if chat else loaded.encoder.added.front
    assert text.ids[: len(front)] == front
    found = read_text(loaded, text, "gender", RowSpec(None), None)
    shown = [token["text"] for token in found["tokens"]]
    assert shown[: len(front)] == [own.convert_ids_to_tokens(token) for token in front]
    inside = text.whole.removeprefix("<bos>") if front else text.whole
    # SentencePiece also puts a space behind a special token.
    assert "".join(shown[len(front) :]).replace(" ", "") == inside.replace(" ", "")
    words = {side["name"]: side["words"] for side in found["groups"]["shares"]}
    masses = {
        name: np.logaddexp.reduce(
            [
                log_prob(loaded.model, text.ids, _added(loaded, text, " " + word, bool(chat)))
                for word in some
            ]
        )
        for name, some in words.items()
    }
    total = np.logaddexp.reduce(list(masses.values()))
    for side in found["groups"]["shares"]:
        assert side["unsteered"] == pytest.approx(np.exp(masses[side["name"]] - total), abs=1e-4)


def _added(loaded: LoadedModel, text: Any, word: str, chat: bool) -> tuple[int, ...]:
    encode = loaded.encoder.plain if chat else loaded.encoder.encode
    whole = encode(text.whole + word)
    assert whole[: len(text.ids)] == text.ids
    return whole[len(text.ids) :]


class _Service:
    """What `_text` asks of a server."""

    def __init__(self, loaded: LoadedModel) -> None:
        self.encoder, self._loaded = loaded.encoder, loaded

    def chat_text(self, messages: list[tuple[str, str]]) -> str:
        return render_message(self._loaded.tokenizer, messages[0][1])
