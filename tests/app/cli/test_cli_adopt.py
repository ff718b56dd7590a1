"""`nightdesk adopt`: what it shows before, what it needs, and that the worker, not the command, writes the journal."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from app.cli import handing, main
from app.home.home import Home, open_home
from app.people.identity import add_person
from engine.book.replay import fold
from engine.core.orders import WORKING
from engine.errors import BadInput, Refused
from engine.live.loop import Loop
from engine.store.journal import read
from tests.fakes.papers import WALL_MS, advanced_until, feed_of, furnished, holding, loop_of

ODD = {
    "trade": "odd",
    "order": "x1",
    "lots": 1,
    "price": 99.0,
    "fee": 0.5,
    "liquidity": "taker",
    "reference_price": 99.0,
    "t_ms": 0,
}
WHO = ["--as", "ann", "--reason", "sold by hand"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose desk holds a position and was told of a trade that nobody can explain; its worker has stopped."""
    main.load_groups()
    path = tmp_path_factory.mktemp("adopt") / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NIGHTDESK_HOME", str(path))
        patch.delenv("NIGHTDESK_DATA", raising=False)
        path.mkdir()
        furnished(path)
        home = open_home(WALL_MS)
        loop = loop_of(home, feed_of(home))
        advanced_until(loop, holding)
        loop.take("fill", ODD)
        loop.journal.close()
    return path


@pytest.fixture
def stopped(folder: Path, own_home: Path) -> Home:
    """A copy of it, which commands find."""
    shutil.copytree(folder, own_home)
    return open_home(WALL_MS)


@pytest.fixture
def loop(stopped: Home, monkeypatch: pytest.MonkeyPatch) -> Iterator[Loop]:
    """Its worker's loop, which looks whenever the command waits."""
    made = loop_of(stopped, feed_of(stopped), fold(stopped.desk_journal))
    monkeypatch.setattr(handing.time, "sleep", lambda _: made.poll_controls())
    yield made
    made.journal.close()


def holds(loop: Loop) -> tuple[str, float, float]:
    """The sleeve with a position, its units, and one lot."""
    rows = zip(loop.book.names, loop.book.sleeves, loop.book.specs, strict=True)
    name, sleeve, spec = next(row for row in rows if row[1].position.open_layers)
    return name, sleeve.position.side * sleeve.position.layers[0].lots * spec.rules.lot_size, spec.rules.lot_size


def ran(*words: str, typed: str = "") -> Any:
    """The command's result; its errors are raised."""
    return CliRunner().invoke(main.app, ["adopt", *words], input=typed, catch_exceptions=False)


def refused(*words: str, typed: str = "") -> str:
    """Why the command does nothing."""
    result = CliRunner().invoke(main.app, ["adopt", *words], input=typed)
    assert isinstance(result.exception, BadInput | Refused), result.output
    return str(result.exception)


def test_differences_are_listed_with_the_way_on(stopped: Home) -> None:
    """Its name, its text, and both commands."""
    text = ran().output
    assert "odd" in text
    assert "of an order that this desk does not know" in text
    assert "--keep" in text
    assert "--units" in text


def test_units_before_and_after_are_shown_before_anybody_is_asked(stopped: Home, loop: Loop) -> None:
    """Declined, nothing was handed over; accepted, the worker has adopted it and the person's name is in both journals."""
    name, units, lot = holds(loop)
    after = units - lot if units > 0 else units + lot
    words = ("odd", "--sleeve", name, "--units", repr(after), *WHO)
    declined = ran(*words, typed="n\n")
    assert f"{name}, layer 1: {units:g} -> {after:g} units" in declined.output
    assert "booked at 99.00, fee 0.50" in declined.output
    assert "its stop is at" in declined.output
    assert (declined.exit_code, loop.poll_controls()) == (1, False)
    accepted = ran(*words, "--json", "--yes")
    said = json.loads(accepted.stdout)
    assert f"{units:g} -> {after:g} units" in accepted.stderr
    assert (said["state"], said["sleeve"], said["units_before"]) == ("adopted", name, pytest.approx(units))
    assert (said["units_after"], said["actor"]["name"]) == (pytest.approx(after), "ann")
    (event,) = [dict(e.body) for e in read(stopped.desk_journal, {"adopt"})]
    assert (event["by"], event["reason"], event["adopted"]) == ("ann", "sold by hand", True)
    (asked,) = [dict(e.body) for e in read(stopped.people_journal, {"adopt"})]
    assert asked["actor"]["name"] == "ann"
    assert asked["adopts"]["lots_after"] == event["lots_after"]
    assert holds(loop)[1] == pytest.approx(after)


def test_kept_no_position_moves_and_then_there_is_nothing_to_adopt(loop: Loop) -> None:
    """--keep: said before, done after a yes. With nothing left it says so, which is no error."""
    held = holds(loop)
    result = ran("odd", "--keep", *WHO, typed="y\n")
    assert "No position moves" in result.output
    assert "Adopted by ann" in result.output
    assert holds(loop) == held
    assert not loop.book.differences
    assert "Nothing to adopt" in ran().output
    assert json.loads(ran("--json").stdout) == {"differences": {}}
    assert "Nothing to adopt" in ran("odd", "--keep", *WHO, "--yes").output


