"""What a run is of and how to get it: a Setup -> a job -> a stored run. Called by backtests, compare and proposals.

A job is awaited as long as the context allows; an unfinished one is `started`, and the same question later finds the run by
its cache key. All runs of one question use the same span, costs, data and code.
"""

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from pydantic import Field

from engine.amounts import percent_text
from engine.clock import DAY_MS, Timeframe
from engine.errors import BadInput, DataError
from tools import runs
from tools.common.contract import Args, Evidence, Fact, JobView, Table, ToolContext, ToolResult, Value, clean
from tools.common.limits import require_room
from tools.common.time_words import instant

SYMBOLS_MAX = 200  # letters: the legs of a basket with commas
PARTIAL = ("total_return_frac", "sharpe", "max_drawdown_frac", "trades")  # of a run that has ended while others go on


class ParamChange(Args):
    """One parameter: its key and its new value."""

    key: str = Field(max_length=60)
    value: int | float | bool | str


class CostArgs(Args):
    """Over which bars a run goes and at what costs, the same for every tool that makes one. `start` and `end` (exclusive) as
    2025, 2025-03 or 2025-03-04; null: all bars there are."""

    venue: str | None = Field(None, max_length=20)
    start: str | None = Field(None, max_length=40)
    end: str | None = Field(None, max_length=40)
    fills: Literal["pessimistic", "optimistic", "vwap"] | None = None
    funding: str | None = Field(None, max_length=20)

    def costs(self) -> dict[str, str]:
        """What is said of costs, as a job takes it; what is not said is the job's own default."""
        return {name: value for name, value in (("fills", self.fills), ("funding", self.funding)) if value is not None}


class SetupArgs(CostArgs):
    """What a run is of, by name. `limits`: wide lifts the desk's; never for what is compared with the live configuration."""

    strategy: str = Field(max_length=60)
    symbol: str = Field(max_length=SYMBOLS_MAX)
    timeframe: Timeframe = "15m"
    limits: Literal["desk", "wide"] | None = None

    def costs(self) -> dict[str, str]:
        """The same with the limits that are said."""
        return super().costs() | ({"limits": self.limits} if self.limits else {})

    def job(self, ctx: ToolContext) -> dict[str, Any]:
        """Strategy, timeframe, venue, span and costs as the arguments of a job; nothing that is not said."""
        start, end = span_of(ctx, self.start, self.end)
        found = {"strategy": self.strategy, "timeframe": self.timeframe, "venue": self.venue, "start": start, "end": end}
        return {name: value for name, value in found.items() if value is not None} | self.costs()


class Setup(NamedTuple):
    """What a run is of: one sleeve's configuration as a job takes it."""

    label: str
    sleeve: Mapping[str, Any]  # strategy, symbol, venue, market, side, cash, params
    timeframe: str
    execution: str = ""  # how its market entries are worked

    def having(self, label: str, params: Mapping[str, Any]) -> "Setup":
        """The same with other parameters."""
        return self._replace(label=label, sleeve={**self.sleeve, "params": dict(params)})

    def reading(self, models: str | None) -> "Setup":
        """The same with other versions of stored models."""
        return self if not models else self._replace(sleeve={**self.sleeve, "models": models})


class RunsOutcome(NamedTuple):
    """The outcome of some jobs: the stored runs in order, or the result to return instead."""

    runs: tuple[dict[str, Any], ...]
    instead: ToolResult | None


def named_setup(strategy: str, symbol: str, timeframe: str, venue: str | None) -> Setup:
    """A strategy with its defaults on one instrument. Without a venue the job finds one that has bars."""
    sleeve = {
        "strategy": strategy,
        "symbol": symbol.upper(),
        "venue": venue or "",
        "market": "perp",
        "side": "both",
        "params": {},
    }
    return Setup("defaults", sleeve, timeframe)


def live_setup(sleeve: Any, version: int) -> Setup:
    """A sleeve's configuration in force, as a job takes it."""
    fields = ("strategy", "symbol", "venue", "market", "side", "cash", "params")
    named = {name: getattr(sleeve, name) for name in fields} | ({"models": sleeve.models} if sleeve.models else {})
    if sleeve.legs:
        named["symbol"] = ",".join(sleeve.legs)
    return Setup(f"live configuration (v{version})", named, sleeve.timeframe, sleeve.execution or "")


