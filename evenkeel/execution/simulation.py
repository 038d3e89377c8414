"""A run on any number of workers, simulated event by event: what it takes, and what limits it."""

import heapq
import random
from collections import deque
from dataclasses import dataclass
from math import inf


@dataclass(frozen=True)
class Rates:
    """What was measured of one worker, the driver, and the disk that all share."""

    shards: int
    """Equal shards, each one task."""
    shard_seconds: float
    """A worker's time for a shard, on a disk that is never the limit."""
    shard_bytes: float
    disk_bytes_per_second: float = inf
    """That all workers together can write."""
    planning_seconds: float = 0.0
    """The driver's time to encode the texts of a shard and cut it off, before it is given out."""
    dispatch_seconds: float = 0.0
    """The executor's time between a task's end and the next one's start, one at a time."""
    start_seconds: float = 0.0
    """Until a worker, new or restarted, has loaded the model."""
    batches: int = 1
    """Of a shard: who dies loses the one that it is in, and resumes at its beginning."""
    hours_between_failures: float = inf
    """Mean time after which a worker dies."""


@dataclass(frozen=True)
class Run:
    """What became of a simulated run."""

    seconds: float
    """From the start to the end of the last shard."""
    busy_share: float
    """Of the workers' time, what went into shards that counted."""
    failures: int
    repeated_shards: float
    """Work that was done twice, in shards."""


def simulate(rates: Rates, workers: int, seed: int = 0) -> Run:
    """Simulate a run in which every free worker takes the next shard.

    Times between failures are exponential. The shared disk is divided evenly among all workers, so
    that a shard takes what is longer, computing it or writing its share of the disk's rate.

    Args:
        rates: what a shard takes.
        workers: how many.
        seed: of the failures.
    """
    generator = random.Random(seed)
    takes = max(rates.shard_seconds, rates.shard_bytes * workers / rates.disk_bytes_per_second)
    mean = rates.hours_between_failures * 3600
    dies = [_next_failure(generator, 0.0, mean) for _ in range(workers)]
    free = [(rates.start_seconds, worker) for worker in range(workers)]
    heapq.heapify(free)
    interrupted: deque[tuple[float, float]] = deque()  # when, and the share that is left
    driver = 0.0
    planned = finished = failures = 0
    lost = end = 0.0
    in_flight: list[tuple[float, float]] = []  # deaths to come: when, and the share left then
    while finished < rates.shards:
        now, worker = heapq.heappop(free)
        while in_flight and in_flight[0][0] <= now:
            interrupted.append(heapq.heappop(in_flight))
        if interrupted:
            _, left = interrupted.popleft()
        elif planned < rates.shards:
            left = 1.0
            planned += 1
        elif in_flight:  # nothing to do but to wait for what another one will leave
            heapq.heappush(free, (in_flight[0][0], worker))
            continue
        else:
            continue
        ready = planned * rates.planning_seconds if left == 1.0 else now
        start = driver = max(now, driver, ready) + rates.dispatch_seconds
        while dies[worker] < start:  # it died idle, and was restarted meanwhile
            failures += 1
            dies[worker] = _next_failure(generator, dies[worker], mean)
        if dies[worker] >= start + left * takes:
            finished += 1
            end = max(end, start + left * takes)
            heapq.heappush(free, (start + left * takes, worker))
            continue
        failures += 1
        died = dies[worker]
        done = (died - start) / takes
        kept = int(done * rates.batches) / rates.batches
        lost += done - kept
        heapq.heappush(in_flight, (died, left - kept))
        heapq.heappush(free, (died + rates.start_seconds, worker))
        dies[worker] = _next_failure(generator, died, mean)
    return Run(end, rates.shards * takes / (workers * end), failures, lost)


def limits(rates: Rates) -> dict[str, float]:
    """The number of workers from which each part is the limit, so that more do not help."""
    return {
        "shards": float(rates.shards),
        "disk": _ratio(rates.shard_seconds * rates.disk_bytes_per_second, rates.shard_bytes),
        "planning": _ratio(rates.shard_seconds, rates.planning_seconds),
        "dispatch": _ratio(rates.shard_seconds, rates.dispatch_seconds),
    }


def _next_failure(generator: random.Random, now: float, mean: float) -> float:
    return now + generator.expovariate(1 / mean) if mean < inf else inf


def _ratio(of: float, to: float) -> float:
    return of / to if to else inf
