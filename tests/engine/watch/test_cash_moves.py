"""A deposit is no profit and a withdrawal no drawdown: every figure of a desk is that of its twin on which nothing was moved."""

from pathlib import Path
from typing import Any

import pytest

from app.api import figures
from app.api.context import ApiContext
from app.api.desk import equity as equity_view
from app.home.home import Home, open_home
from engine.book.replay import fold
from engine.book.snapshot import to_json
from engine.book.transitions import step
from engine.core.state import DESK_DRAWDOWN
from engine.live.record import record
from engine.store.chain import encode_body
from engine.watch import identity as identities
from engine.watch.attribution import pnl_of_window
from engine.watch.benchmark import desk_hold_line
from engine.watch.desk_report import make_report
from engine.watch.desk_trips import desk_trips
from engine.watch.desk_view import desk_view, drawdown_text
from engine.watch.handover import yesterday
from engine.watch.identity import identity, refresh
from engine.watch.periods import UNITS, lately, periods
from engine.watch.phases import phase_of
from engine.watch.window import first_mark, journal_of, mark_at
from tests.fakes.papers import WALL_MS, advanced, feed_of, furnished, loop_of

BARS = 300
# after so many bars -> cash that moved: more than the desk has, in and out
MOVES = {20: 1_000_000.0, 60: -900_000.25, 100: -99_000.75, 200: 40_000.10, 299: -1.05}


def transferred(loop: Any, n: int, cash: float, kind: str = "") -> None:
    """As the duty of an account journals it."""
    body = {"bill": f"b{n}", "kind": kind or ("deposit" if cash > 0 else "withdrawal"), "word": "1", "cash": cash, "t_ms": n}
    record(loop.journal, loop.book, WALL_MS, [("transfer", *step(loop.book, "transfer", body, {}, {}))], sync=False)


def lived(home: Home, moves: dict[int, float]) -> Any:
    """A desk some days into a synthetic market, with those transfers; its last book."""
    loop = loop_of(home, feed_of(home))
    for n in range(BARS):
        advanced(loop, 1)
        if n + 1 in moves:
            transferred(loop, n, moves[n + 1])
    loop.journal.sync()
    loop.journal.close()
    return loop.book


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """(home, book) with transfers and without."""
    found = []
    with pytest.MonkeyPatch.context() as patch:
        for moves in (MOVES, {}):
            path = tmp_path_factory.mktemp("twin") / "home"
            patch.setenv("NIGHTDESK_HOME", str(path))
            furnished(path)
            home = open_home(WALL_MS)
            found.append((home, lived(home, moves)))
    return found


def without_ids(value: Any) -> Any:
    """Ids of events and what names them are those of another journal."""
    if isinstance(value, dict):
        return {
            k: without_ids(v)
            for k, v in value.items()
            if k not in ("receipt", "event", "id", "home", "mark", "seq", "first_n", "last_n")
        }
    if isinstance(value, list | tuple):
        return [without_ids(item) for item in value if not (isinstance(item, str) and item.startswith("d-"))]
    return "" if isinstance(value, str) and value.startswith("d-") else value


def whole_window(home: Home) -> Any:
    """The desk's attribution from its first mark to its last."""
    path = journal_of(home.path)
    first, last = first_mark(path), mark_at(path)
    assert first is not None
    assert last is not None
    found = pnl_of_window(home.path, first.t_event_ms, last.t_event_ms)
    assert found is not None
    return [value for name, value in found._asdict().items() if name not in ("start", "end")]


def yesterday_of(home: Home) -> Any:
    """The day before, as the handover has it."""
    last = mark_at(journal_of(home.path))
    assert last is not None
    return yesterday(home.path, last)


