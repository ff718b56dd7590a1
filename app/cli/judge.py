"""`nightdesk judge`: a strategy's early-kill page on one symbol, ending in one word. Called by app/cli/main.py.

Turns options into arguments of app/jobs/kinds.judge, and its JSON into text: the verdict first, then the checks, then what they
rest on.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import typer

from app.cli import out
from app.cli.backtest import (
    CASH,
    FILLS,
    FROM,
    FUNDING,
    JSON,
    MARKET,
    SET,
    SIDE,
    STRATEGY,
    SYMBOL,
    TIMEFRAME,
    TO,
    VENUE,
    num,
    settings_of,
)
from engine.amounts import percent_text
from engine.clock import utc_day

WORD = {"kill": "KILL", "weak": "WEAK", "paper": "WORTH PAPER"}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(judge)


def judge(
    strategy: str = STRATEGY,
    symbol: str = SYMBOL,
    timeframe: str = TIMEFRAME,
    venue: str | None = VENUE,
    market: str = MARKET,
    start: str | None = FROM,
    end: str | None = TO,
    settings: list[str] = SET,
    side: str = SIDE,
    fills: str = FILLS,
    funding: str = FUNDING,
    cash: float = CASH,
    time_limit: float = typer.Option(900.0, "--time-limit", min=0.1, help="stop after this many seconds"),
    as_json: bool = JSON,
) -> None:
    """Judge a strategy before anyone gets attached to it: costs, delays, other symbols and times, random entries, an oracle,
    its neighbours. Ends in kill, weak or worth paper. Exit 0 whatever the verdict."""
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
    }
    home, label = open_home(), f"judge {strategy} {symbol} {timeframe}"

    def announce(text: str) -> None:
        out.say(f"{label}: {text}")

    with out.progress(label, 1.0) as advance, kinds.limited(time_limit, label):
        found = kinds.judge(home, args, advance, announce)
    out.emit(found, as_json=as_json, text=lambda: text_of(found))


def text_of(found: Mapping[str, Any]) -> Any:
    """The page for a terminal: word and reasons, checks, then the measurements."""
    from rich.console import Group
    from rich.text import Text

    style = {"kill": "bold red", "weak": "bold yellow", "paper": "bold green"}[found["verdict"]]
    lines: list[Any] = [
        Text(f"{found['strategy']} on {found['instrument'].replace(':', ' ')} {found['timeframe']}", style="bold")
    ]
    if data := found.get("data"):
        ends = f"{utc_day(data['first_ms'])} to {utc_day(data['last_ms'])}"
        lines.append(Text(f"{data['source'].upper()} data, {ends}, {data['bars']:,} bars; {found['runs']:,} runs"))
        lines.append(Text(f"fills {found['fills']}; funding {found['funding']}; {found['life']['text']}"))
    lines += [Text(""), Text(WORD[found["verdict"]], style=style), *(Text(f"  {reason}") for reason in found["reasons"])]
    lines += [Text(""), checks_table(found)]
    if page := found["page"]:
        lines += [Text(""), *(Text(line) for line in page_lines(page, found["instrument"]))]
        lines += [Text(""), Text(f"run {found['run_id']}   next: nightdesk runs show {found['run_id']}")]
    return Group(*lines)


def checks_table(found: Mapping[str, Any]) -> Any:
    """One line a check."""
    from rich.table import Table

    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for check in found["checks"]:
        mark = "pass" if check["passed"] else "KILLS" if check["kills"] else "-" if check["value"] is None else "fails"
        table.add_row(mark, check["name"].replace("_", " "), check["text"])
    return table


def page_lines(page: Mapping[str, Any], instrument: str) -> Iterator[str]:
    """What the checks rest on, a line a part; `instrument`: venue:BASE-QUOTE:market."""
    quote = instrument.split(":")[1].partition("-")[2]
    yield from feasibility_lines(page["feasibility"])
    yield "costs        " + ", ".join(f"x{c['times']:g} {percent_text(c['net_frac'], sign=True)}" for c in page["costs"])
    yield "late         " + ", ".join(f"{d['name']} {percent_text(d['net_frac'], sign=True)}" for d in page["delays"])
    yield "thirds       " + ", ".join(
        f"from {utc_day(w['from_ms'])} {percent_text(w['net_frac'], sign=True)}" for w in page["windows"]
    )
    if page["symbols"]:
        yield "symbols      " + ", ".join(f"{s['name']} {percent_text(s['net_frac'], sign=True)}" for s in page["symbols"])
    yield from (f"left out     {one['symbol']}: {one['why']}" for one in page["symbols_left_out"])
    yield "regimes      " + ", ".join(f"{r['regime']} {num(r['net'])} {quote} in {r['trips']:,} trips" for r in page["regimes"])
    for one in page["oracle"]:
        least, a_day = f"from {one['least_move_bps']:.0f} bps", f"{one['trades_a_day']:.2f} trades a day"
        yield f"oracle       {least}: {num(one['mean_bps'])} bps a trip, {a_day}, {percent_text(one['net_frac'], sign=True)}"
    drawn, own = page["random"], page["base"]["mean_bps"]
    yield (
        f"random       {drawn['seeds']} draws: {num(drawn['mean_bps_low'])} to {num(drawn['mean_bps_high'])} bps a trip (90 %), "
        f"its own {num(own)}"
    )
    yield f"hold         {percent_text(page['hold']['net_frac'], sign=True)} at its volatility"
    if near := page["neighbours"]:
        earn = sum(one["net"] > 0 for one in near)
        yield f"neighbours   {earn} of {len(near)} earn; worst {min(near, key=lambda n: n['net'])['name']}"
    yield from (f"without      {one['name']}: {percent_text(one['net_frac'], sign=True)}" for one in page["ablation"])
    best = page["deflated"]
    yield f"trials       {best['trials']:,} settings tried; luck alone would show a Sharpe of {num(best['benchmark'])}"


def feasibility_lines(found: Mapping[str, Any]) -> Iterator[str]:
    """The mean trip taken apart, and what it takes to know."""
    if not found["trades"]:
        yield f"mean trip    {found['reason']}"
        return
    parts = ("edge", "adverse_selection", "fees", "spread", "impact", "funding", "net")
    yield "mean trip    " + ", ".join(f"{part.replace('_', ' ')} {num(found[f'{part}_bps'])}" for part in parts) + " bps"
    enough = f"{found['trades_to_know']:,} trips" if found["trades_to_know"] is not None else f"not known: {found['reason']}"
    days = f", {found['days_to_know']:,.0f} days" if found["days_to_know"] is not None else ""
    yield f"to know      {enough}{days}; it made {found['trades']:,}, {found['trades_a_day']:.2f} a day"
