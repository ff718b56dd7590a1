"""Puts a trading process on live data together: journal, desk, bars. Called by app.processes.worker.

Without an account the desk is on paper; with one it is the account's (app.processes.account_start).
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from app.processes.account_check import require_same_lots, wanted_of
from app.processes.account_start import connected, keyed
from app.processes.chain_check import ChainCheck
from app.processes.keeping import Log
from app.processes.live_data import LiveData
from app.processes.live_worker import LiveWorker, until_signalled
from app.processes.opening import config_body, funding_text, opened_journal, walked
from app.processes.shadow_start import shadow_home
from app.processes.unattended import say
from engine.book.bodies import SIMULATED
from engine.book.book import Book
from engine.book.replay import fold
from engine.data.catalog import Catalog
from engine.data.loading import policy_of
from engine.errors import BadInput
from engine.live.account_loop import AccountConnection, AccountHome, AccountLoop
from engine.live.controls import Controls
from engine.live.duties import AccountDuties
from engine.live.gate import AccountGate, GateParts
from engine.live.gate_code import code_under, last_opened
from engine.live.loop import Loop
from engine.live.paper_live import PaperLive
from engine.live.shadow import ShadowLive
from engine.venues.account import AccountReport, AccountWants, faults_at_start
from engine.venues.instruments import instrument_of


def run_live(home: Any) -> int:
    """Run the desk of `home` until it is stopped; the exit code. Raises DeskError for what it cannot go on with."""
    asyncio.run(until_signalled(live_worker(home)))
    return 0


def live_worker(home: Any, **more: Any) -> LiveWorker:
    """The worker of a home on live data; `more`: clocks and connections of a test."""
    log = Log(home.path / "logs" / "worker.jsonl")
    journal = opened_journal(home, log)
    chain = ChainCheck(home.path, home.engine, log)
    chain.start()
    clock, columns = walked(home)
    data = LiveData(home, clock, columns, log, **more)
    simulated = home.desk.mode in SIMULATED
    make = paper_desk if home.desk.traded is None else shadow_desk if simulated else account_desk
    worker = LiveWorker(home, make(home, journal, data, chain, log, more), data, journal, log, home.desk.mode)
    worker.policy = policy_of(home.desk.worker.funding) if simulated else "none"  # an account's settlements are bills
    return worker


def account_desk(home: Any, journal: Any, data: LiveData, chain: ChainCheck, log: Log, more: Mapping[str, Any]) -> AccountLoop:
    """The desk of the account that desk.toml names. Raises BadInput where it trades another venue, or lacks its keys."""
    name, account = home.desk.account, home.desk.traded
    require_venue(home, data)
    keys = more.get("keys") or keyed(name, account, home.path)

    def page(what: str) -> None:
        log.warning("page", what=what)
        say(what)

    async def connect(instruments: Sequence[str]) -> AccountConnection:
        overrides = home.desk.overrides()
        book = await asyncio.to_thread(fold, home.desk_journal)
        require_same_lots(book, overrides)
        counted = counted_before(home.desk_journal, book)
        begun = book is not None
        return await connected(
            account.venue, instruments, keys.client, overrides, data.account_waits, counted=counted, begun=begun
        )

    # funding: what the daily comparison is to count with; the account's own settlements are bills
    about = {"home_id": home.id, "source": "live", "funding": "recorded", "notes": [], "account": name, "mode": account.mode}
    about["ids_from"] = ids_from(home.id)
    of_home = AccountHome(
        journal,
        Controls(home.path, home.engine),
        home.strategies,
        lambda desk: config_body(home, desk, data.clock, first_ms(loop.book), Catalog(home.roots)),
        data.now_ms,
        account.mode.upper(),
        page,
        chain.withheld,
        about,
        lambda at, duties: account_gate(home, keys.report, at, duties),
    )
    loop = AccountLoop(of_home, connect)
    data.is_open = lambda instrument: holds(loop.book, instrument)
    data.is_off = lambda instrument: loop.book is not None and instrument in loop.book.off
    data.is_gone = lambda instrument: loop.book is not None and loop.book.is_gone(instrument)
    return loop


def counted_before(journal: Path, book: Book | None) -> dict[str, str]:
    """Instrument -> what its venue counted in when the gate was last open, of those that have lots or orders since."""
    if not (steps := last_opened(journal).get("steps")) or book is None:
        return {}
    ordered = {book.specs[order.sleeve].source["instrument"] for order in book.orders.open.values()}
    return {name: text for name, text in steps.items() if name in ordered or holds(book, name)}


def ids_from(home_id: str) -> int:
    """What the numbers in a home's client ids begin behind: its own ten thousand, so that a home begun anew on an account asks
    for no id that an earlier one has used."""
    return 10_000 + int.from_bytes(sha256(home_id.encode()).digest()[:4]) % 9_000 * 10_000


def shadow_desk(home: Any, journal: Any, data: LiveData, chain: ChainCheck, _log: Log, more: Mapping[str, Any]) -> PaperLive:
    """The desk in shadow of the account that desk.toml names. Raises BadInput as account_desk."""
    require_venue(home, data)
    shadow = shadow_home(home, data, data.account_waits, more)
    of_account = {"account": home.desk.account, "mode": home.desk.mode}
    return simulated_desk(
        home, journal, data, chain, lambda loop, folded, about: ShadowLive(loop, folded, {**about, **of_account}, shadow)
    )


def require_venue(home: Any, data: LiveData) -> None:
    """Refuse a desk that trades another venue than its account's."""
    name, venue = home.desk.account, home.desk.traded.venue
    others = [c for c in data.columns if c.partition(":")[0] != venue]
    if others:
        raise BadInput(f"the account {name} is at {venue}, the desk trades {', '.join(others)}", "begin a new home for it")


