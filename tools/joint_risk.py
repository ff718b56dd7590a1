"""What sleeves risk together (joint_risk, READ). Called by the catalog; reckoned by engine/watch/joint_risk.py."""

from typing import Any, NamedTuple

from engine.clock import utc
from tools.common.contract import (
    Effect,
    Evidence,
    Fact,
    NoArgs,
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
from tools.common.time_words import NEVER_RAN


@tool(
    "joint_risk",
    Effect.READ,
    asked_as(
        "",
        "what if all stops hit at once?; how much do we lose if every stop triggers?; how much are we risking?; how far "
        "are we from the stops?; how correlated are the sleeves?; can one move reach several stops?; open risk; "
        "are btc and eth the same bet?; correlation of btc and eth",
    ),
)
def joint_risk(ctx: ToolContext, args: NoArgs) -> ToolResult:  # noqa: ARG001 - a tool takes its arguments
    """What sleeves risk together: stops that one move reaches and what that costs, each stop's distance, and how their days have
    moved together, with intervals."""
    from engine.watch.joint_risk import joint_risk as reckoned

    found = reckoned(ctx.home)
    if found is None:
        return no_data(NEVER_RAN)
    evidence = Evidence("event", found.event)
    parts = [_shared(ctx, found, evidence), _stops(ctx, found, evidence), _days(ctx, found, evidence)]
    sentences = [sentence for part in parts for sentence in part.said]
    sentences += [f"At {utc(found.desk_ms)} of desk time."]
    sentences += [f"Without a stop: {clean(', '.join(found.unprotected), 200)}."] if found.unprotected else []
    rows = tuple(row for part in parts for row in part.rows)
    table = Table(("of", "sleeves", "distance or correlation", "from here", "more"), rows) if rows else None
    facts = tuple(fact for part in parts for fact in part.facts)
    return ToolResult("ok", " ".join(sentences), facts, (evidence,), table)


class _Part(NamedTuple):
    """Sentences, rows and facts of one side of it."""

    said: list[str]
    rows: list[tuple[Value, ...]]
    facts: list[Fact]


def _shared(ctx: ToolContext, found: Any, evidence: Evidence) -> _Part:
    """Stops that one move reaches."""
    part = _Part([], [], [])
    for one in found.shared:
        h = ctx.handle("q", f"{found.event} shared {' '.join(one.sleeves)}")
        names = clean(" and ".join(one.sleeves), 160)
        values: dict[str, tuple[Value, str]] = {"move": (one.move_frac, "frac"), "loss": (-one.loss, "usd")}
        part.facts.extend(make_facts(h, f"shared stops of {names}", evidence, values | {"loss_frac": (one.loss_frac, "frac")}))
        part.said.append(f"{names} are one bet: {{{h}.move}} against them reaches every stop of theirs, {{{h}.loss}}.")
        part.rows.append(("one bet", names, f"{{{h}.move}}", f"{{{h}.loss}}", "correlation not known" if one.unknown else ""))
    return part if part.said else part._replace(said=["No two open positions with stops are one bet."])


def _stops(ctx: ToolContext, found: Any, evidence: Evidence) -> _Part:
    """Each stop with its distance, and what they cost together."""
    part, each = _Part([], [], []), []
    for n, stop in enumerate(found.stops):
        h, name = ctx.handle("q", f"{found.event} stop {n}"), clean(stop.sleeve, 60)
        values: dict[str, tuple[Value, str]] = {"distance": (stop.distance_frac, "frac"), "loss": (-stop.loss, "usd")}
        part.facts.extend(make_facts(h, f"stop of {name}", evidence, values | {"stop": (stop.stop, "price")}))
        part.rows.append((f"stop, {stop.side}", name, f"{{{h}.distance}}", f"{{{h}.loss}}", f"at {{{h}.stop}}"))
        each.append(f"{name} is {{{h}.distance}} from its stop, at {{{h}.stop}}")
    if each:
        h = ctx.handle("q", f"{found.event} stops")
        part.facts.extend(make_facts(h, "every stop", evidence, {"loss": (-sum(stop.loss for stop in found.stops), "usd")}))
        part.said.append(f"If every stop fills at its level: {{{h}.loss}} from here; {'; '.join(each[:5])}.")
    return part


def _days(ctx: ToolContext, found: Any, evidence: Evidence) -> _Part:
    """How the days of sleeves move together, the nearest two first, and how many independent bets they are."""
    part, each, apart = _Part([], [], []), [], []
    for pair in sorted(found.pairs, key=lambda one: -(one.correlation or 0.0)):
        h, names = ctx.handle("q", f"{found.event} pair {pair.one} {pair.other}"), clean(f"{pair.one} with {pair.other}", 120)
        values: dict[str, tuple[Value, str]] = {"correlation": (pair.correlation, "ratio"), "low": (pair.low, "ratio")}
        values |= {"high": (pair.high, "ratio"), "days": (pair.days, "count")}
        part.facts.extend(make_facts(h, f"days of {names}", evidence, values))
        span = pair.why or f"{{{h}.low}} to {{{h}.high}}, 95 %, {{{h}.days}} days"
        part.rows.append(("days", names, f"{{{h}.correlation}}" if pair.correlation is not None else "not known", "-", span))
        each += [f"{names} {{{h}.correlation}} ({span})"] if pair.correlation is not None else []
        apart += [names] if pair.correlation is not None and (pair.low or 0.0) > 0 else []
    if each:
        word = f"Days of {', '.join(apart)} move" if apart else "No two sleeves' days move"
        part.said.append(f"{word} together beyond chance so far; their correlation: {'; '.join(each)}.")
    known = [pair.correlation for pair in found.pairs if pair.correlation is not None]
    sleeves = len({name for pair in found.pairs for name in (pair.one, pair.other)})
    if len(known) == sleeves * (sleeves - 1) // 2 > 0 and (spread := sleeves + 2 * sum(known)) > 0:
        h = ctx.handle("q", f"{found.event} bets")
        values = {"bets": (sleeves**2 / spread, "ratio"), "sleeves": (sleeves, "count")}
        part.facts.extend(make_facts(h, "independent bets", evidence, values))
        part.said.append(f"As their days correlate, {{{h}.sleeves}} equal sleeves are about {{{h}.bets}} independent bets.")
    return part
