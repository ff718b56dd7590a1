"""`nightdesk account check NAME`, in a process of its own: reads the account's keys, asks the venue, prints one JSON object.

Started by app/cli/account.py with the worker's environment, so that a command, a chat or a page never holds a key. Nothing is
sent but questions. Exit code 0 when the account is fit, 1 when it is not, or for a fault, which is `error` in the object.
"""

import asyncio
import json
import sys
import time
from collections.abc import Mapping
from math import isclose
from pathlib import Path
from typing import Any

from app.home.accounts import AccountEntry, meant_for
from app.home.home import Home, existing_home
from app.processes.account_claims import key_source
from app.processes.venue_calls import with_calls
from engine.book.bar_signals import NO_SIGNAL
from engine.book.book import Book
from engine.book.replay import fold
from engine.clock import timeframe_ms
from engine.control.config import SleeveConfig, active
from engine.control.sleeve_config import traded_by
from engine.core.sizing import size
from engine.core.state import Ledger, Rules
from engine.errors import BadInput, DeskError
from engine.strategies.base import parse_params
from engine.strategies.isolated.described import read_strategy
from engine.strategies.rules import rules_of
from engine.venues.account import AccountCheck, AccountReport, AccountWants, SymbolWants, checked, reader_of
from engine.venues.account_client import AccountAddress, connect, read_only, refusal_of
from engine.venues.account_instruments import listed_market
from engine.venues.account_keys import VenueKeys, read_keys
from engine.venues.answers import silent
from engine.venues.instruments import Instrument, costs_of, instrument_of

STOP_FRAC = 0.05  # of price: how far the stop of the smallest layer is taken to be
STEPS = "whole steps of the venue's"
UNBOUND = 1e12  # base units: volume does not bind the smallest layer


def account_of(home: Home, name: str) -> AccountEntry:
    """The account called `name`. Raises BadInput for an unknown one and one on paper."""
    accounts = home.desk.accounts
    if name not in accounts:
        known = f"available: {', '.join(accounts)}" if accounts else "desk.toml has none: see docs/accounts.md"
        raise BadInput(f"no account {name[:60]!r}", known)
    if accounts[name].mode == "paper":
        raise BadInput(
            f"account {name} is on paper: no venue is asked",
            'mode = "shadow", "testnet" or "live" and its keys make it checkable',
        )
    return accounts[name]


def wanted_of(home: Home, name: str, account: AccountEntry) -> AccountWants:
    """What the sleeves that name the account want of it. Raises BadInput where none does."""
    sleeves = meant_for(name, home.desk.sleeves, active(home.engine, home.path).config.sleeves, home.desk.account)
    if not sleeves:
        raise BadInput(
            f"no sleeve names the account {name}",
            f'write account = "{name}" under the sleeves meant for it, or once at the top of desk.toml',
        )
    sleeves = [own for one in sleeves for own in orders_of(one)]
    symbols = dict.fromkeys(one.symbol for one in sleeves)
    wanted = tuple(wanted_symbol(home, account.venue, [one for one in sleeves if one.symbol == symbol]) for symbol in symbols)
    return AccountWants(account.venue, account.leverage, wanted, account.mode == "testnet", account.mode == "shadow")


def orders_of(sleeve: SleeveConfig) -> list[SleeveConfig]:
    """What is ordered for a sleeve: itself, or the legs of a basket, each with half of its cash, as the leg of one pair."""
    return [sleeve] if not sleeve.legs else [leg.model_copy(update={"cash": sleeve.cash / 2}) for leg in traded_by(sleeve)]


def wanted_symbol(home: Home, venue: str, sleeves: list[SleeveConfig]) -> SymbolWants:
    """What they want of one instrument: fees as they count with, and the smallest of their smallest layers."""
    costs = costs_of(venue, sleeves[0].symbol, "perp", home.desk.overrides())
    rules = {one.name: (one.cash, rules_for(home, one)) for one in sleeves}

    def smallest(price: float) -> tuple[float, str]:
        return min((smallest_layer(cash, of_sleeve, price), name) for name, (cash, of_sleeve) in rules.items())

    return SymbolWants(sleeves[0].symbol, costs.maker_frac, costs.taker_frac, smallest)


def rules_for(home: Home, sleeve: SleeveConfig) -> Rules:
    """A sleeve's rules at its least risk."""
    params = parse_params(read_strategy(sleeve.strategy, home.strategies), sleeve.params)
    place, overrides = (sleeve.venue, sleeve.symbol, sleeve.market), home.desk.overrides()
    bar_ms, hard = timeframe_ms(sleeve.timeframe), home.desk.limits.sleeve()
    found = instrument_of(*place, overrides), costs_of(*place, overrides)
    rules = rules_of(params, *found, 0, "pessimistic", bar_ms, hard, size_part=sleeve.size_part)
    return rules._replace(risk_start_frac=min(rules.risk_floor_frac, rules.risk_start_frac), vol_target=0.0)