def account_gate(
    home: Any, report: Callable[[AccountWants], Awaitable[AccountReport]], at: AccountConnection, duties: AccountDuties
) -> AccountGate:
    """The gate of the account of a home."""
    desk, overrides = duties.desk, home.desk.overrides()

    last: AccountWants | None = None  # what the account was checked for

    async def faults() -> list[str]:
        nonlocal last
        last = await asyncio.to_thread(wanted_of, home, home.desk.account, home.desk.traded)  # it asks strategies what they want
        return await found(last)

    async def changes() -> list[str]:
        return await found(last._replace(again=True)) if last is not None else []

    async def found(wanted: AccountWants) -> list[str]:
        out = {name.split(":")[1] for name in gate.listings.out}  # what the venue does not trade keeps its own sleeves out alone
        symbols = tuple(one for one in wanted.symbols if one.symbol not in out)
        return faults_at_start(await report(wanted._replace(symbols=symbols)))

    parts = GateParts(
        at.reader,
        faults,
        {name: instrument_of(v, symbol, m, overrides) for name in desk.venues for v, symbol, m in [name.split(":")]},
        home.desk_journal,
        home.people_journal,
        lambda: code_under(desk.book, home.strategies),
        None if duties.streams is None else duties.streams.heard,
        changes=changes,
    )
    gate = AccountGate(desk, duties.reconcile, parts)
    return gate


def first_ms(book: Any) -> int:
    """Where the home's first traded bar opens; 0 before it has begun."""
    return 0 if book is None else int(book.start["first_ms"])


def paper_desk(home: Any, journal: Any, data: LiveData, chain: ChainCheck, _log: Log, _more: Mapping[str, Any]) -> PaperLive:
    """The paper desk of a home."""
    return simulated_desk(home, journal, data, chain, PaperLive)


def simulated_desk(
    home: Any,
    journal: Any,
    data: LiveData,
    chain: ChainCheck,
    make: Callable[[Loop, Callable[[], Book | None], Mapping[str, Any]], PaperLive],
) -> PaperLive:
    """A desk whose fills are simulated, made of a loop, of how its journal is folded, and of what its start says."""
    from engine.book.replay import fold

    def body_of(desk: Any) -> dict[str, Any]:
        return config_body(home, desk, data.clock, paper.first_ms, Catalog(home.roots))

    loop = Loop(journal, Controls(home.path, home.engine), home.strategies, body_of, data.now_ms)
    loop.withheld = chain.withheld
    data.is_open = lambda instrument: holds(paper.book, instrument)
    data.is_off = lambda instrument: paper.book is not None and instrument in paper.book.off
    data.is_gone = lambda instrument: paper.book is not None and paper.book.is_gone(instrument)
    about = {"home_id": home.id, "funding": funding_text(policy_of(home.desk.worker.funding))}
    paper = make(loop, lambda: fold(journal.path), about)
    return paper


def holds(book: Any, instrument: str) -> bool:
    """Whether a sleeve of an instrument has an open position; `book` is None before the desk begins."""
    return book is not None and any(
        spec.source["instrument"] == instrument and sleeve.position.open_layers
        for spec, sleeve in zip(book.specs, book.sleeves, strict=True)
    )
