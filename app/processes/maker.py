"""`nightdesk making live NAME`, in a process of its own: a market maker at an account, by the step that a person has approved.

Started by app/cli/making_live.py with the worker's environment, so that no command, chat or page holds a key. Asked at every
start, and skipped by nothing: the latch, the step, the tapes' ground (engine/making/stages.py), the account's key for this
process alone, the account itself as `nightdesk account check` sees it. Then the maker settles with its account and quotes.
"""

import argparse
import asyncio
import json
import math
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from app.home.accounts import AccountEntry
from app.home.home import Home, existing_home
from app.home.written import alone_in
from app.making.account import AccountLife, AccountTerms, MakerConnection
from app.making.live import steady_ns
from app.making.paper import PaperTerms, Surroundings
from app.making.words import account_text, text_of
from app.market_data.book_recorder import BookRequest, record_books
from app.market_data.recorder import until_stopped
from app.people.makers import account_for, ground_now
from app.processes.account_claims import claim_keys
from app.processes.account_start import KeyedAccount, connected, keyed
from app.processes.keeping import Log
from engine.control import halt
from engine.control.makers import PAPER, MakerStep, step_of
from engine.core.sizing import least_lots
from engine.errors import DataError, DeskError, Refused
from engine.l2.tape import Scale
from engine.making.report import MakerFees
from engine.making.rules import rules_of
from engine.making.simulation import MakingOptions, require_terms
from engine.making.stages import conditions, require_ground
from engine.making.stored import LOCK, folder_of
from engine.venues.account import AccountReport, AccountWants, SymbolWants, faults_at_start
from engine.venues.instruments import Instrument, costs_of, instrument_of

SMALL = "live_small"


class MakerPlan(NamedTuple):
    """One start, allowed."""

    name: str
    step: MakerStep
    entry: AccountEntry
    instrument: Instrument
    options: MakingOptions
    fees: MakerFees


def planned(home: Home, name: str) -> MakerPlan:
    """What is started, once everything that can be known without the venue is so. Raises Refused and BadInput, one line each."""
    folder_of(home.path, name)
    if why := latched(home):
        raise Refused(f"no maker starts: {why}", "nightdesk release, by a person who knows why it was halted")
    step = step_of(home.engine, name)
    if step.stage == PAPER:
        hint = f"nightdesk making promote {name} testnet --account ACC --after PAPERNAME --tapes FOLDER --as PERSON"
        raise Refused(f"no step of a maker {name} is approved. {conditions().rstrip('.')}", hint)
    terms = step.terms
    entry = account_for(home, step.stage, str(terms["account"]))
    require_ground(ground_now(home, step))
    options, fees = MakingOptions(**terms["options"]), MakerFees(**terms["fees_frac"])
    require_terms(options)
    instrument = instrument_of(terms["venue"], terms["symbol"], terms["market"], home.desk.overrides())
    return MakerPlan(name, step, entry, instrument, options, fees)


def latched(home: Home) -> str:
    """Why nothing may be sent, "" where all may."""
    found = halt.read(home.path, home.engine)
    return found.unreadable or (f"the desk is halted: {found.reason}" if found.halted else "")


def wanted_of(home: Home, plan: MakerPlan) -> AccountWants:
    """What the maker wants of its account: its smallest order is a quote."""
    one, costs = plan.instrument, costs_of(plan.instrument.venue, plan.instrument.symbol, "perp", home.desk.overrides())
    layer = lambda price: (plan.options.size * price, plan.name)  # noqa: E731 - typed by SymbolWants
    wants = SymbolWants(one.symbol, costs.maker_frac, costs.taker_frac, layer)
    return AccountWants(one.venue, plan.entry.leverage, (wants,), plan.entry.mode == "testnet")


def unfit(report: AccountReport, mode: str) -> list[str]:
    """Why the account is not fit, in words. With real money it pays no more than the tier that the ground was judged with; a
    testnet has tiers of its own.
    """
    if mode == "live":
        checks = tuple(row._replace(must=row.must or row.name.startswith("fees ")) for row in report.checks)
        report = report._replace(checks=checks)
    return faults_at_start(report)


