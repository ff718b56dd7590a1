"""A maker on paper over a recorded tape: at the tape's pace or faster, its journal, the latch before each request, its result.

Called by `nightdesk making paper`, a process of its own. Stopped or killed, the same command goes on where the journal ends.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from app.home.written import alone_in
from app.making.storing import store
from engine.errors import BadInput, DataError, Refused
from engine.l2.checks import OpenTape
from engine.l2.tape import BookTape, TapeTrades
from engine.making.fold import PaperBook
from engine.making.funding import Settlement
from engine.making.paper import Latch, PaperJournal, PaperMaker
from engine.making.picture import MakerPicture
from engine.making.report import MakerFees, report_of
from engine.making.simulation import MakingOptions, MakingPass, begun, finished, loop_of, terms_of
from engine.making.stored import JOURNAL, LOCK, ON_TAPE

SLICE_NS = 1_000_000_000  # of the tape between two looks at the latch, where it is not paced
LOOK_S = 0.05  # between two looks where it is
STORE_S = 5.0  # between two times that the page gets something new
SPEED_MAX = 10_000.0


class PaperTerms(NamedTuple):
    """What a paper run is made of."""

    name: str
    options: MakingOptions
    fees: MakerFees
    speed: float  # times the tape's pace; 0: as fast as it goes
    due: tuple[Settlement, ...] = ()  # of funding, within the tape


class Surroundings(NamedTuple):
    """What is outside of a run: the latch, the clocks, and who is written to."""

    latch: Latch
    now_ms: Callable[[], int]  # wall
    now_s: Callable[[], float]  # monotonic
    sleep: Callable[[float], Awaitable[None]]
    say: Callable[[str], None]


def traded(opened: OpenTape) -> TapeTrades:
    """The tape's trades. Raises DataError without any."""
    if opened.trades is None:
        raise DataError(f"{opened.tape.path}: no trades beside it", "quotes are filled by trades: record _trades.parquet, too")
    return opened.trades


def digest_of(tape: BookTape, trades: TapeTrades) -> str:
    """SHA-256 over what the loop reads of a tape."""
    digest = hashlib.sha256()
    for array in (
        tape.kind,
        tape.recv_ns,
        tape.first_id,
        tape.last_id,
        tape.prev_id,
        tape.start,
        tape.side,
        tape.price,
        tape.lots,
    ):
        digest.update(array.tobytes())
    for array in trades:
        digest.update(array.tobytes())
    return digest.hexdigest()


def start_of(opened: OpenTape, terms: PaperTerms) -> dict[str, Any]:
    """The body of the journal's start: what must be the same at a restart."""
    tape, trades = opened.tape, traded(opened)
    source = {"file": tape.path.name, "venue": tape.venue, "symbol": tape.symbol, "market": tape.market}
    return {
        "t_ns": int(tape.recv_ns[0]),
        "kind": ON_TAPE,
        "scale": [int(x) for x in tape.scale],
        "source": source | {"messages": len(tape.kind), "sha256": digest_of(tape, trades)},
        "options": terms.options._asdict(),
        "fees_frac": terms.fees._asdict(),
    } | ({"funding": [list(one) for one in terms.due]} if terms.due else {})


def require_same(journal: PaperJournal, start: Mapping[str, Any], name: str) -> None:
    """Raises BadInput where the journal was begun with something else, or is over."""
    first = journal.first
    if first is not None and dict(first) != dict(start):
        what = next((key for key in start if first.get(key) != start[key]), "kind")
        raise BadInput(f"the maker {name!r} was begun with another {what}", "choose another --name")


async def paced(maker: PaperMaker, speed: float, around: Surroundings, stop: asyncio.Event) -> AsyncIterator[int]:
    """Times of the tape up to which the maker may go, until its end or a stop. What an earlier start has done is not paced."""
    at = maker.work.messages.recv_ns
    begin, last = int(at[0]), int(at[-1])
    done_ns = min(max(begin, maker.journal.caught_up_ns), last)
    for now_ns in (*range(begin + SLICE_NS, done_ns, SLICE_NS), *([done_ns] if done_ns > begin else [])):
        yield now_ns
    now_ns = done_ns
    since_ns, since_s = now_ns, around.now_s()
    while now_ns < last and not stop.is_set():
        if speed == 0.0:
            now_ns += SLICE_NS
            await asyncio.sleep(0)
        else:
            await around.sleep(LOOK_S)
            now_ns = since_ns + int((around.now_s() - since_s) * speed * 1e9)
        now_ns = min(now_ns, last)
        yield now_ns


