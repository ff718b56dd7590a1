"""`nightdesk sweep | walkforward | trials`: many variations of a strategy, and everything that was ever tried of a hypothesis.

Called by app/cli/main.py. They print what engine/research computes, as text or as JSON.
"""

from collections.abc import Mapping, Sequence
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

SYMBOLS = typer.Option(..., "--symbol", help="BASE-QUOTE; several, with equal money on each: BTC-USDT,ETH-USDT")
VARY = typer.Option([], "--vary", metavar="KEY=VALUES", help="values a,b,c or low:high:step; repeatable")
SEED = typer.Option(0, "--seed", min=0, max=2**32 - 1, help="of a search that draws")
LIMIT = typer.Option(3600.0, "--time-limit", min=0.1, help="stop after this many seconds")
COOL, WARM = (49, 84, 140), (46, 160, 90)  # of the heat map: the lowest and the highest ratio


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(sweep)
    app.command()(walkforward)
    app.command()(trials)


def sweep(
    strategy: str = STRATEGY,
    symbol: str = SYMBOLS,
    vary: list[str] = VARY,
    timeframe: str = TIMEFRAME,
    venue: str | None = VENUE,
    market: str = MARKET,
    start: str | None = FROM,
    end: str | None = TO,
    settings: list[str] = SET,
    side: str = SIDE,
    search: str = typer.Option("grid", "--search", help="grid: every combination; random or optuna: --trials of them"),
    wanted: int | None = typer.Option(None, "--trials", min=1, help="variations of a random or optuna search"),
    seed: int = SEED,
    workers: int | None = typer.Option(None, "--workers", min=1, max=64, help="threads; default: one a core"),
    fills: str = FILLS,
    funding: str = FUNDING,
    cash: float = CASH,
    full: bool = typer.Option(True, "--full/--no-full", help="run the best variation whole and store it"),
    time_limit: float = LIMIT,
    as_json: bool = JSON,
) -> None:
    """Run many variations of a strategy, each a trial of its hypothesis: a table, a heat map, and how much of the best is luck.

    Stopped, it goes on where it was when it is started again.
    """
    from app.home.home import open_home
    from app.jobs import kinds
    from engine.research.grid import parse_vary

    base: dict[str, Any] = {
        "strategy": strategy,
        "timeframe": timeframe,
        "venue": venue,
        "market": market,
        "start": start,
        "end": end,
    }
    base |= {"params": settings_of(settings), "side": side, "fills": fills, "funding": funding, "cash": cash}
    symbols = [name.strip() for name in symbol.split(",") if name.strip()]
    own = {"symbols": symbols, "vary": parse_vary(vary), "search": search, "trials": wanted, "seed": seed, "workers": workers}
    home = open_home()
    with out.progress(f"sweep {strategy} {symbol}", 1.0) as advance, kinds.limited(time_limit, f"the sweep of {strategy}"):
        try:
            found = kinds.sweep(home, {**base, **own}, lambda share: advance(0.9 * share))
        except KeyboardInterrupt:
            out.say("what has run is in the ledger; the same command goes on from there")
            raise
        found["runs"] = []
        if full and found["best"]:
            params = {**base["params"], **found["best"]["params"]}
            for name in found["symbols"]:
                run = kinds.backtest(home, {**base, **common_span(found), "symbol": name, "params": params})
                found["runs"].append({"symbol": name, "run_id": run["run_id"]})
    out.emit(found, as_json=as_json, text=lambda: text_of(found))


def common_span(found: Mapping[str, Any]) -> dict[str, str]:
    """The span of a sweep of several symbols, on which they were compared; of one symbol its runs keep what was asked for."""
    from engine.clock import timeframe_ms, utc

    if len(found["symbols"]) == 1:
        return {}
    return {"start": utc(found["first_ms"]), "end": utc(found["last_ms"] + timeframe_ms(found["timeframe"]))}


