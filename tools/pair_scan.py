"""Which instruments belong together, and whether their spread would have paid (pair_scan, COMPUTE). Called by the catalog.

engine/research/pairs as a job; its rows as facts, verdict first.
"""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from engine.clock import Timeframe
from tools.common.contract import (
    Args,
    Effect,
    Evidence,
    Fact,
    Table,
    ToolContext,
    ToolResult,
    Value,
    asked_as,
    clean,
    make_facts,
    tool,
)
from tools.setups import span_of, submit_jobs, unfinished, wait_all

SHOWN = 15  # pairs of a table; the job's page has all
FIGURES = {  # of a pair -> head, unit
    "coint_frac": ("windows", "frac"),
    "random_walk_frac": ("by chance", "frac"),
    "p_adjusted": ("p", "ratio"),
    "half_life_days": ("half-life", "days"),
    "trades": ("trades", "count"),
    "net_return_frac": ("net", "frac"),
}


class PairScanArgs(Args):
    """2 to 60 symbols; `window`: 60d is fitted, `step`: 5d trades with it."""

    symbols: list[Annotated[str, Field(max_length=40)]] = Field(min_length=2, max_length=60)
    timeframe: Timeframe = "1h"
    venue: str | None = Field(None, max_length=20)
    start: str | None = Field(None, max_length=40)
    end: str | None = Field(None, max_length=40)
    window: str | None = Field(None, max_length=12)
    step: str | None = Field(None, max_length=12)


@tool(
    "pair_scan",
    Effect.COMPUTE,
    asked_as(
        "",
        "which coins are cointegrated?; scan BTC, ETH and SOL for pairs; find pairs to trade; are BTC and ETH a pair?; "
        "run the pair scan; any stat arb pairs?",
    ),
)
def pair_scan(ctx: ToolContext, args: PairScanArgs) -> ToolResult:
    """Every pair of symbols: cointegrated beyond random walks, and net of both legs' costs and funding. No trial."""
    from engine.research.pairs.request import asked_of, windows_of

    start, end = span_of(ctx, args.start, args.end)
    given = {"venue": args.venue, "start": start, "end": end, "window": args.window, "step": args.step}
    wanted: dict[str, Any] = {"symbols": list(map(str.strip, args.symbols)), "timeframe": args.timeframe}
    wanted |= {name: value for name, value in given.items() if value is not None}
    windows_of(asked_of(wanted))  # what no bars can answer: said before anything is queued
    (job,) = submit_jobs(ctx, "pairs", [wanted])
    (view,) = wait_all(ctx, [job])
    if view.state != "done" or view.result is None:
        return unfinished(view)
    return _answer(ctx, job, view.result)


def _answer(ctx: ToolContext, job: str, found: Mapping[str, Any]) -> ToolResult:
    """The report of a finished job as a verdict, facts and a table of the first pairs."""
    from engine.research.pairs.request import ranked, span_text, word_of

    handle, evidence = ctx.handle("p", job), Evidence("job", job)
    facts, rows = list[Fact](), list[tuple[Value, ...]]()
    facts += make_facts(
        handle, f"pairs of {len(found['instruments'])} instruments", evidence, {"tried": (found["tried"], "count")}
    )
    for n, row in enumerate(ranked(found["pairs"])[:SHOWN], 1):
        name = clean(f"{row['a']} {row['b']}", 90)
        hours = row["half_life_h"]
        values = {key: row[key] for key in FIGURES if key != "half_life_days"}
        values["half_life_days"] = None if hours is None else hours / 24
        own = {key: (values[key], unit) for key, (_, unit) in FIGURES.items()}
        made = make_facts(f"{handle}n{n}", name, evidence, own)
        facts += made
        rows.append((name, word_of(row), *(f"{{{fact.ref}}}" for fact in made), clean(row["refused"] or row["why"], 120)))
    sources = ", ".join(sorted({str(one["source"]) for one in found["instruments"]}))
    text = f"{found['verdict']} {{{handle}.tried}} pairs on {sources} {span_text(found)}."
    left = len(found["pairs"]) - len(rows)
    text += f" The first {len(rows)} are below, the job has all." if left else ""
    text += " A scan does not count as a trial: judge what it finds on other bars."
    heads = ("pair", "verdict", *(head for head, _ in FIGURES.values()), "why")
    return ToolResult("ok", clean(text, 1_500), tuple(facts), (evidence,), Table(heads, tuple(rows)), {"job": job})
