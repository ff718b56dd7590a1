"""`nightdesk account list | check`: against local venues over sockets; a planted key is in no output and no file."""

import asyncio
import importlib
import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import ccxt.pro
import pytest

from app.cli.account import report_text
from app.home.home import open_home
from app.processes import account_check
from engine.venues.account_client import AccountAddress, connect
from engine.venues.account_keys import VenueKeys
from tests.fakes.exchange.adapted import ADAPTED
from tests.fakes.running_desk import nightdesk

PLANTED = {
    "PLANTED_KEY": "Zq3TfR7xWm1LsK9vBn5YcD2hGj8PaU4eXo6i",
    "PLANTED_SECRET": "planted-secret-0a1b2c3d4e",
    "PLANTED_PASS": "planted pass phrase",
}
LOCAL = {"okx": "LocalOkx", "binance": "LocalBinance", "bybit": "LocalBybit"}


def wall_ms() -> int:
    """This machine's clock, which the process that checks has, too."""
    return time.time_ns() // 1_000_000


@contextmanager
def served(venue: str, **more: Any) -> Iterator[tuple[Any, str, str]]:
    """(a local venue, its REST and its WebSocket address) in a thread, for as long as the block lasts."""
    made = getattr(importlib.import_module(f"tests.fakes.exchange.{venue}.client"), LOCAL[venue])
    local, ready, over = made(ADAPTED[venue].played.walked(wall_ms), **more), threading.Event(), []

    async def serve() -> None:
        end = asyncio.Event()
        async with local.served() as at:
            over.extend([asyncio.get_running_loop(), end, at.rest_url, at.ws_url])
            ready.set()
            await end.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert ready.wait(60)
    try:
        yield local, over[2], over[3]
    finally:
        over[0].call_soon_threadsafe(over[1].set)
        thread.join()


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys in the environment that each local venue takes."""
    for name, value in PLANTED.items():
        monkeypatch.setenv(name, value)
    for venue in LOCAL:
        monkeypatch.setattr(f"tests.fakes.exchange.{venue}.rest.KEY", PLANTED["PLANTED_KEY"])
        monkeypatch.setattr(f"tests.fakes.exchange.{venue}.rest.SECRET", PLANTED["PLANTED_SECRET"])
    monkeypatch.setattr("tests.fakes.exchange.okx.rest.PASSPHRASE", PLANTED["PLANTED_PASS"])


def desk_toml(home: Path, venue: str, mode: str = "live", urls: tuple[str, str] = ("", ""), sleeve: str = "main") -> None:
    """A home with an account and a sleeve that is meant for it."""
    open_home().engine.dispose()
    words = f'[[sleeves]]\nname = "btc"\nstrategy = "trend"\nvenue = "{venue}"\nsymbol = "BTC-USDT"\n'
    words += f'account = "{sleeve}"\n' if sleeve else ""
    words += f'[accounts.main]\nvenue = "{venue}"\nmode = "{mode}"\nkey_env = "PLANTED_KEY"\nsecret_env = "PLANTED_SECRET"\n'
    words += 'passphrase_env = "PLANTED_PASS"\n' if venue == "okx" else ""
    words += f'leverage = 3\nrest_url = "{urls[0]}"\nws_url = "{urls[1]}"\n'
    (home / "desk.toml").write_text(words)


def report(capsys: pytest.CaptureFixture[str], name: str = "main") -> dict[str, Any]:
    """What the process that checks prints, in this one."""
    account_check.main([name])
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_the_command_checks_and_no_key_is_anywhere(own_home: Path, planted: None) -> None:
    """In words, exit code 1 for a key that may withdraw; questions alone were sent; no key is in an output or a file."""
    with served("okx") as (local, *urls):
        desk_toml(own_home, "okx", urls=(urls[0], urls[1]))
        local.permissions = "read_only,trade,withdraw"
        done = nightdesk("account", "check", "main")
        assert {method for method, *_ in local.calls} == {"GET"}
        assert len(local.exchange.orders) == 0
    assert done.returncode == 1
    assert done.stdout.startswith("main (okx, live): not fit to trade\n")
    assert "  bad     withdrawal: it may withdraw: make another key without it; wanted: no right to withdraw\n" in done.stdout
    kept = [path.read_bytes() for path in own_home.rglob("*") if path.is_file()]
    for planted_key in PLANTED.values():
        assert planted_key not in done.stdout + done.stderr
        assert not any(planted_key.encode() in content for content in kept)


@pytest.mark.parametrize("venue", ["binance", "bybit"])
def test_the_other_venues_over_sockets(
    own_home: Path, planted: None, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, venue: str
) -> None:
    """By the client that the product makes; the least order is held against the sleeve's own smallest layer. No log has a key."""
    caplog.set_level(logging.DEBUG)
    with served(venue) as (local, *urls):
        desk_toml(own_home, venue, urls=(urls[0], urls[1]))
        value = report(capsys)
        assert (value["ok"], value["may"]) == (True, "trade"), value
        assert {"name", "ok", "found", "wanted"} <= set(value["checks"][0])
        local.recounted = {"tickSize": "5"}
        uneven = report(capsys)
        assert {method for method, *_ in local.calls} == {"GET"}
    assert not [key for key in PLANTED.values() if key in caplog.text]
    assert (uneven["ok"], uneven["may"]) == (False, "nothing")
    (bad,) = [row for row in uneven["checks"] if row["must"] and not row["ok"]]
    assert (bad["name"], bad["found"].partition(":")[0]) == ("steps BTC-USDT", "BTC-USDT"), "as the start that it would refuse"
    rows = {row["name"]: row for row in value["checks"]}
    assert "; the smallest layer of btc is 1" in rows["least_order BTC-USDT"]["found"]


