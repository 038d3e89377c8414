"""An OpenAI-compatible server on loopback that does as it is told, misbehaving included."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Response:
    """What the server sends, and how badly."""

    body: bytes | str | dict[str, Any] = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    promised: int = 0
    """Bytes announced beyond those that are sent: the connection breaks before they come."""


def completion(content: Any, usage: tuple[int, int] | None = (100, 20), **message: Any) -> Response:
    """A well-formed chat completion whose text is `content`, as JSON unless it is a string."""
    text = content if isinstance(content, str | None) else json.dumps(content)
    reason = message.pop("finish_reason", "stop")
    body: dict[str, Any] = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "stub",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text, "refusal": None, **message},
                "finish_reason": reason,
            }
        ],
    }
    if usage:
        body["usage"] = {
            "prompt_tokens": usage[0],
            "completion_tokens": usage[1],
            "total_tokens": sum(usage),
            "prompt_tokens_details": {"cached_tokens": 0},
        }
    return Response(body)


Answer = Callable[[dict[str, Any], int], Response]


class Server:
    """Answers chat completions with `answer(body, how often this body has come before)`."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.bodies: list[dict[str, Any]] = []
        self.times: list[float] = []
        self.headers: list[dict[str, str]] = []
        self.most_at_once = 0
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, dict[str, Any]] = {}
        self.batch_polls = 0
        self.polls_before_done = 2
        self._at_once = 0
        self._lock = threading.Lock()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._http.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}/v1"

    @contextmanager
    def running(self) -> Iterator["Server"]:
        thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._http.shutdown()
            self._http.server_close()
            thread.join()

    def chat(self, body: dict[str, Any]) -> Response:
        with self._lock:
            before = self.bodies.count(body)
            self.bodies.append(body)
            self.times.append(time.monotonic())
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            response = self.answer(body, before)
            time.sleep(response.delay)
            return response
        finally:
            with self._lock:
                self._at_once -= 1

    def upload(self, content_type: str, data: bytes) -> Response:
        message = BytesParser(policy=HTTP).parsebytes(
            b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + data
        )
        (part,) = [p for p in message.iter_parts() if p.get_filename()]
        file_id = f"file-{len(self.files)}"
        self.files[file_id] = part.get_payload(decode=True)
        return Response({"id": file_id, "object": "file"})

    def start_batch(self, body: dict[str, Any]) -> Response:
        batch_id = f"batch-{len(self.batches)}"
        lines = self.files[body["input_file_id"]].decode().splitlines()
        self.batches[batch_id] = {"requests": [json.loads(line) for line in lines]}
        self.batches[batch_id]["input_file_id"] = body["input_file_id"]
        return Response({"id": batch_id, "object": "batch", "status": "validating"})

    def list_batches(self) -> Response:
        data = [
            {"id": name, "status": "in_progress", "input_file_id": batch["input_file_id"]}
            for name, batch in self.batches.items()
        ]
        return Response({"object": "list", "data": data})

    def poll(self, batch_id: str) -> Response:
        if batch_id not in self.batches:
            return Response({"error": {"message": "no such batch"}}, 404)
        self.batch_polls += 1
        if self.batch_polls % (self.polls_before_done + 1):
            return Response({"id": batch_id, "object": "batch", "status": "in_progress"})
        rows = []
        for request in self.batches[batch_id]["requests"]:
            response = self.answer(request["body"], 0)
            body = response.body
            self.bodies.append(request["body"])
            rows.append(
                {
                    "custom_id": request["custom_id"],
                    "response": {
                        "status_code": response.status,
                        "body": body.decode("latin-1") if isinstance(body, bytes) else body,
                    },
                    "error": None,
                }
            )
        lines = [json.dumps(row, ensure_ascii=False) for row in reversed(rows)]
        self.files["out"] = "\n".join(lines).encode()
        return Response(
            {"id": batch_id, "object": "batch", "status": "completed", "output_file_id": "out"}
        )

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                data = self.rfile.read(int(self.headers["content-length"]))
                server.headers.append({k.lower(): v for k, v in self.headers.items()})
                if self.path.endswith("/files"):
                    self._send(server.upload(self.headers["content-type"], data))
                elif self.path.endswith("/batches"):
                    self._send(server.start_batch(json.loads(data)))
                else:
                    self._send(server.chat(json.loads(data)))

            def do_GET(self) -> None:
                if self.path.partition("?")[0].endswith("/batches"):
                    return self._send(server.list_batches())
                *_, kind, name = self.path.removesuffix("/content").split("/")
                self._send(server.poll(name) if kind == "batches" else Response(server.files[name]))

            def _send(self, response: Response) -> None:
                body = response.body
                if isinstance(body, dict):
                    body = json.dumps(body)
                data = body.encode() if isinstance(body, str) else body
                headers = {"Content-Type": "application/json", **response.headers}
                try:
                    self.send_response(response.status)
                    for name, value in headers.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(data) + response.promised))
                    self.end_headers()
                    self.wfile.write(data)
                    if response.promised:
                        self.close_connection = True
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True  # the client has given up, as some tests want

            def log_message(self, format: str, *args: Any) -> None:
                pass

        return Handler
