"""How a thing of the desk is said to stand now, and whether it does. Called by agents/acts.py with a clause.

`The halt is off`, `entries: open`, `no alerts are open`, `prop-2 is not in force`: a kind of thing, a word that says on or off,
and a negation that turns it round. The latch and the lines of records decide.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from agents.act_records import SIMULATED, Receipts, RecordLine, about_of, subjects_of
from agents.clauses import MODAL, OPEN, TICK, words_of
from agents.mentions import times_in

KINDS = {
    "halt": r"halt|kill switch|latch|emergency stop|circuit breaker|lockdown|halted",
    "pause": r"pauses?|suspension|cool-?downs?|break(?= on)",
    "entries": r"entries|new entries|entry permission",
    "breaker": r"breakers?",
    "guard": r"guardrails?|limits?|safety net",
    "stop": r"(?:protective |trailing )?stops?(?:[- ]loss(?:es)?| level| orders?)?|protective orders?|sl|protection",
    "order": r"(?:entry )?orders?",
    "proposal": r"prop-\d+|proposals?|cards?|changes?|version \d+|stop_\w+|\w+_max",
    "alert": r"al-\d+|alerts?|pages?|warnings?|alarms?",
    "trade": r"trades?|round trips?",
    "position": r"(?:open )?positions?|longs?|shorts?|exposure",
    "sleeve": r"sleeves?|[a-z]{2,}(?:-[a-z0-9]+)+",
    "desk": r"desk|trading|system|everything|operations?|we|you|service",
    "nothing": r"nothing|anything",
}
_KIND = re.compile("|".join(rf"(?P<{name}>(?<![\w-])(?:{pattern})(?![\w-]))" for name, pattern in KINDS.items()), re.IGNORECASE)
_ON = (
    r"on\b(?! (?:version|paper|the way|its|your|hold|ice|pause|standby|a break|halt))|active|live|in (?:force|effect|place"
    r"|operation|halt)\b"
    r"|operational|up(?: and running)?\b(?! to)|running|working|resting|back(?: on(?:line)?)?\b|online|trading|enabled"
    r"|effective|possible"
    r"|allowed|permitted|engaged|open|free(?: again)?\b|in\b(?= the market| a position| the book|$|\W*$| for)|true|tripped"
    r"|pending"
    r"|waiting|awaiting|undecided|unresolved|unanswered|halted|good to go|set(?=\W*$)"
)
_OFF = (
    r"off\b|over\b(?! the)|out\b(?! of (?:reach|range|date|(?:the |its )?halt))|gone|down\b(?= *$|\W*$| for| at| since)"
    r"|inactive|0(?![.\d])|dead|history|ended|lapsed|void|disabled"
    r"|disengaged|none|nil|zero|closed|false|undone|offline|suspended|on (?:hold|ice|standby|pause|the bench|a break)\b|shut"
    r"|resolved|paused"
)
_BE = (
    r"(?:is|are|am|'s|remains?|stays?|stands?(?! out)|sits?|goes|gone|has been|have been"
    r"|has gone|has become|been|went|now|gets?|seems?|looks?)"
)
_SAID = re.compile(
    rf"(?i)\b(?:(?P<waits>waits|await(?:s|ed)?|wait)|(?P<ended>ended|expired|lapsed|vanished|disappeared|ran out)|(?:can"
    rf"|may) (?:now )?(?P<again>enter|trade|continue) again|(?P<does>(?<!\d )trades|operates|enters)(?=\W*$| again| normally"
    rf"| as usual| freely)|{_BE}\s+(?:(?:now|still|already|currently|again|fully|all|both|only|back|not|never|no longer|yet"
    rf"|also|just|today|once more|sitting|staying|standing)"
    rf"\s+)*(?:(?P<on>{_ON})|(?P<off>{_OFF})))(?![\w-])"
)
_THING = r"(?:(?:open|active|pending|new|current|working|unresolved|more)\s+)*"
_NONE = re.compile(
    rf"(?i)\W*(?:there (?:is|are) )?(?:no|zero|not a(?: single)?) {_THING}(?!changes?\b)({_KIND.pattern})(?=\W*$|\s+(?:on|for"
    rf"|in|at|any|right|now|left|yet"
    r"|today|so far|exists?|remains?)\b)"
)
_COUNTED = "|".join(KINDS[name] for name in ("alert", "proposal", "order", "position"))
_SOME = re.compile(
    rf"(?i)\W*(?:there (?:is|are) )?(?:an?|another|one) {_THING}({_COUNTED})"
    r"(?=\s+(?:is (?:on|in|up|out|there|ready)|came|arrived|has arrived|exists|went off|fired|popped))"
)
_NOT = re.compile(r"(?i)\b(?:not|no longer|never|no|none|neither|nor|nothing|nobody|without|any ?more|any longer)\b")
_OF = re.compile(r"(?i)\b(?:of|on|for|in|from|at|by|with|about|since|under|to|that|which)\b")
_SOME_OF = re.compile(
    r"(?i)\b(?:one|some|\d+|half|most) of\b|\b(?:one|other|another) (?:alert|proposal|page|card|order|warning)\b"
)
_WITHIN = re.compile(
    r"(?i)\b(?:while|(?:says?|shows?|see|seems?|know|sure|note) that|because|although|though|see|seems?|says?|shows?|whereas)\b"
)
_LIVE = ("trading", "running", "live", "active", "operational", "working", "good to go", "up", "trades", "enters", "operates")
_HELD = ("in", "out", "closed", "zero", "nil", "0")  # said of a sleeve or of us: of the position
_OVER = re.compile(_OFF + "|ended|expired|lapsed|vanished|disappeared")
_PLAIN = frozenset({"change", "proposal", "card", "alert", "page", "order", "stop", "warning"})
_SHOWN = {
    "breaker": r"\btripped\b",
    "stop": r"\(stop\)|\bstop order\b",
    "order": r"\bworking\b",
    "proposal": r"\bapplied\b|in force",
    "alert": r"al-\d+(?!.*\bresolved\b)",
}


_LIVE_VALUE = re.compile(
    r"(?i)\b(\w{1,40}_\w{1,40}|leverage|stop|cap)\b((?: [\w-]+){0,4}?) ?(?:is(?: now)?|=|:|runs?|at|to|become"
    r"|has been set (?:at|to))\s?(\d{1,3}(?:\.\d{1,3})?)"
    r"(?![\d.,]*\d)"
)
_LIVE_MARK = re.compile(rf"(?i)\b(?:now|immediately|effective|live|active|set|become|went|goes|runs|your)\b|{TICK}")
_ARROW = re.compile(r"(?i)\W*(\w{1,40}_\w{1,40})\W{1,3}\d[\d.]{0,8} ?(?:->?|=>|\u2192) ?(\d{1,3}(?:\.\d{1,3})?)")
_RUNS_WITH = re.compile(
    r"(?i)\b[a-z]{2,}-[a-z]+ (?:now )?(?:runs|trades|uses)(?: with| on)? (\w{1,40}_\w{1,40}) (\d{1,3}(?:\.\d{1,3})?)"
)


class Standing(NamedTuple):
    """A thing said to stand so. `where`: what it is said of, as written; `span`: of the words that say it."""

    kind: str
    on: bool
    word: str
    where: str
    span: tuple[int, int]


def standings(clause: str, lead: str) -> Iterator[Standing]:
    """What a clause says of how things stand now."""
    for on, pattern in ((False, _NONE), (True, _SOME)):
        if (
            (found := pattern.match(clause))
            and not re.search(r"(?i)\bno (?:new|more)\b", found[0])
            and (head := _KIND.match(clause, found.start(1)))
        ):
            yield Standing(str(head.lastgroup), on, "open", clause, found.span())
    for found in _SAID.finditer(clause):
        before = clause[: found.start()]
        where = _WITHIN.split(before)[-1]
        where = where if _KIND.search(where) else lead
        word = (found["on"] or found["off"] or found["waits"] or found["ended"] or found["does"] or found["again"]).lower()
        how = found[0][: -len(word)]
        if MODAL.search(before) or re.search(r"(?i)\b(?:was|were|had)\b", found[0]):
            continue
        phrase = list(_KIND.finditer(_OF.split(where)[0]))
        head = phrase[-1] if phrase else _KIND.search(where)
        if head:
            kind = str(head.lastgroup)
            denied = _NOT.search(how) or (_NOT.search(where) if where != lead else None)
            rings = kind == "alert" and word == "off" and re.search(r"(?i)\b(?:went|goes)\b", how)
            if kind == "stop" and re.search(r"(?i)\b(?:wider|tighter|new|old|higher|lower|looser)\b", where):
                kind = "proposal"
            on = (not (found["off"] or found["ended"]) or bool(rings)) is (denied is None)
            if kind == "order" and word in ("in", "out", "away"):
                continue
            if word == "set" and kind not in ("stop", "desk"):
                continue
            if found["does"] and kind not in ("sleeve", "desk", "nothing"):
                continue
            if found["waits"] and kind not in ("proposal", "alert", "order"):
                continue
            if not (kind == "proposal" and word in ("in", "out") and re.search(r"(?i)proposal|limit", where)):
                yield Standing(kind, on, "waiting" if found["waits"] else word, where, found.span())


def is_so(said: Standing, clause: str, sentence: str, receipts: Receipts) -> bool:
    """Does the thing stand so? A time that the clause names must be one of the records'."""
    about = about_of(said.where, receipts) or about_of(sentence, receipts)
    lines = [line for line in receipts.lines if about & line.about] if about else list(receipts.lines)
    kind, on, word, halted = said.kind, said.on, said.word, receipts.halted is True
    if kind == "nothing" and word in _LIVE:
        return on is not halted
    if word in ("pending", "waiting", "awaiting", "undecided") or (kind == "proposal" and word == "open"):
        return on is _any(lines, r"\(pending| pending:")
    of_halt = kind == "halt" or word in ("halted", "in halt")
    if times := times_in(clause):
        near = [line for line in receipts.lines if any(one & line.minutes for one in times)]
        if of_halt or kind == "desk":
            return any("halt" in line.about and ("halted" if on is of_halt else "released") in line.text for line in near)
        if not all(any(one & line.minutes for line in lines) for one in times):
            return False
    if (word in _HELD and kind in ("sleeve", "desk")) or kind in ("position", "trade", "nothing"):
        over = kind == "trade" and not on
        shown = _any(lines, r"round trip|\bflat\b" if over else r"\b(?:long|short) [\d{.]", "" if over else _side(said.where))
        return shown and bool(about or over) if kind == "trade" else on is shown
    if of_halt or kind == "desk":
        paused = word == "paused" and _any(lines, "paused") and not _any(lines, r"\ballowed\b")
        return paused or (receipts.halted is not None and word != "set" and halted is (on is of_halt))
    if kind in ("sleeve", "entries", "pause"):
        paused = _any(lines, r"\bpaused\b")
        if on is (kind == "pause"):
            return paused or (halted and kind == "entries" and not about)
        return bool(lines) and not paused and not (halted and (word in _LIVE or kind == "entries" or not about))
    return on if kind == "guard" or "version" in said.where.lower() else _of_lines(said, lines, named=bool(about))


