"""One of several that a thread showed, in the order in which they were shown: a row's figure, a run, what was filed, both.
Called by above_kinds.py, before a row is read by other means.
"""

import re
from collections.abc import Sequence
from functools import partial
from typing import Any

from agents.offline.above import row_ids, row_of, run_shown, runs_of
from agents.offline.account import tokens_of
from agents.offline.desk_plans import counted, positions_of
from agents.offline.drafts import asks_back, drafted, first_sentence
from agents.offline.read_back import PlannedCall
from agents.offline.slots import ORDINALS, Slots
from agents.offline.steps import CallResult, Plan, PlannedAnswer, Question
from agents.offline.tables import rows_of
from agents.offline.tables_shown import OF_RUNS
from agents.offline.talk import asked_of, tables_above
from agents.offline.turn_above import ANY, OWN_NAMES, Kinds, ShortSentence, window_of
from agents.offline.ways import SAY
from agents.offline.words import PATTERNS, says
from tools.common import render
from tools.common.contract import Table

KINDS = Kinds()


@KINDS()
def dropped(heard: ShortSentence) -> PlannedAnswer | None:
    """`drop the first`, after watches or proposals were filed: how a person ends that one, by its id."""
    read, above = heard.read, heard.above
    filed, last = above.filed(), above.last
    if not filed or len(tokens_of(read)) > 8:
        return None
    newest = filed[-1][0]
    recent = any(r is newest for turn in above.past[-2:] for r in turn.results)  # a question back may stand between
    if not (recent if last is None else last.name.startswith("propose_") or last.name in ("watches", "proposals")):
        return None
    same = [(result, identity) for result, identity in filed if result.name == newest.name]
    named = re.search(r"\bthe (first|second|third|fourth|last)\b", read.text)  # without a noun, too
    place = read.place if read.place is not None else ORDINALS[named[1]] if named else None
    if says("listed.all", read.text):
        meant = same
    elif not (meant := [(r, i) for r, i in same if _names(read, r)]) and place is not None:
        meant = [same[place]] if -len(same) <= place < len(same) else []
    elif not meant:
        meant = same[-1:] if says("listed.one", read.text) else []
    if not meant:
        return asks_back(f"Which one? This thread filed {', '.join(identity for _, identity in same)}.")
    ends = " and ".join(f"`{ended_by(identity)}`" for _, identity in meant)
    which = " and ".join(f"{identity} ({_of(result)})" for result, identity in meant)
    return PlannedAnswer(f"That is {which}. No chat ends what was filed; a person types {ends}. Nothing was done here.")


def _names(read: Slots, filed: CallResult) -> bool:
    """Whether a sentence names what was filed, by its symbol, coin or sleeve; what is to be left out is no slot of its own."""
    of = str(filed.args.get("subject") or filed.args.get("sleeve") or "-")
    return of in (*read.symbols, *read.sleeves) or of.lower().split("-")[0] in re.findall(r"[a-z]+", read.text)


def ended_by(identity: str) -> str:
    """The command by which a person ends what was filed."""
    watch = identity.startswith("w-")
    return f"nightdesk watches remove {identity}" if watch else f"nightdesk proposals reject {identity} --as NAME"


def _of(result: CallResult) -> str:
    of = str(result.args.get("subject") or result.args.get("sleeve") or "")
    return f"{of} {result.args.get('beyond', '')}".strip() if result.name == "propose_watch" else of


