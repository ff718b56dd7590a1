"""A setting that is moved from where it is, and names that this desk does not have."""

from typing import Any

import pytest

from agents.offline.changes import scaled
from agents.offline.words import Param, Words, tidy
from tests.agents.offline.test_dialogues import Desk, ok

OWN = {
    **{key: Param(key, "atr", value, 0.0, 20.0) for key, value in (("stop_atr", 2.0), ("target_atr", 4.0), ("trail_atr", 2.5))},
    "stop_frac": Param("stop_frac", "of price", 0.0, 0.0, 0.5),
    "fast_bars": Param("fast_bars", "bars", 40, 5, 400),
    "risk_start_frac": Param("risk_start_frac", "of equity", 0.004, 0.0001, 0.02),
}
FACTORS = {"twice as {}": 2.0, "three times as {}": 3.0, "half as {}": 0.5, "2x {}r": 2.0, "50 % {}r": 1.5, "a quarter {}r": 1.25}


@pytest.mark.parametrize("phrase", FACTORS)
@pytest.mark.parametrize("key", ["stop_atr", "target_atr", "trail_atr"])
def test_a_multiple_is_of_the_value_as_it_is(phrase: str, key: str) -> None:
    """Of the sleeve's own value, where it has one; the word for less turns it round."""
    noun, factor = key.removesuffix("_atr"), FACTORS[phrase]
    for value in (None, 1.2):
        now = {} if value is None else {key: value}
        for text in (
            f"btc with the {noun} {phrase.format('wide')}".replace("wider", "wider"),
            f"a {noun} {phrase.format('large')}",
        ):
            found = scaled(tidy(text, Words()), OWN, now)
            assert found == {key: pytest.approx((value or OWN[key].default) * factor)}, text


@pytest.mark.parametrize(
    ("text", "moved"),
    [
        ("stop 10 % tighter", {"stop_atr": 1.8}),
        ("a stop twice as tight", {"stop_atr": 1.0}),
        ("stop one ATR wider", {"stop_atr": 3.0}),
        ("half an atr tighter stop", {"stop_atr": 1.5}),
        ("double the target", {"target_atr": 8.0}),
        ("raise the target by a quarter", {"target_atr": 5.0}),
        ("cut the risk by half", {"risk_start_frac": 0.002}),
        ("half the size", {"risk_start_frac": 0.002}),
        ("fast average 10 bars longer", {"fast_bars": 50}),
        ("the stop at 30 times the stop", {"stop_atr": 20.0}),
        ("twice as fast", {}),
        ("leverage 3x", {}),
        ("the first half of 2025", {}),
    ],
)
def test_a_move_of_a_setting(text: str, moved: dict[str, Any]) -> None:
    """By a share, an amount, a multiple; within its bounds; none where no setting is named."""
    assert scaled(tidy(text, Words()), OWN, {}) == pytest.approx(moved)


def test_a_run_with_a_multiple_says_from_what_to_what(words: Words) -> None:
    """The present value is said beside the new one."""
    desk = Desk("developer", words)
    answer = desk.ask("backtest btc-trend with a stop twice as wide over the last six months")
    ((_, args),) = desk.called
    value = args["changes"][0]["value"] if "changes" in args else args["variants"][0]["changes"][0]["value"]
    assert f"stop_atr {value / 2:g} -> {value:g}" in answer


def test_a_multiple_of_nothing_is_asked_back_about(words: Words) -> None:
    """No run of another thing than was asked for."""
    desk = Desk("developer", words)
    assert "Which setting" in desk.ask("backtest trend on btc for 2024 twice as fast")
    assert desk.called == []


@pytest.mark.parametrize(
    "text",
    [
        "why is btc-vol paused",
        "limits of btcvol",
        "does skipping weekends help btc vol",
        "show me the last run of BTC-CARRY",
        "solbreakout?",
    ],
)
def test_a_sleeve_that_is_not_here_is_said_first(text: str, words: Words) -> None:
    """None is looked up in its place."""
    desk = Desk("operator", words)
    assert desk.ask(text).startswith("This desk has no sleeve ")
    assert desk.called == []


@pytest.mark.parametrize(
    "text", ["what is btc volatility", "how high is btc vol", "backtest trend on sol for 2024", "note that btc-vol is gone"]
)
def test_what_is_no_name_is_not_taken_for_one(text: str, words: Words) -> None:
    """A measure, a strategy on a coin, a note."""
    assert "has no sleeve" not in Desk("developer", words).ask(text)


def test_a_coin_or_venue_that_is_not_here_is_said(words: Words) -> None:
    """The whole desk does not stand in for it."""
    desk = Desk("advisor", words)
    assert desk.ask("how is doge doing").startswith("This desk has no DOGE-USDT")
    assert desk.ask("do we trade on kraken").startswith("This desk has no venue kraken")
    assert desk.called == []


def test_a_name_typed_in_one_is_the_sleeve(words: Words) -> None:
    """`ethtrend` is eth-trend."""
    desk = Desk("operator", words, pauses=ok("pauses"))
    desk.ask("why is ethtrend paused")
    assert [args.get("sleeve") for _, args in desk.called] == ["eth-trend"]