def _of_lines(said: Standing, lines: list[RecordLine], *, named: bool) -> bool:
    """On needs a line that shows it; off one of the same thing that does not, or no line at all that does."""
    kind, about = re.compile(rf"\b(?:{KINDS[said.kind]})\b"), words_of(said.where) - _PLAIN
    near = [line for line in lines if said.kind == "stop" or kind.search(line.text)]
    if not named and said.kind in ("proposal", "alert", "order"):
        told = [line for line in near if about & line.words]
        if said.on and not told and (about or re.search(r"(?i)\bnew\b", said.where)):
            return False
        near = told or near
    values = re.findall(r"(?<![\w.-])\d+(?:\.\d+)?", said.where) if said.kind == "proposal" else []
    near = [line for line in near if all(f"-> {value}" in line.text for value in values)]
    shown = [line for line in near if re.search(_SHOWN[said.kind], line.text)]
    if said.kind == "proposal" and not said.on and _OVER.fullmatch(said.word):
        return any(re.search(r"\b(?:rejected|expired|superseded|withdrawn)\b", line.text) for line in near)
    if _SOME_OF.search(said.where):
        return bool(shown) if said.on else len(shown) < len(near)
    return bool(shown) if said.on else not shown and (bool(near) or _NOT.search(said.where) is not None)


