"""Rates of what fell silent: what is improbable is silent, what is luck is not, and too little history is neither."""

import pytest

from engine.watch.silence.rates import ExpectedEvent, counts_of, judged

TRAIL = ExpectedEvent("exit", "btc-trend", "trail", "round trips", 44, 200, 60, 1_735_689_600_000)


def test_an_exit_that_stopped_firing_is_silent_with_the_count_expected_of_it() -> None:
    """44 of 200 trips ended by the trail, none of the last 60: 13 were expected."""
    (one,) = judged([TRAIL])
    assert one.state == "silent"
    assert one.text() == (
        "btc-trend: trailing stop: it stopped: 0 in 60 round trips since 2025-01-01 00:00Z, "
        "13.2 expected by its own history (7 to 21)"
    )


@pytest.mark.parametrize(
    ("pulse", "state"),
    [
        (TRAIL._replace(since=9), "as expected"),  # two expected: luck
        (TRAIL._replace(times=4, before=20, since=400), "cannot tell"),  # four times are no rate
        (TRAIL._replace(times=0, before=0, last_ms=None), "cannot tell"),  # nothing to compare with
        (TRAIL._replace(times=0, before=0, last_ms=None, tested=(220, 1_000)), "silent"),  # the backtest says what it should be
        (TRAIL._replace(times=0, before=0, since=5, last_ms=None, tested=(220, 1_000)), "cannot tell"),
        (TRAIL._replace(tested=(3, 10)), "silent"),  # a backtest of ten trips has no rate: its own history judges
        (TRAIL._replace(excused="it is paused"), "cannot tell"),
        (ExpectedEvent("bars", "b", "bars", "closes", 90, 90, 5, 1, periodic=True), "silent"),
        (ExpectedEvent("bars", "b", "bars", "closes", 90, 90, 4, 1, periodic=True), "as expected"),
        (ExpectedEvent("series", "vix", "rows", "periods", 1, 1, 1, 1, periodic=True, overdue=True), "silent"),
        (ExpectedEvent("series", "vix", "rows", "periods", 1, 1, 9, 1, periodic=True, excused="a weekend"), "as expected"),
    ],
)
def test_the_verdict(pulse: ExpectedEvent, state: str) -> None:
    """Each by its own rate."""
    assert judged([pulse])[0].state == state


def test_many_pulses_and_many_waits_accuse_no_healthy_desk() -> None:
    """The more is compared, and the more often each began to wait, the less probable a silence must be."""
    alone = TRAIL._replace(times=10, before=60, since=90)
    assert judged([alone])[0].state == "silent"
    crowd = [alone._replace(place=f"s{n}", since=0) for n in range(60)]
    assert {one.state for one in judged([alone, *crowd])} == {"as expected"}
    assert judged([alone._replace(times=60, before=360, since=40)])[0].state == "as expected"


@pytest.mark.parametrize("expected", [0.0, 0.3, 2.0, 9.0, 120.0])
def test_the_interval_is_poissons(expected: float) -> None:
    """As scipy has it."""
    from scipy.stats import poisson

    low, high = counts_of(expected)
    assert (low, high) == (max(poisson.ppf(0.025, expected), 0), poisson.ppf(0.975, expected))
