"""What is wrong with a tape is found at the door: three published bugs, a feed's faults, files that are none."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from engine.data.issues import errors
from engine.errors import DataError
from engine.l2.checks import OpenTape, open_tape, sound_tape
from engine.l2.tape import BookTape, read_tape
from tests.engine.l2.test_book import recorded_tape
from tests.fakes.book_tapes import (
    START_NS,
    STEP_NS,
    BookMessage,
    Maker,
    made,
    rows_of,
    write_quotes,
    write_rows,
    write_tape,
    write_trades,
)

NAME = "binance_BTC-USDT_perp_copy_l2.parquet"


def rules(opened: OpenTape, severity: str) -> set[str]:
    """The rules that found something."""
    return {f.rule for f in opened.report.issues if f.severity == severity}


def mutated(market_data: Path, folder: Path, market: str, change: Callable[[pl.DataFrame], pl.DataFrame]) -> OpenTape:
    """A recorded tape with a bug, alone: no quotes and no trades beside it that would show it."""
    frame = pl.read_parquet(recorded_tape(market_data, market))
    change(frame).write_parquet(folder / NAME)
    return open_tape(folder / NAME)


def deepest(frame: pl.DataFrame, *, best_first: bool = False) -> pl.DataFrame:
    """The snapshot's 20 levels a side that are farthest from the best: depth counted from the wrong end."""
    shot = frame.filter(pl.col("kind") == "snapshot")
    parts = [shot.filter(pl.col("side") == side).sort("price", descending=side == "a").head(20) for side in "ba"]
    if best_first:
        parts = [part.reverse() for part in parts]
    return pl.concat([*parts, frame.filter(pl.col("kind") == "delta")]).sort("seq", maintain_order=True)


BUGS: dict[str, tuple[Callable[[pl.DataFrame], pl.DataFrame], str]] = {
    "sides inverted": (lambda f: f.with_columns(side=pl.col("side").replace({"a": "b", "b": "a"})), "inverted_sides"),
    "deltas as snapshots": (lambda f: f.with_columns(kind=pl.lit("snapshot")), "deltas_as_snapshots"),
    "deltas as snapshots, the true one lost": (
        lambda f: f.filter(pl.col("kind") == "delta").with_columns(kind=pl.lit("snapshot")),
        "spread_too_wide",
    ),
    "levels from the wrong end": (deepest, "levels_wrong_end"),
    "levels from the wrong end, sorted": (lambda f: deepest(f, best_first=True), "levels_far"),
}


@pytest.mark.sample(3)
@pytest.mark.parametrize("market", ["perp", "spot"])
@pytest.mark.parametrize("bug", BUGS)
def test_the_three_published_bugs_are_refused(market_data: Path, tmp_path: Path, bug: str, market: str) -> None:
    """Each by its own rule, on the tape alone; nothing is computed from such a tape."""
    change, rule = BUGS[bug]
    opened = mutated(market_data, tmp_path, market, change)
    assert rule in rules(opened, "error")
    with pytest.raises(DataError, match="nightdesk l2 check"):
        sound_tape(tmp_path / NAME)


@pytest.mark.parametrize("market", ["perp", "spot"])
def test_deltas_read_as_snapshots_show_in_mean_and_p90_alone(market_data: Path, tmp_path: Path, market: str) -> None:
    """The spread's median is the true one and hardly anything is crossed: checks of those would have passed the bug."""
    true = open_tape(recorded_tape(market_data, market)).report.figures["spread_ticks"]
    wrong = mutated(market_data, tmp_path, market, BUGS["deltas as snapshots, the true one lost"][0]).report
    spread = wrong.figures["spread_ticks"]
    assert spread["median"] <= 2 * true["median"]
    assert "crossed" not in {f.rule for f in wrong.issues}
    assert min(spread["mean"] / true["mean"], spread["p90"] / true["p90"]) > 20


@pytest.mark.parametrize("market", ["perp", "spot"])
def test_a_true_tape_is_sound(market_data: Path, market: str) -> None:
    """Not one error and not one warning, with all that was recorded beside it."""
    assert sound_tape(recorded_tape(market_data, market)).report.issues == []


