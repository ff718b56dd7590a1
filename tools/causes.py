"""The first cause behind what is wrong, as a paragraph with facts and receipts. Called by health, journal_search, attribution and
incidents: whoever asks what happened, why money was lost or what to do first reads the cause and not only the symptom.

Code alone reads it out of the journal (engine.watch.root_causes); words from outside are cut and marked as everywhere.
"""

from typing import NamedTuple

from engine.clock import DAY_MS
from engine.watch.root_causes import PAGES, Sign, chain_of, signs_of
from engine.watch.window import journal_of
from tools.common.contract import Evidence, Fact, ToolContext, ToolResult, clean, make_facts

OTHERS_SHOWN = 3
LINKS_SHOWN = 6


class CauseText(NamedTuple):
    """A paragraph, "" where nothing is wrong; its facts and the events that it rests on; the kind of the first cause."""

    text: str
    facts: tuple[Fact, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    kind: str = ""


NOTHING = CauseText("")
OPENS = "What went wrong on the desk in that time, by its journal."  # a cause is the end of the text that it is added to


def cause_text(ctx: ToolContext, after_ms: int | None = None, up_to_ms: int | None = None) -> CauseText:
    """What the worst sign of a window of desk time follows from, what to do first and what to look at next.

    Without a window: the last day. Nothing that it names releases a halt, sends an order or lets a sleeve go on.
    """
    if ctx.desk_ms is None:
        return NOTHING
    up_to = ctx.desk_ms if up_to_ms is None else up_to_ms
    chain = chain_of(signs_of(journal_of(ctx.home), ctx.desk_ms - DAY_MS if after_ms is None else after_ms, up_to))
    if chain is None:
        return NOTHING
    first, links = chain.first, chain.links[:LINKS_SHOWN]
    facts: list[Fact] = []
    h = ctx.handle("c", f"cause {first.event} {chain.links[-1].event}")
    facts += make_facts(h, "first cause", Evidence("event", first.event), {"at": (first.t_ms, "ms")})
    page = PAGES[first.kind]
    text = f"{OPENS} First cause: {page.title} ({first.event}, {{{h}.at}}): {clean(first.what, 200)}."
    if len(links) > 1:
        text += f" From it followed: {'; '.join(_link(sign) for sign in links[1:])}."
    text += f" First: open the runbook {page.runbook}; next check: {page.check}."
    worst = PAGES[links[-1].kind]
    if worst.runbook != page.runbook:
        text += f" For what it led to: the runbook {worst.runbook}; check {worst.check}."
    if chain.others:
        apart = "; ".join(_link(sign) for sign in chain.others[:OTHERS_SHOWN])
        text += f" Not explained by it: {apart}."
    events = (*links, *chain.others[:OTHERS_SHOWN])
    return CauseText(text, tuple(facts), tuple(Evidence("event", sign.event) for sign in events), first.kind)


def caused(result: ToolResult, cause: CauseText) -> ToolResult:
    """A tool's result with the cause behind its text; as it was where nothing is wrong."""
    if not cause.text:
        return result
    evidence = tuple(dict.fromkeys((*result.evidence, *cause.evidence)))
    data = {**(result.data or {}), "first_cause": cause.kind}
    return result._replace(text=f"{result.text} {cause.text}", facts=(*result.facts, *cause.facts), evidence=evidence, data=data)


def _link(sign: Sign) -> str:
    return f"{PAGES[sign.kind].title} ({sign.event})"
