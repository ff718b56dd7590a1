"""A finished turn: verdict, answer, equity curves, proposals, next steps, how it was computed. Called by app.ui.chat."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import streamlit as st

from app.ui import asking, card, charts, inline, links, narrow, parts, reading, rights, safe, ways
from app.ui.figures import figure, number
from app.ui.page_client import PageClient, Trouble

RESEARCH = {"sweep", "walkforward", "judge", "parity", "drill", "leaks", "pair_scan"}
RUNS_MAX, STEPS_MAX = 4, 4  # curves, and next steps, under one answer
UNCHECKED = "Grey: the model's own words; nothing in this thread proves them, and no figure in them was checked."  # below it
LOUD_MAX = 170  # characters of a verdict that is shown large
LINK = re.compile(r"\[([^\[\]\n]*)\]\([^()\n]*\)")
ROWS_MAX = 12  # of a table that is not folded, with its head
BESIDE_MAX = 5  # columns of a table that has room beside a chart
SIGNS = {
    "ok": ":material/check:",
    "started": ":material/schedule:",
    "no_data": ":material/search_off:",
    "refused": ":material/block:",
}
CARRY = re.compile(r"--role (developer|operator|advisor)\b(?: \"([^\"\n]{1,300})\")?")
QUOTED, COMMAND = re.compile(r"`([^`\n]{5,120})`"), re.compile(r"^nightdesk|--|^/|[A-Z_]{6,}|=?\$")
OWNER = re.compile(r"\bbelongs? to the (developer|operator|advisor)\b")


def show(api: PageClient, turn: Mapping[str, Any], *, latest: bool) -> None:
    """The answer to a question: verdict, what follows, tables, curves, proposals, next steps; how it was computed is folded."""
    answer = turn.get("answer") or {}
    ident = str(turn["id"])
    written = str(answer.get("answer_md") or "")
    here = ways.on_page(written, str(turn.get("role")))
    found = reading.read(here.text)
    _state(turn)
    _verdicts(found.verdicts, ident)
    if _only_proposed(answer):  # its card says the same, and more
        found = found._replace(notes=(*found.blocks, *found.notes), blocks=())
    with _beside(found.blocks, drawn=latest and bool(runs_of(answer) or inline.found_in(answer))) as (tables, curves):
        with tables:
            for block in found.blocks:
                _block(block)
        with curves:
            _curves(api, answer, ident, found.names, shown=latest)
            _looked_up(api, answer, ident, shown=latest)
    _research(answer, ident)
    made = list(map(str, answer.get("proposals") or []))
    for proposal in dict.fromkeys([*made, *(here.proposals if latest else ())]):
        card.short(api, proposal, key=f"{ident}_{proposal}")
    if latest:
        _next(api, turn, found.steps or offered(answer | {"answer_md": here.text}))
    with st.container(horizontal=True, gap="small"):
        for n, (label, where) in enumerate(here.views if latest else ()):
            links.press(label, where, key=f"view_{ident}_{n}", look="tertiary")
        _carry(api, turn, written)
    _computed(answer, found)
    st.caption("  \n".join([*_lines(answer, found.foot), _cost(turn, answer)]))


@contextmanager
def _beside(blocks: Sequence[str], *, drawn: bool) -> Iterator[tuple[Any, Any]]:
    """(the place of the tables, the place of the charts): side by side where a short table has a chart, else below each other."""
    tables = [reading.cells_of(block) for block in blocks if reading.is_table(block)]
    short = [rows for rows in tables if len(rows) <= ROWS_MAX]
    if drawn and short and all(safe.width_of(rows) <= BESIDE_MAX for rows in short):
        tables_at, charts_at = st.columns([1.15, 1], gap="medium")
        yield tables_at, charts_at
    else:
        yield st.container(), st.container()


def _looked_up(api: PageClient, answer: Mapping[str, Any], key: str, *, shown: bool) -> None:
    """Charts of what was looked up; of an older answer behind a toggle."""
    found = inline.found_in(answer)
    label = safe.words(f"Chart: {', '.join(inline.title(one)[0] for one in found)}", 120)
    if found and (shown or st.toggle(label, key=f"inline_{key}")):
        inline.show(api, answer, key=f"inline_{key}_drawn")


def offered(answer: Mapping[str, Any]) -> list[str]:
    """Questions that an answer without any tool call quotes: an ask-back's ways, what comes closest to a refusal."""
    if answer.get("tool_calls"):
        return []
    quoted = (found.strip() for found in QUOTED.findall(str(answer.get("answer_md") or "")))
    return list(dict.fromkeys(text for text in quoted if " " in text and not COMMAND.search(text)))


def _verdicts(verdicts: Sequence[str], ident: str) -> None:
    """Short ones large; a long sentence is first, too, but not loud."""
    loud = [line for line in verdicts if len(LINK.sub(r"\1", line)) <= LOUD_MAX]
    if loud:
        with st.container(key=f"verdict_{ident}"):
            st.markdown(safe.markdown("\n\n".join(loud)))
    for line in verdicts:
        if line not in loud:
            st.markdown(safe.markdown(line))