def walkforward(
    strategy: str = STRATEGY,
    symbol: str = SYMBOL,
    vary: list[str] = VARY,
    train: str = typer.Option("60d", "--train", help="how much past a fold chooses on: 60d, 12h, 2w"),
    test: str = typer.Option("5d", "--test", help="how long the choice is traded"),
    step: str | None = typer.Option(None, "--step", help="from fold to fold; default: --test"),
    embargo: str = typer.Option("4h", "--embargo", help="left out between the two; 0: none"),
    edges: str = typer.Option("carry", "--edges", help="positions at a fold's edge: carry, or close at the market"),
    choose: str = typer.Option("best", "--choose", help="best: highest Sharpe; plateau: of the mean with its neighbours"),
    timeframe: str = TIMEFRAME,
    venue: str | None = VENUE,
    market: str = MARKET,
    start: str | None = FROM,
    end: str | None = TO,
    settings: list[str] = SET,
    side: str = SIDE,
    search: str = typer.Option("grid", "--search", help="grid: every combination; random: --trials of them"),
    wanted: int | None = typer.Option(None, "--trials", min=1, help="variations of a random search"),
    seed: int = SEED,
    fills: str = FILLS,
    funding: str = FUNDING,
    cash: float = CASH,
    time_limit: float = LIMIT,
    as_json: bool = JSON,
) -> None:
    """Choose parameters on each fold's past, trade them on what comes next: one stitched curve, fold by fold."""
    from app.home.home import open_home
    from app.jobs import kinds
    from engine.research.grid import parse_vary

    args: dict[str, Any] = {"strategy": strategy, "symbol": symbol, "timeframe": timeframe, "venue": venue, "market": market}
    args |= {"start": start}
    args |= {"end": end, "params": settings_of(settings), "side": side, "fills": fills, "funding": funding, "cash": cash}
    args |= {"vary": parse_vary(vary), "train": train, "test": test, "step": step, "embargo": embargo, "edges": edges}
    args |= {"choose": choose, "search": search, "trials": wanted, "seed": seed}
    home = open_home()
    label = f"walk-forward {strategy} {symbol}"
    with out.progress(label, 1.0) as advance, kinds.limited(time_limit, f"the walk-forward of {strategy}"):
        found = kinds.walkforward(home, args, advance)
    out.emit(found, as_json=as_json, text=lambda: forward_text(found))


def trials(
    hypothesis: str | None = typer.Argument(None, help="part of its name; without: every hypothesis"),
    limit: int = typer.Option(20, "--limit", min=1, max=1000, help="how many"),
    as_json: bool = JSON,
) -> None:
    """What was tried: every hypothesis with the number of its trials, or the trials of one, best first."""
    from app.home.home import existing_home
    from engine.research.ledger import hypothesis_report

    home = existing_home()
    found = hypothesis_report(home.engine, hypothesis, limit)
    out.emit(found, as_json=as_json, text=lambda: trials_text(found))


def text_of(found: Mapping[str, Any]) -> Any:
    """A sweep as text: verdict first."""
    from rich.console import Group
    from rich.text import Text

    from engine.research.sweep_report import span_text

    new, count = found["new_trials"], found["variations"]
    made = "SYNTHETIC bars" if "synthetic" in found["source"] else f"{found['source']} bars"
    known = "all of them new trials" if new == count else f"{new:,} of them new trials"
    lines = [
        found["verdict"],
        f"{count:,} variations of {found['hypothesis']}, {known}",
        f"{found['timeframe']} {made} of {found['venue']}, {span_text(found)}",
    ]
    if found["leaks"] and not found["leaks"].get("clean", True):
        lines.insert(0, f"LOOK-AHEAD: {found['leaks'].get('text')}")
    if found["refused"]:
        lines.append(f"{found['refused']:,} combinations are not accepted by the strategy: {found['refused_why']}")
    lines += [f"note: {note}" for note in found["notes"]]
    lines += [f"failed: {words_of(one['params'])}: {one['error']}" for one in found["failed"]]
    if found["failed_count"] > len(found["failed"]):
        lines.append(f"failed: {found['failed_count'] - len(found['failed'])} more")
    if found["best"]:
        lines.append(f"best: {words_of(found['best']['params'])}: {found['best']['trial']['text']}")
    lines += [f"stored: {run['run_id']} ({run['symbol']})" for run in found["runs"]]
    parts: list[Any] = [Text("\n".join(lines)), table_of(found["columns"], found["rows"])]
    if found["heat"]:
        parts.append(heat_map(found["heat"]))
    return Group(*parts)


