"""`nightdesk backtest | leaks | rerun`: backtests computed in this process with a progress bar; stored runs: runs.py.

Called by app/cli/main.py. Turns command-line options into arguments of app/jobs/kinds.py, and its JSON into text.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import typer

from app.cli import out
from engine.amounts import percent_text, ratio_text
from engine.clock import TIMEFRAMES, utc
from engine.errors import BadInput

STRATEGY = typer.Argument(..., help="trend, reversion, pairs, or a file of your strategies folder")
SYMBOL = typer.Option(..., "--symbol", help="BASE-QUOTE, as in BTC-USDT")
SYMBOLS = typer.Option(..., "--symbol", help="BASE-QUOTE, as in BTC-USDT; of pairs 2 to 12, with commas")
TIMEFRAME = typer.Option("15m", "--timeframe", help=", ".join(TIMEFRAMES))
VENUE = typer.Option(None, "--venue", help="binance, okx, bybit, synthetic; default: the venue that has the bars")
MARKET = typer.Option("perp", "--market", help="perp or spot")
FROM = typer.Option(None, "--from", help="first day: 2025, 2025-03 or 2025-03-04; default: the first bar")
TO = typer.Option(None, "--to", help="end day, exclusive; default: the last bar")
SET = typer.Option([], "--set", metavar="KEY=VALUE", help="set a parameter; repeatable")
MODEL = typer.Option([], "--model", metavar="NAME=X.Y.Z", help="version of a stored model that the strategy reads; repeatable")
SIDE = typer.Option("both", "--side", help="both, long or short")
FILLS = typer.Option("pessimistic", "--fills", help="pessimistic, optimistic or reference")
FUNDING = typer.Option("recorded", "--funding", help="recorded, none, or assume=BPS (per 8 hours)")
CASH = typer.Option(10_000.0, "--cash", help="initial cash in quote units")
LIMIT = typer.Option(120.0, "--time-limit", min=0.1, help="stop after this many seconds")
JSON = typer.Option(False, "--json", help="one JSON object on stdout")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(backtest)
    app.command()(leaks)
    app.command()(rerun)


def backtest(
    strategy: str = STRATEGY,
    symbol: str = SYMBOLS,
    timeframe: str = TIMEFRAME,
    venue: str | None = VENUE,
    market: str = MARKET,
    start: str | None = FROM,
    end: str | None = TO,
    settings: list[str] = SET,
    side: str = SIDE,
    fills: str = typer.Option("pessimistic", "--fills", help="pessimistic, optimistic, reference, or vwap"),
    funding: str = FUNDING,
    limits: str = typer.Option("desk", "--limits", help="desk, or wide: the raw signal, never evidence"),
    delay_bars: int = typer.Option(0, "--delay-bars", help="every signal acts this many bars late: a stress, never evidence"),
    execution: str = typer.Option("", "--execution", help="work market entries in slices: twap:6, vwap:6, ac:6:2"),
    model: list[str] = MODEL,
    cash: float = CASH,
    fresh: bool = typer.Option(False, "--fresh", help="simulate even if the same run is stored"),
    time_limit: float = LIMIT,
    as_json: bool = JSON,
) -> None:
    """Backtest a strategy on recorded bars: metrics under two fill scenarios, round trips, a report page."""
    from app.home.home import open_home
    from app.jobs import kinds

    args = {
        "strategy": strategy,
        "symbol": symbol,
        "timeframe": timeframe,
        "venue": venue,
        "market": market,
        "side": side,
        "start": start,
        "end": end,
        "params": settings_of(settings),
        "fills": fills,
        "funding": funding,
        "cash": cash,
        "limits": limits,
        "delay_bars": delay_bars,
        "execution": execution,
        "models": ", ".join(model),
    }
    home = open_home()
    with out.progress(f"backtest {strategy} {symbol}", 1.0) as advance, kinds.limited(time_limit, f"the backtest of {strategy}"):
        run = kinds.backtest(home, args, advance, fresh=fresh)
    show(run, as_json)


def leaks(
    strategy: str = typer.Argument(..., help="the strategy to check"),
    symbol: str = typer.Option("BTC-USDT", "--symbol", help="instrument to check it on"),
    timeframe: str = TIMEFRAME,
    venue: str | None = VENUE,
    market: str = MARKET,
    start: str | None = FROM,
    end: str | None = TO,
    settings: list[str] = SET,
    model: list[str] = MODEL,
    time_limit: float = LIMIT,
    as_json: bool = JSON,
) -> None:
    """Check for look-ahead bias: signals on 200 prefixes of the bars must equal those on the full history, and nothing but the
    bars may be read. Exit 1 on a leak, or when it cannot be vouched for."""
    from app.home.home import existing_home
    from app.jobs import kinds
    from engine.control.desk_setup import desk_setup
    from engine.sim import resolve

    args: dict[str, Any] = {"strategy": strategy, "symbol": symbol, "timeframe": timeframe, "venue": venue, "market": market}
    args |= {"start": start, "end": end, "params": settings_of(settings), "models": ", ".join(model)}
    desk = desk_setup()
    with out.progress(f"leaks {strategy}", 1.0) as advance, kinds.limited(time_limit, f"the leak check of {strategy}"):
        if desk.checks is None:  # no desk yet: reading makes none
            found = kinds.leaks_in(resolve.planned(desk, desk.catalog(), kinds.args_of_leaks(args)), None, advance)
        else:
            found = kinds.leaks(existing_home(), args, advance)
    about = f"{found['instrument']} {timeframe}, {found['data']['bars']:,} {found['data']['source']} bars"
    out.emit(found, as_json=as_json, text=lambda: f"{strategy} on {about}: {found['text']}")
    if not found["clean"]:
        raise typer.Exit(1)


def rerun(
    run_id: str = typer.Argument(..., help="id of a stored run"),
    time_limit: float = LIMIT,
    as_json: bool = JSON,
) -> None:
    """Simulate a stored run again and compare journal, data and code. Exit code 1 when not equal."""
    from app.home.home import existing_home
    from app.jobs import kinds

    home = existing_home()
    with out.progress(f"rerun {run_id}", 1.0) as advance, kinds.limited(time_limit, f"the rerun of {run_id}"):
        found = kinds.rerun(home, run_id, advance)
    out.emit(found, as_json=as_json, text=lambda: rerun_text(found))
    if not found["equal"]:
        raise typer.Exit(1)


def settings_of(pairs: Sequence[str]) -> dict[str, str]:
    """`key=value` options as a mapping. Raises BadInput for a missing value or a repeated key."""
    found: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key.strip() or not value.strip():
            raise BadInput(f"--set {pair!r} is not KEY=VALUE", "example: --set stop_atr=3")
        if key.strip() in found:
            raise BadInput(f"--set gives {key.strip()} twice", "give each key once")
        found[key.strip()] = value.strip()
    return found


def show(run: Mapping[str, Any], as_json: bool) -> None:
    """Print a run; the look-ahead verdict comes before the first number."""
    shown = {**run, "report": f"{run['folder']}/report.html"}
    out.emit(shown, as_json=as_json, text=lambda: basket_text(shown) if run.get("pairs") else text_of(shown))


def text_of(run: Mapping[str, Any]) -> Any:
    """A run as text for a terminal."""
    from rich.console import Group
    from rich.text import Text

    from engine.sim.leaks import verdict
    from engine.sim.life import life_of
    from engine.sim.stamps import stamps

    data, s = run["data"], run["scenarios"]
    first, last = utc(data["first_ms"]), utc(data["last_ms"])
    clock = run["timeframe"]
    named = [f"{x['strategy']} on {x['venue']} {x['symbol']} {x['market']} {x.get('timeframe') or clock}" for x in run["sleeves"]]
    lines: list[Any] = [
        Text(", ".join(named), style="bold"),
        Text(f"{data['source'].upper()} data, {first} to {last}, {data['bars']:,} {clock} bars"),
        Text(f"fills {run['fills']}; funding {run['funding']}; cash {num(run['cash'])}"),
    ]
    if (life := life_of(run)).text:
        lines.append(Text(life.text, style="bold red" if life.ends else ""))
    lines += [Text(text, style="bold red") for text in stamps(run)]
    if run["leaks"]:
        line = verdict(run["leaks"])
        lines.append(Text(f"{line}: {run['leaks']['text']}" if line else run["leaks"]["text"], style="bold red" if line else ""))
    lines += [Text(""), figures(run), Text("")]
    ambiguous = f"{s['ambiguous_bars']:,} ambiguous bar{'' if s['ambiguous_bars'] == 1 else 's'}"
    many = "three" if "vwap" in s else "two"
    lines.append(Text(f"{many} scenarios: {_scenarios(s)}; {ambiguous}"))
    if run["breakers"]:
        lines.append(Text("breakers: " + ", ".join(f"{b['breaker']} ({b['sleeve']}) {b['times']}x" for b in run["breakers"])))
    if run["refused"]:
        lines.append(Text("refusals begun: " + ", ".join(f"{rule} {n:,}" for rule, n in list(run["refused"].items())[:4])))
    undefined = run["metrics"]["undefined"]
    if undefined:
        lines.append(Text("undefined: " + "; ".join(f"{k}: {v}" for k, v in undefined.items()), style="dim"))
    lines += [Text(f"note: {note}", style="dim") for note in notes_of(run)]
    return Group(*lines, Text(""), *stored_lines(run))


def stored_lines(run: Mapping[str, Any]) -> list[Any]:
    """Where a run is kept, and what to do with it."""
    from rich.text import Text

    again = " (from the run store; --fresh simulates again)" if run.get("cached") else ""
    return [
        Text(f"run {run['run_id']}{again}, journal {run['journal_hash'][:16]}"),
        Text(f"report {run['report']}", overflow="fold"),
        Text(f"next: nightdesk journal explain {run['run_id']}/t1   |   nightdesk rerun {run['run_id']}"),
    ]


def basket_text(run: Mapping[str, Any]) -> Any:
    """Verdict, a row a pair, figures, notes."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    data, scenarios = run["data"], run["scenarios"]
    first, last = utc(data["first_ms"]), utc(data["last_ms"])
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("pair", no_wrap=True)
    for name in ("trips", "won", "open", "gross", "slippage", "fees", "funding", "net", "of cash"):
        table.add_column(name, justify="right")
    for row in sorted(run["pairs"], key=lambda one: -one["net"]):
        counts = (str(row[name]) for name in ("trips", "wins", "open"))
        money = (num(row[name]) for name in ("gross", "slippage", "fees", "funding", "net"))
        table.add_row(f"{row['a']} {row['b']}", *counts, *money, percent_text(row["net_frac"], sign=True))
    exits: dict[str, int] = {}
    for row in run["pairs"]:
        for reason, times in row["exits"].items():
            exits[reason] = exits.get(reason, 0) + times
    lines = [
        f"{run['strategy']} on {run['venue']}, {len(run['symbols'])} legs: {', '.join(run['symbols'])}",
        f"{data['source'].upper()} data, {first} to {last}, {data['bars']:,} {run['timeframe']} bars",
        f"fills {run['fills']}; funding {run['funding']}; cash {num(run['cash'])}",
        "",
        run["verdict"],
    ]
    after = [f"two scenarios: {_scenarios(scenarios)}"]
    after += ["exits: " + ", ".join(f"{reason} {times:,}" for reason, times in exits.items())] if exits else []
    after += ["breakers: " + ", ".join(f"{one['breaker']} {one['times']}x" for one in run["breakers"])] if run["breakers"] else []
    after += (
        ["refusals begun: " + ", ".join(f"{rule} {n:,}" for rule, n in list(run["refused"].items())[:4])]
        if run["refused"]
        else []
    )
    after += [f"note: {note}" for note in run["notes"] if note != run["verdict"].rstrip(".")]
    return Group(
        Text("\n".join(lines)),
        table,
        Text(""),
        figures(run),
        Text("\n".join(["", *after, ""])),
        *stored_lines(run),
    )


