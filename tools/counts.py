"""How often: refusals, breakers and alerts by rule, sleeve or day (counts, READ); a sleeve before and after a version
(version_effect, READ). Called by the catalog.

Refusals and breakers are the desk journal's, in desk time: one that lasts is written there once, at however many closes it
holds (engine/watch/quiet_closes.py counts those); alerts are rows in wall time, counted over the same length up to now.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

from pydantic import Field

from engine.clock import utc, utc_day
from engine.errors import BadInput
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
    no_data,
    tool,
)
from tools.common.refusal_runs import search
from tools.common.time_words import NEVER_RAN, window, window_text

What = Literal["refused", "breaker", "alert"]
ROWS_MAX = 40
COUNTED = {
    "refused": "refusals of an entry (one that lasts counts once)",
    "breaker": "breakers tripped",
    "alert": "alerts (wall time)",
}
SIDE = {"trips": "count", "net": "usd", "win_frac": "frac", "mean_r": "ratio", "fees": "usd", "median_hold_ms": "duration_ms"}
ALERTS_MAX = 5_000
CAVEAT = (
    "Closed round trips by the version they were entered under. Other weeks are another market: "
    "compare runs both versions on the same bars."
)


class CountsArgs(Args):
    """`what` null: all three, by rule, sleeve or day, in a window (`since` null: 7d); `rule`: one."""

    what: What | None = None
    by: Literal["rule", "sleeve", "day"] = "rule"
    since: str | None = Field(None, max_length=40)
    until: str | None = Field(None, max_length=40)
    sleeve: str | None = Field(None, max_length=60)
    rule: str | None = Field(None, max_length=60)


class VersionArgs(Args):
    """A sleeve and the version of its own that is judged against the one before it; null: its newest."""

    sleeve: str = Field(max_length=60)
    version: int | None = Field(None, ge=2, le=1_000_000)


class Occurrence(NamedTuple):
    """Something that is counted: what, its rule, where, when it began and last was, how many bars."""

    what: str
    rule: str
    sleeve: str
    first_ms: int
    last_ms: int
    times: int


@tool(
    "counts",
    Effect.READ,
    asked_as(
        "",
        "how many refusals by rule this week?; how often did each breaker trip in the last 30 days?; count the alerts by "
        "rule; which rule refuses most often?; how many entries were refused since monday?; number of breakers by sleeve "
        "in november; how many breakers did we have in november?; how often was eth-trend refused by the exposure limit?; "
        "how often did the loss streak rule refuse an entry?; how many refusals yesterday?; which sleeve gets refused the "
        "most?; how often did the loss streak rule fire?; how many times was each guardrail hit?; count the refusals by "
        "sleeve; how often did btc hit the daily loss limit?; which guardrail fires most?",
    ),
)
def counts(ctx: ToolContext, args: CountsArgs) -> ToolResult:
    """How often entries were refused, breakers tripped and alerts opened, by rule, sleeve or day, in a window."""
    from engine.watch.window import first_mark, journal_of

    if ctx.desk_ms is None:
        return no_data(NEVER_RAN)
    low, high = window(args.since, args.until, ctx.desk_ms, "7d")
    began = first_mark(journal_of(ctx.home))
    if began is not None and high <= began.t_event_ms:
        return no_data(f"the desk began at {utc(began.t_event_ms)}: nothing of it is before that")
    every = list(_occurrences(ctx, args, low, high))
    found = [o for o in every if args.rule is None or _names(args.rule, o.rule)]
    label = f"counts {low} {high} {args.model_dump_json(exclude_none=True)}"
    h, evidence = ctx.handle("n", label), Evidence("desk", "journal")
    span = window_text(low, min(high, ctx.desk_ms))
    total = {what: sum(o.times for o in found if o.what == what) for what in ("refused", "breaker", "alert")}
    wanted = [args.what] if args.what else list(total)
    values: dict[str, tuple[Value, str]] = {what: (total[what], "count") for what in wanted}
    values |= {"from": (low, "ms"), "to": (min(high, ctx.desk_ms), "ms")}
    facts: list[Fact] = list(make_facts(h, f"counts{f' of {args.sleeve}' if args.sleeve else ''}", evidence, values, span))
    groups: dict[tuple[str, str], list[Occurrence]] = {}
    for o in found:
        groups.setdefault((o.what, {"rule": o.rule, "sleeve": o.sleeve, "day": utc_day(o.first_ms)}[args.by]), []).append(o)
    ranked = sorted(groups.items(), key=lambda item: (-sum(o.times for o in item[1]), item[0]))
    rows: list[tuple[Value, ...]] = []
    for (what, key), own in ranked[:ROWS_MAX]:
        g = ctx.handle("n", f"{label} {what} {key}")
        kept: dict[str, tuple[Value, str]] = {"times": (sum(o.times for o in own), "count"), "stretches": (len(own), "count")}
        kept |= {"first": (min(o.first_ms for o in own), "ms"), "last": (max(o.last_ms for o in own), "ms")}
        facts += make_facts(g, f"{what} {key}", evidence, kept, span)
        rows.append((what, clean(key, 80), *(f"{{{g}.{name}}}" for name in kept)))
    text = (
        f"From {{{h}.from}} to {{{h}.to}} of desk time: " + ", ".join(f"{{{h}.{what}}} {COUNTED[what]}" for what in wanted) + "."
    )
    if args.rule:
        others = ", ".join(sorted({clean(o.rule, 60) for o in every})) or "none"
        text = (
            f"By {clean(args.rule, 60)} alone. {text}"
            if found
            else f"None by {clean(args.rule, 60)}; by any rule: {others}. {text}"
        )
    elif ranked:
        (what, key), _ = ranked[0]
        text = f"Most often: {clean(key, 80)} ({what}). {text}"
    if len(ranked) > ROWS_MAX:
        text += f" The table has the first {ROWS_MAX} of {len(ranked)} groups."
    table = Table(("what", args.by, "times", "stretches", "first", "last"), tuple(rows)) if rows else None
    return ToolResult("ok", text, tuple(facts), (evidence,), table, {"counts": {what: total[what] for what in wanted}})


def _names(said: str, rule: str) -> bool:
    """Whether each word that was said of a rule begins a word of its name: `loss streak`, `exposure`."""
    own = rule.lower().replace("_", " ").replace("frac", "exposure limit").split()
    return all(any(part.startswith(word) for part in own) for word in said.lower().replace("_", " ").split())


def _occurrences(ctx: ToolContext, args: CountsArgs, low: int, high: int) -> Iterator[Occurrence]:
    """What is counted, in the window."""
    from engine.watch.window import journal_of

    kinds = [what for what in ("refused", "breaker") if args.what in (None, what)]
    span = (low, high)
    for stretch in search(journal_of(ctx.home), span, ("decision", "breaker"), kinds, args.sleeve, None) if kinds else ():
        body, place = stretch.first.body, str(stretch.first.body.get("sleeve") or "desk")
        rule = str(body.get("refused_by") if stretch.kind == "refused" else body.get("breaker"))
        yield Occurrence(stretch.kind, rule, place, stretch.first.t_event_ms, stretch.last.t_event_ms, stretch.count)
    if args.what in (None, "alert"):
        yield from _alerts(ctx, args, low, high)


def _alerts(ctx: ToolContext, args: CountsArgs, low: int, high: int) -> Iterator[Occurrence]:
    """Alerts opened in a window of the same length up to now, in wall time."""
    from engine.watch.alert_rows import list_alerts

    late = ctx.now_ms - (ctx.desk_ms or 0)
    for row in list_alerts(ctx.engine, None, ALERTS_MAX):
        mine = args.sleeve is None or row.place == args.sleeve
        if mine and low + late < row.opened_ms <= high + late:
            yield Occurrence("alert", row.kind, row.place or "desk", row.opened_ms, row.resolved_ms or row.seen_ms, 1)


# --------------------------------------------------------------------------- before and after a version


@tool(
    "version_effect",
    Effect.READ,
    asked_as(
        "",
        "did version 2 of btc-trend help?; btc-trend before and after version 3; how did the eth sleeve do before and "
        "after its last change?; did the last change of btc-trend help?; has eth-trend improved since version 2?; what "
        "was the effect of version 2 on sol-reversion?; is version 2 of eth better than version 1?; did the new settings "
        "of btc-trend pay off?; compare versions of eth-trend",
    ),
)
def version_effect(ctx: ToolContext, args: VersionArgs) -> ToolResult:
    """A sleeve's round trips before and after a version of it: how many, net, hit rate, mean R, and the interval of the
    difference. Other weeks are another market: a comparison on the same bars is the better evidence."""
    import polars as pl

    from engine.sim.bootstrap import means_apart
    from engine.sim.breakdown import split
    from engine.watch.desk_trips import strategy_trips
    from engine.watch.window import FAR_MS, between, journal_of

    if ctx.desk_ms is None:
        return no_data(NEVER_RAN)
    trips = strategy_trips(ctx.home, args.sleeve)
    began = {
        int(e.body["version"]): e
        for e in between(journal_of(ctx.home), -1, FAR_MS, {"config"})
        if e.body.get("sleeve") == args.sleeve and e.body.get("state") == "governs"
    }
    if not began:
        return no_data(f"{args.sleeve} has traded by its first version alone: nothing to set apart")
    version = args.version or max(began)
    if version not in began:
        raise BadInput(f"{args.sleeve} has not traded by version {version}", f"its later versions: {', '.join(map(str, began))}")
    older = max((v for v in (1, *began) if v < version), default=1)
    event = began[version]
    evidence = Evidence("event", event.id)
    names = {older: f"before (v{older})", version: f"after (v{version})"}
    own = trips.filter(pl.col("version").is_in(list(names)) & pl.col("exit_ms").is_not_null())
    own = own.with_columns(sleeve=pl.col("version").replace_strict(names, return_dtype=pl.String))
    found = {row["key"]: row for row in split(own, "sleeve").to_dicts()}
    apart = means_apart(*(own.filter(pl.col("version") == v)["net"].to_list() for v in (older, version)))
    h = ctx.handle("v", f"{args.sleeve} {older} {version}")
    values: dict[str, tuple[Value, str]] = {"applied": (event.t_event_ms, "ms"), "difference": (apart.mean, "usd")}
    values |= {"low": (apart.low, "usd"), "high": (apart.high, "usd")}
    facts: list[Fact] = list(make_facts(h, f"{args.sleeve}, version {version} against {older}", evidence, values))
    rows = []
    for v, name in names.items():
        g, row = ctx.handle("v", f"{args.sleeve} v{v} of {older} {version}"), found.get(name, {})
        kept = _figures(row)
        facts += make_facts(g, f"{args.sleeve} {name}", evidence, kept)
        rows.append((name, *(f"{{{g}.{key}}}" for key in kept)))
    since = f"{args.sleeve} has traded by version {version} since {{{h}.applied}} ({event.id})"
    text = f"{_verdict(apart.low, apart.high, apart.why)} {since}"
    if apart.mean is not None:
        text += f": net a round trip, after minus before, {{{h}.difference}}"
        text += f", 95 % interval {{{h}.low}} to {{{h}.high}} (trips taken as independent)" if apart.low is not None else ""
    text += f". {CAVEAT}"
    table = Table(("round trips", *SIDE), tuple(rows))
    return ToolResult("ok", text, tuple(facts), (evidence,), table, {"sleeve": args.sleeve, "version": version, "before": older})


def _figures(row: Mapping[str, Any]) -> dict[str, tuple[Value, str]]:
    """The figures of one side; none of them known without a trip."""
    units = {
        "trips": "count",
        "net": "usd",
        "win_frac": "frac",
        "mean_r": "ratio",
        "fees": "usd",
        "median_hold_ms": "duration_ms",
    }
    return {name: (row.get(name, 0 if name == "trips" else None), unit) for name, unit in units.items()}


def _verdict(low: float | None, high: float | None, why: str) -> str:
    """Whether the two can be told apart."""
    if low is None or high is None:
        return f"Not comparable: {why}."
    return (
        "Better than before." if low > 0.0 else "Worse than before." if high < 0.0 else "Before and after cannot be told apart."
    )
