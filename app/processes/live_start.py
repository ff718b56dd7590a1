"""Puts a trading process on live data together: journal, desk, bars. Called by app.processes.worker.

Without an account the desk is on paper; with one it is the account's (app.processes.account_start).
"""

import asyncio
from typing import Any

from app.processes.chain_check import ChainCheck
from app.processes.keeping import Log
from app.processes.live_data import LiveData
from app.processes.live_worker import LiveWorker, until_signalled
from app.processes.opening import config_body, funding_text, opened_journal, walked
from engine.data.catalog import Catalog
from engine.data.loading import policy_of
from engine.live.controls import Controls
from engine.live.loop import Loop
from engine.live.paper_live import PaperLive


def run_live(home: Any) -> int:
    """Run the desk of `home` until it is stopped; the exit code. Raises DeskError for what it cannot go on with."""
    asyncio.run(until_signalled(live_worker(home)))
    return 0


def live_worker(home: Any, **more: Any) -> LiveWorker:
    """The worker of a home on live data; `more`: clocks and connections of a test."""
    log, journal = Log(home.path / "logs" / "worker.jsonl"), opened_journal(home)
    chain = ChainCheck(home.path, home.engine, log)
    chain.start()
    clock, columns = walked(home)
    data = LiveData(home, clock, columns, log, **more)
    desk = paper_desk(home, journal, data, chain)
    worker = LiveWorker(home, desk, data, journal, log, home.desk.mode)
    worker.policy = policy_of(home.desk.worker.funding)
    return worker


def paper_desk(home: Any, journal: Any, data: LiveData, chain: ChainCheck) -> PaperLive:
    """The paper desk of a home."""
    from engine.book.replay import fold

    def body_of(desk: Any) -> dict[str, Any]:
        return config_body(home, desk, data.clock, paper.first_ms, Catalog(home.roots))

    loop = Loop(journal, Controls(home.path, home.engine), home.strategies, body_of, data.now_ms)
    loop.withheld = chain.withheld
    data.is_open = lambda instrument: holds(paper.book, instrument)
    about = {"home_id": home.id, "funding": funding_text(policy_of(home.desk.worker.funding))}
    paper = PaperLive(loop, lambda: fold(journal.path), about)
    return paper


def holds(book: Any, instrument: str) -> bool:
    """Whether a sleeve of an instrument has an open position; `book` is None before the desk begins."""
    return book is not None and any(
        spec.source["instrument"] == instrument and sleeve.position.open_layers
        for spec, sleeve in zip(book.specs, book.sleeves, strict=True)
    )