def _any(lines: list[RecordLine], pattern: str, side: str = "") -> bool:
    return any(re.search(pattern, line.text) is not None and side in line.text for line in lines)


def _side(where: str) -> str:
    found = re.search(r"(?i)\b(long|short)s?\b", where)
    return found[1].lower() if found else ""


def sets_value(text: str, receipts: Receipts) -> bool:
    """Does it give a live setting a value that no decided change gave it?"""
    if (arrow := _ARROW.match(text)) and not any(
        arrow[1].lower() in line.text and re.search(rf"(?:->|to) {re.escape(arrow[2])}(?![\d.]*\d)", line.text)
        for line in receipts.lines
    ):
        return True
    if (now := _LIVE_VALUE.search(text)) and not OPEN.search(text) and not SIMULATED.search(text):
        changes = [
            change for line in receipts.lines for change in re.findall(rf"\b{now[1].lower()} ([\d.]+) -> ([\d.]+)", line.text)
        ]
        waits = [line.waits for line in receipts.lines for _ in re.findall(rf"\b{now[1].lower()} [\d.]+ -> ", line.text)]
        stale = [waits[n] for n, (_, after) in enumerate(changes) if now[3] == after.rstrip(".")]
        stale += [not waits[n] for n, (before, _) in enumerate(changes) if now[3] == before]
        if stale and all(stale) and not re.search(r"(?i)\b(?:from|to|was|were|->)", text):
            return True
    found = _RUNS_WITH.search(text) or (_LIVE_VALUE.search(text) if _LIVE_MARK.search(text) else None)
    if not found or SIMULATED.search(text) or OPEN.search(text[: found.end()]) or re.search(r"(?i)\bnot\b", text):
        return False
    key, value, about = found[1].lower(), found[found.re.groups], subjects_of(text)
    settled = [line for line in receipts.lines if not line.waits and (not about or about & line.about)]
    return not any(re.search(rf"{re.escape(key)}\S* .*(?<![\d.]){re.escape(value)}(?![\d.]*\d)", line.text) for line in settled)
