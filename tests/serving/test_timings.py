"""Percentiles and numbers of photographs."""

from uaps_jax.serving.timings import Timings, percentiles


def test_percentiles_are_values_that_were_measured():
    assert percentiles([]) == {}
    assert percentiles([7.0]) == {"p50_ms": 7.0, "p95_ms": 7.0, "p99_ms": 7.0}
    hundred = [float(value) for value in range(100, 0, -1)]
    assert percentiles(hundred) == {"p50_ms": 50.0, "p95_ms": 95.0, "p99_ms": 99.0}
    assert percentiles([1.0, 2.0, 3.0]) == {"p50_ms": 2.0, "p95_ms": 3.0, "p99_ms": 3.0}


def test_photographs_and_refusals_are_counted():
    timings = Timings()
    timings.add(3.0, not_ok=True)
    timings.add(5.0, not_ok=False)
    timings.add(4.0, not_ok=None)
    timings.refuse()
    found = timings.summary()
    assert (found["photographs"], found["not_ok"], found["refused"]) == (3, 1, 1)
    assert found["p50_ms"] == 4.0
