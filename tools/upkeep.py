"""The last backup of the home, and what its files took when retention last looked (upkeep, READ). Called by the catalog.

It reads what backup and retention kept (engine/watch/last_upkeep.py), as the page does; nothing is measured while a person waits.
"""

from typing import Any

from engine.clock import utc
from engine.watch.last_upkeep import KINDS, last_upkeep
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
    tool,
)
from tools.common.render import duration

MEGABYTE = 1_000_000
NO_BACKUP = "No backup of this home is recorded. A person makes one: nightdesk backup FILE"
NO_LOOK = "What its files take is not known: retention has not looked yet"


@tool(
    "upkeep",
    Effect.READ,
    asked_as(
        "",
        "when was the last backup?; how old is the backup?; do we have a backup?; how big is the journal?; how much space do the "
        "logs take?; what takes the space?",
    ),
)
def upkeep(ctx: ToolContext, args: NoArgs) -> ToolResult:  # noqa: ARG001 - every tool takes the same two arguments
    """The last backup, its age and size; what each kind of the home's files took at the last look."""
    kept = last_upkeep(ctx.home)
    evidence = Evidence("desk", "upkeep")
    facts: list[Fact] = []
    backup, look = kept["backup"] or {}, kept["look"] or {}
    made_ms, looked_ms = _natural(backup.get("made_ms")), _natural(look.get("wall_ms"))
    text = NO_BACKUP
    if made_ms is not None:
        h = ctx.handle("h", "backup")
        values: dict[str, tuple[Value, str]] = {"made": (made_ms, "ms")}
        values |= {"megabytes": (size / MEGABYTE, "count")} if (size := _natural(backup.get("bytes"))) is not None else {}
        facts += make_facts(h, "last backup", evidence, values)
        large = f", {{{h}.megabytes}} MB" if "megabytes" in values else ""
        age = duration(max(0, ctx.now_ms - made_ms))
        text = f"The last backup was made {age} ago, {{{h}.made}} of wall time{large}: {clean(backup.get('file', ''), 200)}"
    rows: list[tuple[Value, ...]] = []
    taken = look.get("taken")
    for one in taken if looked_ms is not None and isinstance(taken, list) else []:
        kind, size, files = (one.get(key) for key in ("kind", "bytes", "files")) if isinstance(one, dict) else (None,) * 3
        if kind not in KINDS or (count := _natural(files)) is None or (size := _natural(size)) is None:
            continue  # a file of a home is read as a stranger's
        h = ctx.handle("h", f"files {kind}")
        facts += make_facts(h, f"files of {kind}", evidence, {"megabytes": (size / MEGABYTE, "count"), "files": (count, "count")})
        rows.append((kind, f"{{{h}.megabytes}}", f"{{{h}.files}}"))
    seen = f"Files of the home as of {utc(looked_ms)} of wall time are below" if looked_ms is not None and rows else NO_LOOK
    table = Table(("files", "megabytes", "number"), tuple(rows)) if rows else None
    return ToolResult("ok", f"{text}. {seen}.", tuple(facts), (evidence,), table)


def _natural(value: Any) -> int | None:
    """A count or a time out of a file; None for what is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53 else None
