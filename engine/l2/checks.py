"""A tape at the door: what is wrong with it, found before anything is computed from it. Errors refuse the tape, warnings do not.

Called by app/cli/l2.py and by feasibility.py. It looks for the three bugs that published level 2 projects had (sides
inverted, deltas read as snapshots, levels indexed from the wrong end), for what a feed does (gaps, duplicates, late messages,
crossed and one-sided books, another depth, another instrument), and holds the rebuilt book against the venue's own best
quotes.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from engine.data.issues import DataIssue, Severity, errors, issue
from engine.errors import BadInput, DataError
from engine.l2.book import (
    APPLIED,
    CROSSED,
    DEPTH_CHANGED,
    DISPOSITIONS,
    DUPLICATE,
    FAR_NS,
    FOREIGN,
    GAP,
    LATE,
    NEAR,
    NOTHING,
    OLD,
    ONE_SIDED,
    WAITING,
    Ints,
)
from engine.l2.loop import ASKS, ASKS_LOTS, BIDS, BIDS_LOTS
from engine.l2.replay import BookReplay, replay
from engine.l2.snapshot_checks import MANY, sides_of, snapshots_read, whole_tape
from engine.l2.tape import (
    BID,
    DELTA,
    SNAPSHOT,
    BookTape,
    Floats,
    Quotes,
    TapeTrades,
    beside,
    read_quotes,
    read_tape,
    read_trades,
)
from engine.l2.trade_checks import trade_issues

TIMES_MAX = 20.0  # the spread's mean and 90th percentile over their reference: bugs gave 284 and more, true tapes 3 and less
NEAR_BPS = 50.0  # the tenth level from the middle; 0.6 on a busy perpetual
NEAR_TICKS = 10 * NEAR  # and so many ticks: an instrument of a coarse grid is no fault
FOREIGN_FRAC = 0.2  # deltas whose middle price is so far from the snapshot's are of another instrument
OFF_BPS = 50.0  # the last trade beyond the best prices, in the median; between them it may be anywhere
LATE_MS = 2_000  # a message that took so much longer than the median
SILENT_MS = 5_000  # no message at all
ANEW_MS = 10_000  # nothing but ids that the book has had
YEAR_MS = 365 * 86_400_000  # between two clocks: no clock is as wrong
UNUSED_MAX = 0.01  # of the deltas, behind gaps: a recording of days is cut now and then, and its book made anew


class TapeReport(NamedTuple):
    """What a look at a tape found."""

    replayed: BookReplay
    issues: list[DataIssue]
    figures: dict[str, Any]


def check_tape(tape: BookTape, quotes: Quotes | None, trades: TapeTrades | None, *, compiled: bool = True) -> TapeReport:
    """Replay the tape and list its issues, errors first, each with the file's rows of the messages."""
    replayed = replay(tape, compiled=compiled)
    spread = spread_figures(tape, replayed, quotes)
    shared, equal = agreement(tape, replayed, quotes)
    found = [
        *snapshots_read(tape),
        *inverted(tape),
        *wrong_end(tape, replayed),
        *too_far(tape, replayed),
        *foreign(tape, replayed, trades),
        *chain_issues(tape, replayed),
        *renumbered(tape, replayed),
        *other_levels(tape, replayed),
        *too_wide(spread),
        *times(tape),
        *trade_issues(tape, replayed, trades),
    ]
    if shared > equal:
        found += whole_tape(
            "quotes_differ",
            f"the rebuilt book differs from the venue's best quotes at {shared - equal:,} of {shared:,} shared ids",
        )
    found.sort(key=lambda f: f.severity == "warning")
    became = np.bincount(replayed.written.became[tape.kind == DELTA], minlength=len(DISPOSITIONS))
    figures = {
        "messages": len(tape.kind),
        "levels": len(tape.price),
        "snapshots": int((tape.kind == SNAPSHOT).sum()),
        "deltas": dict(zip(DISPOSITIONS, became.tolist(), strict=True)),
        "shared_ids": shared,
        "equal": equal,
        "spread_ticks": spread,
        "clock_ms": clock_ms(tape),
        "span_s": float(tape.recv_ns[-1] - tape.recv_ns[0]) / 1e9,
    }
    return TapeReport(replayed, found, figures)


def require_sound(report: TapeReport, tape: BookTape) -> None:
    """Raises DataError naming the first error of a tape: nothing is computed from a book that is not the venue's."""
    if bad := errors(report.issues):
        raise DataError(f"{tape.path}: {bad[0].text}", f"{len(bad)} errors: nightdesk l2 check {tape.path.name}")