@KINDS(most=8, table=True, of=("alerts", "trips", "journal_search", "run", "proposals", "explain_event", "round_trip"))
def numbered(heard: ShortSentence) -> Any:
    """`explain number 3`, `what does the first mean`, of a list: that one."""
    found, past = heard.found, heard.above.past
    shown = heard.last.name in ("explain_event", "round_trip")  # one of the trips that were listed before
    tables = [(n, r) for n, turn in enumerate(past, 1) for r in turn.results if r.table is not None and r.table.rows]
    trips = [(n, r) for n, r in tables if r.table is not None and r.table.columns[0] == "trip"][-1:]
    listed = trips if shown else [(n, r) for n, r in tables if row_ids(r) or (n, r) in trips][-1:]
    if not listed or not (found["verb"] or found["n"] or shown):
        return None
    names = [row.get("trip") for row in listed[0][1].rows()]
    number = f"t{found['n']}"
    place = names.index(number) if number in names else int(found["n"]) - 1 if found["n"] else ORDINALS[found["nth"]]
    return row_of(place, past[: listed[0][0]], heard.above.facts, f"{heard.text} explain")


_GOES_ON = re.compile(rf"{PATTERNS['listed.then'].pattern}|\bnext\b")
_STEP = re.compile(r"^\s*(?:\d+[.)]|[-*])\s+(.*)$", re.MULTILINE)
_NTH = {"first": 0, "one": 0, "1": 0, "second": 1, "two": 1, "2": 1, "third": 2, "three": 2, "3": 2, "4": 3, "5": 4, "last": -1}


@KINDS(most=8, of=ANY)
def shorter(heard: ShortSentence) -> Any:
    """`too long, first step only`: one step of the page above, the next one, or the first sentence of the answer."""
    last = heard.last
    if last.name == "runbook":
        step = 0
        for text in (*(turn.asked.lower() for turn in heard.above.past[1:]), heard.text):
            named = next((_NTH[word] for word in re.findall(r"\w+", text) if word in _NTH), None)
            step = named if named is not None and says("listed.shorter", text) else step + 1 if _GOES_ON.search(text) else 0
        return partial(_step, last, step)
    if not says("listed.shorter", heard.text):
        return None
    shown = heard.above.shown
    if shown is not None and len({result.name for result in shown.results}) > 2:
        of = (*_counted_of(shown.results), first_sentence(last.text))
        return PlannedAnswer(" ".join(of), read_as="the answer above, in short")
    return PlannedAnswer(first_sentence(last.text), read_as="the first sentence of the answer above")


def _counted_of(results: Sequence[CallResult]) -> list[str]:
    """What a handover counts, and the positions in it."""
    positions = [positions_of(r.table.rows) for r in results if r.name == "sleeves" and r.table is not None]
    return [f"{counted(results)}.", *positions]


def _step(last: CallResult, place: int, q: Question) -> Plan:  # noqa: ARG001 - a plan takes its question
    """One step of a runbook, read anew."""
    call = PlannedCall("runbook", dict(last.args))
    (page,) = yield [call]
    steps = _STEP.findall(page.text)
    if not -len(steps) <= place < len(steps):
        return drafted([call], [page])
    said = f"Step {place % len(steps) + 1} of {len(steps)}: {steps[place]}"
    return PlannedAnswer(said, read_as="the runbook above, one step")


@KINDS()
def stop_of_it(heard: ShortSentence) -> PlannedAnswer | None:
    """`then put its stop at break even`: no role moves the stop of an open position to a price."""
    read, newest = heard.read, heard.above.newest
    older = newest.slots.sleeves if newest is not None else ()
    if read.common or read.unclear or not re.search(r"\b(?:break-?even|be|entry|its|price|here|now)\b", read.text):
        return None
    if read.places.keys() & {"span", "ids"} or not (re.search(r"\bbreak-? ?even\b", read.text) or (older and not read.sleeves)):
        return None
    name = next(iter(read.sleeves or older), "btc-trend")
    return PlannedAnswer(SAY["stop_of_it"].replace("NAME", name))


