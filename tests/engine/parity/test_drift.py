"""Pairs of sides in dollars by cause: planted through real days, summing to the cent; the watch's words and the command's."""

import dataclasses
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from app.cli import main
from app.home.home import Home
from app.jobs import kinds
from engine.core.row_fields import KIND_OF, FillRow
from engine.core.state import DAY_MS
from engine.errors import BadInput
from engine.parity import desk_drift
from engine.parity.comparison import compared
from engine.parity.drift import BACKTEST, CAUSES, Side, SidePair, _backtests_apart, as_json, by_cause, pairs_of
from engine.parity.replay import replay
from engine.parity.tape import Tape, tape_of
from engine.parity.today import today_of
from engine.parity.trip_pairs import TripPair
from engine.watch.parity_result import desk_drift as findings_of
from engine.watch.parity_result import last_result
from tests.engine.parity.test_classes_sum import trip
from tests.engine.parity.test_planted_causes import nulled, overridden, with_venue
from tests.fakes import stored_models
from tests.fakes.own_strategies import SLEEVE, with_own
from tests.fakes.papers import BAR_MS, advanced, feed_of, furnished, loop_of
from tests.fakes.parity_desks import DAY_BARS, FORK_MS, LATER_MS, comparison, copied, forked, opened

MOST = 0.9


def check_sums(pair: SidePair) -> None:
    """The causes are the difference, to the cent."""
    assert sum(pair.causes.values()) == pair.difference, pair
    assert set(pair.causes) == set(CAUSES)


def share(pairs: list[SidePair], *names: str) -> float:
    """How much of the dollars moved, whatever their sign, is of these causes."""
    moved = {name: sum(abs(pair.causes[name]) for pair in pairs) for name in CAUSES}
    return sum(moved[name] for name in names) / max(sum(moved.values()), 1)


SIDES = [("reject", "missed"), ("worse", "price"), ("nulled", "feature")]
MORE_SIDES = [pytest.param("halve", "size", marks=pytest.mark.long), pytest.param("slip", "price", marks=pytest.mark.long)]


@pytest.mark.sample(1)
@pytest.mark.parametrize(("what", "cause"), [*SIDES, *MORE_SIDES])  # the same are planted in test_planted_causes.py
def test_what_is_planted_has_its_name(home: Home, what: str, cause: str) -> None:
    """At least nine tenths of the dollars; the sum to the cent; nothing unexplained."""
    forked(home, DAY_BARS, nulled if what == "nulled" else partial(with_venue, what))
    pairs = list(pairs_of([Side("paper", comparison(home, FORK_MS))]))
    for pair in pairs:
        check_sums(pair)
    assert share(pairs, cause) >= MOST, [pair.causes for pair in pairs]
    assert share(pairs, "unexplained") == 0.0


@pytest.mark.slow
def test_two_desks_of_one_morning(home: Home, tmp_path: Path) -> None:
    """One did not get an entry, the other had no features: the pair of both has both causes, each with its own sign."""
    with opened(copied(tmp_path / "other")) as other:
        forked(other, DAY_BARS, nulled)
        paper = comparison(other, FORK_MS)
    forked(home, DAY_BARS, partial(with_venue, "reject"))
    live = comparison(home, FORK_MS)
    pairs = list(pairs_of([Side("paper", paper), Side("live", live)]))
    assert {(pair.one, pair.other) for pair in pairs} == {("live", "paper"), ("live", BACKTEST), ("paper", BACKTEST)}
    for pair in pairs:
        check_sums(pair)
    both = [pair for pair in pairs if pair.other == "paper"]
    assert share(both, "missed", "feature") >= MOST
    assert share(both, "unexplained") == 0.0
    missed, feature = (next(p for p in pairs if p.other == BACKTEST and p.causes[c]) for c in ("missed", "feature"))
    of_sleeve = {pair.sleeve: pair for pair in both}
    assert of_sleeve[missed.sleeve].causes["missed"] == missed.causes["missed"]
    assert of_sleeve[feature.sleeve].causes["feature"] == -feature.causes["feature"]


@pytest.mark.slow
def test_another_model_version(own_home: Path) -> None:
    """The journal's desk has followed one version; people have approved another that says something else."""
    own_home.mkdir(parents=True, exist_ok=True)
    furnished(own_home)
    with opened(own_home) as home:
        stored_models.store(home.path / "models")
        with_own(home, 'direction = np.where(f.model("vol-btc") > 0, 1, -1)', 'MODELS = ("vol-btc",)')
        loop = advanced(loop_of(home, feed_of(home)), 2 * DAY_BARS)
        loop.signals.keep([])
        loop.journal.close()
        stored_models.store(home.path / "models", version="1.0.1", features=("realised_vol(16)", "returns(4)"))
        tape = tape_of(home.path)
        given = (lambda *_: None, lambda name, _number: "vol-btc=1.0.1" if name == SLEEVE else None)
        found = compared(tape, today_of(tape, home.setup, home.catalog, *given))
        pairs = list(pairs_of([Side("paper", found)]))
    for pair in pairs:
        check_sums(pair)
    assert share(pairs, "model") >= MOST, [pair.causes for pair in pairs]
    assert any(pair.difference for pair in pairs)


