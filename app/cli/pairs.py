"""`nightdesk pairs scan`: which of some instruments belong together, and whether trading their spread would have paid.

Called by app/cli/main.py. Turns engine/research/pairs into a table or JSON; it reads recorded bars and changes nothing.
"""

from typing import Any

import typer

from app.cli import out
from app.cli.backtest import FROM, FUNDING, JSON, TO, num
from engine.amounts import percent_text


def register(app: typer.Typer) -> None:
    """Add `pairs`."""
    group = typer.Typer(no_args_is_help=True, help="Pairs of instruments: scan them for cointegration and an edge after costs.")
    group.command("scan")(scan)
    group.callback()(_group)
    app.add_typer(group, name="pairs")


def _group() -> None:
    """Keep `scan` a word of its own, though it is alone."""


def scan(
    symbols: list[str] = typer.Option(
        ..., "--symbols", "--symbol", help="BASE-QUOTE, or VENUE:BASE-QUOTE[:spot]; with commas or repeated; 2 to 60"
    ),
    timeframe: str = typer.Option("1h", "--timeframe", help="of the bars"),
    venue: str = typer.Option("", "--venue", help="default: the venue that has the bars"),
    start: str | None = FROM,
    end: str | None = TO,
    window: str = typer.Option("60d", "--window", help="how much past is fitted and tested: 60d, 12h, 2w"),
    step: str = typer.Option("5d", "--step", help="how long a fit decides entries, and from window to window"),
    enter: float = typer.Option(2.0, "--enter", help="deviations of the spread"),
    leave: float = typer.Option(0.0, "--leave", help="deviations left"),
    stop: float = typer.Option(4.0, "--stop", help="deviations that give up"),
    funding: str = FUNDING,
    cost_bps: float | None = typer.Option(None, "--cost-bps", help="of a fill of a leg; default: taker fee and half the spread"),
    seed: int = typer.Option(0, "--seed", min=0, max=2**32 - 1, help="of the random walks"),
    time_limit: float = typer.Option(3600.0, "--time-limit", min=0.1, help="stop after this many seconds"),
    as_json: bool = JSON,
) -> None:
    """Test every pair for cointegration, beside random walks of the same returns, and trade its spread after costs."""
    from app.home.home import open_home
    from app.jobs import kinds

    names = [name.strip() for part in symbols for name in part.split(",") if name.strip()]
    args: dict[str, Any] = {"symbols": names, "timeframe": timeframe, "venue": venue, "start": start, "end": end}
    args |= {"window": window, "step": step}
    args |= {"enter": enter, "leave": leave, "stop": stop, "funding": funding, "cost_bps": cost_bps, "seed": seed}
    home = open_home()
    with out.progress(f"pairs of {len(names)} symbols", 1.0) as advance, kinds.limited(time_limit, "the scan"):
        value = kinds.pairs(home, args, advance)
    out.emit(value, as_json=as_json, text=lambda: pairs_text(value))


def pairs_text(value: dict[str, Any]) -> Any:
    """Verdict, a row a pair, why not, notes."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    from engine.research.pairs.request import ranked, span_text, word_of

    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("pair", "verdict"):
        table.add_column(name, no_wrap=True)
    for name in ("windows", "by chance", "p", "half-life", "hedge", "trades", "moved", "costs", "funding", "net"):
        table.add_column(name, justify="right")
    for row in ranked(value["pairs"]):
        hours = "-" if row["half_life_h"] is None else f"{row['half_life_h']:,.0f} h"
        table.add_row(
            f"{row['a']} {row['b']}",
            word_of(row),
            *(percent_text(row[key], 0) for key in ("coint_frac", "random_walk_frac")),
            num(row["p_adjusted"]),
            hours,
            num(row["hedge_ratio"]),
            "-" if row["trades"] is None else str(row["trades"]),
            *(percent_text(row[f"{key}_frac"], 1, sign=True) for key in ("moved", "costs", "funding", "net_return")),
        )
    why = [f"{row['a']} {row['b']}: {row['why']}" for row in value["pairs"]]
    sources = sorted({one["source"] for one in value["instruments"]})
    bound = value["random_walk_bound_frac"]
    chance = "" if bound is None else f"; 19 of 20 random walks have at most {percent_text(bound, 0)} of such windows"
    lines = [value["verdict"], f"{', '.join(sources)} {span_text(value)}{chance}"]
    return Group(Text("\n".join(lines)), table, Text("\n".join([*why, *(f"note: {note}" for note in value["notes"])])))
