"""`nightdesk making live` whole, a process of its own over sockets: quotes, fills, a halt to its end, one home a key."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from app.cli import main, making_live
from app.home.home import Home
from app.people import approvals, makers
from app.people.identity import Actor, add_person
from app.processes.children import allowed_worker, maker_command
from engine.control import halt, proposals
from engine.control.makers import MakerStep, propose
from engine.making.fold import folded
from engine.making.under_halt import makers_under_halt
from engine.store.journal import read, verify
from engine.venues.account import AccountCheck, AccountReport
from tests.app.cli.test_cli_account import planted
from tests.app.making.maker_homes import feasible, maker_before, some_tapes, with_accounts
from tests.fakes.exchange.by_the_clock import Standing, standing, wall_ms
from tests.fakes.exchange.market import Market, seeded_walk
from tests.fakes.exchange.stage import BTC
from tests.fakes.papers import WALL_MS

__all__ = ["planted"]
ROOT = Path(__file__).parents[3]
ANN, WORD = Actor("ann", "session", "ann", "cli"), "a long passphrase"
EVERY_MS = 500
GROUND = {"days": 7.5, "usable_frac": 0.99}
TAPE = {"file": "a_l2.parquet", "repeated_frac": 0.0}


def brisk(past_hours: int, future_hours: int) -> dict[str, Market]:
    """BTC by a few ticks, twice a second."""
    start = wall_ms() - past_hours * 3_600_000
    count = (past_hours + future_hours) * 3_600_000 // EVERY_MS
    return {"BTC": Market(BTC, seeded_walk(3, start, 600_000, count, EVERY_MS, 4))}


def approved(path: Path, venue: str, urls: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home whose maker m1 may start with play money, by a ground that the test gives."""
    home = with_accounts(path, venue, urls)
    maker_before(home, "paper1", venue=venue)
    monkeypatch.setenv("NIGHTDESK_TOKEN", add_person(home.path, "ann", WORD))
    monkeypatch.setattr(
        makers,
        "ground_of",
        lambda _path, floor, _tier: feasible(
            floor=floor, venue=venue, market="perp", substrate=GROUND | {"tapes": [TAPE | {"names_previous": venue != "bybit"}]}
        ),
    )
    terms = makers.terms_after(home, "testnet", "mm", "paper1", {}, flatten=True)
    terms["options"] |= {"half_spread_bps": 0.0, "stale_ms": 20_000, "requote_bps": 0.0}
    monkeypatch.setattr(makers, "lacking_before", lambda *_: [])
    step = MakerStep("testnet", "", terms, makers.tapes_of(home, some_tapes(home.path / "tapes"), terms), "paper1")
    row = propose(home.engine, home.path, "m1", step, {"requester": {"person": "ann"}}, WALL_MS)
    row = proposals.get(home.engine, row.id)
    approvals.approve(home, row.id, row.diff_sha256, ANN, WALL_MS, WORD)
    return home


@contextmanager
def maker(home: Path, *more: str) -> Iterator["subprocess.Popen[str]"]:
    """The process of the maker m1; killed at the end of the block if it still runs."""
    environment = allowed_worker(os.environ, home) | {"PYTHONPATH": str(ROOT), "NIGHTDESK_HOME": str(home)}
    command = [*maker_command("m1", None, as_json=True), *more]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def until(found: Callable[[], object], process: "subprocess.Popen[str]", seconds: float = 150.0) -> None:
    """Look until it is so; a process that has ended fails the test with what it said."""
    due = time.monotonic() + seconds
    while not found():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < due, "it did not come to pass"
        time.sleep(0.1)


def ended(process: "subprocess.Popen[str]") -> tuple[int, dict[str, Any], str]:
    """Exit code, the JSON and what was said of a process that is to end."""
    out, err = process.communicate(timeout=60)
    return process.returncode, json.loads(out), err


def own_orders(local: Standing) -> list[Any]:
    """What rests at the venue."""
    return list(local.venue.exchange.open_orders())