async def run_on_tape(
    home: Path, opened: OpenTape, terms: PaperTerms, around: Surroundings, stop: asyncio.Event
) -> dict[str, Any]:
    """The maker on a tape until its end or `stop`; what is stored of it. Raises BadInput, Refused and Busy, one line each."""
    trades = traded(opened)
    if not (terms.speed == 0.0 or 0.01 <= terms.speed <= SPEED_MAX):
        raise BadInput(f"--speed {terms.speed:g}", f"0 for as fast as it goes, or 0.01 to {SPEED_MAX:,.0f} times the tape's pace")
    folder = home / "making" / terms.name
    with alone_in(folder, LOCK, f"the maker {terms.name!r} is running"):
        if why := around.latch():
            raise Refused(f"no maker starts: {why}", "nightdesk release, by a person who knows why it was halted")
        work = begun(opened.tape, trades, terms_of(opened.tape.scale, terms.options, terms.fees.maker_frac))
        journal = PaperJournal(folder / JOURNAL, code_hash(), around.now_ms, again=True)
        try:
            return await _run(folder, opened, work, terms, around, journal, stop)
        finally:
            journal.close()


async def _run(
    folder: Path,
    opened: OpenTape,
    work: MakingPass,
    terms: PaperTerms,
    around: Surroundings,
    journal: PaperJournal,
    stop: asyncio.Event,
) -> dict[str, Any]:
    """The run itself, its journal open."""
    start = start_of(opened, terms)
    require_same(journal, start, terms.name)
    was_over = journal.is_over
    journal.write([("start", start)], sync=True)
    maker = PaperMaker(work, opened.tape.scale, journal, loop_of(compiled=True), around.latch, terms.due)
    picture, stored_s = MakerPicture(opened.tape.scale, start["t_ns"], terms.fees.rebate_frac), around.now_s()
    async for now_ns in paced(maker, terms.speed, around, stop):
        maker.advance(now_ns)
        picture.funding = journal.book.sleeve.ledger.funding
        picture.look(work, now_ns)
        if around.now_s() - stored_s >= STORE_S:
            stored_s = around.now_s()
            store(folder, head_of(terms, start, around.now_ms()) | running(maker, picture) | {"state": "running"})
    body = head_of(terms, start, around.now_ms()) | running(maker, picture)
    if maker.through:
        maker.end("the tape is over", maker.figures())
        report = report_of(opened.tape, finished(work, maker.paid), terms.fees)
        body |= report | {"state": "over", "picture": picture.drawn(work)}
    store(folder, body)
    around.say("its journal had everything already" if was_over else f"journaled to {folder / JOURNAL}")
    return body


def head_of(terms: PaperTerms, start: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
    """What a run is, whatever became of it."""
    source = start["source"]
    return {
        "name": terms.name,
        "kind": start["kind"],
        "quoter": terms.options.quoter,
        "file": source.get("file"),
        **{key: source[key] for key in ("venue", "symbol", "market")},
        "options": terms.options._asdict(),
        "fees_bps": {key.removesuffix("_frac"): value * 1e4 for key, value in terms.fees._asdict().items()},
        "begun_ms": start["t_ns"] // 1_000_000,
        "written_ms": now_ms,
    }


def running(maker: PaperMaker, picture: MakerPicture) -> dict[str, Any]:
    """What is known of a maker that may go on: figures, halt, picture, and no verdict yet."""
    return {
        "state": "halted" if maker.journal.book.halted else "stopped",
        "verdict": "Not over",
        "why": "a verdict needs the whole tape",
        "figures": maker.figures(),
        "halt": halt_of(maker.journal.book),
        "picture": picture.drawn(maker.work),
    }


def halt_of(book: PaperBook) -> dict[str, Any] | None:
    """The halt as it is shown, None without one."""
    if not book.halted:
        return None
    return {
        "rule": book.halted["rule"],
        "reason": book.halted.get("reason", ""),
        "at_s": (book.halted["t_ns"] - book.begun["t_ns"]) / 1e9,
    }


def code_hash() -> str:
    """A digest of the source that decides."""
    from engine.making.kernel import sources_digest

    return sources_digest()[:12]