def _only_proposed(answer: Mapping[str, Any]) -> bool:
    """Whether the turn did nothing but propose."""
    names = [str(call.get("name")) for call in answer.get("tool_calls") or []]
    return bool(answer.get("proposals")) and all(name.startswith("propose") for name in names)


def _block(block: str) -> None:
    """Text or a table; a long table is folded under what it holds, one that is wider than a phone has fewer columns there."""
    rows = reading.cells_of(block) if reading.is_table(block) else []
    even = len({len(row) for row in rows}) == 1
    shown = narrow.table(rows) if even and parts.phone() and not narrow.fits(rows) else block
    if len(rows) <= ROWS_MAX:
        st.markdown(safe.markdown(shown))
        return
    with st.expander(safe.words(f"{len(rows) - 1} rows: {', '.join(narrow.bare(head) for head in rows[0] if head)}", 120)):
        st.markdown(safe.markdown(shown))


def _next(api: PageClient, turn: Mapping[str, Any], steps: Sequence[str]) -> None:
    """What fits to ask next, one button each."""
    if not steps:
        return
    with st.container(horizontal=True, gap="small"):
        for n, step in enumerate(steps[:STEPS_MAX]):
            label, where = safe.words(step, 80), (api, str(turn.get("role")), step, str(turn.get("thread")))
            rights.button(api, label, key=f"step_{turn['id']}_{n}", on_click=asking.send, args=where)


def _computed(answer: Mapping[str, Any], found: reading.Reading) -> None:
    """Folded: notes, the steps that were taken, every fact with its receipt, what was struck out."""
    calls, facts, struck = (answer.get(name) or [] for name in ("tool_calls", "facts", "struck"))
    counted = [_steps_title(calls) if calls else "", f"{len(facts)} receipts" if facts else ""]
    counted += [
        f"{len(struck)} struck out" if struck else "",
        f"{len(answer['unchecked'])} not checked" if answer.get("unchecked") else "",
        f"{len(found.notes)} note{'s' if len(found.notes) != 1 else ''}" if found.notes else "",
    ]
    title = " · ".join(part for part in counted if part)
    if not title:
        return
    with st.expander(f"How this was computed · {title}"):
        for note in found.notes:
            st.markdown(safe.markdown(note))
        for call in calls:
            st.markdown(step(call))
        _receipts(answer)


def _lines(answer: Mapping[str, Any], foot: Sequence[str]) -> list[str]:
    """What code says under the answer: what is grey, how it was read, the state of the desk, the acts of the turn."""
    lines = [UNCHECKED if answer.get("unchecked") else "", answer.get("state_line"), answer.get("acts_line")]
    stated = bool(answer.get("state_line"))
    kept = [line for line in foot if not (line.startswith(reading.STAMP) and stated)]  # the state says the same
    return [safe.markdown(str(line)) for line in (*kept, *lines) if line]


def _state(turn: Mapping[str, Any]) -> None:
    """Warn first when a turn was cancelled or failed."""
    if turn.get("state") == "cancelled":
        st.warning("Cancelled before the answer.", icon=":material/cancel:")
    elif turn.get("state") == "failed":
        st.error("This turn failed; what it found is below.", icon=":material/error:")


def _steps_title(calls: list[Mapping[str, Any]]) -> str:
    bad = sum(call.get("status") not in ("ok", "started", "no_data") for call in calls)
    return f"{len(calls)} step{'s' if len(calls) != 1 else ''}" + (f", {bad} not done" if bad else "")


def step(call: Mapping[str, Any]) -> str:
    """A tool call as one line: name, arguments, status."""
    args = ", ".join(f"{k} {v}" for k, v in (call.get("args") or {}).items() if v not in (None, [], {}, ""))
    status = str(call.get("status") or "running")
    sign = SIGNS.get(status, ":material/progress_activity:" if status == "running" else ":material/error:")
    name = safe.words(call.get("name") or call.get("tool") or "tool", 40)
    return f"{sign} **{name}** {safe.words(args, 200)} · {safe.words(status, 20)}"


def _curves(api: PageClient, answer: Mapping[str, Any], key: str, names: Mapping[str, str], *, shown: bool) -> None:
    """The equity of this answer's runs in one figure, each called what the answer calls it; collapsed in older answers."""
    runs = runs_of(answer)
    if not runs:
        return
    called = {run: names.get(run) or run for run in runs}
    label = "Equity of " + ", ".join(called.values())
    if not shown and not st.toggle(safe.words(label, 120), key=f"curve_{key}"):
        return
    curves = []
    for run in runs:
        try:
            curves.append((called[run], api.get(f"/api/runs/{run}/equity", points=400)))
        except Trouble as trouble:
            st.caption(f"{safe.words(run)}: {trouble.markdown()}")
    charts.equity(curves, key=f"equity_{key}", height=280)
    with st.container(horizontal=True):
        for run in runs:
            links.button(safe.words(f"Open {called[run]}", 60), "run", run, key=f"run_{key}_{run}", icon=":material/monitoring:")