@KINDS()
def run_meant(heard: ShortSentence) -> Any:
    """`hit rate by side of the original`: of the first run that this thread made, or of the one before the last."""
    read, text, runs, last = heard.read, heard.text, runs_of(heard.above.past), heard.above.last
    listed = (
        last is not None and last.name in ("run", "compare", "trips") and last.table is not None and "run" in last.table.columns
    )
    if not runs or listed or read.places.keys() & (OWN_NAMES - {"span"}) or len(tokens_of(read)) > 12:
        return None
    first = says("listed.first_run", text)
    found = first or heard.found
    if not first and len(runs) < 2:
        return None
    run = runs[0] if first else runs[-2]
    identity = run_shown(run)
    rows = (
        rows_of(run.table, PATTERNS["listed.deepest"].sub("", text[: found.start()] + text[found.end() :])) if run.table else []
    )
    if rows and run.table is not None and not read.by:
        shown = Table(run.table.columns, tuple(run.table.rows[i] for i in rows[:6]))
        lead = f"Run {identity}: {'; '.join(f'{row[0]} {row[1]}' for row in shown.rows)}."
        return PlannedAnswer(f"{lead}\n\n{render.markdown_table(shown)}", read_as=f"run {identity}, made in this thread")
    if says("listed.of_a_run", text) and not (read.by or read.side or read.outcome or read.which == "last"):
        return PlannedCall("run", {"run_id": identity})  # what was kept of its table may have no such row
    return re.sub(r"\b(?:for|of|from|on|in|with) *$", "of ", text[: found.start()]) + identity + text[found.end() :]


_IT = re.compile(rf"{PATTERNS['listed.its'].pattern}|\b(?:it|that one|this one|that)\b")
_NAMED = ("run", "parameter", "strategy", "sleeve", "symbol")  # a sleeve by its place alone: `it` may be its result


@KINDS(of=ANY, table=True)
def of_picked(heard: ShortSentence) -> Any:
    """`split the second one by weekday`, `and what is btc-trend using for it`, after a list: asked with the name of that row."""
    read, text, thread = heard.read, heard.text, heard.above
    above = next(iter(tables_above(thread.past, thread.facts, thread.words)), None)
    if (
        above is None
        or len(tokens_of(read)) > 12
        or heard.last.name in ("compare", "counts")
        or read.places.keys() & (OWN_NAMES - {"span", "sleeves"})
    ):
        return None
    nth = says("listed.nth_of", text)
    place = ORDINALS[nth[1]] if nth else read.place
    at = above.rows[place] if place is not None and -len(above.rows) <= place < len(above.rows) else None
    at = above.picked if at is None and place is None and _IT.search(text) else at
    start = read.span.start if above.table.columns[:2] == OF_RUNS and re.search(r"\bone\b", text) else None
    ours = [n for n, row in enumerate(above.table.rows) if start and f"{start} {read.span.end}" in str(row[1])]
    if len(ours) == 1:  # `split the august one by exit`
        begin, stop = read.places["span"][0]
        return re.sub(r"\bthe (\S+) one\b", r"\1", f"{text[:begin]}{above.table.rows[ours[0]][0]}{text[stop:]}")
    asked = asked_of(read, above, heard.above.facts)
    if at is None or len(above.table.rows) < 2 or ((asked.heads or asked.keeps) and not asked.left):
        return None
    ids, name = row_ids(heard.last), str(above.table.rows[at][0])
    if heard.last.name == "journal_search" and re.match(r"(?:and |so )*(?:when|what time)\b", text) and at < len(ids):
        return PlannedCall("explain_event", {"event_id": ids[at]})
    if (
        above.table.columns[0] not in (_NAMED if place is not None or says("listed.its", text) else _NAMED[:2])
        or len(tokens_of(read)) < 3
    ):
        return None
    if nth is None and place is not None:
        begin, stop = read.places["place"][0]
        return f"{text[:begin]}{name}{text[stop:]}".replace(f"the {name}", name)
    window = "" if read.span.start else window_of(heard)
    return f"{(PATTERNS['listed.nth_of'] if nth else _IT).sub(f'{name} ', text, count=1)} {window}".replace("  ", " ").strip()