def notes_of(run: Mapping[str, Any]) -> list[str]:
    """What a reader must know, but for the verdicts that are printed above the figures."""
    from engine.sim.stamps import stamps

    texts = stamps(run)
    texts += [life["text"]] if (life := run.get("life")) else []
    texts += [f"{f['strategy']} {f['text']}" for f in (run["leaks"] or {}).get("strategies", ())]
    return [note for note in run["notes"] if not note.startswith("LEAKS") and note not in texts]


def _scenarios(found: Mapping[str, float]) -> str:
    """`pessimistic +1.20 %, optimistic +2.40 %`, and of vwap where there is one."""
    names = [name for name in ("pessimistic", "optimistic", "vwap") if name in found]
    return ", ".join(f"{name} {percent_text(found[name], sign=True)}" for name in names)


def num(value: float | None) -> str:
    """Two decimals, no sign on what is shown as zero; a dash when undefined."""
    text = "-" if value is None else f"{value:,.2f}"
    return "0.00" if text == "-0.00" else text


def both(found: Mapping[str, Any], *names: str) -> str:
    """Two losses side by side, in percent."""
    return ", ".join(percent_text(found.get(name)) for name in names)


def days(value: float | None) -> str:
    """A length in days."""
    return "-" if value is None else f"{value:,.1f} d"


