from dataclasses import replace
from math import ceil, inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.execution.simulation import Rates, limits, simulate

RATES = Rates(shards=1000, shard_seconds=60.0, shard_bytes=1e9, batches=500)


@given(st.integers(1, 300), st.integers(1, 50), st.floats(0, 10))
def test_nothing_in_the_way(shards: int, workers: int, start: float) -> None:
    rates = Rates(shards, shard_seconds=2.0, shard_bytes=1.0, start_seconds=start)

    run = simulate(rates, workers)

    assert run.seconds == pytest.approx(start + 2 * ceil(shards / workers))
    assert (run.failures, run.repeated_shards) == (0, 0.0)


@pytest.mark.parametrize("workers", [1, 10, 100, 1000])
def test_a_run_takes_no_less_than_what_limits_it(workers: int) -> None:
    for changes in (
        {"disk_bytes_per_second": 1e9},
        {"planning_seconds": 0.5},
        {"dispatch_seconds": 0.5},
    ):
        rates = replace(RATES, **changes)
        seconds = simulate(rates, workers).seconds
        least = max(1000 * 60 / workers, {"disk": 1000, "planning": 500, "dispatch": 500}[
            min(limits(rates), key=lambda name: limits(rates)[name])
        ])  # fmt: skip
        assert least <= seconds < 1.2 * least + 61


def test_where_more_workers_do_not_help() -> None:
    assert limits(RATES) == {"shards": 1000, "disk": inf, "planning": inf, "dispatch": inf}
    slow = replace(RATES, disk_bytes_per_second=1e9, planning_seconds=0.5, dispatch_seconds=0.1)
    assert limits(slow) == {"shards": 1000, "disk": 60, "planning": 120, "dispatch": 600}
    assert simulate(slow, 1000).seconds > 0.95 * simulate(slow, 60).seconds


@pytest.mark.parametrize("workers", [1, 10, 100, 1000])
def test_workers_that_die(workers: int) -> None:
    rates = replace(RATES, hours_between_failures=0.2, start_seconds=30.0)
    undisturbed = simulate(replace(rates, hours_between_failures=inf), workers)

    run = simulate(rates, workers, seed=1)

    assert run == simulate(rates, workers, seed=1)
    assert run.seconds > undisturbed.seconds
    # 1,000 minutes of work, a death in 12 minutes; each loses half a batch of 500 on average.
    assert run.failures == pytest.approx(1000 / 12, rel=0.6)
    assert run.repeated_shards <= run.failures / rates.batches


def test_who_dies_before_any_batch_is_done_begins_anew() -> None:
    rates = replace(RATES, shards=100, batches=1, hours_between_failures=0.1)

    run = simulate(rates, 10)

    assert 0 < run.repeated_shards <= run.failures
    assert run.seconds > 10 * 60
