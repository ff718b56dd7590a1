"""The desks that the benchmark measures are desks of this core: rules, signals and memory fit, compiled and as plain Python."""

import numpy as np

from bench import core


def test_the_benchmarks_desk_runs_both_ways() -> None:
    """A few bars of each: a field that the core got and the benchmark lacks shows here and not in the middle of `make bench`."""
    rng = np.random.default_rng(3)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0, 0.01, 600)))
    columns = np.column_stack([close, close * 1.01, close * 0.99, close, np.full(600, 1e6)])
    assert core.compiled_ns(columns, 2).rows > 0
    assert core.plain_us(columns) > 0