@pytest.mark.slow
@pytest.mark.parametrize(
    "venue", ["binance", pytest.param("okx", marks=pytest.mark.long), pytest.param("bybit", marks=pytest.mark.long)]
)
def test_it_quotes_is_filled_is_halted_and_holds_nothing(
    own_home: Path, planted: None, monkeypatch: pytest.MonkeyPatch, venue: str
) -> None:
    """Real sockets, real ccxt, real time: its journal is whole and says what the venue's ledger says, to the lot."""
    with standing(venue, 1, markets=brisk) as local:
        home = approved(own_home, venue, (local.rest_url, local.ws_url), monkeypatch)
        with maker(own_home) as process:
            journal = own_home / "making" / "m1" / "making.jsonl"

            def fills() -> int:
                return sum(1 for _ in read(journal, {"fill"})) if journal.exists() else 0

            until(lambda: fills() >= 5 and local.lots, process)
            with maker(own_home) as second:
                code, said, _ = ended(second)
                assert (code, said["error"]["kind"]) == (1, "Busy")
            halt.set(own_home, "enough", {"name": "ann"}, wall_ms(), home.engine)
            until(lambda: [one.ended for one in makers_under_halt(own_home, wall_ms() - 60_000)] == ["KILLED"], process, 60)
            assert (own_orders(local), local.lots) == ([], 0)
            process.send_signal(signal.SIGINT)
            code, body, err = ended(process)
        assert (code, body["state"], body["account"], body["mode"], body["stage"]) == (0, "halted", "mm", "testnet", "testnet")
        assert "TESTNET at the account mm, PLAY MONEY, stage testnet" in err
        assert "PAGE: halt (latch" in err
        assert verify(journal).ok
        book = folded(read(journal))
        assert (book.inventory, book.killed["state"]) == (0, "KILLED")
        assert book.fills == sum(1 for event in local.venue.exchange.ledger if event.kind == "fill")
        assert "PLANTED" not in journal.read_text()
        with maker(own_home) as again:
            code, said, _ = ended(again)
            assert (code, said["error"]["what"]) == (1, "no maker starts: the desk is halted: enough")
    del planted


def test_the_command_becomes_the_process_with_the_workers_environment(
    own_home: Path, planted: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As typed: its own interpreter and module; keys' variables pass, a model's key does not; no other `making` has them."""
    with_accounts(own_home)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-model")
    found: list[Any] = []
    monkeypatch.setattr(making_live.os, "execve", lambda *words: found.append(words))
    for typed in ("live m1 --minutes 5 --json", "list --json"):
        monkeypatch.setattr(sys, "argv", ["nightdesk", "making", *typed.split()])
        with pytest.raises(SystemExit, match="0"):
            main.run()
    assert "PLANTED_KEY" not in os.environ
    ((program, command, environment),) = found
    assert program == command[0] == sys.executable
    assert command[1:] == ["-P", "-m", "app.processes.maker", "m1", "--minutes", "5", "--json"]
    assert "PLANTED_KEY" in environment
    assert "OPENAI_API_KEY" not in environment
    del planted


@pytest.mark.parametrize(("mode", "faults"), [("live", 1), ("testnet", 0)])
def test_an_account_that_pays_more_than_its_tier_starts_no_maker_with_money(mode: str, faults: int) -> None:
    """A tier typed into desk.toml that the venue does not give: refused with both figures; a testnet has tiers of its own."""
    from app.processes.maker import unfit

    rows = (
        AccountCheck("clock", True, "0 ms", "1 s"),
        AccountCheck("fees BTC-USDT", False, "maker 2 bps", "at most 0.5 bps", False),
    )
    found = unfit(AccountReport(rows, True, "trade"), mode)
    assert found == ["fees BTC-USDT: maker 2 bps, wanted at most 0.5 bps"][:faults]
    assert unfit(AccountReport((rows[1]._replace(ok=True),), True, "trade"), mode) == []


def test_a_maker_on_paper_is_refused_in_a_line(own_home: Path, planted: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """No step was approved: nothing is connected, no key is read."""
    from app.processes import maker as process

    with_accounts(own_home)
    monkeypatch.setattr(process, "claim_keys", lambda *_, **__: pytest.fail("a key was asked for"))
    said: list[str] = []
    monkeypatch.setattr(process, "say", said.append)
    assert process.main(["m1"]) == 1
    assert said[0].startswith("no step of a maker m1 is approved. It may not leave simulation and paper before 7 recorded days")
    del planted
