"""One of several that a thread showed, in the order in which they were shown: a row's figure, a run, what was filed, both.
Called by above_kinds.py, before a row is read by other means.
"""

import re

from agents.offline.above import row_ids
from agents.offline.account import tokens_of
from agents.offline.carry import Carried
from agents.offline.read_back import PlannedCall
from agents.offline.slots import Slots
from agents.offline.steps import CallResult, Plan, PlannedAnswer, PlanOf, Question, asks_back, drafted, result_text
from agents.offline.tables import heads_of, rows_of
from agents.offline.turn_above import OWN_NAMES, TurnAbove, of_above, run_of, short
from tools.common import render
from tools.common.contract import Table

_DEEPEST = re.compile(r"\b(?:max(?:imum)?|biggest|largest|deepest|worst|highest) (?=draw-?downs?\b|dd\b)")


def figure_of_row(read: Slots, above: TurnAbove) -> Carried | None:
    """`max drawdown of the second one`: the figure of that row of the list above; of a list of runs, else the run itself."""
    last = above.last if above.last is not None else None
    if read.place is None or last is None or last.status != "ok" or last.table is None or read.places.keys() & OWN_NAMES:
        return None
    rows = last.table.rows
    if not -len(rows) <= read.place < len(rows) or len(rows) < 2 or last.name in ("compare", "counts"):
        return None
    text = _DEEPEST.sub("", read.text)
    heads = heads_of(last.table, text)
    words = [t.word for t in tokens_of(read) if t.slot not in ("place", "which")]
    if heads and len(words) <= 8 and last.name == "run":
        place = read.place % len(rows)
        row = rows[place]
        shown = Table(tuple(last.table.columns[i] for i in (0, *heads)), (tuple(row[i] for i in (0, *heads)),))
        lead = f"{row[0]}, row {place + 1} of {len(rows)}: {', '.join(f'{last.table.columns[i]} {row[i]}' for i in heads)}."
        return PlannedAnswer(f"{lead}\n\n{render.markdown_table(shown)}", read_as=f"row {place + 1} of the table above")
    ids = row_ids(last)
    if len(ids) == len(rows) and ids[read.place].startswith("r-") and len(words) > 2:
        return _with_id(read, ids[read.place])
    if last.name == "journal_search" and re.match(r"(?:and |so )*(?:when|what time)\b", read.text) and len(ids) == len(rows):
        return PlannedCall("explain_event", {"event_id": ids[read.place]})
    if last.table.columns[0] in ("strategy", "sleeve", "symbol") and len(words) > 2:
        return _with_id(read, str(rows[read.place][0]))
    return None


def _with_id(read: Slots, identity: str) -> str:
    """The sentence with an id in place of `the second one`."""
    start, stop = read.places["place"][0]
    return f"{read.text[:start]}{identity}{read.text[stop:]}".replace("the " + identity, identity)


_OF_A_RUN = re.compile(r"\b(?:fees?|slippage|funding|draw-?downs?|sharpe|return|profit|trades?|win rate|hit rate|turnover)\b")
_FIRST_RUN = re.compile(
    r"\b(?:the |our |that )?(?:original|initial|baseline|base|very first|first|1st|old|older) (?:one|run|"
    r"back-?test|version|variant|result)\b|\bthe original\b"
)
_RUN_BEFORE = re.compile(
    r"\b(?:the |that )?(?:previous|prior|earlier|other) (?:one|run|back-?test)\b|\bthe (?:one|run|back-?test) before\b"
)


