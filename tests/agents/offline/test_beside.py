"""Two things beside each other name the better one, both figures and chance; a why names its cause first; a run without a
strategy says which was taken."""

from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest

from agents.offline.causes import of_a_run
from agents.offline.dates import periods, read_span
from agents.offline.slots import read_slots
from agents.offline.words import Words
from tests.agents.offline.test_dialogues import Desk, ok
from tools.common.contract import Table


def _facts(**values: float) -> dict[str, Any]:
    return {name.replace("__", "."): SimpleNamespace(value=value) for name, value in values.items()}


HEADS = ("trips", "wins", "win_frac", "net")
SIDES = Table(("side", *HEADS), tuple((name, *(f"{{k{n}.{head}}}" for head in HEADS)) for n, name in ((1, "long"), (2, "short"))))
NETS = _facts(k1__net=-30.0, k2__net=-10.0, k1__trips=10, k2__trips=4, k1__win_frac=0.4, k2__win_frac=0.3)
NETS |= _facts(k1__apart=-1.0, k1__apart_low=-3.0, k1__apart_high=1.0, k2__apart=1.0, k2__apart_low=-1.0, k2__apart_high=3.0)


def _sides(words: Words) -> Desk:
    desk = Desk("advisor", words, trips=ok("trips")._replace(table=SIDES), calc=ok("calc", "gap = 20 USDT"))
    desk.facts = NETS
    return desk


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("longs or shorts, what made more money", "short lost less than long: {k2.net} over"),
        ("which loses more, longs or shorts", "long lost more than short: {k1.net} over"),
        ("are longs worse than shorts", "Yes: long lost more than short"),
        ("are longs better than shorts", "No: short lost less than long"),
        ("hit rate of longs vs shorts", "long has the higher hit rate than short: {k1.win_frac}"),
    ],
)
def test_two_groups_are_set_against_each_other_with_chance(words: Words, text: str, first: str) -> None:
    """The one that is asked for first, what parts them, and whether that is chance."""
    desk = _sides(words)
    answer = desk.ask(text)
    assert answer.startswith(first)
    assert "20 USDT apart" in answer.partition("\n")[0]
    assert ("within chance" in answer.partition("\n")[0]) is ("hit rate" not in text)


@pytest.mark.parametrize("then", ["by how much", "what is the spread", "how big is the difference"])
def test_how_far_apart_they_are_is_of_the_answer_above(words: Words, then: str) -> None:
    """Nothing is looked up again."""
    desk = _sides(words)
    desk.ask("longs or shorts, what made more money")
    assert desk.ask(then).startswith("By 20 USDT (net): short {k2.net}, long {k1.net}")
    assert [name for name, _ in desk.called] == ["calc"]


def test_two_questions_of_one_kind_are_rivals(words: Words) -> None:
    """`eth this week`, `and btc`, `which is better`: the round trips of both, of that week."""
    desk = Desk("advisor", words)
    desk.ask("how is eth doing this week")
    desk.ask("and btc")
    since = read_span("this week", words.desk_ms)[0].start
    desk.ask("which of the two is better")
    assert desk.called == [("trips", {"by": "sleeve", "since": since})]


def test_a_rate_is_set_beside_that_of_another_window(words: Words) -> None:
    """Both figures, and whether their intervals overlap."""
    text = "{k1.trips} hit rate {k1.win_frac}"
    desk = Desk("advisor", words, trips=ok("trips", text), calc=ok("calc", "gap = 5 %"))
    desk.facts = _facts(k1__win_frac=0.3, k1__win_low=0.2, k1__win_high=0.4, k1__trips=9)
    desk.ask("what is our hit rate")
    answer = desk.ask("is that higher than last week")
    assert [args.get("since") is None for name, args in desk.called if name == "trips"] == [True, False]
    assert "their 95 % intervals overlap, so chance may explain it" in answer.partition("\n")[0]


LOSSES = ("round trip -3.00", "round trip +1.00", "round trip -2.00", "round trip -4.00")
FILLS = Table(
    ("desk time", "event", "kind", "sleeve", "what"),
    tuple((f"2025-12-01 1{n}:00Z", f"d-{n}", "fill", "btc-trend", f"sell 1 by stop, {what}") for n, what in enumerate(LOSSES)),
)


