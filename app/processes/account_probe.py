"""`nightdesk live test NAME` without a worker, in a process of its own: reads the account's keys, probes each instrument.

Started by app/cli/live.py with the worker's environment. `cost` asks what the venue lists and sends no order; else orders of
least size go out, and what they do is in the people journal before and after (the desk's is the worker's alone). It claims the
key first: a worker that has it makes the probe itself. Prints one JSON object.
"""

import asyncio
import json
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app.home.accounts import AccountEntry, meant_for
from app.home.home import Home, existing_home
from app.people.approvals import record
from app.processes.account_check import account_of, now_ms
from app.processes.account_claims import claim_keys, key_source
from engine.control import halt
from engine.control.config import active
from engine.errors import BadInput, DeskError
from engine.live.probe import AccountProbe
from engine.live.probe_result import ProbeOf, probe_of, round_trip_cost
from engine.venues.account import reader_of
from engine.venues.account_client import AccountAddress, connect, refusal_of
from engine.venues.account_instruments import adapter_of
from engine.venues.account_keys import VenueKeys, read_keys
from engine.venues.instruments import costs_of, instrument_of

WORDS = ("cost", "far", "round_trip")


async def probed(home: Home, name: str, account: AccountEntry, keys: VenueKeys, what: str) -> dict[str, Any]:
    """The cost, or the results of the probes, of every instrument that sleeves trade at the account."""
    client = connect(AccountAddress(account.venue, account.mode, account.rest_url, account.ws_url), keys)
    try:
        await client.load_markets()
        items = [await _one(home, account, client, symbol, what) for symbol in symbols_of(home, name)]
    except DeskError:
        raise
    except Exception as error:
        raise BadInput(refusal_of(error, client, account.venue, keys.without).text, f"nightdesk account check {name}") from error
    finally:
        await client.close()
    about = {"account": name, "venue": account.venue, "mode": account.mode, "kind": what, "items": items}
    return about | {"ok": all(item.get("ok", True) for item in items)}


async def _one(home: Home, account: AccountEntry, client: Any, symbol: str, what: str) -> dict[str, Any]:
    """One instrument."""
    overrides, place = home.desk.overrides(), (account.venue, symbol, "perp")
    instrument, costs = instrument_of(*place, overrides), costs_of(*place, overrides)
    listing = await reader_of(account.venue, client).listing(symbol)
    if listing is None or not listing.trades or not listing.price > 0.0:
        raise BadInput(f"{symbol} is not traded at {account.venue} now", "look at the venue's page of the instrument")
    of = probe_of(f"{account.venue}:{symbol}:perp", instrument, listing)
    notional, cost = round_trip_cost(of, costs.taker_frac, costs.half_spread_frac)
    about = {"instrument": of.instrument, "notional_usd": round(notional, 2), "cost_usd": round(cost, 4)}
    if what == "cost":
        return about
    venue = adapter_of(account.venue, symbol, client, client, instrument)
    results = [await _probe(home, venue, of).far()]
    if what == "round_trip" and results[0].ok:
        results.append(await _probe(home, venue, of).round_trip())
    return about | {"ok": all(result.ok for result in results), "probes": [result.as_json() for result in results]}


def _probe(home: Home, venue: Any, of: ProbeOf) -> AccountProbe:
    """A probe that journals for people and stops at a halt. No stream is opened here: its legs are not tried."""

    def note(body: Mapping[str, Any]) -> None:
        record(home, "probe", dict(body), now_ms())

    def barred() -> str:
        latch = halt.read(home.path, home.engine)
        return latch.unreadable or (f"the desk is halted: {latch.reason}" if latch.halted else "")

    return AccountProbe(venue, of, now_ms, note, None, barred)


def symbols_of(home: Home, name: str) -> list[str]:
    """Instruments of the sleeves that name the account. Raises BadInput where none does."""
    sleeves = meant_for(name, home.desk.sleeves, active(home.engine, home.path).config.sleeves, home.desk.account)
    if not sleeves:
        raise BadInput(f"no sleeve names the account {name}", f'write account = "{name}" under the sleeves meant for it')
    return list(dict.fromkeys(sleeve.symbol for sleeve in sleeves))


def report_of(name: str, what: str) -> dict[str, Any]:
    """The probe of an account of this environment's home, as JSON values. Raises DeskError."""
    if what not in WORDS:
        raise BadInput(f"{what[:20]!r} is not a valid probe", f"available: {', '.join(WORDS)}")
    home = existing_home()
    account = account_of(home, name)
    if account.mode == "shadow":
        raise BadInput(f"account {name} is in shadow: nothing is sent to it, a probe neither", f"nightdesk account check {name}")
    keys = read_keys(key_source(name, account), Path(home.path))
    if what != "cost":
        claim_keys(home, lambda _line: None)
    return asyncio.run(probed(home, name, account, keys, what))


def main(words: list[str]) -> int:
    """Print the report of the account and probe named in `words`; the exit code. Ctrl-C does not leave an order behind."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        found = report_of(words[0] if words else "", words[1] if len(words) > 1 else "cost")
    except DeskError as error:
        found = {"error": {"kind": type(error).__name__, "what": error.what, "hint": error.hint}}
    sys.stdout.write(json.dumps(found, allow_nan=False) + "\n")
    return 0 if found.get("ok") else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