def figures(run: Mapping[str, Any]) -> Any:
    """The metrics as a compact table, two pairs per line."""
    from rich.table import Table

    m = run["metrics"]
    adjusted = m.get("sharpe_adjusted") is not None
    shown = [
        (
            "total return",
            percent_text(m["total_return_frac"], sign=True),
            "round trips",
            f"{m['trades']:,}" + (f" + {m['open_trades']} open" if m["open_trades"] else ""),
        ),
        (
            "Sharpe (95 %)",
            ratio_text(m["sharpe"], m.get("sharpe_low"), m.get("sharpe_high")),
            "win rate",
            percent_text(m["win_rate"]),
        ),
        *([("Sharpe, adjusted", num(m["sharpe_adjusted"]), "autocorrelation", num(m["autocorrelation"]))] * adjusted),
        ("Sortino", num(m["sortino"]), "exposure", percent_text(m["exposure_frac"])),
        ("Calmar", num(m["calmar"]), "turnover a year", f"{num(m['turnover'])}x"),
        ("max drawdown", percent_text(m["max_drawdown_frac"]), "fees", num(m["fees"])),
        ("recovery factor", num(m["recovery_factor"]), "slippage", num(m["slippage"])),
        (
            "VaR, ES a day 95 %",
            both(m, "var_95_frac", "es_95_frac"),
            "worst day",
            percent_text(m.get("worst_day_frac"), sign=True),
        ),
        ("longest under water", days(m.get("under_water_days")), "bars under water", percent_text(m.get("under_water_frac"))),
        ("net profit", num(m["net_profit"]), "funding (+ received)", num(m["funding"])),
    ]
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for column in range(4):
        table.add_column(justify="right" if column % 2 else "left", style="" if column % 2 else "dim")
    for line in shown:
        table.add_row(*line)
    return table


def rerun_text(found: Mapping[str, Any]) -> str:
    """The result of a rerun, one line per comparison."""
    lines = [f"run {found['run_id']}: the journal is {'EQUAL' if found['equal'] else 'NOT equal'}"]
    for name in ("journal_hash", "data_sha256", "code_hash", "config_hash"):
        pair = found[name]
        lines.append(f"  {name:13} {'equal' if pair['equal'] else 'differs'}  {pair['then'][:16]}  {pair['now'][:16]}")
    for name in ("files_that_differ", "code_that_differs", "versions_that_differ"):
        if found[name]:
            lines.append(f"  {name.replace('_', ' ')}: {', '.join(found[name])}")
    then, now = found["total_return_frac"]["then"], found["total_return_frac"]["now"]
    lines.append(f"  total return  then {percent_text(then, sign=True)}, now {percent_text(now, sign=True)}")
    return "\n".join(lines)
