"""How an answer is drafted: texts and tables of results, sums with a receipt, questions back. Called by the plans."""

import re
from collections.abc import Generator, Mapping, Sequence
from typing import Any

from agents.offline.dates import TimeSpan
from agents.offline.read_back import PlannedCall, read_as
from agents.offline.steps import CallResult, Plan, PlannedAnswer, Question
from agents.offline.words import says
from tools.common import render


def nothing(text: str, *, asked_back: bool = False) -> Plan:
    """A plan without a call."""
    return answered(PlannedAnswer(text, asked_back))


def said_first(text: str, calls: Sequence[PlannedCall]) -> Plan:
    """A fixed text, then what the calls show, if any."""
    results = (yield list(calls)) if calls else []
    return drafted(calls, results).after(text) if calls else PlannedAnswer(text)


def answered(draft: PlannedAnswer) -> Plan:
    """A plan without a call whose answer is there."""
    yield from ()
    return draft


def asks_back(question: str) -> PlannedAnswer:
    """Something is missing, so the person is asked for it."""
    return PlannedAnswer(question, asked_back=True)


def drafted(calls: Sequence[PlannedCall], results: Sequence[CallResult], *more: str) -> PlannedAnswer:
    """The tools' own texts and tables, then `more`."""
    parts = [result_text(result) for result in results] + [text for text in more if text]
    return PlannedAnswer("\n\n".join(parts), read_as=read_as(calls))


def each_of(names: Sequence[str], drafts: Sequence[PlannedAnswer]) -> PlannedAnswer:
    """Answers of one kind, each led by what it is of."""
    texts = (f"{name}: {draft.text}" for name, draft in zip(names, drafts, strict=True))
    return PlannedAnswer("\n\n".join(texts), read_as="; then ".join(dict.fromkeys(draft.read_as for draft in drafts)))


def reckoned(*expressions: str) -> Generator[list[PlannedCall], list[CallResult], list[str]]:
    """What `calc` makes of each expression, so that a sum or a share has a receipt; where it makes none its own words."""
    results = yield [PlannedCall("calc", {"expression": text}) for text in expressions]
    return [r.text.rpartition(" = ")[2] if r.status == "ok" else r.text for r in results]


def result_text(result: CallResult, *, table: bool = True) -> str:
    """A tool's text, with its table; a refusal or failure is marked."""
    lead = {"refused": "Refused: ", "failed": "That did not work: "}.get(result.status, "")
    shown = render.markdown_table(result.table) if table and result.table and result.table.rows else ""
    text = f"{lead}{result.text}"
    if result.name == "memory" and result.status == "ok" and not result.table:
        text = "\n".join(f"> {line}" for line in result.text.splitlines())
    if result.name == "list_strategies" and result.status == "ok" and (own := says("drafts.docstring", result.text)) is not None:
        text = f"{own['of']}, in the words of its file:\n\n> {own['says']}"  # what a file says of itself is quoted
    return text + (f"\n\n{shown}" if shown else "")


def first_sentence(text: str) -> str:
    """The first sentence of an answer, which is its verdict."""
    return re.split(r"(?<=[a-z)}%])\. (?=[A-Z])", text, maxsplit=1)[0].rstrip(".") + "."


def name_list(names: Sequence[str], last: str = "and") -> str:
    """`a, b and c`."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {last} {names[-1]}" if names else "none"


def changes_of(changes: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Parameters as the tools take them."""
    return [{"key": key, "value": value} for key, value in changes.items()]


def window(span: TimeSpan) -> dict[str, Any]:
    """`since` and `until` of a question about the desk."""
    if span.at:
        return {"since": span.at}
    return {key: value for key, value in (("since", span.start), ("until", span.end)) if value}


def several_sleeves(q: Question) -> list[str]:
    """The sleeves that a sentence names several of (`on all three`, `btc and eth`), without those that it leaves out."""
    s, every = q.slots, q.slots.everything or says("run_plans.sleeves", q.slots.text) is not None
    out = s.out[1] if s.out is not None and s.out[0] == "sleeve" else ()
    named = [one.name for one in q.words.sleeves if (every or out or one.name in s.sleeves) and one.name not in out]
    return named if every or out or len(s.places.get("sleeves", ())) > 1 or len(s.symbols) == len(named) > 1 else []


def which_sleeve(q: Question) -> str:
    """Ask for a sleeve."""
    several = list(q.slots.sleeves)
    names = several if len(several) > 1 else [s.name for s in q.words.sleeves]
    return f"Which sleeve? Available: {name_list(names)}." if names else "Which sleeve? The desk has none yet."