def test_all_trades_of_an_instrument_are_kept_by_one_word(stopped: Home, loop: Loop) -> None:
    """A stranger's order fills in parts: one yes, an adoption each; another trade, or one that moves lots, is not taken."""
    place = str(loop.book.instruments[0])
    for n in (1, 2, 3):
        loop.take("fill", ODD | {"trade": f"{place}:{n}", "order": f"x{n}", "instrument": place})
    assert "say what the venue holds" in refused(place, *WHO, "--yes")
    assert "unknown difference" in refused(place, "--sleeve", holds(loop)[0], "--units", "0", *WHO, "--yes")
    assert "unknown difference" in refused(f"{place}2", "--keep", *WHO, "--yes")
    held = holds(loop)
    said = json.loads(ran(place, "--keep", *WHO, "--yes", "--json").stdout)
    assert [(one["difference"], one["state"]) for one in said["items"]] == [(f"{place}:{n}", "adopted") for n in (1, 2, 3)]
    assert (list(loop.book.differences), holds(loop)) == (["odd"], held)
    assert len(list(read(stopped.people_journal, {"adopt"}))) == 3


def test_without_a_worker_it_waits_for_the_next_one(stopped: Home) -> None:
    """The command says that it is recorded; the start that follows adopts it."""
    assert "as soon as it runs" in ran("odd", "--keep", *WHO, "--yes").output
    assert "waits for the worker already" in refused("odd", "--keep", *WHO, "--yes")
    loop = loop_of(stopped, feed_of(stopped), fold(stopped.desk_journal))
    assert not loop.book.differences
    loop.journal.close()


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("odd", *WHO), "say what the venue holds"),
        (("odd", "--keep", "--sleeve", "btc-trend", "--units", "0", *WHO), "say what the venue holds"),
        (("odd", "--sleeve", "btc-trend", *WHO), "say what the venue holds"),
        (("odd", "--keep", "--reason", "why"), "needs a name"),
        (("odd", "--keep", "--as", "ann"), "needs a reason"),
        (("other", "--keep", *WHO), "differences: odd"),
        (("odd", "--sleeve", "nobody", "--units", "0", *WHO), "unknown sleeve"),
        (("odd", "--sleeve", "btc-trend", "--units", "0.00000123", *WHO), "not whole lots"),
    ],
    ids=lambda words: " ".join(words[1:4]) if isinstance(words, tuple) else None,
)
def test_what_is_missing_is_asked_for(folder: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], why: str) -> None:
    """Nothing is handed over."""
    monkeypatch.setenv("NIGHTDESK_HOME", str(folder))
    assert why in refused(*words, "--yes")
    assert not list(read(open_home(WALL_MS).people_journal, {"adopt"}))


def test_an_unknown_price_is_asked_for(loop: Loop) -> None:
    """An order of somebody else is there: what it did to the position has no trade to take the price from."""
    loop.take("order", {"order": "x2", "state": WORKING, "filled_lots": 3, "why": ""})
    words = ("x2", "--sleeve", holds(loop)[0], "--units", "0", *WHO, "--yes")
    assert "--price P --fee F" in refused(*words)
    assert "Adopted by ann" in ran(*words, "--price", "98", "--fee", "0.2").output
    assert loop.book.adopted == {"x2": 3}


def test_with_a_list_of_people_the_passphrase_is_needed(stopped: Home, loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong one is refused and journaled; the right one adopts."""
    monkeypatch.setenv("NIGHTDESK_TOKEN", add_person(stopped.path, "ann", "correct horse"))
    words = ("odd", "--keep", *WHO, "--yes")
    refused(*words, typed="wrong\n")
    (wrong,) = [dict(e.body) for e in read(stopped.people_journal, {"passphrase"})]
    assert (wrong["asked"], wrong["outcome"]) == ("adopt", "refused")
    assert loop.book.differences
    assert "Adopted by ann" in ran(*words, typed="correct horse\n").output


def test_a_person_lets_the_desk_go_on_after_refusals(stopped: Home, loop: Loop) -> None:
    """Pages of an account's desk said so, and nothing could do it. Listed beside differences; what ends by itself is not."""
    for what in ("refusals of adds", "executions"):
        loop.take("health", {"what": what, "state": "begun", "why": "5 refused in a row: margin"})
    assert "refusals of adds" in ran().output
    assert "unknown difference" in refused("executions", "--keep", *WHO)
    name, units, _ = holds(loop)
    assert "no position moves" in refused(
        "refusals of adds", "--sleeve", name, "--units", "0", "--price", "9", "--fee", "0", *WHO
    )
    shown = CliRunner().invoke(main.app, ["reconcile"], catch_exceptions=False).output
    assert "nightdesk adopt 'refusals of adds' --keep" in shown
    assert json.loads(ran("refusals of adds", "--keep", *WHO, "--json", "--yes").stdout)["state"] == "adopted"
    assert set(loop.book.health) == {"executions"}
    assert holds(loop)[:2] == (name, units)
    loop.take("health", {"what": "refusals of adds", "state": "begun", "why": "again"})
    assert json.loads(ran("refusals of adds", "--keep", *WHO, "--json", "--yes").stdout)["state"] == "adopted", (
        "a second time, too"
    )


@pytest.mark.parametrize(
    ("all_of_them", "unwell", "says"),
    [
        (False, {}, "Entries are not blocked: desk and venue do not differ."),
        (False, {"refusals of btc-trend": "5 refused in a row"}, "Entries of some sleeves are withheld:"),
        (True, {"gate": "the desk was halted"}, "ENTRIES ARE BLOCKED:"),
    ],
)
def test_reconcile_says_whose_entries_are_away(
    stopped: Home, monkeypatch: pytest.MonkeyPatch, all_of_them: bool, unwell: dict[str, str], says: str
) -> None:
    """What is not well with one sleeve or instrument keeps its entries away, and no other's."""
    nothing: dict[str, Any] = {"differences": [], "orphans": [], "dust": [], "windows": []}
    found = nothing | {"entries_blocked": all_of_them, "blocked": unwell}
    monkeypatch.setattr("app.views.incidents.reconciliation", lambda *_: found)
    shown = CliRunner().invoke(main.app, ["reconcile"], catch_exceptions=False).output
    assert shown.split("\n")[0] == says