def inverted(tape: BookTape) -> list[DataIssue]:
    """Snapshots whose every bid is at or above every ask."""
    bad = []
    for i in np.flatnonzero(tape.kind == SNAPSHOT):
        bids, asks = sides_of(tape, int(i))
        if len(bids) and len(asks) and bids.min() >= asks.max():
            bad.append(tape.row[i])
    return issue("inverted_sides", "error", bad, "bid and ask are inverted: every bid of a snapshot is above every ask")


def wrong_end(tape: BookTape, replayed: BookReplay) -> list[DataIssue]:
    """Snapshots whose first level is not the best, and those whose tenth best is far from the middle, unless deltas say that
    such a spread is this book's: too_far then judges.
    """
    reversed_rows, far_rows, text = [], [], ""
    usual = usual_spread(tape, replayed)
    for i in np.flatnonzero(tape.kind == SNAPSHOT):
        bids, asks = sides_of(tape, int(i))
        if not len(bids) or not len(asks):
            continue
        if bids[0] < bids.max() or asks[0] > asks.min():
            reversed_rows.append(tape.row[i])
        if min(len(bids), len(asks)) >= NEAR and bids.max() < asks.min():
            tenth = np.sort(bids)[-NEAR], np.sort(asks)[NEAR - 1]
            wide = float(tenth[1] - tenth[0]) / 2.0
            bps = wide / (float(bids.max() + asks.min()) / 2.0) * 1e4
            as_usual = usual is not None and asks.min() - bids.max() <= TIMES_MAX * usual
            if bps > NEAR_BPS and not as_usual and wide > NEAR_TICKS * tape.scale.tick:
                far_rows.append(tape.row[i])
                text = text or f"level {NEAR} of a snapshot is {bps:,.0f} bps from the middle: levels from the wrong end"
    found = issue(
        "levels_wrong_end", "error", reversed_rows, "levels indexed from the wrong end: a snapshot's first level is not its best"
    )
    return found + issue("levels_far", "error", far_rows, text)


def both_sides(replayed: BookReplay) -> npt.NDArray[np.bool_]:
    """Which messages were applied and left levels on both sides."""
    w = replayed.written
    return np.asarray((w.became == APPLIED) & (w.near[:, BIDS_LOTS] > 0) & (w.near[:, ASKS_LOTS] > 0))


def usual_spread(tape: BookTape, replayed: BookReplay) -> float | None:
    """The spread that 99.9 % of the messages after a delta have at most, price units; None of too few."""
    good = both_sides(replayed) & (tape.kind == DELTA)
    if good.sum() < MANY:
        return None
    near = replayed.written.near[good]
    return float(np.percentile(near[:, ASKS] - near[:, BIDS], 99.9))


def too_far(tape: BookTape, replayed: BookReplay) -> list[DataIssue]:
    """Snapshots of a spread that hardly any message after a delta has: levels of the wrong end, sorted as if best."""
    usual = usual_spread(tape, replayed)
    if usual is None:
        return []
    spread, good = replayed.written.near[:, ASKS] - replayed.written.near[:, BIDS], both_sides(replayed)
    rows = tape.row[good & (tape.kind == SNAPSHOT) & (spread > TIMES_MAX * usual)]
    text = f"a snapshot's spread is more than {TIMES_MAX:g} times that of 99.9 % of the deltas: levels from the wrong end"
    return issue("levels_far", "error", rows, text)


def foreign(tape: BookTape, replayed: BookReplay, trades: TapeTrades | None) -> list[DataIssue]:
    """Snapshots that are of another instrument: far from the book before, from the deltas around, from the trades."""
    rows = tape.row[replayed.written.fault == FOREIGN]
    found = issue(
        "foreign_snapshot", "error", rows, "a snapshot's prices are 5 % and more from the book before it: another instrument?"
    )
    for i in np.flatnonzero(tape.kind == SNAPSHOT)[:1]:
        around = (tape.kind == DELTA) & (np.abs(tape.recv_ns - tape.recv_ns[i]) <= FAR_NS)  # in a day a price may double
        levels = np.repeat(around, np.diff(tape.start)) & (tape.lots > 0)
        medians = [
            float(np.median(tape.price[levels & side])) for side in (tape.side == BID, tape.side != BID) if (levels & side).any()
        ]
        sides = [x for x in sides_of(tape, int(i)) if len(x)]
        if len(medians) == 2 and len(sides) == 2:
            snapshot, deltas = float(np.median(sides[0]) + np.median(sides[1])) / 2.0, sum(medians) / 2.0
            if abs(snapshot / deltas - 1.0) > FOREIGN_FRAC:
                text = f"the snapshot is around {tape.scale.price(snapshot):g}, the deltas around {tape.scale.price(deltas):g}"
                found += issue("foreign_snapshot", "error", [tape.row[i]], f"{text}: another instrument?")
    bid, ask, known_ns = best_known(replayed)
    if trades is not None and len(trades.price) and len(bid):
        at = np.searchsorted(trades.recv_ns, known_ns, side="right") - 1
        price, bid, ask = trades.price[at[at >= 0]], bid[at >= 0], ask[at >= 0]
        apart = np.maximum(np.maximum(bid - price, price - ask), 0) / price * 1e4
        if len(apart) and np.median(apart) > OFF_BPS:
            found += whole_tape(
                "off_the_trades", f"the book's best prices are {np.median(apart):,.0f} bps from the last trade in the median"
            )
    return found


