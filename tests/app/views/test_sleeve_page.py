"""A sleeve's page from a desk's own journal, book and versions: each figure equals what its source says, by hand."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from app.views import sleeve_page as view
from app.views.desk_trip import desk_trip
from app.views.sleeve_page import sleeve_page
from engine.book.replay import fold
from engine.control.config import active
from engine.core.liquidation import liquidation_level
from engine.core.state import Position
from engine.errors import BadInput
from engine.watch import desk_trips as reading
from engine.watch.desk_trips import desk_trips
from engine.watch.quiet_closes import closes_of
from engine.watch.window import FAR_MS, between, journal_of, mark_at
from tests.fakes.papers import BAR_MS, WALL_MS
from tests.fakes.versions import put_in_force

NAMES = ("btc-trend", "eth-trend", "sol-reversion")


def open_sleeve(home: Any) -> tuple[str, dict[str, Any]]:
    """A sleeve with an open position at the newest mark, and its part of the mark."""
    mark = mark_at(journal_of(home.path))
    assert mark is not None
    return next((name, own) for name, own in mark.body["sleeves"].items() if own.get("position"))


def test_an_open_position_is_the_mark_s(lived: Any) -> None:
    """Unrealised is equity less cash, R is over the first stops' risk, distances are from the mark, liquidation is the core's."""
    name, own = open_sleeve(lived)
    found = sleeve_page(lived, name)["position"]
    held, layer = own["position"], own["position"]["layers"][0]
    price = abs(held["notional"] / held["quantity"])
    assert found["unrealised"] == pytest.approx(own["equity"] - own["cash"])
    assert found["leverage"] == pytest.approx(held["notional"] / own["equity"])
    trip = desk_trips(lived.path, name).tail(1).to_dicts()[0]
    assert trip["reason"] == "open"
    assert found["r"] == pytest.approx((own["equity"] - own["cash"]) / trip["risk"])
    side = 1 if held["side"] == "long" else -1
    assert found["stop"]["price"] == layer["protective"]
    assert found["stop"]["away_frac"] == pytest.approx((layer["protective"] - price) / price)
    assert found["stop"]["away_frac"] * side < 0 < found["target"]["away_frac"] * side
    book = fold(journal_of(lived.path))
    assert book is not None
    s = book.names.index(name)
    assert isinstance(book.sleeves[s].position, Position)
    level = liquidation_level(book.sleeves[s], book.specs[s].rules)
    assert found["liquidation"]["price"] == (level if level > 0 else None)


def test_a_stop_that_does_not_work_is_counted_as_none(lived: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its price is what was wanted, not what guards the position; a working one and one filled in part guard it."""
    name, own = open_sleeve(lived)
    assert sleeve_page(lived, name)["position"]["stop"]["uncovered"] == 0
    mark = mark_at(journal_of(lived.path))
    assert mark is not None
    for state, bare in (("rejected", 1), ("sent", 1), ("none", 1), ("partial", 0)):
        layers = [layer | {"protective_state": state} for layer in own["position"]["layers"]]
        other = {**own, "position": {**own["position"], "layers": layers}}
        sleeves = {**mark.body["sleeves"], name: other}
        monkeypatch.setattr(view, "mark_at", lambda *_, of=sleeves: mark._replace(body={**mark.body, "sleeves": of}))
        assert sleeve_page(lived, name)["position"]["stop"]["uncovered"] == bare, state
        held = view.with_cover(other["position"])
        assert held is not None
        assert [layer["covered"] for layer in held["layers"]] == [not bare], state
    assert view.with_cover(None) is None


