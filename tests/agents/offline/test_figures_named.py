"""Figures of round trips by the words that ask for them, and what is no window, no date and no parameter."""

import pytest

from agents.offline.calls import figures_of_trips
from agents.offline.slots import read_slots
from agents.offline.steps import CallResult
from agents.offline.words import Words
from tests.agents.offline.test_dialogues import Desk
from tools.common.contract import Table

TRIPS = CallResult("trips", {}, "ok", "{k1.trips} round trips of desk: net {k1.net}.", None, {}, ())


@pytest.mark.parametrize(
    ("text", "figure"),
    [
        ("how often must eth win to come out even, what hit rate does it need", "breakeven_frac"),
        ("which win rate would we need", "breakeven_frac"),
        ("average winner over average loser", "payoff"),
        ("do we win bigger than we lose, wins bigger than losses", "payoff"),
        ("median p&l of a trade", "median_net"),
        ("costs against the volume we traded", "costs_bps"),
        ("slippage and fees in bps", "costs_bps"),
        ("what percentage of gross went to the exchange", "fees_of_gross"),
        ("share of the time with a position", "open_frac"),
        ("worst losing run", "loss_streak_of"),
        ("stops against trails, how many of each and how often by sleeve: stops, targets", "ended_stop"),
    ],
)
def test_a_figure_is_named_in_many_ways(text: str, figure: str) -> None:
    """And each of them is a fact of its tool."""
    assert f"{{k1.{figure}}}" in figures_of_trips(TRIPS, text)


@pytest.mark.parametrize(
    ("text", "by"),
    [
        ("do we trade worse at night than by day", ("daypart",)),
        ("entries from midnight to six against the rest of the day", ("daypart",)),
        ("nights versus mornings", ("daypart",)),
        ("mon-fri vs sat and sun", ("weekend",)),
        ("monday through friday compared with saturday and sunday", ("weekend",)),
    ],
)
def test_parts_of_the_day_and_of_the_week_are_splits(words: Words, text: str, by: tuple[str, ...]) -> None:
    """They come back every day and every week: no window."""
    read = read_slots(text, words)
    assert (read.by, read.span.start) == (by, None)


@pytest.mark.parametrize(
    "text",
    [
        "first ten days against the last ten",
        "the opening half was better: first half vs second half",
        "first week compared with the final week",
        "our first three weeks and the next three",
    ],
)
def test_two_ends_of_the_replay_are_set_beside_each_other(words: Words, text: str) -> None:
    """Their dates are those of the desk's life, so that no calendar half or last days are read."""
    read = read_slots(text, words)
    assert "two_ends" in read.places
    assert (read.span.start, read.periods, read.unclear) == (None, (), ())


@pytest.mark.parametrize("text", ["the 3rd to last trade of btc", "the 2nd last round trip", "third from the end, eth"])
def test_counted_from_the_end_is_no_date(words: Words, text: str) -> None:
    """`the 3rd` alone is a day of the month."""
    read = read_slots(text, words)
    assert "nth" in read.places
    assert read.span.start is None


@pytest.mark.parametrize("text", ["trades under 20 minutes", "anything held below 45 minutes", "those over 2 days"])
def test_a_length_sets_no_parameter(words: Words, text: str) -> None:
    """`under 20` is a bound of an oscillator elsewhere."""
    read = read_slots(text, words)
    assert not read.common
    assert read.filters


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("are all our positions in the same direction", "Yes: all short. Gross"),
        ("long or short at the moment, which way are we", "All of it is short. Gross"),
    ],
)
def test_the_direction_is_said_first(words: Words, text: str, first: str) -> None:
    """Of what is held, with both sides."""
    rows = (("symbol", "BTC", "flat", "0", "0", "-"), ("symbol", "ETH", "short", "9", "0.1", "-"))
    table = Table(("of", "name", "side", "exposure", "times equity or correlation", "limit"), rows)
    held = CallResult("exposure", {}, "ok", "No: at most one instrument is held. Exposure {x1.gross}.", table, {}, ())
    answer = Desk("advisor", words, exposure=held).ask(text)
    assert answer.startswith(first)
    assert "at most one instrument" not in answer
