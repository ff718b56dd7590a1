"""One of several that a thread showed, in the order in which they were shown: a row's figure, a run, what was filed, both.
Called by above_kinds.py, before a row is read by other means.
"""

import re
from typing import Any

from agents.offline.above import row_ids, row_of
from agents.offline.account import tokens_of
from agents.offline.read_back import PlannedCall
from agents.offline.slots import ORDINALS
from agents.offline.talk import asked_of, tables_above
from agents.offline.turn_above import ANY, OWN_NAMES, Kinds, ShortSentence, window_of
from agents.offline.words import PATTERNS, says

KINDS = Kinds()


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
