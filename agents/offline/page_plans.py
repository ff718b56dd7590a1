"""What people have written and what words mean: runbooks, memory, notes, definitions. Called by plans.py."""

import re
from dataclasses import replace

from agents.offline.account import words_left
from agents.offline.calls import ask_for, made
from agents.offline.fill import free_words
from agents.offline.read_back import PlannedCall
from agents.offline.steps import Plan, PlannedAnswer, Question, asks_back, result_text
from agents.offline.words import PATTERNS
from tools.common import render


def define(q: Question) -> Plan:
    """What a word means, or each of two."""
    first = replace(q, slots=replace(q.slots, text=q.slots.text.partition(", i ")[0]))  # `..., i see it in the report`
    said = re.split(r"\b(?:vs|versus|and|or|between)\b|,", free_words(first) or "")
    pair = re.search(r"\bbetween (?:an? |the )?([\w-]+) and (?:an? |the )?([\w-]+)[?. ]*$", q.slots.text)
    words = (
        list(q.slots.keys)
        or list(pair.groups() if pair else ())
        or [word.strip() for part in said if (word := re.sub(r"\b\d\S*", "", part)).strip()]
    )
    table = next((r.table for r in reversed(q.results()) if r.table is not None and r.table.rows), None)
    if q.slots.place is not None and table is not None and -len(table.rows) <= q.slots.place < len(table.rows):
        words = [str(table.rows[q.slots.place][0])]  # `what does the first one mean`
    if not words:
        return asks_back(ask_for(q, "word"))
    return (yield from made([PlannedCall("define", {"word": word}) for word in words[:3]]))


def runbook(q: Question) -> Plan:
    """The desk's own page for what is wrong."""
    ids = [i for i in q.slots.ids if i.startswith("al-") or re.fullmatch(r"[dp]-\d+", i)]
    about = ids[0] if ids else free_words(q)
    if not about and re.search(r"\b(?:it|that|this|them|do|now|react|next)\b", q.slots.text) and q.last("alerts", "health"):
        (found,) = yield [PlannedCall("alerts", {"state": "open"})]  # asked anew: what was listed may be over, or more have come
        about = next((i for i in found.evidence if i.startswith("al-")), None)
        if about is None:
            lists = "`show the runbooks` lists what to do for each kind of trouble."
            return PlannedAnswer(f"{result_text(found)}\n\n{lists}", read_as="what to do about the open alerts")
    return (yield from made([PlannedCall("runbook", {"about": about} if about else {})]))


def memory(q: Question) -> Plan:
    """What the desk remembers; quoted, as background."""
    text = q.slots.text
    topic = next((t for t in ("handoff", "desk", "developer", "operator", "advisor") if re.search(rf"\b{t}\b", text)), None)
    about = re.search(r"\b(?:about|on|of|for)\s+(.*?)[?.! ]*$", text)
    names = " ".join(dict.fromkeys([about[1] if about else "", *q.slots.symbols, *q.slots.strategies])).strip()
    names = names or ("" if topic or not words_left(q.slots) else free_words(q) or "")
    names = " ".join(word for word in names.split() if word not in _ALL_OF_IT)
    args = {"topic": topic} if topic and not about else {"query": render.one_line(names, 120)} if names else {}
    return (yield from made([PlannedCall("memory", args)]))


# no words to search for
_ALL_OF_IT = ("everything", "all", "things", "thing", "stuff", "asked", "ask", "keep", "mind", "list", "far")
_NOTED = PATTERNS["plans.noted"]


def note(q: Question) -> Plan:
    """A note into the inbox; with the ids that show it, where the tool asks for some."""
    assert q.entry is not None  # noqa: S101 - chosen by the caller
    ids = list(q.slots.ids) + [q.handles.get(h, h) for h in q.slots.handles]
    if not ids and (last := q.last("backtest", "compare", "run", "journal_search", "explain_event")) is not None:
        ids = list(last.evidence[:3])
    if not ids and q.entry.tool.args.model_fields["evidence"].is_required():
        return asks_back("Which run, event or proposal shows it? Name its id, for example `note that d-12 was an outage`.")
    if len(_NOTED.sub("", q.raw).split()) < 2:
        return asks_back("What should be noted? Write it after `note that`.")
    topic = q.slots.symbols[0] if q.slots.symbols else q.slots.strategy or "desk"
    args = {"topic": topic, "text": render.one_line(_NOTED.sub("", q.raw) or q.raw, 1000)} | (
        {"evidence": ids[:10]} if ids else {}
    )
    return (yield from made([PlannedCall("note", args)]))