def least_of(plan: MakerPlan) -> Callable[[float], int] | None:
    """At the first stage with real money: the fewest lots that the venue takes at a price."""
    if plan.step.stage != SMALL:
        return None
    lot = plan.instrument.lot_size
    rules = rules_of(Scale(0, 0, 1))._replace(
        lot_size=lot,
        least_lots=max(1, math.ceil(plan.instrument.least_qty / lot - 1e-9)),
        least_notional=plan.instrument.least_notional,
    )
    return lambda price: least_lots(rules, price)


async def run(home: Home, plan: MakerPlan, keys: KeyedAccount, around: Surroundings, stop: asyncio.Event) -> dict[str, Any]:
    """Connect, look at the account, quote until `stop`; what is stored of it. Raises DeskError, one line each."""
    log = Log(home.path / "logs" / f"maker-{plan.name}.jsonl")

    def page(what: str) -> None:
        log.warning("page", what=what)
        around.say(f"PAGE: {what}")

    report = await keys.report(wanted_of(home, plan))
    if faults := unfit(report, plan.entry.mode):
        raise Refused(f"the account {plan.step.terms['account']} is not fit: {'; '.join(faults)}", "docs/accounts.md")
    one = plan.instrument
    name = f"{one.venue}:{one.symbol}:{one.market}"
    account = await connected(one.venue, [name], keys.client, home.desk.overrides(), lambda why: around.say(why) if why else None)
    try:
        await account.venue_clock()
        connection = MakerConnection(account.venues[name], account.halting[name], one.lot_size, account.source)
        terms = PaperTerms(plan.name, plan.options, plan.fees, 1.0)
        at = AccountTerms(str(plan.step.terms["account"]), plan.entry.mode, plan.step.stage, bool(plan.step.terms["flatten"]))
        request = BookRequest(one.venue, [one.symbol], one.market, plan.entry.rest_url)
        life = AccountLife(home.path, request, terms, around, at._replace(least=least_of(plan)), connection, page)
        around.say(account_text({"account": at.account, "mode": at.mode, "stage": at.stage}))
        recorded = await record_books(home.path, request, stop, around.say, steady_ns(), life.beside)
    finally:
        await account.close()
    if not life.body:
        raise DataError(f"{one.venue} sent no book of {one.symbol}", "; ".join(recorded["notes"][-2:]) or "try again")
    return life.body | {"recorded": recorded}


def started(home: Home, name: str, minutes: float | None) -> dict[str, Any]:
    """The whole of it, in this process."""
    plan = planned(home, name)
    with alone_in(folder_of(home.path, name), LOCK, f"the maker {name!r} is running"):
        account = str(plan.step.terms["account"])
        claim_keys(home, say, maker=account)
        keys = keyed(account, plan.entry, home.path)
        around = Surroundings(lambda: latched(home), lambda: time.time_ns() // 1_000_000, time.monotonic, asyncio.sleep, say)
        return asyncio.run(until_stopped(lambda stop: run(home, plan, keys, around, stop), minutes))


def say(line: str) -> None:
    """A line for whoever sees the terminal."""
    sys.stderr.write(f"nightdesk making: {line}\n")


def main(words: list[str]) -> int:
    """Run a maker of NIGHTDESK_HOME until it is stopped; the exit code."""
    parser = argparse.ArgumentParser(prog="nightdesk making live")
    parser.add_argument("name")
    parser.add_argument("--minutes", type=float, default=None)
    parser.add_argument("--json", action="store_true", dest="as_json")
    asked = parser.parse_args(words)
    try:
        body = started(existing_home(), asked.name, asked.minutes)
    except DeskError as error:
        found = {"error": {"kind": type(error).__name__, "what": error.what, "hint": error.hint}}
        sys.stdout.write(json.dumps(found) + "\n") if asked.as_json else say(str(error))
        return 1
    sys.stdout.write((json.dumps(body, allow_nan=False) if asked.as_json else text_of(body)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