def test_a_simulated_position_that_leaves_says_so_where_its_stop_was(lived: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its stop and target were cancelled for the exit: a distance to them would be a distance to nothing."""
    name, own = open_sleeve(lived)
    mark = mark_at(journal_of(lived.path))
    assert mark is not None
    layers = [layer | {"due": "halt"} for layer in own["position"]["layers"]]
    left = own | {"position": own["position"] | {"layers": layers}}
    monkeypatch.setattr(view, "mark_at", lambda _: mark._replace(body=mark.body | {"sleeves": {name: left}}))
    found = sleeve_page(lived, name)["position"]
    assert found["stop"] == {"price": None, "away_frac": None, "kind": "leaves next open: halt", "uncovered": 0}
    assert found["target"]["price"] is None


@pytest.mark.parametrize("name", NAMES)
def test_every_close_is_counted_once_as_what_it_was(lived: Any, name: str) -> None:
    """As many as bars with a signal of the sleeve; entered are the decisions that entered; held is the mark's word for it."""
    path = journal_of(lived.path)
    counts = {row.what: row.closes for row in closes_of(path, name, -1, FAR_MS)}
    closes = [e.t_event_ms for e in between(path, -1, FAR_MS, {"bar"}) if name in e.body["signals"]]
    assert sum(counts.values()) == len(closes)
    entered = {
        e.t_event_ms
        for e in between(path, -1, FAR_MS, {"decision"})
        if e.body["sleeve"] == name and e.body["action"] in ("enter", "add")
    }
    assert counts.get("entered", 0) == len(entered)
    others: Counter[str] = Counter()
    for mark in between(path, -1, FAR_MS, {"mark"}):
        own = mark.body["sleeves"][name]
        if mark.t_event_ms in closes and mark.t_event_ms not in entered:
            others[own["guard"]["refused_by"] or "" if not own.get("position") else "held"] += 1
    assert counts.get("in a position", 0) == others["held"]
    assert {what: n for what, n in counts.items() if what in others} == {w: n for w, n in others.items() if w not in ("", "held")}


def test_a_trip_of_the_desk_is_explained_by_its_own_events(lived: Any) -> None:
    """Entry and exit fills make up the trip; its decision is the one at whose close it was decided, with what it read."""
    trips = desk_trips(lived.path).filter(reading.pl.col("exit_ms").is_not_null()).to_dicts()
    assert len(trips) > 5
    events = {e.id: e for e in between(journal_of(lived.path), -1, FAR_MS, {"decision", "fill"})}
    for trip in trips[-8:]:
        found = desk_trip(lived.path, trip["trip"])
        into, out = found["entries"], found["exits"]
        assert (into[0]["fill"]["event"], out[-1]["fill"]["event"]) == (trip["entry_event"], trip["exit_event"])
        assert sum(step["fill"]["lots"] for step in into) == sum(step["fill"]["lots"] for step in out) == trip["lots"]
        decision, body = into[0]["decision"], events[into[0]["decision"]["event"]].body
        assert decision["close_ms"] == events[trip["entry_event"]].body["decided_ms"] <= trip["entry_ms"]
        assert decision["signal"] == {"side": 1 if trip["side"] == "long" else -1, "strength": body["strength"]}
        assert decision["features"] == body["features"]
        assert decision["size"]["cap_binding"] == body["size"]["binding"]
        for step in [*into, *out]:
            at = events[step["fill"]["event"]].body.get("decided_ms")
            assert (step["decision"] or {"close_ms": at})["close_ms"] == at
        assert found["closing_rule"]["reason"] == trip["reason"] == out[-1]["fill"]["reason"]
        assert sum(step["fill"]["fee"] for step in [*into, *out]) == pytest.approx(trip["fees"])
    still = desk_trips(lived.path).filter(reading.pl.col("exit_ms").is_null()).to_dicts()
    assert desk_trip(lived.path, still[0]["trip"])["levels"][0]["protective"]
    with pytest.raises(BadInput, match="available: t1"):
        desk_trip(lived.path, "t9999")


def test_a_setting_names_the_version_that_set_it(lived: Any) -> None:
    """After a change and its return: the version of the return; what never moved is of the first; each version has its diff."""
    for value in (3.0, 2.5, 3.0):
        config = active(lived.engine, lived.path).config
        sleeve = config.sleeve("sol-reversion")
        changed = sleeve.model_copy(update={"params": {**sleeve.params, "arm_atr": value}})
        put_in_force(lived.engine, lived.path, config.with_sleeve(changed), WALL_MS)
    page = sleeve_page(lived, "sol-reversion")
    params = {row["key"]: row for row in page["params"]}
    assert (page["version"], params["arm_atr"]["value"], params["arm_atr"]["version"]) == (4, 3.0, 4)
    assert params["stop_atr"]["version"] == 1
    assert [[(c["key"], c["old"], c["value"]) for c in v["changes"]] for v in page["versions"]] == [
        [("arm_atr", 2.5, 3.0)],
        [("arm_atr", 3.0, 2.5)],
        [("arm_atr", 1.0, 3.0)],
        [],
    ]
    assert page["versions"][0]["made_by"] == "ann"
    assert page["runs_version"] == 1  # no worker has adopted it


def test_trips_read_bar_by_bar_are_those_read_at_once(lived: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a growing journal has kept in memory equals what a new process reads, at every length."""
    lines = journal_of(lived.path).read_bytes().splitlines(keepends=True)
    ends = [n + 1 for n, line in enumerate(lines) if b'"kind":"mark"' in line[:80] and b',"left":0,' in line]
    home = tmp_path / "home"
    path = journal_of(home)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"")
    done = 0
    for end in [*ends[5::41], len(lines)]:
        with path.open("ab") as file:
            file.write(b"".join(lines[done:end]))
        done = end
        grown = desk_trips(home)
        with monkeypatch.context() as patch:
            patch.setattr(reading, "_SETTLED", {})
            patch.setattr(reading, "_TRIPS", {})
            assert grown.equals(desk_trips(home))
    assert grown.height > 5
    assert mark_at(path).t_event_ms % BAR_MS == 0  # type: ignore[union-attr]  # it has marks