def test_a_breaker_is_explained_by_the_losses_before_it(words: Words) -> None:
    """Those in a row alone: the win ends the streak."""
    cells = (("d-9", "breaker", "loss streak"), ("d-9", "sleeve", "btc-trend"))
    event = ok("explain_event", "d-9, 2025-12-01 14:00Z: breaker", evidence=["d-9"])
    desk = Desk("operator", words, explain_event=event._replace(table=Table(("event", "what", "value"), cells)))
    desk.answers["journal_search"] = ok("journal_search", evidence=["d-9"])._replace(table=FILLS)
    answer = desk.ask("why was there a breaker yesterday")
    assert answer.startswith("The last 2 round trips of btc-trend in a row lost: -2.00 (12:00Z, d-2), -4.00 (13:00Z, d-3)")


def test_an_exit_says_what_was_hit_and_its_entry_is_that_of_the_same_trip(words: Words) -> None:
    """`what was the entry` is the entry before that exit, not the newest one."""
    cells = tuple(
        ("d-3", name, value)
        for name, value in (("reason", "stop"), ("round_trip_pnl", "{e1.pnl}"), ("sleeve", "btc-trend"), ("price", "{e1.price}"))
    )
    event = ok("explain_event", "d-3, 2025-12-01 13:00Z: sell", evidence=["d-3"])
    desk = Desk("operator", words, explain_event=event._replace(table=Table(("event", "what", "value"), cells)))
    entry = ("2025-12-01 12:30Z", "d-25", "fill", "btc-trend", "buy 1 at 90 to enter")
    desk.answers["journal_search"] = ok("journal_search", evidence=["d-3"])._replace(
        table=Table(FILLS.columns, (entry, FILLS.rows[3]))
    )
    answer = desk.ask("why did btc get stopped out yesterday")
    assert answer.startswith("Its protective stop was hit at {e1.price}; the round trip made {e1.pnl}. In by buy 1 at 90")
    desk.ask("what was the entry")
    assert desk.called[1] == ("explain_event", {"event_id": "d-25"})
    assert desk.called[0][1]["until"] == "2025-12-01T13:00"


@pytest.mark.parametrize(("text", "move"), [("if eth pops 8% what do we lose", 0.08), ("eth loses 8%, what do we make", -0.08)])
def test_the_direction_beside_the_number_is_the_move(words: Words, text: str, move: float) -> None:
    """`what do we lose` is no fall."""
    assert read_slots(text, words).percent == move


def test_a_run_without_a_strategy_takes_that_of_the_coin_and_says_so(words: Words) -> None:
    """Asked back only where no sleeve trades the coin, or two strategies do."""
    desk = Desk("developer", words)
    answer = desk.ask("sweep fast_bars 20 to 60 on btc 2024 1h")
    ((name, args),) = desk.called
    assert (name, args["strategy"], args["symbol"]) == ("sweep", "trend", "BTC-USDT")
    assert answer.startswith("No strategy was named, so I took trend, that of btc-trend.")


def test_a_week_is_named_by_a_day_of_it(words: Words) -> None:
    """From its Monday on; and a day parts what was before it from what came after."""
    assert read_span("how was the week of nov 12", words.desk_ms)[0][:2] == ("2025-11-10", "2025-11-17")
    before, after = periods("p&l before and after nov 15", words.desk_ms)[0]
    assert (before.end, after.start, after.end) == ("2025-11-15", "2025-11-15", None)


def test_the_break_even_rate_is_reckoned_from_both_averages(words: Words) -> None:
    """Whether the hit rate is enough is said first."""
    text = "{k1.trips} {k1.mean_net} {k1.win_frac}"
    desk = Desk("advisor", words, trips=ok("trips", text), calc=ok("calc", "least = 40.00 %"))
    desk.facts = _facts(k1__win_frac=0.3, k1__win_low=0.2, k1__win_high=0.35, k1__mean_net=1.0)
    answer = desk.ask("is our hit rate good enough to break even")
    assert answer.startswith("Not enough: the hit rate is {k1.win_frac}")
    assert "it breaks even at 40.00 %." in answer.partition("\n")[0]
    assert [args.get("outcome") for name, args in desk.called if name == "trips"] == [None, "winners", "losers"]


