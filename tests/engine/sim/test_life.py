"""How long a run traded: what ended it, on which day, and of how many; and how far it goes beyond the desk's own time."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from engine.clock import DAY_MS, HOUR_MS
from engine.sim.life import STALE_DAYS, behind, behind_text, beyond, beyond_text, ends_of, life_of

FIRST = 1_672_531_200_000  # 2023-01-01
DRAWN = {"sleeve": "desk", "breaker": "desk drawdown", "times": 1}


def report(days: int = 1096, **more: Any) -> dict[str, Any]:
    """The JSON of a run of so many days at 1h."""
    data = {"first_ms": FIRST, "last_ms": FIRST + days * DAY_MS - HOUR_MS}
    return {"data": data, "timeframe": "1h", "sleeves": [{"name": "a"}, {"name": "b"}], "breakers": [], **more}


def ended(*ends: tuple[str, str, int]) -> dict[str, Any]:
    """A report whose rows showed these ends: sleeve, by what, after how many days."""
    found = [{"sleeve": sleeve, "by": by, "ms": FIRST + day * DAY_MS + HOUR_MS} for sleeve, by, day in ends]
    return report(life={"ends": found})


def test_a_run_that_the_breaker_ended_says_so_with_the_days_it_traded() -> None:
    """Whole days until the stop, of all days; also of a report that was stored before runs kept their ends."""
    text = "stopped by its own desk drawdown breaker on 2023-11-05, traded 308 of 1,096 days"
    life = life_of(ended(("desk", "desk drawdown breaker", 308)))
    assert (life.text, life.traded_days, life.days) == (text, 308, 1096)
    assert (life.share, life.ended) == ("308 of 1,096 days", "2023-11-05, desk drawdown breaker")
    older = report(breakers=[DRAWN | {"first_ms": FIRST + 308 * DAY_MS + HOUR_MS}])
    assert life_of(older).text == text
    assert life_of(report(breakers=[DRAWN | {"breaker": "loss streak", "first_ms": FIRST}])).text == "traded all 1,096 days"


def test_a_desk_lives_as_long_as_one_of_its_sleeves() -> None:
    """One sleeve ended: said, and the run goes on; both: the run ended with the later one."""
    one = life_of(ended(("a", "liquidation", 10)))
    assert (one.stopped_ms, one.traded_days) == (None, 1096)
    assert one.text == "traded all 1,096 days; a stopped by the liquidation on 2023-01-11"
    both = life_of(ended(("b", "end of its bars", 20), ("a", "liquidation", 10)))
    assert both.text == (
        "stopped by the end of its bars on 2023-01-21, traded 20 of 1,096 days; a stopped by the liquidation on 2023-01-11"
    )


def test_an_end_on_the_last_day_is_none() -> None:
    """A sleeve that is refused at the last close has not stopped trading; a report without a span claims nothing."""
    assert life_of(ended(("desk", "desk drawdown breaker", 1096))).text == "traded all 1,096 days"
    empty = life_of({"data": {}, "breakers": [DRAWN]})
    assert (empty.text, empty.share, empty.ended) == ("", "", "")


def run_of(decided: list[tuple[int, str, str | None, int]], filled: list[tuple[int, str]], bars: int = 100) -> Any:
    """A Backtest of one sleeve: decisions (bar, action, refused by, lots before), fills (bar, reason), so many usable bars."""
    columns = ("close_ms", "action", "refused_by", "lots_before")
    decisions = pl.DataFrame([dict(zip(columns, d, strict=True), sleeve="a") for d in decided], infer_schema_length=None)
    fills = pl.DataFrame([{"close_ms": t, "reason": reason, "sleeve": "a"} for t, reason in filled])
    close = np.where(np.arange(100) < bars, 1.0, np.nan).reshape(-1, 1)
    span = SimpleNamespace(open=close, high=close, low=close, close=close, volume=close, instruments=["x"])
    span.close_ms = np.arange(100)
    sleeve = SimpleNamespace(name="a", instrument="x")
    none = pl.DataFrame({"breaker": [], "close_ms": []}, schema={"breaker": pl.String, "close_ms": pl.Int64})
    return SimpleNamespace(decisions=decisions, fills=fills, breakers=none, run_sleeves=[sleeve]), span


ENTERED = (3, "enter", None, 0)
SMALL = "size rounds down to no lot"


@pytest.mark.parametrize(
    ("decided", "filled", "bars", "end"),
    [
        ([ENTERED, (9, "exit", None, 5)], [(4, "none"), (10, "stop")], 100, None),
        ([ENTERED, (20, "refused", SMALL, 0), (30, "refused", SMALL, 0)], [(10, "stop")], 100, ("rule 'size rounds", 20)),
        ([ENTERED, (20, "refused", "no equity left", 0)], [(10, "stop")], 100, ("rule 'no equity left'", 20)),
        ([(2, "refused", SMALL, 0), ENTERED], [(10, "stop")], 100, None),  # refused once, traded after it
        ([ENTERED, (20, "refused", "entries paused", 0)], [(10, "stop")], 100, None),  # a pause ends by itself
        ([ENTERED, (20, "refused", SMALL, 5)], [(10, "stop")], 100, None),  # an add, while it holds a position
        ([ENTERED], [(10, "liquidation")], 100, ("liquidation", 10)),
        ([ENTERED, (12, "enter", None, 0)], [(10, "liquidation")], 100, None),  # it came back
        ([ENTERED], [(10, "stop")], 60, ("end of its bars", 59)),
    ],
)
def test_what_ends_a_sleeve(decided: list[Any], filled: list[Any], bars: int, end: tuple[str, int] | None) -> None:
    """A refusal that does not pass by itself, a liquidation, the end of its bars; a pause or a refused add is none."""
    found = ends_of(*run_of(decided, filled, bars))
    assert len(found) == (end is not None)
    for one in found:
        assert (one["sleeve"], one["ms"]) == ("a", end[1])
        assert one["by"].startswith(end[0])


@pytest.mark.parametrize(
    ("lived", "days", "text"), [(1096, 0, ""), (1095, 1, "1 day"), (1066, 30, "30 days"), (1065.5, 31, "31 days")]
)
def test_what_the_desk_has_not_lived_yet_is_counted(lived: float, days: int, text: str) -> None:
    """Days after the desk's time, a begun one counted; without a desk's time nothing is claimed."""
    found = beyond(report(), FIRST + int(lived * DAY_MS))
    assert found == days
    assert beyond_text(found) == (f"includes {text} the desk has not lived yet" if text else "")
    assert beyond(report(), None) == beyond({}, FIRST) == 0


def test_a_run_that_ended_a_week_before_the_desk_says_so() -> None:
    """Whole days that the desk has lived since the run's bars end; up to a week nothing is said."""
    days = life_of(report()).days
    end = FIRST + days * DAY_MS
    assert [behind(report(), end + int(n * DAY_MS)) for n in (-3, 0, 0.9, 1, 31.5)] == [0, 0, 0, 1, 31]
    assert behind(report(), None) == behind({}, end) == 0
    assert (behind_text(STALE_DAYS), behind_text(1031)) == ("", "its bars end 1,031 days before the desk's time")
