"""`nightdesk making backtest | stage`: a market maker simulated on a recorded tape, and whether it may leave simulation.

Called by app/cli/main.py. Everything is computed in engine/making; nothing is written but what `--out` names. It needs no home.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from app.cli import out
from app.cli.data import named_path
from engine.errors import BadInput, DataError, Refused

if TYPE_CHECKING:
    from engine.l2.tape import BookTape
    from engine.making.report import MakerFees
    from engine.making.simulation import MakingRun

group = typer.Typer(no_args_is_help=True, help="Market making, simulated on a recorded book. Nothing here trades.")
TAPE = typer.Argument(..., metavar="TAPE", help="A tape with trades beside it, or its name in the data folders.")
JSON = typer.Option(False, "--json", help="One JSON object on stdout.")


def register(app: typer.Typer) -> None:
    """Add the `making` group."""
    app.add_typer(group, name="making")


@group.command("backtest")
def backtest(
    tape: str = TAPE,
    quoter: str = typer.Option("symmetric", "--quoter", help="symmetric, or as (Avellaneda and Stoikov)."),
    size: float = typer.Option(0.01, "--size", help="Of a quote, base units."),
    inventory: float = typer.Option(0.05, "--inventory", help="No quote that may lead beyond it, base units."),
    half_spread: float = typer.Option(1.0, "--half-spread-bps", help="symmetric: from the middle; 0 quotes at the best."),
    gamma: float = typer.Option(0.1, "--gamma", help="as: risk aversion, 1/bps."),
    kappa: float = typer.Option(1.0, "--kappa", help="as: decay of fills by distance, 1/bps."),
    horizon: float = typer.Option(10.0, "--horizon-s", help="as: how far ahead inventory is a risk."),
    requote: float = typer.Option(0.5, "--requote-bps", help="A quote that near to its place stays in its queue."),
    pace: int = typer.Option(100, "--pace-ms", help="Between two requests of a side; a pull does not wait."),
    toxic: float = typer.Option(0.0, "--toxic-flow", help="Net taker flow within a second that pulls a side; 0: off."),
    stale: int = typer.Option(1_000, "--stale-ms", help="A book that heard nothing for so long has no quotes."),
    latency: int = typer.Option(20, "--latency-ms", help="From a message received to the order at the venue."),
    response: int = typer.Option(10, "--response-ms", help="From the venue until it is known."),
    queue: str = typer.Option("last", "--queue", help="last: who cancels was behind; even: ahead and behind alike."),
    maker: float | None = typer.Option(None, "--maker-bps", help="Fee; negative: a rebate. Default: the venue's."),
    taker: float | None = typer.Option(None, "--taker-bps", help="Fee of closing what is left. Default: the venue's."),
    rebate: float = typer.Option(0.5, "--rebate-bps", help="Shown beside: what a rebate would make of the same fills."),
    inventory_max: float = typer.Option(0.1, "--inventory-max", help="Guardrail: more inventory halts the quoting."),
    loss_max: float = typer.Option(100.0, "--loss-max", help="Guardrail: a larger loss, quote currency, halts it."),
    age_max: int = typer.Option(5_000, "--quote-age-max-ms", help="Guardrail: a quote nobody confirmed so long halts it."),
    orders_max: int = typer.Option(30, "--orders-second-max", help="Guardrail: more requests a second halt it."),
    path: Path | None = typer.Option(None, "--out", help="Write the fills to this parquet file; it must not exist."),
    as_json: bool = JSON,
) -> None:
    """What a quoter would have earned on a tape: queue, latency, fees; fast fills apart. Verdict first, and often: no."""
    from engine.l2.checks import sound_tape
    from engine.making.report import report_of
    from engine.making.simulation import MakingOptions, simulate, terms_of

    opened = sound_tape(named_path(tape))
    if opened.trades is None:
        raise DataError(f"{opened.tape.path}: no trades beside it", "quotes are filled by trades: record _trades.parquet, too")
    fees = _fees(opened.tape, maker, taker, rebate)
    options = MakingOptions(
        quoter=quoter, size=size, inventory=inventory, half_spread_bps=half_spread, gamma=gamma, kappa=kappa, horizon_s=horizon,
        requote_bps=requote, pace_ms=pace, toxic_flow=toxic, stale_ms=stale, latency_ms=latency, response_ms=response,
        queue=queue, inventory_max=inventory_max, loss_max=loss_max, quote_age_max_ms=age_max, orders_second_max=orders_max,
    )  # fmt: skip
    run = simulate(opened.tape, opened.trades, terms_of(opened.tape.scale, options, fees.maker_frac))
    body = report_of(opened.tape, run, fees) | _head(opened.tape) | {"options": options._asdict()}
    body["out"] = _written(path, run, opened.tape)
    out.emit(body, as_json=as_json, text=lambda: _text(body))


@group.command("stage")
def stage(
    path: str = typer.Argument(..., metavar="TAPE|FOLDER", help="A tape, or a folder of tapes of one instrument."),
    floor: float | None = typer.Option(None, "--floor-bps", help="What both sides cost; default: twice the venue's maker fee."),
    as_json: bool = JSON,
) -> None:
    """Whether a maker may leave simulation: seven recorded days and an edge above fees in four of five windows. Else exit 1."""
    from app.cli.l2_judged import judged
    from engine.making.stages import refusals_of, require_ground

    ground = judged(named_path(path), floor, 100, ())
    try:
        require_ground(ground)
        said, allowed = "making may leave simulation on these tapes; paper is not built yet", True
    except Refused as error:
        said, allowed = str(error), False
    body = {
        "may_leave": allowed,
        "refusals": refusals_of(ground),
        "days": ground["substrate"]["days"],
        "floor_bps": ground["floor_bps"],
        "feasibility": ground["verdict"],
        **{name: ground[name] for name in ("venue", "symbol", "market")},
    }
    out.emit(body, as_json=as_json, text=lambda: said)
    if not allowed:
        raise typer.Exit(1)


def _head(tape: "BookTape") -> dict[str, Any]:
    """What the answer is about."""
    return {"file": str(tape.path), "venue": tape.venue, "symbol": tape.symbol, "market": tape.market}


def _fees(tape: "BookTape", maker: float | None, taker: float | None, rebate: float) -> "MakerFees":
    """Fees as fractions: those given, else the venue's. Raises BadInput for others, and where the venue's are not known."""
    from engine.making.report import MakerFees
    from engine.venues.instruments import costs_of

    for name, bps in (("maker", maker), ("taker", taker)):
        if bps is not None and not -100.0 <= bps <= 100.0:
            raise BadInput(f"--{name}-bps {bps:g}", "-100 to 100")
    if not 0.0 <= rebate <= 100.0:
        raise BadInput(f"--rebate-bps {rebate:g}", "0 to 100")
    if maker is None or taker is None:
        try:
            costs = costs_of(tape.venue, tape.symbol, tape.market)
        except BadInput as error:
            raise BadInput(error.what, "give --maker-bps and --taker-bps") from error
        maker = costs.maker_frac * 1e4 if maker is None else maker
        taker = costs.taker_frac * 1e4 if taker is None else taker
    return MakerFees(maker / 1e4, taker / 1e4, rebate / 1e4)


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
        f"  quoted: bid {quoted['bid']:.1%}, ask {quoted['ask']:.1%}, both {quoted['both']:.1%} of the time;"
        f" pulls: {act['toxic_pulls']} toxic, {act['stale_pulls']} stale",
    ]
    if act["halt"]:
        lines.append(f"  HALTED after {act['halt']['at_s']:.1f} s by {act['halt']['rule']}")
    return "\n".join(lines)


def _bps(value: float | None) -> str:
    return "-" if value is None else f"{value:+.2f}"
