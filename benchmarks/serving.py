"""What `evenkeel serve` does under load, on loopback: steered, unsteered, and one at a time.

A server of the pipeline's model is started, and clients in this process ask it for texts of equal
length, each for the next when it has the last. Steered and unsteered slices take turns, so that
whatever else the machine does falls on both.

    cd <a project after make repro> && python -m benchmarks.serving --seconds 60
"""

import argparse
import asyncio
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

from benchmarks.figures import Figure, show

PROMPTS = ("The nurse said that", "The old man was", "My friend thinks that the guest is", "The")
SLICES = 12
STEERING: dict[str, Any] = {"steered": {}, "unsteered": {"enabled": False}}


@dataclass
class Load:
    """What clients saw."""

    seconds: float = 0.0
    tokens: int = 0
    latencies: list[float] = field(default_factory=list)
    errors: int = 0
    cpu_seconds: float = 0.0
    """Of the server: what other work on the machine changes least."""

    def summary(self) -> dict[str, float]:
        cuts = statistics.quantiles(self.latencies, n=100)
        return {
            "requests": len(self.latencies),
            "errors": self.errors,
            "tokens_per_second": self.tokens / self.seconds,
            "tokens_per_cpu_second": self.tokens / self.cpu_seconds,
            "p50_seconds": cuts[49],
            "p99_seconds": cuts[98],
        }


@contextmanager
def server(arguments: list[str]) -> Iterator[tuple[str, psutil.Process]]:
    code = "from evenkeel.cli import main; main()"
    command = [sys.executable, "-c", code, "serve", "--port", "0", *arguments]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = process.stderr.readline()
        address = re.search(r"http://\S+:\d+", said)
        if not address:
            raise SystemExit(said + process.stderr.read())
        drain = asyncio.get_running_loop().run_in_executor(None, process.stderr.read)
        try:
            yield address[0], psutil.Process(process.pid)
        finally:
            process.terminate()
            drain.cancel()


async def ask(client: httpx.AsyncClient, body: dict[str, Any], until: float, load: Load) -> None:
    """One client."""
    number = 0
    while time.perf_counter() < until:
        begun = time.perf_counter()
        asked = body | {"prompt": PROMPTS[number % len(PROMPTS)], "seed": number}
        answer = await client.post("/v1/completions", json=asked)
        load.latencies.append(time.perf_counter() - begun)
        if answer.status_code == 200:
            load.tokens += answer.json()["usage"]["completion_tokens"]
        else:
            load.errors += 1
        number += 1


async def run(
    address: str,
    process: psutil.Process,
    body: dict[str, Any],
    clients: int,
    seconds: float,
    load: Load,
) -> None:
    before = sum(process.cpu_times()[:2])
    async with httpx.AsyncClient(base_url=address, timeout=120) as client:
        begun = time.perf_counter()
        await asyncio.gather(*(ask(client, body, begun + seconds, load) for _ in range(clients)))
        load.seconds += time.perf_counter() - begun
    load.cpu_seconds += sum(process.cpu_times()[:2]) - before


async def measure(options: argparse.Namespace) -> dict[str, Any]:
    arguments = ["--model", str(options.model), *(["--axis", options.axis])]
    found: dict[str, Any] = {"clients": options.clients, "tokens": options.tokens}
    with server(arguments) as (address, process):
        name = httpx.get(f"{address}/v1/models").json()["data"][0]["id"]
        common = {
            "model": name, "max_tokens": options.tokens, "temperature": 1.0, "ignore_eos": True,
        }  # fmt: skip
        bodies = {key: common | {"steering": value} for key, value in STEERING.items()}
        loads = {key: Load() for key in STEERING}
        alone = {key: Load() for key in STEERING}
        for body in bodies.values():  # warm
            await run(address, process, body, options.clients, 3, Load())
        memory = [process.memory_info().rss]
        for _ in range(SLICES):
            for key, body in bodies.items():
                await run(
                    address, process, body, options.clients, options.seconds / SLICES, loads[key]
                )
                await run(address, process, body, 1, options.seconds / SLICES / 2, alone[key])
            memory.append(process.memory_info().rss)
    for key in STEERING:
        found[key] = loads[key].summary()
        found[f"{key}, one at a time"] = alone[key].summary()
    rates = {
        key: value["tokens_per_second"] for key, value in found.items() if isinstance(value, dict)
    }
    found["steered_over_unsteered"] = rates["steered"] / rates["unsteered"]
    cpu = {
        key: value["tokens_per_cpu_second"]
        for key, value in found.items()
        if isinstance(value, dict)
    }
    found["steered_over_unsteered_cpu"] = cpu["steered"] / cpu["unsteered"]
    found["together_over_one_at_a_time"] = rates["steered"] / rates["steered, one at a time"]
    found["memory_mib"] = [round(size / 2**20, 1) for size in memory]
    found["memory_growth"] = memory[-1] / memory[1] - 1
    return found


def figures(found: dict[str, Any]) -> Iterator[Figure]:
    """What `measure` found, as rows."""
    yield Figure(
        "steered over unsteered, tokens per second", found["steered_over_unsteered"], 0.95, "higher"
    )
    yield Figure(
        "... by the server's processor time", found["steered_over_unsteered_cpu"], 0.95, "higher"
    )
    yield Figure(
        f"{found['clients']} clients over one at a time", found["together_over_one_at_a_time"], 3,
        "higher",
    )  # fmt: skip
    yield Figure("growth of memory", found["memory_growth"])
    for name in STEERING:
        of_load = found[name]
        yield Figure(f"{name}: requests", of_load["requests"], better="higher")
        yield Figure(f"{name}: errors", of_load["errors"], 0)
        yield Figure(f"{name}: tokens per second", of_load["tokens_per_second"], better="higher")
        yield Figure(f"{name}: p50, ms", 1000 * of_load["p50_seconds"])
        yield Figure(f"{name}: p99, ms", 1000 * of_load["p99_seconds"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", type=Path, default=Path("models/base"), help="what is served")
    parser.add_argument("--axis", default="all", help="whose intervention; all: the joint one")
    parser.add_argument("--clients", type=int, default=8, help="that ask at the same time")
    parser.add_argument("--seconds", type=float, default=60, help="of each load, in slices")
    parser.add_argument("--tokens", type=int, default=48, help="of each answer")
    parser.add_argument("--json", action="store_true", help="rows of JSON instead of a table")
    options = parser.parse_args()
    if not options.model.is_dir():
        sys.exit(f"{options.model}: no such folder; run this in a project after `make repro`")
    found = asyncio.run(measure(options))
    title = f"Serving: {options.axis}, {options.clients} clients, {options.tokens} tokens each"
    show(title, figures(found), options.json)


if __name__ == "__main__":
    main()
