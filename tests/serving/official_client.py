"""OpenAI's own client against `evenkeel serve` in a project whose pipeline has run.

python -m tests.serving.official_client [FOLDER]
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import openai

PROMPTS = ("The nurse said that", "The engineer said that", "My neighbor is a")
STEERING: tuple[dict[str, Any], ...] = ({}, {"enabled": False}, {"multiplier": 0.5})
CHAT = [{"role": "user", "content": "Describe a nurse."}]
HEADER = "x-evenkeel-intervention"


@contextmanager
def served(folder: str) -> Iterator[str]:
    """The address of a server of the project's model, steered by what the pipeline selected."""
    code = "from evenkeel.cli import main; main()"
    command = [sys.executable, "-c", code, "serve", "--port", "0"]
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = iter(process.stderr.readline, "")
        address = next(filter(None, (re.search(r"http://\S+:\d+", line) for line in said)), None)
        assert address, "the server did not start"
        with ThreadPoolExecutor(1) as pool:
            log = pool.submit(process.stderr.read)
            try:
                yield address[0]
            finally:
                process.terminate()
            assert "Traceback" not in log.result()


def check(client: Any) -> Iterator[str]:
    """What was asked and found as it must be, in a line each.

    Raises:
        AssertionError: something was not.
    """
    (model,) = [model.id for model in client.models.list()]
    yield f"the model is {model}"

    def text(prompt: str, steering: dict[str, Any], **how: Any) -> str:
        how = {"max_tokens": 12, "temperature": 0} | how
        answer = client.completions.create(
            model=model, prompt=prompt, extra_body={"steering": steering}, **how
        )
        return answer.choices[0].text

    def streamed(prompt: str, **how: Any) -> str:
        chunks = client.completions.create(model=model, prompt=prompt, stream=True, **how)
        return "".join(chunk.choices[0].text for chunk in chunks)

    plain = [text(prompt, {"enabled": False}) for prompt in PROMPTS]
    assert [text(prompt, {"multiplier": 0}) for prompt in PROMPTS] == plain
    yield "multiplier 0 says what the unsteered model says"
    how = {"temperature": 1, "seed": 7, "max_tokens": 12}
    assert [text(each, {}, **how) for each in PROMPTS] == [
        streamed(each, **how) for each in PROMPTS
    ]
    yield "a stream says what a whole answer says"

    asked = [(prompt, steering) for prompt in PROMPTS for steering in STEERING]
    alone = [text(*each) for each in asked]
    with ThreadPoolExecutor(len(asked)) as pool:
        together = list(pool.map(lambda each: text(*each), asked))
    same = sum(one == other for one, other in zip(alone, together, strict=True))
    yield f"{same} of {len(asked)} texts are the same in a mixed batch as alone"

    inline = {
        "source": "gender/group",
        "scale": 0.1,
        "apply": {"prompt": "all", "generation": "all"},
    }
    assert text(PROMPTS[0], {"vectors": [inline]})
    yield "a vector that the server holds steers, too"

    chat = client.chat.completions.with_raw_response.create
    how = {"model": model, "messages": CHAT, "max_tokens": 16, "temperature": 0}
    try:
        raw = chat(**how)
    except openai.BadRequestError as error:
        yield f"no chat: {error}"
        return
    assert raw.parse().choices[0].message.content
    assert "sha256=" in raw.headers[HEADER]
    off = chat(**how, extra_body={"steering": {"enabled": False}})
    assert off.headers[HEADER] == "none"
    yield "a chat is answered, and its header says how it was steered"


def main() -> None:
    folder = sys.argv[1] if len(sys.argv) > 1 else "."
    with served(folder) as address:
        for line in check(openai.OpenAI(base_url=f"{address}/v1", api_key="none")):
            print(line, flush=True)


if __name__ == "__main__":
    main()
