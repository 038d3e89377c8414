"""Render chat templates for another process, in bounded memory: `python -m` this, a request a line.

A chat template is a program that travels with a model. Jinja's sandbox keeps it from files and from
Python, but not from running for ever or from making a text of any size; a process of its own can be
ended, and its memory limited.
"""

import json
import sys
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any

MEMORY = 512 << 20
"""Bytes that a template may use beyond what the process uses before it."""


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # Windows has no such limit; time and the size of the text stay bounded
        return
    used = _virtual_size()
    if used:
        resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))


def _virtual_size() -> int:
    try:
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[0]
        return int(pages) * 4096
    except OSError:  # macOS
        return 0


def _answer(request: dict[str, Any], longest: int) -> dict[str, str]:
    from transformers.utils import chat_template_utils

    class Stopped(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> "Stopped":
            return cls.fromisoformat(request["now"])

    # Templates ask for the time by `strftime_now`, which asks this class.
    chat_template_utils.datetime = Stopped
    try:
        (text,), _ = chat_template_utils.render_jinja_template(
            conversations=[request["messages"]],
            chat_template=request["template"],
            add_generation_prompt=True,
            **request["special_tokens"],
        )
    except MemoryError:
        return {"error": f"it needs more than {MEMORY >> 20} MB"}
    except Exception as error:  # a template may raise anything
        return {"error": f"{type(error).__name__}: {str(error).partition(chr(10))[0][:300]}"}
    if len(text) > longest:
        return {"error": f"it makes a text of {len(text)} characters, over {longest}"}
    try:
        text.encode()
    except UnicodeEncodeError:
        return {"error": "it makes half a surrogate pair, which is no text"}
    return {"text": text}


def main() -> None:
    import transformers.utils.chat_template_utils

    _ = transformers.utils.chat_template_utils
    _limit_memory()
    print("ready", flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(_answer(request, request["longest"])), flush=True)


if __name__ == "__main__":
    main()