def faulty(kind: str) -> list[BookMessage]:
    """A feed with one fault."""
    maker = Maker(2)
    messages = made(maker, 120)
    if kind == "gap":
        del messages[60]
    elif kind == "duplicate":
        messages.insert(61, messages[60])
    elif kind == "late":
        messages.insert(70, messages[60])
    elif kind == "crossed":
        messages.append(maker.delta([maker.change("b", min(maker.sides["a"]), 5)]))
    elif kind == "one_sided":
        gone = [maker.change("a", tick, 0) for tick in list(maker.sides["a"])]
        back = maker.change("a", max(maker.sides["b"]) + 2, 7)
        best = maker.best()
        messages += [BookMessage("delta", 0, maker.last_id + 1, maker.last_id, gone, best)]
        messages += [BookMessage("delta", 0, maker.last_id + 2, maker.last_id + 1, [back], best)]
    elif kind == "depth_changed":
        messages.append(maker.snapshot())
        messages[-1] = messages[-1]._replace(levels=[x for n, x in enumerate(messages[-1].levels) if n % 2])
        messages[-1].levels.insert(0, ("b", maker.best()[0], 1.0))
    elif kind == "foreign_snapshot":
        messages.append(Maker(4, middle=2000.0).snapshot()._replace(last_id=maker.last_id))
    return messages


FAULTS = {
    "gap": "error", "duplicate": "warning", "late": "warning", "crossed": "error", "one_sided": "warning",
    "depth_changed": "warning", "foreign_snapshot": "error",
}  # fmt: skip


@pytest.mark.parametrize("kind", FAULTS)
def test_a_feeds_fault_is_found_once_and_named(tmp_path: Path, kind: str) -> None:
    """Its rule with its severity and the row, and no other; duplicates and late messages change no price."""
    opened = open_tape(write_tape(tmp_path, faulty(kind)))
    found = [f for f in opened.report.issues if f.rule == kind]
    assert len(found) == 1
    assert found[0].severity == FAULTS[kind]
    assert found[0].rows
    assert rules(opened, "error") - {kind} == set()
    if kind in {"duplicate", "late"}:
        assert (opened.report.replayed.written.fault == 0).all()


def test_a_gap_that_was_closed_soon_is_a_warning(tmp_path: Path) -> None:
    """A recording of days is cut now and then: what has a snapshot behind each cut, and lost hardly anything, is used."""
    maker = Maker(2)
    messages = made(maker, 400)
    maker.delta()
    messages += [maker.delta(), maker.delta(), maker.snapshot(), *(maker.delta() for _ in range(100))]
    opened = sound_tape(write_tape(tmp_path, messages))
    assert rules(opened, "warning") == {"gap"}
    assert opened.report.figures["deltas"]["waiting"] == 0
    maker.delta()
    late = [*messages, *(maker.delta() for _ in range(9))]
    assert rules(open_tape(write_tape(tmp_path, late)), "error") == {"gap"}


@pytest.mark.parametrize("chained", [True, False])
def test_a_book_that_stopped_unseen_is_an_error(tmp_path: Path, chained: bool) -> None:
    """Ids that count anew without a snapshot, and a snapshot whose id is far ahead: none is applied, none is missing."""
    maker = Maker(2, chained=chained)
    messages = made(maker, 120)
    maker.last_id = 1
    assert rules(open_tape(write_tape(tmp_path, [*messages, *(maker.delta() for _ in range(110))])), "error") == {"ids_anew"}
    ahead = [messages[3]._replace(first_id=10**9, last_id=10**9), *messages[4:]]
    assert rules(open_tape(write_tape(tmp_path, ahead)), "error") == {"ids_anew"}
    many = made(Maker(2, chained=chained), 100, early=90)
    assert rules(open_tape(write_tape(tmp_path, many)), "error") == set()  # they came before their snapshot