def smallest_layer(cash: float, rules: Rules, price: float) -> float:
    """Quote units of the layer that the core's sizing gives with a stop STOP_FRAC away; a nearer one makes a larger layer."""
    ledger = Ledger(cash, cash, *(0.0,) * 5, 0, 0, 0, *(0.0,) * 3)
    signal = NO_SIGNAL._replace(side=1, slip_frac=0.0)
    return size(ledger, rules, signal, price, STOP_FRAC * price, UNBOUND).lots * rules.lot_size * price


async def asked_of(
    account: AccountEntry,
    keys: VenueKeys,
    wanted: AccountWants,
    counted: Mapping[str, Instrument] | None = None,
    begun: bool = False,
) -> AccountReport:
    """The report of an account; `counted`: symbol -> as the desk counts it, where a start is to be foreseen too, of a home that
    has `begun` or not. Raises BadInput where ccxt does not have the venue.
    """
    made = connect(AccountAddress(account.venue, account.mode, account.rest_url, account.ws_url), keys)
    client = read_only(with_calls(account.venue, made))
    try:
        reader = reader_of(account.venue, client, wanted.plays and not account.rest_url)
        report = await checked(reader, wanted, now_ms, lambda error: refusal_of(error, client, account.venue, keys.without))
        return report if counted is None or not report.ok else await with_steps(report, client, account.venue, counted, begun)
    finally:
        await client.close()


async def with_steps(
    report: AccountReport, client: Any, venue: str, counted: Mapping[str, Instrument], begun: bool
) -> AccountReport:
    """The report of a fit account with a row an instrument: lots that are no whole number of the venue's refuse a start."""
    rows = []
    try:
        await client.load_markets()
        for symbol, one in counted.items():
            try:
                listed_market(venue, symbol, client, one, begun=begun)
                rows.append(AccountCheck(f"steps {symbol}", True, f"lots of {one.lot_size:g} at ticks of {one.tick:g}", STEPS))
            except BadInput as error:
                rows.append(AccountCheck(f"steps {symbol}", False, error.what, error.hint))
    except Exception as error:  # noqa: BLE001 - a list that cannot be read is no fit account
        rows = [AccountCheck("steps", False, silent(venue, "for its instruments", error).what, STEPS)]
    ok = all(row.ok for row in rows)
    return AccountReport((*report.checks, *rows), ok, report.may if ok else "nothing")


def require_same_lots(book: Book | None, overrides: Mapping[str, Mapping[str, Any]]) -> None:
    """Refuse a lot in desk.toml that is not the journal's: the book counts in its own, and what it orders would go out in the
    other. Flat or not: the next entry is counted so, too. `book` is None before the desk begins.
    """
    for spec in book.specs if book is not None else ():
        venue, symbol, market = str(name := spec.source["instrument"]).split(":")
        now, before = instrument_of(venue, symbol, market, overrides).lot_size, spec.rules.lot_size
        if not isclose(now, before, rel_tol=1e-9):
            what = f"{name}: this home counts in lots of {before:.10g}, and desk.toml says {now:.10g}; nothing was read or sent"
            way = f'lot_size = {before:.10g} under [instruments."{name}"], or, flat at the venue, a new home for the other lots'
            raise BadInput(what, way)


def now_ms() -> int:
    """This machine's clock, UTC ms."""
    return time.time_ns() // 1_000_000


def report_of(name: str) -> dict[str, Any]:
    """The check of an account of this environment's home, as JSON values."""
    home = existing_home()
    account = account_of(home, name)
    wanted = wanted_of(home, name, account)
    keys = read_keys(key_source(name, account), Path(home.path))
    overrides = home.desk.overrides()
    counted = {one.symbol: instrument_of(account.venue, one.symbol, "perp", overrides) for one in wanted.symbols}
    book = fold(home.desk_journal) if name == home.desk.account else None
    report = asyncio.run(asked_of(account, keys, wanted, counted, book is not None))
    if book is not None:
        try:
            require_same_lots(book, overrides)
        except BadInput as error:
            lots = AccountCheck("lots", False, error.what, error.hint)
            report = AccountReport((*report.checks, lots), ok=False, may="nothing")
    about = {"account": name, "venue": account.venue, "mode": account.mode}
    return about | {"checks": [row._asdict() for row in report.checks], "ok": report.ok, "may": report.may}


def main(words: list[str]) -> int:
    """Print the report of the account named in `words`; the exit code."""
    try:
        found = report_of(words[0] if words else "")
    except DeskError as error:
        found = {"error": {"kind": type(error).__name__, "what": error.what, "hint": error.hint}}
    sys.stdout.write(json.dumps(found, allow_nan=False) + "\n")
    return 0 if found.get("ok") else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