def forward_text(found: Mapping[str, Any]) -> Any:
    """A walk-forward as text: verdict first, then the folds."""
    from rich.console import Group
    from rich.text import Text

    from engine.research.sweep_report import span_text

    made = "SYNTHETIC bars" if "synthetic" in found["source"] else f"{found['source']} bars"
    folds, metrics = found["summary"], found["metrics"]
    lines = [found["verdict"]]
    if found["leaks"] and not found["leaks"].get("clean", True):
        lines.insert(0, f"LOOK-AHEAD: {found['leaks'].get('text')}")
    lines += [
        f"{found['variations']:,} variations of {found['strategy']} on {found['symbol']} {found['timeframe']}, {made} of "
        f"{found['venue']}, out of sample {span_text(found)}",
        f"train {found['train']}, test {found['test']}, step {found['step']}, embargo {found['embargo']}; {found['edges_text']}",
        f"audit: {found['audit']['text']}",
        found["days_text"],
        *filter(None, [found["not_counted"]]),
        f"median fold {percent_text(folds['median_return_frac'], sign=True)}, "
        f"worst {percent_text(folds['worst_return_frac'], sign=True)}, {folds['won']} of {folds['folds']} won, "
        f"{folds['better_than_hold']} better than holding",
        f"round trips {metrics['trades']:,}, fees {num(metrics['fees'])}, drawdown {percent_text(metrics['max_drawdown_frac'])}",
        *(f"note: {note}" for note in found["notes"]),
        *(drift_text(key, one, folds["folds"]) for key, one in found["drift"].items()),
        found["trial"]["text"],
    ]
    if found["refused"]:
        lines.append(f"{found['refused']:,} combinations are not accepted by the strategy")
    if found["failed"]:
        lines.append(f"a variation failed: {found['failed']}")
    base = [[row["name"], row["sharpe"], row["total_return_frac"], row["max_drawdown_frac"]] for row in found["baselines"]]
    lines += [
        f"{percent_text(one['luck'], 0)} of random entries did as well"
        for one in found["baselines"]
        if one.get("luck") is not None
    ]
    bases = table_of(["", "sharpe", "total_return_frac", "max_drawdown_frac"], base)
    return Group(Text("\n".join(lines)), bases, table_of(found["columns"], found["rows"]))


def drift_text(key: str, one: Mapping[str, Any], folds: int) -> str:
    """How much the choice of a parameter moved."""
    most = f"{one['most']:g}" if isinstance(one["most"], float) else one["most"]
    share = f"{most} in {percent_text(one['most_share'], 0)} of folds"
    return f"{key}: {one['values']} values, changed {one['changed']} of {folds - 1} times; {share}"


def words_of(params: Mapping[str, Any]) -> str:
    """`stop_atr=2, trail_atr=3`."""
    return ", ".join(f"{key}={value:g}" if isinstance(value, float) else f"{key}={value}" for key, value in params.items())


def table_of(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Any:
    """The variations, best first."""
    from rich.table import Table

    from engine.research.heads import HEADS

    table = Table(box=None, padding=(0, 2, 0, 0))
    shown = [n for n, column in enumerate(columns) if column != "train_to"]
    for n in shown:
        table.add_column(HEADS.get(columns[n], columns[n]), justify="right")
    for row in rows:
        table.add_row(*(cell(columns[n], row[n]) for n in shown))
    return table


def cell(column: str, value: Any) -> str:
    """A value as text; a dash when it is undefined."""
    if value is None:
        return "-"
    if column.endswith("_frac"):
        return percent_text(value) if column == "max_drawdown_frac" else percent_text(value, sign=True)
    if column in ("sharpe", "train_sharpe", "plateau", "deflated_sharpe"):
        return num(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:g}" if isinstance(value, float) else str(value)


def heat_map(heat: Mapping[str, Any]) -> Any:
    """The best ratio for each pair of the first two parameters, warm where it is high."""
    from rich.table import Table
    from rich.text import Text

    ratios = [ratio for row in heat["sharpe"] for ratio in row if ratio is not None]
    low, high = min(ratios), max(ratios)
    table = Table(title=f"best Sharpe: {heat['rows']} down, {heat['columns']} across", box=None, title_justify="left")
    table.add_column(heat["rows"], justify="right")
    for value in heat["column_values"]:
        table.add_column(f"{value:g}" if isinstance(value, float) else str(value), justify="right")
    for value, row in zip(heat["row_values"], heat["sharpe"], strict=True):
        cells = [Text("-") if ratio is None else Text(num(ratio), style=f"on {shade(ratio, low, high)}") for ratio in row]
        table.add_row(f"{value:g}" if isinstance(value, float) else str(value), *cells)
    return table


def shade(ratio: float, low: float, high: float) -> str:
    """A colour between COOL and WARM."""
    part = (ratio - low) / (high - low) if high > low else 0.5
    mixed = [round(a + (b - a) * part) for a, b in zip(COOL, WARM, strict=True)]
    return f"rgb({mixed[0]},{mixed[1]},{mixed[2]})"


def trials_text(found: Mapping[str, Any]) -> Any:
    """Hypotheses, or the trials of one."""
    from rich.console import Group
    from rich.text import Text

    if "rows" not in found:
        lines = [f"{one['trials']:>6,}  {one['hypothesis']}" for one in found["hypotheses"]]
        return "\n".join(lines) or "No trial yet: run a backtest or a sweep."
    return Group(Text(found["text"]), table_of(found["columns"], found["rows"]))