def best_known(replayed: BookReplay) -> tuple[Ints, Ints, Ints]:
    """(best bid, best ask, when known) after each applied message with both sides."""
    w, good = replayed.written, both_sides(replayed)
    return w.near[good, BIDS], w.near[good, ASKS], w.known_ns[good]


def chain_issues(tape: BookTape, replayed: BookReplay) -> list[DataIssue]:
    """Gaps, crossed and one-sided books, duplicates, late messages, a changed depth."""
    became, fault, row = replayed.written.became, replayed.written.fault, tape.row
    gaps = np.flatnonzero(fault == GAP)
    text = "update ids are missing before a message: the book waits for a snapshot from there"
    if len(gaps):
        i = int(gaps[0])
        text = f"{text} (first: ids {tape.first_id[i]} to {tape.last_id[i]}, received as message {tape.seq[i]})"
    deltas = tape.kind == DELTA
    unused, count = int((became[deltas] == WAITING).sum()), int(deltas.sum())
    severity: Severity = "error" if unused > UNUSED_MAX * count else "warning"
    found = issue("gap", severity, row[gaps], f"{text}; {unused:,} of {count:,} deltas were never applied")
    found += issue(
        "crossed", "error", row[fault == CROSSED], "best bid at or above best ask: the book waits for a snapshot from there"
    )
    snapshot = tape.kind == SNAPSHOT
    one_sided = fault == ONE_SIDED
    found += issue("one_sided", "error", row[one_sided & snapshot], "a snapshot without bids or without asks")
    found += issue("one_sided", "warning", row[one_sided & ~snapshot], "a side without levels: no best price, no feature then")
    found += issue("duplicate", "warning", row[became == DUPLICATE], "messages that came twice; skipped")
    found += issue("late", "warning", row[became == LATE], "messages that came after a newer one; skipped")
    return found + issue(
        "depth_changed", "warning", row[fault == DEPTH_CHANGED], "a snapshot with half or twice the levels of the one before"
    )


def renumbered(tape: BookTape, replayed: BookReplay) -> list[DataIssue]:
    """Nothing but ids that the book has had already, for ANEW_MS behind a message it applied: a book that stopped unseen."""
    w = replayed.written
    old = np.concatenate([[False], np.isin(w.became, (OLD, DUPLICATE, LATE)) & (w.fault == NOTHING), [False]])
    begin, end = np.flatnonzero(~old[:-1] & old[1:]), np.flatnonzero(old[:-1] & ~old[1:]) - 1
    long = (tape.recv_ns[end] - tape.recv_ns[begin] > ANEW_MS * 1_000_000) & (begin > 0) & (w.became[begin - 1] == APPLIED)
    text = "every message for seconds has ids from before the book's: they count anew, or the snapshot is another book's"
    return issue("ids_anew", "error", tape.row[begin[long]], text)


def other_levels(tape: BookTape, replayed: BookReplay) -> list[DataIssue]:
    """Messages skipped as having come twice whose levels are not those that came before: one message written as several."""
    became, bad = replayed.written.became, []
    applied = np.flatnonzero(became == APPLIED)

    def levels_at(i: int) -> tuple[list[int], ...]:
        levels = slice(tape.start[i], tape.start[i + 1])
        return tape.side[levels].tolist(), tape.price[levels].tolist(), tape.lots[levels].tolist()

    for j in np.flatnonzero(became == DUPLICATE):
        n = int(np.searchsorted(applied, j)) - 1
        while n >= 0 and tape.last_id[applied[n]] == tape.last_id[j] and levels_at(int(applied[n])) != levels_at(int(j)):
            n -= 1
        if n < 0 or tape.last_id[applied[n]] != tape.last_id[j]:
            bad.append(tape.row[j])
    return issue("same_ids", "error", bad, "a message has the ids of the one before it and other levels: one message as several?")


def spread_figures(tape: BookTape, replayed: BookReplay, quotes: Quotes | None) -> dict[str, float | None]:
    """median, mean and p90 of the rebuilt spread in ticks, and of the venue's own quotes where they were recorded."""
    w, tick, good = replayed.written, float(tape.scale.tick), both_sides(replayed)
    own = (w.near[good, ASKS] - w.near[good, BIDS]) / tick
    found: dict[str, float | None] = {"count": float(len(own)), **three(own, "")}
    return found | (three((quotes.ask - quotes.bid) / tick, "quotes_") if quotes is not None else {})


