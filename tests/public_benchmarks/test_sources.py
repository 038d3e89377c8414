"""Downloads over loopback: the official file or none, and a message that says which and why."""

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, get_args

import pytest

from evenkeel.errors import BadInputError
from evenkeel.params import BenchmarkName
from evenkeel.public_benchmarks.sources import Source, SourceFile, download, source_of

SENTENCES = b'{"data": {}}\n'
SHA256 = hashlib.sha256(SENTENCES).hexdigest()


class Host:
    """Serves `bodies` by path; `promised` bytes more are announced than are sent."""

    def __init__(self) -> None:
        self.bodies: dict[str, bytes] = {}
        self.promised = 0
        self.paths: list[str] = []
        host = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                host.paths.append(self.path)
                body = host.bodies.get(self.path)
                self.send_response(200 if body is not None else 404)
                self.send_header("Content-Length", str(len(body or b"") + host.promised))
                self.end_headers()
                self.wfile.write(body or b"")

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def host() -> Iterator[Host]:
    host = Host()
    thread = threading.Thread(target=host.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield host
    host.server.shutdown()
    host.server.server_close()
    thread.join()


def known_source(name: BenchmarkName) -> Source:
    source = source_of(name)
    assert source is not None
    return source


def serve(host: Host, name: BenchmarkName, body: bytes) -> None:
    source = known_source(name)
    for path in source.files:
        host.bodies[f"/{source.repository}/{source.commit}/{path}"] = body


OWN = ["decisions", "specificity"]
"""Benchmarks whose data are the user's or the project's own."""


def test_every_benchmark_has_a_pinned_source_or_is_your_own() -> None:
    names = get_args(BenchmarkName)
    assert [name for name in names if source_of(name) is None] == OWN
    for name in set(names) - set(OWN):
        source = known_source(name)
        assert len(source.commit) == 40
        assert len(source.checksums) == len(source.files) > 0
        assert all(len(known) == 64 for known in source.files.values() if known is not None)


def test_the_real_files_are_the_official_ones(real: Path) -> None:
    for name, path in (
        ("crows_pairs", "crows_pairs_anonymized.csv"),
        ("winobias", "winobias"),
        ("winogender", "winogender/all_sentences.tsv"),
        ("wikitext", "wikitext-2"),
    ):
        files = SourceFile.all_of(real / path)
        assert all(known_source(name).knows(file) for file in files), name  # type: ignore[arg-type]


def test_without_a_known_checksum_the_computed_one_is_reported(host: Host, tmp_path: Path) -> None:
    serve(host, "stereoset", SENTENCES)
    (file,) = download("stereoset", tmp_path, {}, host=host.url)
    assert file == SourceFile("dev.json", len(SENTENCES), SHA256)
    assert (tmp_path / "dev.json").read_bytes() == SENTENCES
    source = known_source("stereoset")
    assert source.knows(file) is None
    assert host.paths == [f"/moinnadeem/StereoSet/{source.commit}/data/dev.json"]


def test_what_has_no_source_is_not_fetched(host: Host, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"no source is known.*benchmarks\.run\.decisions"):
        download("decisions", tmp_path, {}, host=host.url)
    assert host.paths == []


def test_a_checksum_that_is_given_is_held_to(host: Host, tmp_path: Path) -> None:
    serve(host, "stereoset", SENTENCES)
    download("stereoset", tmp_path, {"dev.json": SHA256}, host=host.url)
    with pytest.raises(BadInputError, match=rf"dev\.json: SHA-256 is {SHA256}, expected 0000"):
        download("stereoset", tmp_path, {"dev.json": "0" * 64}, host=host.url)
    with pytest.raises(BadInputError, match=r"benchmarks\.download\.crows_pairs: x needs no check"):
        download("crows_pairs", tmp_path, {"x": SHA256}, host=host.url)


def test_another_file_than_the_official_one_is_refused(host: Host, tmp_path: Path) -> None:
    serve(host, "crows_pairs", b"sent_more,sent_less\n")
    with pytest.raises(BadInputError, match=r"pairs_anonymized\.csv: SHA-256 is .*tampered with"):
        download("crows_pairs", tmp_path, {}, host=host.url)


def test_what_is_cut_short_missing_or_unreachable_is_said(host: Host, tmp_path: Path) -> None:
    serve(host, "stereoset", SENTENCES)
    host.promised = 10
    with pytest.raises(BadInputError, match=rf"{len(SENTENCES)} bytes read, 10 more expected"):
        download("stereoset", tmp_path, {}, host=host.url)
    assert not list(tmp_path.iterdir())
    host.bodies.clear()
    with pytest.raises(BadInputError, match=r"cannot be fetched \(404 .*local copy in ben"):
        download("stereoset", tmp_path, {}, host=host.url)
    with pytest.raises(BadInputError, match=r"cannot be fetched \(.*refused"):
        download("stereoset", tmp_path, {}, host="http://127.0.0.1:9")