def full_params(sleeve: Mapping[str, Any]) -> Any:
    """Every parameter checked against its bounds, defaults filled in; a person's own strategy is left to its job."""
    from engine.strategies.base import SHIPPED, load_strategy, parse_params

    if sleeve["strategy"] not in SHIPPED:
        return dict(sleeve["params"])
    return parse_params(load_strategy(sleeve["strategy"]), sleeve["params"])


def values_of(changes: Sequence[ParamChange]) -> dict[str, Any]:
    """Changes as a mapping; BadInput for a repeated key."""
    found: dict[str, Any] = {}
    for change in changes:
        if change.key in found:
            raise BadInput(f"{clean(change.key, 60)} is changed twice", "give each key once")
        found[change.key] = change.value
    return found


def label_of(params: Mapping[str, Any]) -> str:
    """`stop_atr 3, target_atr 6`."""
    return clean(
        ", ".join(f"{key} {value:g}" if isinstance(value, float) else f"{key} {value}" for key, value in params.items()), 120
    )


def span_of(ctx: ToolContext, start: str | None, end: str | None) -> tuple[int | None, int | None]:
    """[from, to) in UTC ms; None: as far as the bars go."""
    first = instant(start, ctx.desk_ms) if start else None
    last = instant(end, ctx.desk_ms) if end else None
    if first is not None and last is not None and last <= first:
        raise BadInput(f"the span is empty or reversed: {start} to {end}", "end is exclusive and must come after start")
    return first, last


def lived_span(ctx: ToolContext, start: str | None, end: str | None) -> tuple[int | None, int | None]:
    """The same for evidence about the desk: without an end it ends with the last whole day that the desk has lived.

    Later bars are taken when the person names an end, or a start that the desk has not reached; the result says how far beyond
    the desk's time they go. A call that is made again keeps the end of the jobs it started.
    """
    first, last = span_of(ctx, start, end)
    if last is not None or ctx.desk_ms is None:
        return first, last
    lived = _earlier_end(ctx) or ctx.desk_ms - ctx.desk_ms % DAY_MS
    return first, None if first is not None and first >= lived else lived


def _earlier_end(ctx: ToolContext) -> int | None:
    """The end of the backtests that this call started before."""
    from sqlmodel import col, select

    from engine.store.db import read
    from engine.store.tables import Job

    with read(ctx.engine) as session:
        found = session.exec(select(Job.args).where(Job.kind == "backtest", col(Job.id).in_(ctx.earlier_jobs))).all()
    return next((args["end"] for args in map(json.loads, found) if args.get("end") is not None), None)


def runs_of(
    ctx: ToolContext, setups: Sequence[Setup], span: tuple[int | None, int | None], more: Mapping[str, Any]
) -> RunsOutcome:
    """One stored run per setup, all over the same span with the same costs; or the `started` or `failed` result."""
    common = {"start": span[0], "end": span[1], "fills": "pessimistic", "funding": "recorded", **more}
    wanted = [
        {"sleeves": [dict(setup.sleeve)], "timeframe": setup.timeframe, **common}
        | ({"execution": setup.execution} if setup.execution else {})
        for setup in setups
    ]
    jobs = submit_jobs(ctx, "backtest", wanted)
    views = wait_all(ctx, jobs)
    broken = [view for view in views if view.state != "done"]
    if broken:
        worst = next((v for v in broken if v.state in ("failed", "cancelled")), broken[0])
        for view in broken if worst.state in ("failed", "cancelled") else ():
            ctx.jobs.cancel(view.id)
        result = unfinished(worst, len(broken))
        return RunsOutcome(
            (), result if result.status == "failed" or len(views) < 2 else with_partial(ctx, result, setups, views)
        )
    ids = [view.run_id for view in views if view.run_id is not None]
    if len(ids) < len(views):
        raise DataError("a finished backtest job has no run id", "run it again")
    found = tuple(runs.stored(ctx, run_id) for run_id in ids)
    if changed := _changed_meanwhile(found):
        raise DataError(f"changed between the runs: {changed}; they cannot be compared", "ask again")
    return RunsOutcome(found, None)


def _changed_meanwhile(found: Sequence[Mapping[str, Any]]) -> str:
    """What is not the same in all runs that have it: files of bars by name (several sleeves read several), and the code."""
    pairs = {(name, content) for run in found for name, content in run["data"]["file_sha256"].items()}
    names = [name for name, _ in pairs]
    changed = sorted({clean(name, 80) for name in names if names.count(name) > 1})
    return ", ".join(changed + ["the code"] * (len({run["code"]["core"] for run in found if "code" in run}) > 1))