def run_meant(read: Slots, above: TurnAbove) -> Carried | None:
    """`hit rate by side of the original`: of the first run that this thread made, or of the one before the last."""
    runs, last = above.runs(), above.last
    if not runs or (
        last is not None and last.name in ("run", "compare", "trips") and last.table is not None and "run" in last.table.columns
    ):
        return None
    first, before = _FIRST_RUN.search(read.text), _RUN_BEFORE.search(read.text)
    found = first or before
    if found is None or read.places.keys() & (OWN_NAMES - {"span"}) or len(tokens_of(read)) > 12:
        return None
    if before and not first and len(runs) < 2:
        return None
    run = runs[0] if first else runs[-2]
    identity = run_of(run)
    rows = rows_of(run.table, _DEEPEST.sub("", read.text[: found.start()] + read.text[found.end() :])) if run.table else []
    if rows and run.table is not None and not read.by:
        shown = Table(run.table.columns, tuple(run.table.rows[i] for i in rows[:6]))
        lead = "; ".join(f"{row[0]} {row[1]}" for row in shown.rows)
        return PlannedAnswer(
            f"Run {identity}: {lead}.\n\n{render.markdown_table(shown)}", read_as=f"run {identity}, made in this thread"
        )
    if _OF_A_RUN.search(read.text) and not (read.by or read.side or read.outcome or read.which == "last"):
        return PlannedCall("run", {"run_id": identity})  # what was kept of its table may have no such row
    return re.sub(r"\b(?:for|of|from|on|in|with) *$", "of ", read.text[: found.start()]) + identity + read.text[found.end() :]


_TWO = re.compile(
    r"\bcompare (?:the )?(?:(first|last|top|latest) two|(first|second|third|fourth|last)(?: one)? (?:and|with|to|"
    r"against) (?:the )?(first|second|third|fourth|last))\b"
)
_AT = {"first": 0, "second": 1, "third": 2, "fourth": 3, "last": -1}


def _places_of(found: "re.Match[str]", ids: list[str]) -> list[str]:
    """The ids at the two places that are named."""
    if found[1]:
        return ids[-2:] if found[1] == "last" else ids[:2]
    places = (_AT[found[2]], _AT[found[3]])
    return [ids[place] for place in places if -len(ids) <= place < len(ids)]


_BOTH = re.compile(
    r"^(?:(?:and|ok|now|please|so|can you) )*(?:compare|set|put|show|run) (?:me )?(?:them|both|the two|"
    r"these(?: two)?|those(?: two)?)\b"
)


def both(read: Slots, above: TurnAbove) -> Carried | None:
    """`compare both`, of runs: the two that were listed or made; of more the question back names their ids."""
    end = _TWO.search(read.text)
    if not (_BOTH.match(read.text) or end) or not short(read, 8):
        return None
    listed = next(
        (
            r
            for turn in reversed(above.past[-4:])
            for r in turn.results
            if r.name == "run" and r.table is not None and len(r.table.rows) > 1 and "run" in r.table.columns
        ),
        None,
    )
    made = list(dict.fromkeys(run_of(run) for run in above.runs()))
    ids = row_ids(listed) if listed is not None and len(made) < 2 else made
    if end and len(ids) > 2:
        ids = _places_of(end, ids)
    if len(ids) == 2:
        return f"compare {ids[0]} and {ids[1]}"
    return asks_back(f"Which two of these {len(ids)} runs? Name both ids: {', '.join(ids[:8])}.") if len(ids) > 2 else None


_DROP = re.compile(
    r"^(?:(?:and|so|no|ok|okay|please|now|then|actually|wait|sorry|oh)[ ,]+)*(?:drop|remove|delete|cancel|"
    r"forget(?: about)?|undo|kill|scrap|"
    r"take (?:back|off|away|(?:it|that|this|them) (?:back|off|away))|get rid of|withdraw|retract|revoke|turn off|switch off)\b"
)
_ALL = re.compile(r"\b(?:both|all|them|everything)\b")
_ONE = re.compile(r"\b(?:it|that|this|one|last)\b")


def dropped(read: Slots, above: TurnAbove) -> Carried | None:
    """`drop the first`, after watches or proposals were filed: how a person ends that one, by its id."""
    filed, last = above.filed(), above.last
    if not filed or not _DROP.match(read.text) or len(tokens_of(read)) > 8:
        return None
    recent = any(
        result is filed[-1][0] for turn in above.past[-2:] for result in turn.results
    )  # a question back may stand between
    if not (recent if last is None else last.name.startswith("propose_") or last.name in ("watches", "proposals")):
        return None
    same = [(result, identity) for result, identity in filed if result.name == filed[-1][0].name]
    if _ALL.search(read.text):
        meant = same
    elif named := [(r, i) for r, i in same if _names(read, r)]:
        meant = named
    elif (place := _place(read)) is not None:
        meant = [same[place]] if -len(same) <= place < len(same) else []
    else:
        meant = same[-1:] if _ONE.search(read.text) else []
    if not meant:
        return asks_back(f"Which one? This thread filed {', '.join(identity for _, identity in same)}.")
    ends = [_ends(identity) for _, identity in meant]
    which = " and ".join(f"{identity} ({_of(result)})" for result, identity in meant)
    return PlannedAnswer(
        f"That is {which}. No chat ends what was filed; a person types {' and '.join(ends)}. Nothing was done here."
    )


