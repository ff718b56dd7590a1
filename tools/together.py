"""Several READs of one message at a time; handles, facts and journal as if they had been called one after the other.

Called by agents/nodes.py. Each call runs on a context of its own, with handles of its own; when all have ended they are
named anew, kept and journaled in the order of the calls, so that neither answer nor journal tells which was the quickest.
"""

import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from tools.catalog import journaled, outcome
from tools.common.contract import Table, ToolContext, ToolResult, Value

AT_ONCE = 4
_REFERENCE = re.compile(r"(?<=\{)([a-z]\d+)(?=\.)")


def read_together(ctx: ToolContext, calls: Sequence[tuple[str, Mapping[str, Any]]]) -> list[ToolResult]:
    """The results of READ calls, in their order, each journaled."""
    alone = [replace(ctx, handles=dict(ctx.handles), facts=dict(ctx.facts)) for _ in calls]
    with ThreadPoolExecutor(AT_ONCE, "read") as pool:
        ended = list(pool.map(lambda one, asked: outcome(one, *asked), alone, calls))
    results = []
    for one, (name, args), result in zip(alone, calls, ended, strict=True):
        results.append(journaled(ctx, name, args, renamed(result, _names(ctx, one))))
    return results


def _names(ctx: ToolContext, one: ToolContext) -> dict[str, str]:
    """Handle of a call's own context -> the thread's handle of the same thing."""
    found = {}
    for key, handle in one.handles.items():
        if key not in ctx.handles or ctx.handles[key] != handle:
            letter, _, thing = key.partition(":")
            found[handle] = ctx.handle(letter, thing)
    return found


def renamed(result: ToolResult, names: Mapping[str, str]) -> ToolResult:
    """A result with other handles in its facts, its text and its table."""
    if all(one == other for one, other in names.items()):
        return result

    def moved(value: Value) -> Value:
        return _REFERENCE.sub(lambda found: names.get(found[1], found[1]), value) if isinstance(value, str) else value

    facts = []
    for fact in result.facts:
        handle, _, metric = fact.ref.partition(".")
        facts.append(fact._replace(ref=f"{names.get(handle, handle)}.{metric}"))
    table = result.table and Table(result.table.columns, tuple(tuple(map(moved, row)) for row in result.table.rows))
    return result._replace(text=str(moved(result.text)), facts=tuple(facts), table=table)