def test_a_message_written_as_several_is_an_error(tmp_path: Path) -> None:
    """A clock of its own for each level makes a message of each, of which the first alone is applied."""
    messages = made(Maker(2), 60)
    rows = rows_of(messages)
    heads = [n for n in range(1, len(rows)) if rows[n]["kind"] == "delta" and rows[n]["seq"] == rows[n - 1]["seq"]]
    rows[heads[-1]]["recv_ns"] += 1
    assert rules(open_tape(write_rows(tmp_path, rows)), "error") == {"same_ids"}


def test_a_price_may_double_in_a_day(tmp_path: Path) -> None:
    """The first snapshot is held against the deltas around it, not against those of hours later."""
    maker, messages = Maker(2, middle=200.0), list[BookMessage]()
    messages.append(maker.snapshot())
    for _ in range(300):
        sides, up = maker.sides, 5
        gone = [maker.change(side, tick, 0) for side in "ba" for tick in list(sides[side])]
        come = [("b", round(price * 10) + up, 1) for side, price, _ in gone if side == "b"]
        come += [("a", round(price * 10) + up, 1) for side, price, _ in gone if side == "a"]
        messages.append(maker.delta([*gone, *(maker.change(*one) for one in come)]))
    opened = open_tape(write_tape(tmp_path, messages, step_ns=5_000_000_000))
    assert maker.best()[0] > 340.0
    assert rules(opened, "error") == set()


def test_a_first_snapshot_of_another_instrument_is_found(tmp_path: Path) -> None:
    """By the deltas around it, and where trades were recorded by those: ids alone do not say whose prices they are."""
    maker = Maker(2)
    messages = made(maker, 60)
    other = Maker(4, middle=2000.0).snapshot()
    messages[3] = other._replace(last_id=messages[3].last_id, first_id=messages[3].first_id)
    path = write_tape(tmp_path, messages)
    assert "foreign_snapshot" in rules(open_tape(path), "error")
    sound = write_tape(tmp_path, made(Maker(2), 60))
    write_trades(tmp_path, [(k * STEP_NS, 2990.0, 1.0, True) for k in range(50)])
    assert rules(open_tape(sound), "error") == set()
    write_trades(tmp_path, [(k * STEP_NS, 2900.0, 1.0, True) for k in range(50)])
    assert rules(open_tape(sound), "error") == {"off_the_trades"}