def test_lots_that_are_not_the_journals_are_a_row_and_advice_of_a_new_home(
    own_home: Path, planted: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the start that they would refuse. Before a home has begun, steps that do not fit are written into desk.toml."""
    counts = SimpleNamespace(source={"instrument": "bybit:BTC-USDT:perp"}, rules=SimpleNamespace(lot_size=0.01))
    with served("bybit") as (local, *urls):
        desk_toml(own_home, "bybit", urls=(urls[0], urls[1]))
        text = (own_home / "desk.toml").read_text()
        (own_home / "desk.toml").write_text(f'account = "main"\n[data]\nsource = "live"\nrest_url = "{urls[0]}"\n{text}')
        found = {}
        for begun, steps in ((None, {}), (counts, {}), (None, {"tickSize": "5"}), (counts, {"tickSize": "5"})):
            book = begun and SimpleNamespace(specs=[begun])
            monkeypatch.setattr(account_check, "fold", lambda _, book=book: book)
            local.recounted = steps
            value = report(capsys)
            bad = {row["name"]: row["wanted"] for row in value["checks"] if row["must"] and not row["ok"]}
            assert value["ok"] == (not bad)
            found[begun is not None, bool(steps)] = bad
    assert found[False, False] == {}
    assert found[True, False]["lots"].startswith('lot_size = 0.01 under [instruments."bybit:BTC-USDT:perp"]')
    assert found[False, True]["steps BTC-USDT"].endswith("in desk.toml: lot_size, tick")
    assert found[True, True]["steps BTC-USDT"].endswith("begin a new home")


def test_testnet_has_keys_of_its_own(own_home: Path, planted: None, capsys: pytest.CaptureFixture[str]) -> None:
    """OKX says so by a header; a key of the other environment is a line."""
    with served("okx", simulated=True) as (_, *urls):
        for mode, ok in (("testnet", True), ("live", False)):
            desk_toml(own_home, "okx", mode, (urls[0], urls[1]))
            value = report(capsys)
            assert value["ok"] is ok, value
    assert "belongs to the other environment (50101)" in value["checks"][1]["found"]


def test_addresses_of_play_money() -> None:
    """Where a client sends what it signs; nothing is sent here."""
    keys = VenueKeys("k" * 20, "s" * 20, "p" * 20)
    assert connect(AccountAddress("okx", "testnet"), keys).headers["x-simulated-trading"] == "1"
    assert "demo-fapi" in connect(AccountAddress("binance", "testnet"), keys).urls["api"]["fapiPrivate"]
    assert "api-testnet" in connect(AccountAddress("bybit", "testnet"), keys).urls["api"]["private"]
    assert connect(AccountAddress("okx", "live"), keys).urls["api"]["rest"] == "https://{hostname}"
    assert "fapi.binance.com" in connect(AccountAddress("binance", "live"), keys).urls["api"]["fapiPrivate"]
    for venue in LOCAL:
        text = json.dumps(connect(AccountAddress(venue, "testnet", "http://127.0.0.1:1", "ws://127.0.0.1:1"), keys).urls["api"])
        assert "127.0.0.1:1" in text
        assert (
            connect(AccountAddress(venue, "live"), keys).options.get("maxRetriesOnFailure") is None
        )  # an order is never sent twice


def lacking_keys(home: Path, patch: pytest.MonkeyPatch) -> None:
    """No variable is set."""
    desk_toml(home, "okx")
    for name in PLANTED:
        patch.delenv(name)


def lacking_venue(home: Path, patch: pytest.MonkeyPatch) -> None:
    """A ccxt that has given the venue up."""
    desk_toml(home, "okx")
    patch.delattr(ccxt.pro, "okx")


CANNOT: dict[str, tuple[Callable[[Path, pytest.MonkeyPatch], None], str]] = {
    "no keys": (lacking_keys, "account main: the environment has no PLANTED_KEY and no PLANTED_SECRET and no PLANTED_PASS"),
    "no venue": (lacking_venue, "has no okx"),
    "on paper": (lambda home, _: desk_toml(home, "okx", "paper"), "account main is on paper: no venue is asked"),
    "no sleeve": (lambda home, _: desk_toml(home, "okx", sleeve=""), "no sleeve names the account main"),
}


@pytest.mark.parametrize("why", CANNOT)
def test_what_cannot_be_checked_is_a_line(
    own_home: Path, planted: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], why: str
) -> None:
    """No keys, no venue in ccxt, on paper, no sleeve: what, and what to do."""
    spoil, words = CANNOT[why]
    spoil(own_home, monkeypatch)
    error = report(capsys)["error"]
    assert words in error["what"]
    assert error["hint"]


def test_an_unknown_account_is_a_line(own_home: Path, planted: None, capsys: pytest.CaptureFixture[str]) -> None:
    """With those there are; a home without accounts says where to read."""
    desk_toml(own_home, "okx")
    assert report(capsys, "mian")["error"] == {"kind": "BadInput", "what": "no account 'mian'", "hint": "available: main"}
    text = (own_home / "desk.toml").read_text().partition("[accounts")[0].replace('account = "main"', "")
    (own_home / "desk.toml").write_text(text)
    assert "docs/accounts.md" in report(capsys)["error"]["hint"]


def test_the_list_names_what_holds_the_keys(own_home: Path, capsys: pytest.CaptureFixture[str], planted: None) -> None:
    """And which variable this shell has not set; the keys are not read for it."""
    from app.cli.account import list_accounts

    desk_toml(own_home, "okx")
    os.environ.pop("PLANTED_PASS")
    list_accounts(as_json=True)
    (item,) = json.loads(capsys.readouterr().out)["items"]
    assert item["keys"] == "environment PLANTED_KEY, PLANTED_SECRET, PLANTED_PASS"
    assert (item["unset"], item["sleeves"], item["mode"]) == (["PLANTED_PASS"], ["btc"], "live")
    list_accounts(as_json=False)
    assert "(not set here: PLANTED_PASS); sleeves: btc" in capsys.readouterr().out


def test_a_desk_s_own_account_lists_every_sleeve(own_home: Path, capsys: pytest.CaptureFixture[str], planted: None) -> None:
    """Named once at the top of desk.toml, it is traded by sleeves that name none."""
    from app.cli.account import list_accounts

    desk_toml(own_home, "okx")
    text = (own_home / "desk.toml").read_text()
    top = 'account = "main"\n' + text.replace('account = "main"', "", 1) + '\n[data]\nsource = "live"\n'
    (own_home / "desk.toml").write_text(top)
    list_accounts(as_json=False)
    assert capsys.readouterr().out.strip().endswith("sleeves: btc")


def test_an_instrument_that_is_not_listed_is_one_line() -> None:
    """What the venue answers about its settings says nothing more; another instrument's rows stay."""
    gone = {"instrument BTC-USDT": "not listed: delisted", "margin BTC-USDT": "refused: {}", "least_order BTC-USDT": "not listed"}
    rows = gone | {"leverage ETH-USDT": "7", "fees ETH-USDT": None}
    checks = [{"name": name, "ok": False, "found": found, "wanted": "w", "must": True} for name, found in rows.items()]
    lines = report_text({"account": "main", "venue": "bybit", "mode": "live", "may": "nothing", "checks": checks}).split("\n")
    assert [line.split(":")[0].strip() for line in lines[1:]] == [
        "bad     instrument BTC-USDT",
        "bad     leverage ETH-USDT",
        "not asked",
    ]
    assert lines[-1] == "not asked: 3 more"


def test_a_venue_that_is_not_there(own_home: Path, planted: None, capsys: pytest.CaptureFixture[str]) -> None:
    """A port where nobody listens: one line, the rest not asked."""
    desk_toml(own_home, "okx", urls=("http://127.0.0.1:9", "ws://127.0.0.1:9"))
    value = report(capsys)
    assert value["checks"][0]["found"] == "OKX cannot be reached: ExchangeNotAvailable; check network and proxy"
    assert {row["found"] for row in value["checks"][1:]} == {None}


def test_a_key_does_not_reach_an_error(planted: None) -> None:
    """ccxt's errors carry addresses with signatures, Bybit's the key."""
    keys = VenueKeys(*PLANTED.values())
    shown = keys.without(f"origin_string[1700{PLANTED['PLANTED_KEY']}5000] {PLANTED['PLANTED_SECRET']} {PLANTED['PLANTED_PASS']}")
    assert shown == "origin_string[1700[secret]5000] [secret] [secret]"
    with pytest.raises(AttributeError):
        keys.__dict__  # noqa: B018 - nothing that a debugger or a log would print