def _research(answer: Mapping[str, Any], key: str) -> None:
    """A button to the page of each search, judgement, parity check or drill that the answer is about."""
    named = {str(call.get("name")) for call in answer.get("tool_calls") or [] if call.get("status") in ("ok", "started")}
    found = [f["evidence"]["id"] for f in answer.get("facts") or [] if (f.get("evidence") or {}).get("kind") == "job"]
    wanted = [*found, *map(str, answer.get("jobs") or [])] if named & RESEARCH else []
    with st.container(horizontal=True):
        for job in list(dict.fromkeys(wanted))[:STEPS_MAX]:
            links.button("Open it with all its tables", "job", job, key=f"job_{key}_{job}", icon=":material/science:")


def runs_of(answer: Mapping[str, Any]) -> list[str]:
    """Runs made or compared by this turn's tools, in order."""
    computed = {"backtest", "compare", "sweep", "walkforward", "run", "rerun", "pnl"}
    if not any(call.get("name") in computed for call in answer.get("tool_calls") or []):
        return []
    found = [f["evidence"]["id"] for f in answer.get("facts") or [] if (f.get("evidence") or {}).get("kind") == "run"]
    return [run for run in dict.fromkeys(found) if links.ID.fullmatch(run)][:RUNS_MAX]


def _receipts(answer: Mapping[str, Any]) -> None:
    """The numbers struck out, and every fact available to the answer with its run or event; linked facts first."""
    facts, struck = answer.get("facts") or [], answer.get("struck") or []
    if not facts and not struck:
        return
    text = str(answer.get("answer_md") or "")
    facts = sorted(facts, key=lambda fact: f":{(fact.get('evidence') or {}).get('id')})" not in text)
    for entry in struck:
        st.markdown(f"~~{safe.words(entry.get('text'))}~~ {safe.words(entry.get('why') or 'no tool result contains it')}")
    lines = [_receipt(fact) for fact in facts[:200]]
    st.markdown("\n".join(["| what | value | evidence |", "|---|---|---|", *lines]) if lines else "")


def _receipt(fact: Mapping[str, Any]) -> str:
    evidence = fact.get("evidence") or {}
    kind, ident = str(evidence.get("kind")), str(evidence.get("id"))
    target = links.href(kind, ident)
    label = safe.words(f"{kind} {ident}", 80)
    where = f"[{label}]({target})" if target else label
    value = safe.words(figure(fact.get("value"), str(fact.get("unit"))), 80)
    metric = reading.in_words(str(fact.get("metric"))).replace("_", " ")
    return f"| {safe.words(fact.get('subject'), 80)}: {safe.words(metric, 60)} | {value} | {where} |"


def _carry(api: PageClient, turn: Mapping[str, Any], text: str) -> None:
    """A button to pass the question to the role that the answer names."""
    found = CARRY.search(text)
    owner = found[1] if found else (named[1] if (named := OWNER.search(text)) else "")
    if not owner or owner == turn.get("role"):
        return
    question = (found[2] if found and found[2] else turn.get("text")) or ""
    label = f"Ask the {owner}"
    rights.button(api, label, key=f"carry_{turn['id']}", icon=":material/forward:", on_click=_carried, args=(owner, question))


def _carried(owner: str, question: str) -> None:
    """Open the other role's new thread with the question ready to send."""
    st.session_state["carried"] = question
    st.query_params.from_dict({"tab": "chat", "role": owner})


def _cost(turn: Mapping[str, Any], answer: Mapping[str, Any]) -> str:
    """Which model answered, and the cost, including a model that failed before the offline model answered."""
    model, usage = answer.get("model") or {}, answer.get("usage") or {}
    who = "posted by code, no model" if turn.get("posts") else "OFFLINE model"
    parts = [who if model.get("offline", True) else f"model {model.get('name')}"]
    calls = int(usage.get("model_calls") or 0)
    if calls:
        offline = model.get("offline", True)  # its own tokens cost nothing
        tokens = 0 if offline else (usage.get("input_tokens") or 0) + (usage.get("output_tokens") or 0)
        parts.append(f"{calls} model call{'s' if calls != 1 else ''}" + (f", {tokens:,} tokens" if tokens else ""))
        cost = usage.get("cost_usd")
        parts.append("price unknown" if cost is None else f"{number(cost, 4)} USD")
    if turn.get("ended_ms") and turn.get("created_ms"):
        parts.append(f"{(turn['ended_ms'] - turn['created_ms']) / 1000:.1f} s")
    return safe.words(" · ".join(parts))
