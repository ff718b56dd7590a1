"""`nightdesk making paper | list | show | kappa`: a maker on paper, a process of its own, and what is stored of makers.

Called by app/cli/making.py. Everything is done in app/making. Nothing is sent to a venue: a paper maker's orders are filled by
the rules of the simulation.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any

import typer

from app.cli import making_terms, out
from app.cli.data import named_path
from engine.amounts import percent_text
from engine.errors import BadInput

if TYPE_CHECKING:
    from app.home.home import Home
    from app.making.paper import Surroundings
    from engine.making.simulation import MakingOptions

Fees = tuple[float | None, float | None, float]  # maker and taker fee, rebate; bps as typed
Work = Callable[[asyncio.Event], Coroutine[Any, Any, dict[str, Any]]]
JSON = typer.Option(False, "--json", help="One JSON object on stdout.")


def register(group: typer.Typer) -> None:
    """Add the commands to the `making` group."""
    group.command("paper")(paper)
    group.command("list")(list_makers)
    group.command("show")(show_maker)
    group.command("kappa")(kappa_of_tape)


def paper(
    tape: str = typer.Argument("", metavar="[TAPE]", help="A tape with trades, or its name in the data folders; else --venue."),
    venue: str = typer.Option("", "--venue", help="A live book instead of a tape: binance, okx or bybit; recorded beside."),
    symbol: str = typer.Option("", "--symbol", help="Of the live book: BTC-USDT."),
    market: str = typer.Option("perp", "--market", help="Of the live book: perp or spot."),
    mirror: str = typer.Option("", envvar="NIGHTDESK_MIRROR", help="Another address with the venue's API."),
    minutes: float | None = typer.Option(None, "--minutes", min=0.01, help="Stop after so long; default: at the end, or Ctrl-C."),
    name: str = typer.Option("", "--name", help="Of the maker; default: its tape and quoter. The same name goes on."),
    speed: float = typer.Option(1.0, "--speed", help="Times the tape's pace; 0: as fast as it goes."),
    quoter: str = making_terms.QUOTER,
    size: float = making_terms.SIZE,
    inventory: float = making_terms.INVENTORY,
    half_spread: float = making_terms.HALF_SPREAD,
    gamma: float = making_terms.GAMMA,
    kappa: float = making_terms.KAPPA,
    horizon: float = making_terms.HORIZON,
    requote: float = making_terms.REQUOTE,
    pace: int = making_terms.PACE,
    toxic: float = making_terms.TOXIC,
    stale: int = making_terms.STALE,
    latency: int = making_terms.LATENCY,
    response: int = making_terms.RESPONSE,
    queue: str = making_terms.QUEUE,
    maker: float | None = making_terms.MAKER,
    taker: float | None = making_terms.TAKER,
    rebate: float = making_terms.REBATE,
    funding: str = making_terms.FUNDING,
    inventory_max: float = making_terms.INVENTORY_MAX,
    loss_max: float = making_terms.LOSS_MAX,
    age_max: int = making_terms.AGE_MAX,
    orders_max: int = making_terms.ORDERS_MAX,
    as_json: bool = JSON,
) -> None:
    """A maker on paper, over a recorded tape or a live book: journaled, stopped by `nightdesk halt`."""
    typed = dict(locals())
    if bool(tape) == bool(venue):
        raise BadInput(
            f"{'both a tape and a venue are' if tape else 'neither a tape nor a venue is'} named",
            "name a TAPE, or --venue and --symbol",
        )
    options = making_terms.options_of(typed)
    if tape:
        work = _on_tape(tape, name, options, speed, (maker, taker, rebate), funding)
    else:
        if funding != "recorded":
            raise BadInput(f"--funding {funding[:40]} at a live book", "there the venue's own settlements are booked")
        work = _on_book((venue, symbol, market, mirror), name, options, (maker, taker, rebate))
    from app.making.words import text_of
    from app.market_data.recorder import until_stopped

    body = asyncio.run(until_stopped(work, minutes))
    out.emit(body, as_json=as_json, text=lambda: text_of(body))


def _on_tape(tape: str, name: str, options: "MakingOptions", speed: float, fees: Fees, funding: str) -> Work:
    """A run over a tape, checked as far as it can be before it begins."""
    from app.home.home import open_home
    from app.making.funding import settlements_in
    from app.making.paper import PaperTerms, run_on_tape
    from engine.control.desk_setup import desk_setup
    from engine.l2.checks import sound_tape
    from engine.making.stored import folder_of, name_for

    opened = sound_tape(named_path(tape))
    paid = making_terms.fees_of(opened.tape.venue, opened.tape.symbol, opened.tape.market, *fees)
    terms = PaperTerms(
        name or name_for(opened.tape.path, options.quoter),
        options,
        paid,
        speed,
        settlements_in(opened.tape, funding, desk_setup()),
    )
    home = open_home()
    folder_of(home.path, terms.name)
    return lambda stop: run_on_tape(home.path, opened, terms, surroundings(home), stop)


def _on_book(at: tuple[str, str, str, str], name: str, options: "MakingOptions", fees: Fees) -> Work:
    """A run at a live book, checked as far as it can be before it is dialled."""
    from app.home.home import open_home
    from app.making.live import run_on_book
    from app.making.paper import PaperTerms
    from app.market_data.book_recorder import BookRequest, check_request
    from engine.making.simulation import require_terms
    from engine.making.stored import folder_of

    venue, symbol, market, mirror = at
    request = BookRequest(venue, [symbol] if symbol else [], market, mirror)
    check_request(request)
    require_terms(options)
    terms = PaperTerms(
        name or f"{venue}_{symbol}_{market}-{options.quoter}", options, making_terms.fees_of(venue, symbol, market, *fees), 1.0
    )
    home = open_home()
    folder_of(home.path, terms.name)
    return lambda stop: run_on_book(home.path, request, terms, surroundings(home), stop)


def surroundings(home: "Home") -> "Surroundings":
    """The desk's latch, and the clocks of this machine."""
    from app.making.paper import Surroundings
    from engine.control import halt

    def latch() -> str:
        found = halt.read(home.path, home.engine)
        return found.unreadable or (f"the desk is halted: {found.reason}" if found.halted else "")

    return Surroundings(latch, lambda: time.time_ns() // 1_000_000, time.monotonic, asyncio.sleep, out.say)


def list_makers(as_json: bool = JSON) -> None:
    """Makers of this desk: simulated, on paper and at an account, the last one first."""
    from app.home.home import existing_home
    from engine.making.stored import listed

    body = {"items": listed(existing_home().path)}
    out.emit(body, as_json=as_json, text=lambda: _listed_text(body))


def show_maker(
    name: str = typer.Argument(..., metavar="NAME", help="A maker of `nightdesk making list`."), as_json: bool = JSON
) -> None:
    """A maker: verdict, money, fills by speed, its halt, and whether its journal is whole and says the same. Exit 1 if not."""
    from app.home.home import existing_home
    from app.making.words import text_of
    from app.upkeep.maker_journals import checked

    body = checked(existing_home(), name)
    out.emit(body, as_json=as_json, text=lambda: text_of(body))
    if not body["journal"]["ok"]:
        raise typer.Exit(1)


def kappa_of_tape(
    tape: str = typer.Argument(..., metavar="TAPE", help="A tape with trades beside it, or its name in the data folders."),
    as_json: bool = JSON,
) -> None:
    """How far takers reach from the middle: kappa for `--kappa` with an interval, or why no one number describes the tape."""
    from engine.l2.checks import sound_tape
    from engine.l2.moments import changes_of
    from engine.making.intensity import intensity_of

    opened = sound_tape(named_path(tape))
    recv = opened.tape.recv_ns
    changes = changes_of(opened.report.replayed, opened.tape)
    body = intensity_of(opened.trades, changes, int(recv[0]), int(recv[-1])) | {"file": str(opened.tape.path)}
    out.emit(body, as_json=as_json, text=lambda: _kappa_text(body))


def _kappa_text(body: Mapping[str, Any]) -> str:
    """Verdict, the number with its interval, windows, shares."""
    doubts = f": {'; '.join(body['doubts'])}" if body["doubts"] else ""
    lines = [f"{body['verdict'].upper()}{doubts}"]
    if body["kappa"] is not None:
        between = f", 95 % between {body['low']:.3g} and {body['high']:.3g}" if body["low"] is not None else ""
        lines.append(f"  kappa {body['kappa']:.3g} a bps{between}; {body['sweeps']:,} sweeps, {body['per_s']:.2f} a second")
        lines.append(f"  five windows: {' '.join('-' if x is None else f'{x:.3g}' for x in body['windows'])}")
        cells = [f"{s['bps']:g} bps {percent_text(s['share'])} ({percent_text(s['formula'])})" for s in body["beyond"]]
        lines.append(f"  sweeps that reach so far (by the formula): {'   '.join(cells)}")
    return "\n".join([*lines, f"  {body['why_no_gamma']}"])


def _listed_text(body: Mapping[str, Any]) -> str:
    """A line a maker."""
    lines = [f"{m['name']}: {m['kind']}, {m['state']}; {m['verdict']}: {m['why']}" for m in body["items"]]
    return "\n".join(lines) or "no maker yet: nightdesk making paper TAPE, or making backtest TAPE --keep NAME"
