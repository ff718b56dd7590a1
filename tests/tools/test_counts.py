"""How often, by rule and window; and a sleeve before and after a version, with the interval that the difference deserves."""

from typing import Any

import numpy as np
import polars as pl
import pytest

from engine.sim.bootstrap import TRIPS_MIN, means_apart
from engine.store.journal import Event, Journal
from engine.watch import alert_rows, desk_trips
from engine.watch.alert_rows import AlertPolicy
from engine.watch.observation import Finding
from engine.watch.window import journal_of
from tests.tools.desk_journal import BAR, DAY, END, REFUSED, START, write_desk
from tools.catalog import call

SINCE = {"since": "2025-03-04"}


@pytest.fixture
def ctx(make_ctx: Any) -> Any:
    """The hand-made desk of two days, with one alert of the last hour."""
    made = make_ctx("operator", desk_ms=END)
    write_desk(made.home)
    finding = Finding("bars", "bars", "page", "No bar", "trend-btc", made.now_ms, "look")
    alert_rows.apply_findings(made.engine, [finding], (), made.now_ms - 3_600_000, AlertPolicy(), [])
    return made


def of(result: Any, subject: str) -> dict[str, Any]:
    """The facts about a subject."""
    return {f.metric: f.value for f in result.facts if f.subject == subject}


def test_a_window_before_the_desk_began_has_no_counts(ctx: Any) -> None:
    """Not none counted, as if it had traded then."""
    result = call(ctx, "counts", {"since": "2025-01-01", "until": "2025-02-01"})
    assert result.status == "no_data"
    assert "the desk began at" in result.text


def test_refusals_breakers_and_alerts_are_counted_by_rule(ctx: Any) -> None:
    """Each rule with how often, when first and last; the sums are those of the rows, and a filter leaves the rest out."""
    result = call(ctx, "counts", SINCE)
    assert result.data["counts"] == {"refused": 1, "breaker": 1, "alert": 1}
    assert "refusals of an entry (one that lasts counts once)" in result.text  # the journal has no line for the closes after it
    assert {row[:2] for row in result.table.rows} == {
        ("refused", "entries paused"), ("breaker", "loss streak"), ("alert", "bars")
    }  # fmt: skip
    at = START + DAY + 2 * BAR
    assert of(result, "breaker loss streak") == {"times": 1, "stretches": 1, "first": at, "last": at}
    assert {fact.window for fact in result.facts} == {"2025-03-04 00:00Z to 2025-03-06 00:00Z"}
    alone = call(ctx, "counts", SINCE | {"what": "refused", "by": "sleeve"})
    assert [row[:2] for row in alone.table.rows] == [("refused", "trend-btc")]
    assert call(ctx, "counts", SINCE | {"sleeve": "trend-eth"}).data["counts"] == {"refused": 0, "breaker": 0, "alert": 0}
    assert call(ctx, "counts", {"since": "2025-03-04", "until": "2025-03-05"}).data["counts"]["breaker"] == 0


def test_a_rule_that_refuses_at_every_bar_is_counted_at_every_bar(ctx: Any) -> None:
    """Equal refusals in a row are one stretch and as many times as bars, as the log has them."""
    journal = Journal(journal_of(ctx.home), "worker")
    for n in (3, 2, 1):
        journal.append([Event("decision", END - n * BAR, {**REFUSED, "signal": "short"})], sync=False)
    journal.close()
    result, listed = call(ctx, "counts", SINCE | {"what": "refused"}), call(ctx, "journal_search", SINCE | {"kinds": ["refused"]})
    assert " refusals of an entry (one that lasts counts once)" in listed.text
    assert result.data["counts"] == {"refused": 4}
    assert of(result, "refused entries paused")["times"] == 4
    assert of(result, "refused entries paused")["stretches"] == 2
    assert {f.metric: f.value for f in listed.facts}["refuseds"] == 4


def test_one_rule_is_counted_alone(ctx: Any) -> None:
    """By words of its name; a rule that never spoke is none, and those that did are named."""
    alone = call(ctx, "counts", SINCE | {"rule": "Loss streak"})
    assert [row[:2] for row in alone.table.rows] == [("breaker", "loss streak")]
    none = call(ctx, "counts", SINCE | {"rule": "leverage"})
    assert none.table is None
    assert none.text.startswith("None by leverage; by any rule: bars, entries paused, loss streak.")


def trips_of(before: list[float], after: list[float]) -> pl.DataFrame:
    """Closed round trips of versions 1 and 2 with these results, and one of a version 3 that is not asked about."""
    net, version = [*before, *after, 900.0], [1] * len(before) + [2] * len(after) + [3]
    return pl.DataFrame(
        {
            "sleeve": "trend-btc", "version": version, "net": net, "fees": 1.0, "funding": 0.0, "slippage": 0.0, "r": 0.5,
            "side": "long", "reason": "stop", "entry_ms": START, "exit_ms": START + BAR, "instrument": "x",
        },
        schema_overrides={"net": pl.Float64},
    ) if net else pl.DataFrame()  # fmt: skip


def test_before_and_after_a_version_with_how_many_and_the_interval(ctx: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Split at the version's first close; a difference that noise could make is not called one; few trips give no interval."""
    noise = list(np.random.default_rng(1).normal(0.0, 10.0, 40))
    monkeypatch.setattr(desk_trips, "desk_trips", lambda _home, _sleeve: trips_of(noise, [x + 50.0 for x in noise[:20]]))
    result = call(ctx, "version_effect", {"sleeve": "trend-btc"})
    found = of(result, "trend-btc, version 2 against 1")
    assert found["applied"] == START + DAY + 3 * BAR
    assert found["low"] < found["difference"] < found["high"]
    assert result.text.startswith("Better than before.")
    sides = of(result, "trend-btc before (v1)"), of(result, "trend-btc after (v2)")
    assert [side["trips"] for side in sides] == [40, 20]
    assert sides[0]["net"] == pytest.approx(sum(noise))
    monkeypatch.setattr(desk_trips, "desk_trips", lambda _home, _sleeve: trips_of(noise, noise[:5]))
    assert "5 after; each needs 10" in call(ctx, "version_effect", {"sleeve": "trend-btc", "version": 2}).text
    assert "has not traded by version 9" in call(ctx, "version_effect", {"sleeve": "trend-btc", "version": 9}).text


def test_two_means_are_told_apart_only_when_they_are() -> None:
    """The same seed gives the same interval; equal samples span zero; too few have none."""
    values = list(np.random.default_rng(2).normal(0.0, 1.0, 60))
    same = means_apart(values, values)
    assert same.low is not None
    assert same.low < 0.0 < same.high
    assert same == means_apart(values, values)
    moved = means_apart(values, [v + 3.0 for v in values])
    assert (moved.mean, moved.low > 0.0) == (pytest.approx(3.0), True)
    assert means_apart(values, values[: TRIPS_MIN - 1]).low is None
    assert means_apart([], values).mean is None