def with_partial(ctx: ToolContext, result: ToolResult, setups: Sequence[Setup], views: Sequence[JobView]) -> ToolResult:
    """A `started` result with what is there already: a row a job, figures of those that have ended, the job of each."""
    facts: tuple[Fact, ...] = ()
    rows: list[tuple[Value, ...]] = []
    for setup, view in zip(setups, views, strict=True):
        cells: tuple[Value, ...] = tuple("-" for _ in PARTIAL)
        if view.state == "done" and view.run_id is not None:
            run = runs.stored(ctx, view.run_id)
            own = runs.facts_of(ctx, run, f"{runs.subject_of(run)}, {setup.label}")
            refs = {fact.metric: f"{{{fact.ref}}}" for fact in own}
            facts, cells = facts + own, tuple(refs.get(name, "-") for name in PARTIAL)
        rows.append((setup.label, "done" if view.state == "done" else f"{view.state}, {percent_text(view.progress, 0)}", *cells))
    ended = sum(view.state == "done" for view in views)
    text = f"{result.text} So far {ended} of {len(views)}: a part of the table, not a comparison yet."
    children = [{"job": view.id, "state": view.state, "run_id": view.run_id} for view in views]
    table = Table(("configuration", "job", *PARTIAL), tuple(rows))
    return result._replace(text=text, facts=facts, table=table, data={**result.data, "children": children})


def submit_jobs(ctx: ToolContext, kind: str, wanted: Sequence[Mapping[str, Any]]) -> list[str]:
    """One job for each of `wanted`: this call's earlier job, or an open one with the same arguments, else a new one.

    Refused without room for the new ones.
    """
    open_now = _open_jobs(ctx, kind)
    missing = [args for args in wanted if _text(args) not in open_now]
    if missing:
        require_room(ctx, len(missing))
    jobs = []
    for args in wanted:
        key = _text(args)
        if key not in open_now:
            open_now[key] = ctx.jobs.submit(kind, args, thread=ctx.thread, turn=ctx.turn)
        jobs.append(open_now[key])
    return jobs


def _open_jobs(ctx: ToolContext, kind: str) -> dict[str, str]:
    """Arguments of the jobs of a kind that are queued or running, or that this call started earlier -> id."""
    from sqlmodel import col, or_, select

    from engine.store.db import read
    from engine.store.tables import Job

    wanted = or_(col(Job.state).in_(("queued", "running")), col(Job.id).in_(ctx.earlier_jobs))
    with read(ctx.engine) as session:
        rows = session.exec(select(Job).where(col(Job.kind) == kind, wanted).order_by(col(Job.created_ms), col(Job.id))).all()
    own_last = sorted(rows, key=lambda row: row.id in ctx.earlier_jobs)
    return {_text(json.loads(row.args)): row.id for row in own_last}


def _text(args: Mapping[str, Any]) -> str:
    return json.dumps(args, sort_keys=True)


def wait_all(ctx: ToolContext, jobs: Sequence[str]) -> list[JobView]:
    """Wait for all jobs within the context's time together; progress is their mean."""
    deadline = None if ctx.wait_s is None else time.monotonic() + ctx.wait_s
    shares = dict.fromkeys(jobs, 0.0)
    views: list[JobView] = []
    for job in jobs:

        def advance(done: float, job: str = job) -> None:
            shares[job] = done
            ctx.progress(sum(shares.values()) / len(shares))

        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        views.append(ctx.jobs.wait(job, left, advance))
        if views[-1].state == "done":
            advance(1.0)
    return views


POSTED = "The answer will be posted in this thread when it ends."


def unfinished(view: JobView, count: int = 1) -> ToolResult:
    """The result for a job that is unfinished, or failed."""
    evidence = (Evidence("job", view.id),)
    if view.state in ("failed", "cancelled"):
        return ToolResult("failed", f"{clean(view.error or f'the job was {view.state}', 400)}", evidence=evidence)
    jobs = "A job is" if count == 1 else f"{count} jobs are"
    text = f"{jobs} still running ({view.id}, {percent_text(view.progress, 0)} done). {POSTED}"
    return ToolResult("started", text, evidence=evidence, job=view.id)