def test_trades_of_another_time_or_with_takers_swapped_are_errors(tmp_path: Path) -> None:
    """Labels and fills come from them, and would say that nothing is ever filled, or the wrong side is."""
    messages = made(Maker(2), 80)
    path = write_tape(tmp_path, messages)
    bought = [((n + 1) * STEP_NS + 1, m.best[2], 1.0, False) for n, m in enumerate(messages) if n > 5]
    sold = [((n + 1) * STEP_NS + 2, m.best[0], 1.0, True) for n, m in enumerate(messages) if n > 5]
    true = sorted(bought + sold)
    for trades, expected in (
        (true, set()),
        ([(at, p, q, not taker) for at, p, q, taker in true], {"takers_inverted"}),
        ([(at + 7_200 * 10**9, *rest) for at, *rest in true], {"trades_elsewhere"}),
        ([(at - START_NS + START_NS // 1_000, *rest) for at, *rest in true], {"trades_elsewhere"}),
    ):
        write_trades(tmp_path, trades)
        assert rules(open_tape(path), "error") == expected
    pl.read_parquet(path.with_name(path.name.replace("_l2.", "_trades."))).head(0).write_parquet(
        path.with_name(path.name.replace("_l2.", "_trades."))
    )
    with pytest.raises(DataError, match="0 rows - record it again"):
        open_tape(path)


def test_another_unit_of_time_is_an_error(tmp_path: Path) -> None:
    """Microseconds for nanoseconds, beside the venue's own clock; a clock that is a day wrong is not."""
    path = write_tape(tmp_path, made(Maker(2), 60))
    frame = pl.read_parquet(path)
    for clock, expected in ((pl.col("recv_ns") // 1_000, {"clock_unit"}), (pl.col("recv_ns") + 86_400 * 10**9, set())):
        frame.with_columns(clock.alias("recv_ns")).write_parquet(path)
        assert rules(open_tape(path), "error") == expected


def test_prices_of_half_the_digits_are_refused(tmp_path: Path) -> None:
    """2,999.9 as Float32 is 2,999.899902: no trade would be at any level."""
    path = write_tape(tmp_path, made(Maker(2), 20))
    pl.read_parquet(path).with_columns(pl.col("price").cast(pl.Float32)).write_parquet(path)
    with pytest.raises(DataError, match="price is Float32"):
        read_tape(path)


def test_a_wide_spread_is_no_fault(tmp_path: Path) -> None:
    """3 % between the best of a quiet instrument: trades at its bid and at its ask are the book's own."""
    maker = Maker(2)
    for side, away in (("b", -450), ("a", 450)):
        maker.sides[side] = {tick + away: lots for tick, lots in maker.sides[side].items()}
    top = max(maker.sides["b"])
    path = write_tape(tmp_path, [maker.snapshot(), *(maker.delta([maker.change("b", top, 1 + n % 9)]) for n in range(80))])
    write_trades(tmp_path, [(n * STEP_NS, maker.best()[0], 1.0, True) for n in range(2, 80)])
    assert rules(open_tape(path), "error") == set()


def test_quotes_that_differ_are_an_error(tmp_path: Path) -> None:
    """One lot at one shared id is enough."""
    messages = made(Maker(2), 60)
    path = write_tape(tmp_path, messages)
    write_quotes(tmp_path, messages)
    figures = sound_tape(path).report.figures
    assert figures["shared_ids"] == figures["equal"] >= 56
    bid, quantity, ask, offered = messages[30].best
    write_quotes(tmp_path, [*messages[:30], messages[30]._replace(best=(bid, quantity + 0.001, ask, offered)), *messages[31:]])
    opened = open_tape(path)
    assert rules(opened, "error") == {"quotes_differ"}
    assert opened.report.figures["equal"] == opened.report.figures["shared_ids"] - 1


def test_times_that_cannot_be_are_found(tmp_path: Path) -> None:
    """The recorder's clock back, a message that took long, silence; a clock that is merely slow is none."""
    rows = rows_of(made(Maker(2), 60))
    path = write_rows(tmp_path, [row | {"ts_exch_ms": row["ts_exch_ms"] + 1270} for row in rows])
    assert open_tape(path).report.issues == []
    assert open_tape(path).report.figures["clock_ms"] == pytest.approx(-1250)
    late = [row | {"recv_ns": row["recv_ns"] + 9_000_000_000 * (row["seq"] >= 40)} for row in rows]
    assert rules(open_tape(write_rows(tmp_path, late)), "warning") == {"silence", "slow"}
    back = [row | {"recv_ns": row["recv_ns"] - 500_000_000 * (row["seq"] >= 40)} for row in rows]
    assert rules(open_tape(write_rows(tmp_path, back)), "error") == {"clock_back"}


def test_a_coarse_grid_is_no_fault(tmp_path: Path) -> None:
    """Ten levels of an instrument whose tick is 20 bps span 200 bps: that is its book, not its wrong end."""
    rows = rows_of(made(Maker(2, middle=50.0), 60))
    assert errors(open_tape(write_rows(tmp_path, rows)).report.issues) == []


BROKEN: dict[str, tuple[Callable[[dict[str, Any]], dict[str, Any]], str]] = {
    "price of nothing": (lambda r: r | {"price": 0.0}, "price is not a number above 0"),
    "price not a number": (lambda r: r | {"price": float("nan")}, "price is not a number above 0"),
    "price without end": (lambda r: r | {"price": float("inf")}, "price is not a number above 0"),
    "less than nothing": (lambda r: r | {"qty": -1.0}, "qty is not a number of 0 or more"),
    "no quantity": (lambda r: r | {"qty": None}, "qty is not a number"),
    "third side": (lambda r: r | {"side": "x"}, "side is neither b nor a"),
    "no side": (lambda r: r | {"side": None}, "side is neither b nor a"),
    "unknown kind": (lambda r: r | {"kind": "update"}, "kind is neither snapshot nor delta"),
    "no kind": (lambda r: r | {"kind": None}, "kind is missing"),
    "no id": (lambda r: r | {"last_id": None}, "last_id is missing"),
    "order lost": (lambda r: r | {"seq": 1}, "seq goes back"),
    "no grid": (lambda r: r | {"price": 1e16}, "no grid of"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_row_that_is_none_stops_the_reading(tmp_path: Path, name: str) -> None:
    """One line with the file and, where it is one row, its number; no guess of what it might have been."""
    change, text = BROKEN[name]
    rows = rows_of(made(Maker(2), 20))
    rows[100] = change(rows[100])
    with pytest.raises(DataError, match=text) as caught:
        read_tape(write_rows(tmp_path, rows))
    assert "okx_ETH-USDT_perp_made_l2.parquet" in str(caught.value)
    assert "no grid" in text or "row 1" in str(caught.value)


@pytest.mark.parametrize("chunk", [7, 50, pytest.param(1, marks=pytest.mark.long)])
def test_a_tape_read_in_chunks_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    """Wherever a chunk ends, within a message too, of one file and of parts; a bad row keeps its number."""
    messages = [*made(Maker(2), 40), BookMessage("delta", 9999, 9999, 9998, [], (1.0, 1.0, 2.0, 1.0))]
    path = write_tape(tmp_path, messages)
    whole, frame = read_tape(path), pl.read_parquet(path)
    folder = tmp_path / "okx_ETH-USDT_perp_parts_l2.parquet"
    folder.mkdir()
    for n, at in enumerate(range(0, frame.height, 33)):
        frame.slice(at, 33).write_parquet(folder / f"part-{n:04d}.parquet")
    monkeypatch.setattr("engine.l2.tape.CHUNK", chunk)
    for tape in (read_tape(path), read_tape(folder)):
        assert tape.scale == whole.scale
        for name in BookTape._fields[5:]:
            assert np.array_equal(getattr(tape, name), getattr(whole, name)), name
            assert getattr(tape, name).dtype == getattr(whole, name).dtype, name
    rows = rows_of(messages)
    rows[100]["price"] = -1.0
    with pytest.raises(DataError, match="row 100: price"):
        read_tape(write_rows(tmp_path, rows))


def test_files_that_are_no_tape_are_refused(tmp_path: Path) -> None:
    """Another name, no parquet, a missing column, another type, no row."""
    rows = rows_of(made(Maker(2), 10))
    with pytest.raises(DataError, match="not the name of a tape"):
        read_tape(write_rows(tmp_path, rows, "book.parquet"))
    path = tmp_path / "okx_ETH-USDT_perp_bad_l2.parquet"
    path.write_bytes(b"PAR1 rubbish")
    with pytest.raises(DataError, match="cannot be read"):
        read_tape(path)
    with pytest.raises(DataError, match="cannot be read"):
        read_tape(tmp_path / "okx_ETH-USDT_perp_none_l2.parquet")
    frame = pl.DataFrame(rows)
    for changed, text in (
        (frame.drop("prev_id"), "no column prev_id"),
        (frame.with_columns(pl.col("price").cast(pl.String)), "price is String, not numbers"),
        (frame.with_columns(pl.col("seq").cast(pl.Float64)), "seq is Float64, not whole numbers"),
        (frame.head(0), "0 rows"),
    ):
        changed.write_parquet(path)
        with pytest.raises(DataError, match=text):
            read_tape(path)


def test_a_tape_without_a_snapshot_has_no_book(tmp_path: Path) -> None:
    """Deltas alone say what changed of something that nobody has."""
    opened = open_tape(write_tape(tmp_path, [m for m in made(Maker(2), 30) if m.kind == "delta"]))
    assert rules(opened, "error") == {"no_snapshot"}
    assert opened.report.figures["deltas"]["waiting"] == 29