def _names(read: Slots, filed: CallResult) -> bool:
    """Whether a sentence names what was filed, by its symbol, coin or sleeve; what is to be left out is no slot of its own."""
    of = str(filed.args.get("subject") or filed.args.get("sleeve") or "-")
    return of in (*read.symbols, *read.sleeves) or of.lower().split("-")[0] in re.findall(r"[a-z]+", read.text)


def _place(read: Slots) -> int | None:
    """The place that is named, also without a noun: `drop the first`."""
    found = re.search(r"\bthe (first|second|third|fourth|last)\b", read.text)
    places = {"first": 0, "second": 1, "third": 2, "fourth": 3, "last": -1}
    return read.place if read.place is not None else places[found[1]] if found else None


def _ends(identity: str) -> str:
    return (
        f"`nightdesk watches remove {identity}`"
        if identity.startswith("w-")
        else f"`nightdesk proposals reject {identity} --as NAME`"
    )


def _of(result: CallResult) -> str:
    of = str(result.args.get("subject") or result.args.get("sleeve") or "")
    return f"{of} {result.args.get('beyond', '')}".strip() if result.name == "propose_watch" else of


_SHORTER = re.compile(
    r"\b(?:too (?:long|much)|shorter|tl;? ?dr|in short|briefly|short version|(?:in )?one (?:line|sentence)|"
    r"summar\w+|(?:first|second|third|next|last) step|step (?:one|two|three|\d))\b"
)
_THEN = re.compile(
    r"^(?:and |ok |so )*(?:(?:and )?then(?: what)?|what(?: is)? (?:next|then|after that)|after that|next(?: one)?|"
    r"go on)[?.! ]*$"
)
_STEP = re.compile(r"^\s*(?:\d+[.)]|[-*])\s+(.*)$", re.MULTILINE)
_NTH = {"second": 1, "two": 1, "2": 1, "third": 2, "three": 2, "3": 2, "last": -1}


def shorter(read: Slots, above: TurnAbove) -> Carried | None:
    """`too long, first step only`: one step of the page above, or the first sentence of the answer."""
    last = above.last
    then = last is not None and last.name == "runbook" and _THEN.match(read.text)
    if last is None or last.status != "ok" or not (then or _SHORTER.search(read.text)) or not short(read, 8):
        return None
    if last.name == "runbook":
        steps = 0
        for turn in reversed(above.past):
            if not (_SHORTER.search(turn.asked.lower()) or _THEN.match(turn.asked.lower())):
                break
            steps += 1
        further = bool(_THEN.match(read.text) or re.search(r"\bnext\b", read.text))
        return _step(last, next((_NTH[t.word] for t in tokens_of(read) if t.word in _NTH), steps if further else 0))
    sentence = re.split(r"(?<=[a-z)}%])\. (?=[A-Z])", last.text, maxsplit=1)[0].rstrip(".")
    return PlannedAnswer(f"{sentence}.", read_as="the first sentence of the answer above")


def _step(last: CallResult, place: int) -> PlanOf:
    """One step of a runbook, read anew."""

    def plan(q: Question) -> Plan:  # noqa: ARG001 - a plan takes its question
        call = PlannedCall("runbook", dict(last.args))
        (page,) = yield [call]
        steps = _STEP.findall(page.text)
        if not steps or not -len(steps) <= place < len(steps):
            return drafted([call], [page])
        return PlannedAnswer(
            f"Step {place % len(steps) + 1} of {len(steps)}: {steps[place]}", read_as="the runbook above, one step"
        )

    return plan


_MOVES_STOP = re.compile(
    r"\b(?:put|move|set|place|bring|pull|raise|lower|tighten|trail|change|shift)\b.*\b(?:it is|its|the|that|"
    r"our) (?:stop|stop loss|sl|target|take profit|tp)\b"
)