READERS: dict[str, Any] = {
    "daily, weekly, monthly P&L": lambda home: [periods(home.path, unit) for unit in UNITS],
    "the last day, week and month": lambda home: lately(home.path),
    "report: returns, Sharpe, drawdown": lambda home: make_report(home.path, home.engine, "week", WALL_MS),
    "equity chart": lambda home: equity_view(ApiContext(home), None, 2_000, 0, "").model_dump(),  # type: ignore[arg-type]
    "benchmark": lambda home: desk_hold_line(home.path)._asdict(),
    "drawdown": lambda home: drawdown_text(desk_view(home.path, home.engine)),
    "attribution": whole_window,
    "round trips": lambda home: desk_trips(home.path).to_dicts(),
    "phase": lambda home: phase_of(home.path),
    "handover": yesterday_of,
    "breakdown": lambda home: figures.breakdown_of_desk(ApiContext(home), None, None).model_dump(),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("reader", READERS)
def test_every_reader_takes_it_out(twins: Any, reader: str) -> None:
    """To the last bit, but for the ids of events."""
    (moved, _), (still, _) = twins
    assert str(without_ids(READERS[reader](moved))) == str(without_ids(READERS[reader](still)))


def test_the_book_is_the_twin_s_but_for_its_transfers(twins: Any) -> None:
    """Equity, peak, sizes, cash of the sleeves; fold and snapshot say the same."""
    (home, moved), (_, still) = twins
    told = to_json(moved)
    sums = {"deposits": 1_040_000.10, "withdrawals": -999_002.05, "unexplained": 0.0}
    assert told.pop("transfers")["sums"] == pytest.approx(sums, abs=1e-9)
    assert encode_body(told) == encode_body(to_json(still))
    folded = fold(home.desk_journal, whole=True)
    assert folded is not None
    assert encode_body(to_json(folded)) == encode_body(to_json(moved))


def test_cash_in_and_out_are_terms_of_the_identity_to_the_cent(twins: Any) -> None:
    """Account = equity + deposits - withdrawals; the strategies' terms are the twin's; the same from the sums that are kept."""
    (moved, _), (still, _) = twins
    found, other = identity(moved.path), identity(still.path)
    assert found is not None
    assert other is not None
    assert (found.deposits, found.withdrawals, found.unexplained_cash) == (1_040_000.10, 999_002.05, 0.0)
    assert found.account == round(other.equity + 40_998.05, 2)
    assert found.holds
    names = (*identities.TERMS, "equity")
    assert [getattr(found, name) for name in names] == [getattr(other, name) for name in names]
    refresh(moved.path)
    assert (moved.path / identities.FILE).exists()
    assert identity(moved.path) == found


@pytest.mark.parametrize("fault", ["lost", "doubled"])
def test_a_transfer_that_the_fold_and_the_events_count_otherwise_is_a_page(
    twins: Any, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that was dropped, and one that was counted twice."""
    (moved, _), _ = twins
    (moved.path / identities.FILE).unlink(missing_ok=True)
    every = identities.transfer_events
    monkeypatch.setattr(
        identities,
        "transfer_events",
        lambda *about: every(*about)[1:] if fault == "lost" else [*every(*about), *every(*about)[:1]],
    )
    found = identity(moved.path)
    assert found is not None
    assert not found.holds
    assert found.moved_apart == (1_000_000.0 if fault == "lost" else -1_000_000.0)


def test_a_bill_of_an_unknown_type_is_a_term_of_its_own(own_home: Path) -> None:
    """Neither a deposit nor left out; the page says so."""
    from engine.watch.identity import identity_json, identity_lines

    furnished(own_home)
    home = open_home(WALL_MS)
    loop = advanced(loop_of(home, feed_of(home)), 3)
    transferred(loop, 1, 12.34, "unknown")
    transferred(loop, 1, 12.34, "unknown")  # the same bill
    loop.journal.close()
    found = identity(home.path)
    assert found is not None
    assert (found.deposits, found.unexplained_cash, found.holds) == (0.0, 12.34, True)
    assert found.account == round(found.equity + 12.34, 2)
    assert identity_lines(identity_json(found))[0].endswith("the equity with +12.34 unexplained")


def test_a_drawdown_is_found_under_a_deposit(own_home: Path) -> None:
    """Money that comes hides no loss: the breaker trips where the twin's does."""
    furnished(own_home)
    home = open_home(WALL_MS)
    loop = advanced(loop_of(home, feed_of(home)), 5)
    transferred(loop, 1, 1_000_000.0)
    book = loop.book
    book.desk = book.desk._replace(peak=book.desk.equity / (1.0 - book.limits.drawdown_frac_max) * 1.01)
    advanced(loop, 1)
    loop.journal.close()
    assert loop.book.desk.tripped & DESK_DRAWDOWN


def test_an_old_journal_reads_as_before(twins: Any) -> None:
    """No transfer, no field of one: the marks and snapshots of a desk without any are what they were."""
    _, (still, book) = twins
    assert "transfers" not in to_json(book)
    last = mark_at(journal_of(still.path))
    assert last is not None
    assert "transfers" not in last.body