def three(values: Floats, prefix: str) -> dict[str, float | None]:
    """Median, mean, 90th percentile; None of nothing."""
    names = [f"{prefix}{name}" for name in ("median", "mean", "p90")]
    if not len(values):
        return dict.fromkeys(names)
    return dict(zip(names, (float(np.median(values)), float(values.mean()), float(np.percentile(values, 90))), strict=True))


def too_wide(spread: dict[str, float | None]) -> list[DataIssue]:
    """Mean and p90 of the spread over those of the venue's quotes, else over the spread's own median.

    The one place where deltas that were read as snapshots show: they leave the median at a tick and cross nothing.
    """
    if (spread["count"] or 0.0) < MANY:
        return []
    for name in ("mean", "p90"):
        own = spread[name]
        reference = spread.get(f"quotes_{name}") or spread["median"]
        if own is not None and reference and reference > 0.0 and own > TIMES_MAX * reference:
            beside = "the venue's quotes" if spread.get(f"quotes_{name}") else "its median"
            text = f"{name} of the spread is {own:,.1f} ticks, {own / reference:,.0f} times {beside}: deltas read as snapshots?"
            return whole_tape("spread_too_wide", text)
    return []


def agreement(tape: BookTape, replayed: BookReplay, quotes: Quotes | None) -> tuple[int, int]:
    """(update ids that deltas share with the venue's quotes, at how many price and lots of both sides are equal)."""
    if quotes is None:
        return 0, 0
    w = replayed.written
    mine = np.flatnonzero((tape.kind == DELTA) & (w.became == APPLIED))
    _, own, theirs = np.intersect1d(tape.last_id[mine], quotes.update_id, return_indices=True)
    found = w.near[mine[own]][:, [BIDS, BIDS_LOTS, ASKS, ASKS_LOTS]]
    shown = np.stack([getattr(quotes, name)[theirs] for name in ("bid", "bid_lots", "ask", "ask_lots")], axis=1)
    return len(own), int((found == shown).all(axis=1).sum())


def delays_ms(tape: BookTape) -> Floats:
    """Received less sent of each message, ms; NaN where the venue gives no time."""
    return np.where(tape.exch_ms > 0, tape.recv_ns / 1e6 - tape.exch_ms, np.nan)


def clock_ms(tape: BookTape) -> float | None:
    """The median of received less sent: how slow the line is, or, below 0, the recorder's clock."""
    delays = delays_ms(tape)
    return float(np.nanmedian(delays)) if np.isfinite(delays).any() else None


def times(tape: BookTape) -> list[DataIssue]:
    """Clocks that go back, messages that took long, silence."""
    found = issue("clock_back", "error", tape.row[1:][np.diff(tape.recv_ns) < 0], "the recorder's clock went back")
    quiet = tape.row[1:][np.diff(tape.recv_ns) > SILENT_MS * 1_000_000]
    found += issue("silence", "warning", quiet, f"no message for more than {SILENT_MS // 1000} s before a message")
    delays, middle = delays_ms(tape), clock_ms(tape)
    if middle is not None and abs(middle) > YEAR_MS:
        text = f"the recorder's clock and the venue's are {abs(middle) / YEAR_MS:,.0f} years apart: one has another unit of time"
        found += whole_tape("clock_unit", text)
    slow = np.zeros(len(delays), np.bool_) if middle is None else delays > middle + LATE_MS
    return found + issue("slow", "warning", tape.row[slow], f"messages that took {LATE_MS // 1000} s longer than the median")


class OpenTape(NamedTuple):
    """A tape with what was recorded beside it, and the look at it."""

    tape: BookTape
    quotes: Quotes | None
    trades: TapeTrades | None
    report: TapeReport


def open_tape(path: Path) -> OpenTape:
    """Read a tape, its quotes and its trades, and check it. Raises DataError for what cannot be read."""
    tape = read_tape(path)
    quotes, trades = read_quotes(beside(path, "bbo"), tape.scale), read_trades(beside(path, "trades"), tape.scale)
    return OpenTape(tape, quotes, trades, check_tape(tape, quotes, trades))


def sound_tape(path: Path) -> OpenTape:
    """As open_tape; raises DataError for a tape with an error, too."""
    opened = open_tape(path)
    require_sound(opened.report, opened.tape)
    return opened


def tapes_in(path: Path) -> list[Path]:
    """A tape itself, one that is a folder of parts too, or all tapes below a folder. Raises BadInput for a folder without any."""
    if not path.is_dir() or path.name.endswith("_l2.parquet"):
        return [path]
    if not (found := sorted(path.rglob("*_l2.parquet"))):
        raise BadInput(f"{path}: no tape in this folder", "tapes are named VENUE_BASE-QUOTE_perp|spot_TAG_l2.parquet")
    return found