def stop_of_it(read: Slots, above: TurnAbove) -> Carried | None:
    """`then put its stop at break even`: no role moves the stop of an open position to a price."""
    older = above.newest.slots.sleeves if above.newest is not None else ()
    value = read.common or read.unclear
    if not _MOVES_STOP.search(read.text) or value or not re.search(r"\b(?:break-?even|be|entry|its|price|here|now)\b", read.text):
        return None
    if read.places.keys() & {"span", "ids"} or not (re.search(r"\bbreak-? ?even\b", read.text) or (older and not read.sleeves)):
        return None
    name = next(iter(read.sleeves or older), "btc-trend")
    return PlannedAnswer(
        "No role moves the stop of one open position to a price, break-even included: the stop follows the sleeve's settings. "
        "What can be asked for is a tighter setting, which a person approves: "
        f'`nightdesk chat --role operator "propose stop_atr=1.5 for {name}"`. '
        "To be flat now: `/halt REASON`."
    )


_WITHOUT_IT = re.compile(
    r"\b(?:where|what|how|which|show|p&l|result|net|return)\b.*"
    r"\b(?:without|excluding|if not for|minus|less) (?:it|that|this|him|that one|this one|them)(?=[?.! ]*$)"
)


def without_it(read: Slots, above: TurnAbove) -> Carried | None:
    """`where would we be without it`, after a question about one sleeve: the others' net result beside its own."""
    newest = above.newest
    sleeves = _sleeves_of(newest.slots) if newest is not None and not (newest.lost or newest.maybe) else ()
    if (
        not _WITHOUT_IT.search(read.text)
        or len(sleeves) != 1
        or not short(read, 10)
        or (above.last is not None and above.last.name in ("attribution", "backtest"))
    ):
        return None
    window = {k: v for k, v in (above.last.args if above.last is not None else {}).items() if k in ("since", "until")}
    return _others_alone(sleeves[0], window)


def _sleeves_of(read: Slots) -> tuple[str, ...]:
    """The sleeves that a question named, also as what to leave out: `should we drop SOL`."""
    return read.sleeves or (read.out[1] if read.out is not None and read.out[0] == "sleeve" else ())


def _others_alone(name: str, window: dict[str, object]) -> PlanOf:
    def plan(q: Question) -> Plan:  # noqa: ARG001 - a plan takes its question
        call = PlannedCall("trips", {"by": "sleeve", **window})
        (found,) = yield [call]
        if found.table is None or "net" not in found.table.columns:
            return drafted([call], [found])
        at = found.table.columns.index("net")
        rest = [str(row[at])[1:-1] for row in found.table.rows if name not in str(row[0]) and str(row[at]).startswith("{")]
        if not rest:
            return drafted([call], [found])
        (made,) = yield [PlannedCall("calc", {"expression": "+".join(rest)})]
        value = made.text.rpartition(" = ")[2] if made.status == "ok" else made.text
        lead = f"Without {name} the round trips of the others made {value} net; alone they might have traded otherwise."
        return PlannedAnswer(f"{lead}\n\n{result_text(found)}", read_as=f"round trips by sleeve, without {name}")

    return plan


_END_OF_LIST = re.compile(
    r"\b(?:the )?(oldest|earliest|newest|latest|most recent)(?: (?:one|of (?:them|those|these|it)|fill|event|trade))?\b"
)


def end_of_list(read: Slots, above: TurnAbove) -> Carried | None:
    """`the oldest of them`: of a list of events the first or the last in time, explained."""
    found = _END_OF_LIST.search(read.text)
    last = next(
        (r for turn in reversed(above.past[-3:]) for r in turn.results if r.name == "journal_search" and r.table is not None),
        None,
    )
    if found is None or last is None or last.table is None or not short(read, 8) or not of_above(read):
        return None
    rows = sorted(last.table.rows, key=lambda row: str(row[0]))
    event = str(rows[0 if found[1] in ("oldest", "earliest") else -1][last.table.columns.index("event")]) if rows else ""
    return PlannedCall("explain_event", {"event_id": event}) if event else None


KINDS = (dropped, shorter, stop_of_it, without_it, both, run_meant, figure_of_row, end_of_list)