@pytest.mark.parametrize(
    ("net", "first"),
    [
        (-10.0, "Costs took it: {c1.value} before fees"),
        (-20.0, "Costs took most of it: {c1.value} before fees"),
        (-40.0, "Its trades lost before any cost: {c1.value}"),
    ],
)
def test_a_run_lost_by_its_costs_or_before_them(net: float, first: str) -> None:
    """What is left before costs decides the word, not how it is written."""
    cells = tuple((name, f"{{r1.{name}}}") for name in ("net_profit", "fees", "slippage"))
    found = ok("run", "<run>", {"run_id": "r-77"}, ["r-77"])._replace(table=Table(("metric", "value"), cells))
    facts = _facts(r1__net_profit=net, r1__fees=12.0, r1__slippage=1.0)
    asked: Any = SimpleNamespace(facts=facts)
    plan = of_a_run(found, ok("trips"), asked)
    next(plan)
    with pytest.raises(StopIteration) as done:
        plan.send([ok("calc", "gross = {c1.value}")])
    assert done.value.value.startswith(first)


def test_a_window_is_set_beside_the_one_after_it(words: Words) -> None:
    """Both as long as the first; of one that has not come, that is said first."""
    desk = Desk("advisor", words, attribution=ok("attribution")._replace(status="no_data"))
    desk.ask("pnl of november 12")
    answer = desk.ask("versus the one after it")
    spans = [(str(args["since"])[:10], str(args["until"])[:10]) for name, args in desk.called if name == "attribution"]
    assert spans == [("2025-11-12", "2025-11-13"), ("2025-11-13", "2025-11-14")]
    assert answer.startswith("Nothing to set beside it: the desk has no figures for 2025-11-12")


def test_per_trade_the_figure_of_a_trade_decides(words: Words) -> None:
    """The side that lost less in all may lose more each time."""
    desk = _sides(words)
    desk.facts = NETS | _facts(k1__trips=100, k2__trips=4)
    assert desk.ask("longs or shorts, what made more money").startswith("short lost less than long")
    assert desk.ask("how much per trade").startswith("long lost less a round trip than short")


def test_how_often_has_a_rule_behind_it(words: Words) -> None:
    """`why so often`, after a count by sleeve: by rule, of the sleeve that has the most."""
    heads = ("times", "stretches", "first", "last")
    by_sleeve = Table(
        ("what", "sleeve", *heads), (("breaker", "btc-trend", 14, 14, "a", "b"), ("breaker", "eth-trend", 2, 2, "a", "b"))
    )
    desk = Desk("operator", words, counts=ok("counts")._replace(table=by_sleeve))
    desk.ask("which sleeve was paused most in november")
    by_rule = Table(("what", "rule", *heads), (("breaker", "loss streak", 14, 14, "a", "b"),))
    desk.answers["counts"] = ok("counts")._replace(table=by_rule)
    answer = desk.ask("why so often")
    assert {name: desk.called[0][1][name] for name in ("by", "sleeve")} == {"by": "rule", "sleeve": "btc-trend"}
    assert answer.startswith("Most often the rule of btc-trend was loss streak, 14 times.")


def test_a_refusal_at_a_time_needs_no_sleeve(words: Words) -> None:
    """The one that was refused then is explained, not what each sleeve decided."""
    desk = Desk("operator", words, journal_search=ok("journal_search", evidence=["d-8"]))
    desk.ask("why was the short refused at 02:15")
    assert [name for name, _ in desk.called] == ["journal_search", "explain_event"]
    assert desk.called[1] == ("explain_event", {"event_id": "d-8"})


def test_losers_by_week_are_counted_week_by_week(words: Words) -> None:
    """One call for each of the last weeks, monday to monday, without an end that two share."""
    desk = Desk("advisor", words)
    desk.ask("losers by week")
    spans = [(args["since"], args["until"]) for _, args in desk.called]
    assert {args["outcome"] for _, args in desk.called} == {"losers"}
    assert len(spans) == 6
    assert all(later[0] == earlier[1] for later, earlier in pairwise(spans))


def test_a_period_that_is_asked_to_be_good_is_answered_yes_or_no(words: Words) -> None:
    """By the sign of its net."""
    table = Table(("day", "net"), (("2025-11-12 00:00Z", "{y1.net}"),))
    desk = Desk("advisor", words, pnl=ok("pnl")._replace(table=table))
    desk.facts = _facts(y1__net=-5.0)
    assert desk.ask("was november 12 good").startswith("No, a loss, not good: net")
    assert desk.ask("was november 12 bad").startswith("Yes, a loss, bad: net")
