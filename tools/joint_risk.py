"""What sleeves risk together (joint_risk, READ). Called by the catalog; reckoned by engine/watch/joint_risk.py."""

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
        "are we from the stops?; how correlated are the sleeves?; can one move reach several stops?; open risk",
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
    facts: list[Fact] = []
    rows: list[tuple[Value, ...]] = []
    said = []
    for one in found.shared:
        h = ctx.handle("q", f"{found.event} shared {' '.join(one.sleeves)}")
        names = clean(" and ".join(one.sleeves), 160)
        values: dict[str, tuple[Value, str]] = {"move": (one.move_frac, "frac"), "loss": (-one.loss, "usd")}
        facts += make_facts(h, f"shared stops of {names}", evidence, values | {"loss_frac": (one.loss_frac, "frac")})
        said.append(f"{names} are one bet: {{{h}.move}} against them reaches every stop of theirs, {{{h}.loss}}")
        rows.append(("one bet", names, f"{{{h}.move}}", f"{{{h}.loss}}", "correlation not known" if one.unknown else ""))
    for n, stop in enumerate(found.stops):
        h = ctx.handle("q", f"{found.event} stop {n}")
        values = {"distance": (stop.distance_frac, "frac"), "loss": (-stop.loss, "usd")}
        facts += make_facts(h, f"stop of {clean(stop.sleeve, 60)}", evidence, values | {"stop": (stop.stop, "price")})
        rows.append((f"stop, {stop.side}", clean(stop.sleeve, 60), f"{{{h}.distance}}", f"{{{h}.loss}}", f"at {{{h}.stop}}"))
    for pair in found.pairs:
        h, names = ctx.handle("q", f"{found.event} pair {pair.one} {pair.other}"), clean(f"{pair.one} with {pair.other}", 120)
        values = {"correlation": (pair.correlation, "ratio"), "low": (pair.low, "ratio"), "high": (pair.high, "ratio")}
        facts += make_facts(h, f"days of {names}", evidence, values | {"days": (pair.days, "count")})
        span = pair.why or f"{{{h}.low}} to {{{h}.high}}, 95 %, {{{h}.days}} days"
        rows.append(("days", names, f"{{{h}.correlation}}" if pair.correlation is not None else "not known", "-", span))
    bare = f" Without a stop: {clean(', '.join(found.unprotected), 200)}." if found.unprotected else ""
    text = "; ".join(said) or "No two open positions with stops are one bet"
    table = Table(("of", "sleeves", "distance or correlation", "from here", "more"), tuple(rows)) if rows else None
    return ToolResult("ok", f"{text}. At {utc(found.desk_ms)} of desk time.{bare}", tuple(facts), (evidence,), table)
