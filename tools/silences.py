"""What fell silent: guards, exits, entries, features, feeds against their expected rates (silences, READ). Called by the catalog.

It reads the watch's last look, or `nightdesk silences`'; nothing is counted while a model waits.
"""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from engine.clock import utc
from engine.watch.silence.status import last_silences
from tools.common.contract import (
    Args,
    Effect,
    Evidence,
    Table,
    ToolContext,
    ToolResult,
    asked_as,
    clean,
    make_facts,
    no_data,
    tool,
)

ROWS_MAX = 60
NAMED_MAX = 5
NO_LOOK = "no look was made yet: nightdesk silences makes one, and the supervisor makes one each hour"


class SilencesArgs(Args):
    """`place`: a sleeve, instrument or series; `kind`, `state`: of those alone; null for all."""

    place: str | None = Field(None, max_length=120)
    kind: Literal["exit", "guard", "entry", "feature", "bars", "funding", "series"] | None = None
    state: Literal["silent", "cannot tell", "as expected"] | None = None


def _nothing(last: Mapping[str, Any], wanted: Mapping[str, str | None]) -> str:
    """What a look without a line of what was wanted says: that nothing is silent, or that it has no such thing."""
    at, of = utc(int(last["wall_ms"])), " of ".join(clean(value, 120) for key in ("kind", "place") if (value := wanted[key]))
    state = wanted["state"]
    if state is None:
        return f"the last look, {at}, has nothing of {of}"
    head = {"silent": "nothing that can be judged is silent", "cannot tell": "nothing is left that cannot be judged"}
    verdict = head.get(state, "nothing is as expected")
    counts = last.get("counts") or {}
    rest = f"{counts.get('as expected', 0)} as expected, {counts.get('cannot tell', 0)} cannot be judged for want of history"
    return f"{verdict}{f' of {of}' if of else ''} at the last look, {at} (wall time); in all {rest}, which is not a pass"


@tool(
    "silences",
    Effect.READ,
    asked_as(
        "",
        "what fell silent?; which feeds are silent?; has any guard stopped firing?; what has stopped happening?; show the "
        "silences",
    ),
)
def silences(ctx: ToolContext, args: SilencesArgs) -> ToolResult:
    """What should have happened and did not: exits, guards, entries, features, feeds with how often each was expected since it
    last happened; and what cannot be judged yet."""
    last = last_silences(ctx.home)
    if not last:
        return no_data(NO_LOOK)
    wanted = {"place": args.place, "kind": args.kind, "state": args.state}
    found = [one for one in last["items"] if all(value in (None, one[key]) for key, value in wanted.items())]
    if not found:
        return no_data(_nothing(last, wanted))
    counts = {state: sum(one["state"] == state for one in found) for state in ("silent", "cannot tell", "as expected")}
    evidence = Evidence("data", "cache/silences.json")
    h = ctx.handle("z", f"silences {last['wall_ms']} {args.model_dump_json(exclude_none=True)}")
    values = {state.replace(" ", "_"): (count, "count") for state, count in counts.items()}
    facts = list(make_facts(h, f"silences of {clean(args.place or 'the desk', 60)}", evidence, values))
    rows = []
    for one in found[:ROWS_MAX]:
        g = ctx.handle("z", f"silence {last['wall_ms']} {one['place']} {one['kind']} {one['name']}")
        name = clean(f"{one['place']}: {one['name']}", 100)
        own = {"expected": (one["expected"], "count"), "since": (one["since"], "count"), "last": (one["last_ms"], "ms")}
        facts += make_facts(g, name, evidence, own)
        shown = f"{{{g}.expected}}" if one["expected"] is not None else "-"
        when = f"{{{g}.last}}" if one["last_ms"] is not None else "never"
        rows.append((one["state"], one["kind"], name, when, f"{{{g}.since}} {one['unit']}", shown, clean(one["why"], 120)))
    silent = [clean(one["text"], 240) for one in found if one["state"] == "silent"][:NAMED_MAX]
    head = f"Silent: {'; '.join(silent)}." if silent else "Nothing that could be judged is silent."
    text = f"{head} At {utc(int(last['wall_ms']))} (wall time): {{{h}.silent}} silent, {{{h}.as_expected}} as expected, "
    text += f"{{{h}.cannot_tell}} cannot be judged for want of history, which is not a pass."
    table = Table(("state", "kind", "what", "last", "since then none in", "expected", "why"), tuple(rows))
    return ToolResult("ok", text, tuple(facts), (evidence,), table, {"silent": counts["silent"]})
