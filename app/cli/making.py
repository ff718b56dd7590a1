"""`nightdesk making backtest | stage`: a market maker simulated on a recorded tape, and whether it may leave paper.

Called by app/cli/main.py. Everything is computed in engine/making. Nothing is written but what `--out` and `--keep` name;
only `--keep` needs a home.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from app.cli import making_live, making_paper, making_terms, out
from app.cli.data import named_path
from engine.amounts import percent_text
from engine.errors import BadInput, DataError, Refused

if TYPE_CHECKING:
    from app.making.paper import PaperTerms
    from engine.l2.checks import OpenTape
    from engine.l2.tape import BookTape
    from engine.making.simulation import MakingRun

group = typer.Typer(no_args_is_help=True, help="Market making: simulated, on paper, and at an account of its own.")
TAPE = typer.Argument(..., metavar="TAPE", help="A tape with trades beside it, or its name in the data folders.")
JSON = typer.Option(False, "--json", help="One JSON object on stdout.")
making_paper.register(group)
making_live.register(group)


def register(app: typer.Typer) -> None:
    """Add the `making` group."""
    app.add_typer(group, name="making")


@group.command("backtest")
def backtest(
    tape: str = TAPE,
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
    keep: str = typer.Option("", "--keep", metavar="NAME", help="Keep it in the home under this name."),
    path: Path | None = typer.Option(None, "--out", help="Write the fills to this parquet file; it must not exist."),
    as_json: bool = JSON,
) -> None:
    """What a quoter would have earned on a tape: queue, latency, fees; fast fills apart. Verdict first, and often: no."""
    typed = dict(locals())
    from app.making.funding import settlements_in
    from app.making.paper import PaperTerms
    from engine.control.desk_setup import desk_setup
    from engine.l2.checks import sound_tape
    from engine.making.report import report_of
    from engine.making.simulation import simulate, terms_of

    opened = sound_tape(named_path(tape))
    if opened.trades is None:
        raise DataError(f"{opened.tape.path}: no trades beside it", "quotes are filled by trades: record _trades.parquet, too")
    fees = making_terms.fees_of(opened.tape.venue, opened.tape.symbol, opened.tape.market, maker, taker, rebate)
    options = making_terms.options_of(typed)
    due = settlements_in(opened.tape, funding, desk_setup())
    run = simulate(opened.tape, opened.trades, terms_of(opened.tape.scale, options, fees.maker_frac), due)
    body = report_of(opened.tape, run, fees) | _head(opened.tape) | {"options": options._asdict()}
    if keep:
        body["kept"] = _kept(opened, PaperTerms(keep, options, fees, 0.0, due))
    body["out"] = _written(path, run, opened.tape)
    out.emit(body, as_json=as_json, text=lambda: _text(body))


@group.command("stage")
def stage(
    path: str = typer.Argument(..., metavar="TAPE|FOLDER", help="A tape, or a folder of tapes of one instrument."),
    floor: float | None = typer.Option(None, "--floor-bps", help="Default, and the least: twice the maker fee of your tier."),
    as_json: bool = JSON,
) -> None:
    """Whether a maker may leave simulation and paper: seven days and an edge above fees in four of five windows. Else exit 1."""
    from app.making.ground import ground_of
    from engine.control.desk_setup import desk_setup
    from engine.making.stages import refusals_of, require_ground

    ground = ground_of(named_path(path), floor, desk_setup().overrides)
    try:
        require_ground(ground)
        said, allowed = "making may leave paper on these tapes: nightdesk making promote NAME testnet --tapes ...", True
    except Refused as error:
        said, allowed = str(error), False
    body = {
        "may_leave": allowed,
        "stages": {"simulation": True, "paper": True, "testnet": allowed, "live": allowed},
        "refusals": refusals_of(ground),
        "days": ground["substrate"]["days"],
        "floor_bps": ground["floor_bps"],
        "floor_source": ground["floor_source"],
        "feasibility": ground["verdict"],
        **{name: ground[name] for name in ("venue", "symbol", "market")},
    }
    out.emit(body, as_json=as_json, text=lambda: said)
    if not allowed:
        raise typer.Exit(1)


def _kept(opened: "OpenTape", terms: "PaperTerms") -> str:
    """Keep the simulation under a name of the home. Raises BadInput for a name that is taken."""
    import time

    from app.home.home import open_home
    from app.making.simulated import keep

    return str(keep(open_home().path, terms, opened, time.time_ns() // 1_000_000))


def _head(tape: "BookTape") -> dict[str, Any]:
    """What the answer is about."""
    return {"file": str(tape.path), "venue": tape.venue, "symbol": tape.symbol, "market": tape.market}


def _written(path: Path | None, run: "MakingRun", tape: "BookTape") -> str | None:
    """Write the fills as parquet. Raises BadInput for a file that exists."""
    if path is None:
        return None
    import polars as pl

    from engine.data.writer import write_series
    from engine.making.resting import F_HOW, F_LOTS, F_MIDDLE2, F_NUMBER, F_PRICE, F_SIDE, F_WAITED, F_WHEN, HOW

    if path.exists():
        raise BadInput(f"{path} exists", "choose another name, or remove it")
    f, scale = run.fills, tape.scale
    columns = {
        "ts": f[:, F_WHEN] // 1_000_000, "when_ns": f[:, F_WHEN], "side": f[:, F_SIDE], "price": scale.price(f[:, F_PRICE]),
        "quantity": scale.quantity(f[:, F_LOTS]), "order": f[:, F_NUMBER], "waited_ms": f[:, F_WAITED] / 1e6,
        "middle": scale.price(f[:, F_MIDDLE2] / 2.0), "by": [HOW[k] for k in f[:, F_HOW]],
    }  # fmt: skip
    return str(write_series(path, pl.DataFrame(columns), "simulated", {"file": tape.path.name}))


def _text(body: Mapping[str, Any]) -> str:
    """The verdict, then money, fills by speed, inventory, activity."""
    pnl, fees, act, stock = body["pnl"], body["fees_bps"], body["activity"], body["inventory"]
    head = f"{body['options']['quoter']} on {body['venue']} {body['symbol']} {body['market']}, {body['span_s']:,.0f} s; simulated"
    lines = [f"{body['verdict'].upper()}: {body['why']}", head, ""]
    lines += [
        f"  gross {pnl['gross']:+,.4f} = spread captured {pnl['spread_captured']:+,.4f}, moves since {pnl['moves']:+,.4f}",
        f"  with the maker fee ({fees['maker']:g} bps) {pnl['net']:+,.4f}, without fees {pnl['gross']:+,.4f},"
        f" with a rebate of {fees['rebate']:g} bps {pnl['with_rebate']:+,.4f}",
        f"  funding {pnl['funding']:+,.4f} of {pnl['settlements']} settlements, in all but the gross",
        f"  closing the rest as taker costs {pnl['close_cost']:,.4f}: {pnl['net_closed']:+,.4f}",
        f"  five windows: {' '.join(f'{x:+,.2f}' for x in body['windows_net'])}",
        "",
        "  after a fill, by how long its order rested: move in favour, bps",
    ]
    for one in body["after_fills"]:
        cells = [f"{c['from_s']}-{c['to_s']} s: {_bps(c['move_bps'])} ({c['orders']})" for c in one["classes"]]
        lines.append(f"    {one['horizon_s']:>2g} s on  {'   '.join(cells)}")
    quoted = act["quoted_frac"]
    by = ", ".join(f"{count} by {name}" for name, count in act["fills_by"].items())
    outcomes = ", ".join(f"{count} {name}" for name, count in act["outcomes"].items())
    lines += [
        "",
        f"  inventory {stock['min']:g} to {stock['max']:g}, mean {stock['mean_abs']:.4g}, end {stock['end']:g}",
        f"  {act['orders']:,} orders ({outcomes}), {act['cancels_sent']:,} cancels sent, {act['fills']:,} fills ({by})",
        f"  quoted: {', '.join(f'{side} {percent_text(quoted[side], 1)}' for side in ('bid', 'ask', 'both'))} of the time;"
        f" pulls: {act['toxic_pulls']} toxic, {act['stale_pulls']} stale",
    ]
    if act["halt"]:
        lines.append(f"  HALTED after {act['halt']['at_s']:.1f} s by {act['halt']['rule']}")
    return "\n".join(lines)


def _bps(value: float | None) -> str:
    return "-" if value is None else f"{value:+.2f}"
