"""The official client of OpenAI against our server."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch

from evenkeel.models.batching import padded
from evenkeel.serving.service import Service
from evenkeel.steering.hooks import steer
from evenkeel.steering.rows import RowSpec
from tests.serving.conftest import interventions, loaded_model

PROMPT = "The nurse said that"
pytestmark = pytest.mark.xdist_group("serving")


def alone(tokenizer: Any, prompt: str, row: RowSpec, tokens: int) -> str:
    """What the model says by itself, greedily, through `generate` of transformers."""
    loaded = loaded_model(tokenizer)
    inputs = padded([loaded.encoder.encode(prompt)])
    with torch.no_grad(), steer(loaded.model, [row]):
        output = loaded.model.generate(**inputs, max_new_tokens=tokens, do_sample=False)
    new = output[0, inputs["input_ids"].shape[1] :].tolist()
    return loaded.encoder.decode([token for token in new if token], cut=True)


def complete(client: Any, steering: Any = None, **options: Any) -> Any:
    body = {} if steering is None else {"extra_body": {"steering": steering}}
    given = {"model": "tiny", "prompt": PROMPT, "max_tokens": 12, "temperature": 0} | options
    return client.completions.create(**given, **body)


def test_models(client: Any) -> None:
    assert [model.id for model in client.models.list()] == ["tiny"]
    assert client.models.retrieve("tiny").id == "tiny"


@pytest.mark.parametrize("name", ["push", "gated", "later"])
@pytest.mark.parametrize("multiplier", [1.0, 0.5])
def test_an_intervention_does_here_what_it_does_in_the_library(
    client: Any, tokenizer: Any, name: str, multiplier: float
) -> None:
    found = complete(client, {"name": name, "multiplier": multiplier}).choices[0]
    row = RowSpec(interventions()[name], multiplier)
    assert found.text == alone(tokenizer, PROMPT, row, 12)


def test_off_and_zero_are_the_unsteered_model_and_the_default_steers(
    client: Any, tokenizer: Any
) -> None:
    plain = alone(tokenizer, PROMPT, RowSpec(None), 12)
    assert complete(client, {"enabled": False}).choices[0].text == plain
    assert complete(client, {"name": "gated", "multiplier": 0}).choices[0].text == plain
    steered = alone(tokenizer, PROMPT, RowSpec(interventions()["push"]), 12)
    assert complete(client).choices[0].text == steered != plain


def test_the_answer_says_what_was_done(client: Any, service: Service) -> None:
    raw = client.completions.with_raw_response.create(model="tiny", prompt="Hi", max_tokens=1)
    sha = service.catalogue.interventions["push"].sha256
    assert raw.headers["x-evenkeel-intervention"] == f"push; multiplier=1; sha256={sha}"
    assert raw.parse().steering["sha256"] == sha
    off = {"steering": {"enabled": False}}
    raw = client.completions.with_raw_response.create(
        model="tiny", prompt="Hi", max_tokens=1, extra_body=off
    )
    assert raw.headers["x-evenkeel-intervention"] == "none"


def test_requests_that_run_together_say_what_they_say_alone(client: Any) -> None:
    asked: list[dict[str, Any]] = [
        {"prompt": text, "temperature": temperature, "seed": seed, "max_tokens": tokens, "n": n,
         "steering": steering}
        for seed, (text, temperature, tokens, n, steering) in enumerate([
            ("The engineer", 0, 30, 1, {"name": "push"}),
            ("My father", 1.0, 20, 2, {"name": "gated", "multiplier": 2.0}),
            ("The weather was cold, and the train", 0.7, 25, 1, {"enabled": False}),
            ("A", 1.3, 30, 2, {"name": "later"}),
            ("Hello there.", 0, 5, 1, {"name": "push", "multiplier": -0.5}),
            ("The nurse", 0.9, 15, 1, None),
        ])
    ]  # fmt: skip

    def ask(one: dict[str, Any]) -> list[str]:
        return [choice.text for choice in complete(client, **one).choices]

    single = [ask(one) for one in asked]
    with ThreadPoolExecutor(12) as pool:
        together = list(pool.map(ask, asked * 4))
    assert together == single * 4


def test_a_stream_says_what_a_whole_answer_says(client: Any) -> None:
    how = {"temperature": 1.2, "seed": 3, "n": 2, "max_tokens": 30}
    whole = complete(client, **how)
    texts, finishes, usage = ["", ""], [None, None], None
    for chunk in complete(client, **how, stream=True, stream_options={"include_usage": True}):
        for choice in chunk.choices:
            texts[choice.index] += choice.text
            finishes[choice.index] = choice.finish_reason or finishes[choice.index]
        usage = chunk.usage or usage
    assert texts == [choice.text for choice in whole.choices]
    assert finishes == [choice.finish_reason for choice in whole.choices]
    assert usage == whole.usage
    assert whole.usage.prompt_tokens < 20
    assert texts[0] != texts[1]


def test_seeds_and_random_numbers(client: Any) -> None:
    how = {"temperature": 1.5, "max_tokens": 20}
    first = complete(client, **how, seed=4).choices[0].text
    assert complete(client, **how, seed=4).choices[0].text == first
    assert complete(client, **how, seed=5).choices[0].text != first
    assert complete(client, **how, seed=3, n=2).choices[1].text == first
    assert complete(client, **how).choices[0].text != complete(client, **how).choices[0].text


def test_a_stop_sequence_ends_the_text_before_it(client: Any) -> None:
    how: dict[str, Any] = {"temperature": 1.5, "seed": 1, "max_tokens": 30}
    whole = complete(client, **how).choices[0].text
    stop = whole[7:9]
    before = whole[: whole.index(stop)]
    found = complete(client, **how, stop=["never in it", stop]).choices[0]
    assert (found.text, found.finish_reason) == (before, "stop")
    stream = complete(client, **how, stop=stop, stream=True)
    assert "".join(chunk.choices[0].text for chunk in stream) == before


def test_logprobs_are_those_of_the_steered_model(client: Any, tokenizer: Any) -> None:
    loaded = loaded_model(tokenizer)
    choice = complete(client, {"name": "gated"}, logprobs=3, max_tokens=5).choices[0]
    prompt = loaded.encoder.encode(PROMPT)
    with torch.no_grad(), steer(loaded.model, interventions()["gated"]):
        logprobs = loaded.model(torch.tensor([prompt])).logits[0].float().log_softmax(-1)
    first = logprobs[-1]
    assert choice.logprobs.tokens[0] == loaded.encoder.spelling.text(int(first.argmax()))
    assert len(choice.logprobs.tokens) == len(choice.logprobs.text_offset) == 5
    assert choice.logprobs.token_logprobs[0] == pytest.approx(float(first.max()), abs=1e-5)
    found = list(choice.logprobs.top_logprobs[0].values())
    assert found == pytest.approx(first.topk(3).values.tolist(), abs=1e-5)


def test_chat(client: Any, tokenizer: Any) -> None:
    messages = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": part} for part in ("Hi ", "you")]},
    ]  # fmt: skip
    how: dict[str, Any] = {"model": "tiny", "messages": messages, "temperature": 0}
    answer = client.chat.completions.create(**how, max_completion_tokens=6)
    text = "system: Be brief.\nuser: Hi you\nassistant:"
    row = RowSpec(interventions()["push"])
    assert answer.choices[0].message.content == alone(tokenizer, text, row, 6)
    stream = client.chat.completions.create(**how, max_tokens=6, stream=True, logprobs=True)
    chunks = list(stream)
    assert chunks[0].choices[0].delta.role == "assistant"
    said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert said == answer.choices[0].message.content
    assert sum(len(chunk.choices[0].logprobs.content) for chunk in chunks[1:]) == 6


def test_token_ids_and_several_prompts(client: Any, tokenizer: Any) -> None:
    ids = loaded_model(tokenizer).encoder.encode(PROMPT)
    by_ids = complete(client, prompt=list(ids)).choices[0].text
    both = complete(client, prompt=["My father", PROMPT])
    assert by_ids == both.choices[1].text == complete(client).choices[0].text


def test_vectors_in_the_words_of_easysteer(client: Any, tokenizer: Any, service: Service) -> None:
    from evenkeel.steering.intervention import Ablate, Add

    vector = service.catalogue.of_source("gender/caa")[1]
    everywhere = {"prompt": "all", "generation": "all"}
    by_name = {"source": "gender/caa", "scale": 0.7, "layers": [1], "apply": everywhere}
    spec = Add(vector.direction, 0.7 * 9.0, layer=1, site="resid_post")
    found = complete(client, {"vectors": [by_name]}).choices[0].text
    assert found == alone(tokenizer, PROMPT, RowSpec(spec), 12)
    data = {1: (vector.direction * 5).tolist()}
    later = {"data": data, "scale": 3, "normalize": True, "apply": {"generation": "all"}}
    erase = {"data": data, "algorithm": "erase", "apply": everywhere}
    specs = [
        Add(vector.direction, 3.0, layer=1, site="resid_post", positions="generated"),
        Ablate(vector.direction, layer=1, site="resid_post"),
    ]
    found = complete(client, {"vectors": [later, erase]}).choices[0].text
    assert found == alone(tokenizer, PROMPT, RowSpec(specs), 12)