def test_an_entry_that_filled_a_bar_later(home: Home) -> None:
    """Given the desk's own moments, the replay's entry waits for them, and fills at that bar's open."""
    tape = tape_of(home.path, LATER_MS)
    today = today_of(tape, home.setup, home.catalog, lambda *_: None)
    name, at = next(place for place in tape.entered if place[1] < tape.end_ms - DAY_MS)
    decided = next(ms for (who, ms), close in tape.filled_at.items() if (who, close) == (name, at))
    moved = tape._replace(filled_at={**tape.filled_at, (name, decided): at + BAR_MS})
    fills = [_first_fill(replay(one, today, frozenset({"delayed"})), name, at) for one in (tape, moved)]
    assert [fill["close_ms"] for fill in fills] == [at, at + BAR_MS]
    column = tape.book.columns[tape.book.specs[tape.book.names.index(name)].rules.bars]
    assert _reference(fills[1]) == today.bar(column, at + BAR_MS).open


def _first_fill(found: Any, name: str, at: int) -> dict[str, Any]:
    rows, number = found.rows, [sleeve.name for sleeve in found.sleeves].index(name)
    own = rows.filter((rows["sleeve"] == number) & (rows["kind"] == KIND_OF[FillRow]) & (rows["close_ms"] >= at))
    return dict(own.row(0, named=True))


def _reference(row: dict[str, Any]) -> float:
    from engine.core.row_fields import COLUMN_OF

    return float(row[COLUMN_OF[FillRow]["reference_price"]])


def test_backtests_that_began_otherwise() -> None:
    """Another size, and a trip of one alone: cents that sum to the difference of both, whatever was asked to be rounded."""
    one = [TripPair(None, trip(units=2.0, gross=20.0, slippage=2.0, fees=4.0, funding=-1.0)), TripPair(None, trip(entry=9))]
    other = [TripPair(None, trip())]
    cents = _backtests_apart(one, other, 1301)
    assert sum(cents.values()) == 1301
    assert (cents["size"], cents["extra"], cents["unexplained"]) == (650, 650, 1)


def test_every_class_has_a_cause() -> None:
    """A class that is added to parity and not named here would be lost from a sum."""
    from engine.parity.comparison import CLASSES

    assert sum(by_cause(dict.fromkeys(CLASSES, 1)).values()) == len(CLASSES)


@pytest.mark.slow
def test_dear_fees_are_the_first_words_of_the_alert(home: Home) -> None:
    """The job keeps what the watch reads; the finding begins with the cause, and is silent where nothing differs."""
    dear = overridden(taker_frac=0.01)
    report = kinds.parity(dear, {"since": LATER_MS})
    assert report["classes"]["fee"]["usd"] != 0.0
    seen = SimpleNamespace(parity=last_result(home.path))
    found = list(findings_of(seen))  # type: ignore[arg-type]
    assert found
    assert all(finding.what.startswith("Fee makes ") and finding.kind == "desk_drift" for finding in found)
    quiet = {**seen.parity, "drift": [row | {"first_cause": None, "difference_usd": 0.0} for row in seen.parity["drift"]]}
    assert list(findings_of(SimpleNamespace(parity=quiet))) == []  # type: ignore[arg-type]


def as_mode(tape: Tape, mode: str) -> Tape:
    """The tape of a home that trades in another mode: its journal is the same but for that word."""
    return tape._replace(book=dataclasses.replace(tape.book, start={**tape.book.start, "mode": mode}))


@pytest.mark.slow
def test_homes_are_compared_from_a_common_close(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home on paper and one in shadow: over the bars of both, one home a mode; a folder without a desk is named."""
    with opened(copied(tmp_path / "other")) as other:
        forked(other, DAY_BARS, partial(with_venue, "reject"))
    monkeypatch.setattr(
        desk_drift, "tape_of", lambda path, *rest: as_mode(tape_of(path, *rest), "paper" if path == home.path else "shadow")
    )
    found = kinds.desk_drift(home, {"homes": [str(other.path)]})
    assert (found["to_ms"], [side["side"] for side in found["sides"]]) == (FORK_MS, ["paper", "shadow", BACKTEST])
    assert {(pair["one"], pair["other"]) for pair in found["pairs"]} == {
        ("shadow", "paper"),
        ("shadow", BACKTEST),
        ("paper", BACKTEST),
    }
    assert all(pair["difference_usd"] == 0.0 for pair in found["pairs"])  # both lived the same ten days
    monkeypatch.setattr(desk_drift, "tape_of", tape_of)
    with pytest.raises(BadInput, match="two homes trade on paper"):
        kinds.desk_drift(home, {"homes": [str(other.path)]})
    with pytest.raises(BadInput, match="no desk has run"):
        kinds.desk_drift(home, {"homes": [str(tmp_path / "nowhere")]})


def test_the_command_says_the_causes(home: Home) -> None:
    """Text and JSON of the same pairs; without a difference it says so and ends with 0."""
    main.load_groups()
    plain = CliRunner().invoke(main.app, ["drift", "--since", "2025-02-10"], catch_exceptions=False)
    assert (plain.exit_code, "to the cent the same" in plain.output) == (0, True)
    overridden(taker_frac=0.01)
    dear = CliRunner().invoke(main.app, ["drift", "--since", "2025-02-10"], catch_exceptions=False)
    assert "by cause: fee +" in dear.output


def test_json_has_the_causes_largest_first(home: Home) -> None:
    """And both sides of the trips that differ."""
    found = as_json(next(iter(pairs_of([Side("paper", comparison(overridden(taker_frac=0.01), LATER_MS))]))))
    amounts = [abs(usd) for usd in found["causes"].values()]
    assert amounts == sorted(amounts, reverse=True)
    assert (found["first_cause"], found["differing"] > 0) == ("fee", True)
    assert round(sum(found["causes"].values()), 2) == found["difference_usd"]
