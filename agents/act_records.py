"""What can support a claimed act, and whether it does. Called by agents/acts.py with an act, its clause and its sentence.

A receipt is an act of this turn, the halt latch of now, or a line of a tool's result that shows the same kind of act of the same
subject: by its id, its name, the kind of thing, or a figure like no other.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from agents.act_words import ENDED, FAMILIES, PEOPLE, RECORD, STANDING
from agents.clauses import OPEN, TICK, words_of

OTHER, TURNED, OVER, STATE = (
    "other",
    "turned",
    "over",
    "state",
)  # an act of no kind in the table; a state that changed; one that ended
TRADES = ("buy", "sell", "close", "open")
_SUBJECT = re.compile(
    r"(?i)\b[a-z]+-\d[\w-]*|\b(?:prop|al|d|p|r|v)-?\d+\b|\b[a-z]{2,}(?:-[a-z0-9]+)+\b|\b(?:btc|eth|sol|xrp|bnb)\b"
)
_COINS = ("btc", "eth", "sol", "xrp", "bnb")
_THING = re.compile(
    r"(?i)(?<![a-z])(?:orders?|alerts?|positions?|notes?|proposals?|stops?|workers?|breakers?|configurations?|entry"
    r"|entries|limits?|leverage|sleeves?|halt(?:ed|s)?|versions?|teams?|pages?|exposure)(?![a-z_-])|\b\w{1,40}_\w+"
)
_QUOTED = re.compile(r"\"[^\"\n]{0,2000}\"|(?<=HALTED )\([^)\n]{0,400}\)")
NEXT_THING = re.compile(r"(?<=[a-z])\. (?=[a-z]{1,5}-\d)")
# ---- how a sentence speaks of what it claims: tense, number, quantity
_PAST_TIME = re.compile(r"(?i)\b(?:was|were|had been)\b")
_FRESH = re.compile(r"(?i)\b(?:has|have|is|are|now|just|took effect|went|came|got)\b|^\W*(?:\w+\s+){0,3}\w+\W*$")
FRESH_ALWAYS = re.compile(r"(?i)\b(?:successfully|new|newly|immediately|instantly|for you|as ordered|on your behalf|today)\b")
_TRIPS = re.compile(r"(?i)\b(?:trades|trips|fills)\b")
_WHOLE = re.compile(r"(?i)\b(?:all|every|everything|both|any|entire|whole)\b")
_PARTITIVE = re.compile(r"(?i)^(?:and )?(?:the )?(?:one|other|another|former|latter)\b")
_MANY = re.compile(r"(?i)\b(?:orders|positions|proposals|alerts|pages|entries|stops)\b")
_QUANTITY = re.compile(r"(?i)(?<![\w.,-])(\d{1,12}(?:\.\d{1,12})?)\s?(?:btc|eth|sol|xrp|bnb|lots?|coins?|contracts?)\b")
FINITE = re.compile(
    r"(?i)\b(?:is|are|am|has|have|had|was|were|got|went|came|trades?|runs?|sits?|stands?|holds?|hold|works?|accepts?|enters?"
    r"|flows?|uses?"
    r"|moves?|moved|no longer|gone|exists?|owns?|own|history|become)\b|\bnow [a-z]{2,14}s\b"
)
DESK = re.compile(r"(?i)\b(?:we|you|your|desk|data|trading|system|everything|book|entries|kill switch|latch|bars|feed)\b")
SIMULATED = re.compile(
    r"(?i)\b(?:back-?tests?|simulat\w+|r\d|(?:the|both|each|two|this|a) (?:\w+ )?runs?|variants?|strateg(?:y|ies)|tests?"
    r"|sharpe|over the year)\b"
)
RUN_DONE = re.compile(r"(?i)\b(?:comparisons?|back-?tests?|simulations?|runs?|variants?|tests?|checks?|analys[ei]s)\b")
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


class Act(NamedTuple):
    """An act that a clause asserts: its kind, whether the model claims it for itself, and the word when no kind has it."""

    family: str
    own: bool = False
    word: str = ""


@dataclass(frozen=True, slots=True)
class Receipts:
    """What can support a claimed act: acts of this turn (propose, note, run), lines that tools recorded, the latch now."""

    own: frozenset[str] = frozenset()
    records: Sequence[str] = ()
    halted: bool | None = None
    earlier: Sequence[str] = ()  # ids of proposals that earlier turns of the thread made
    refused: bool = False  # some call of this turn was refused or failed
    lines: tuple["RecordLine", ...] = field(init=False)
    people: frozenset[str] = field(init=False)  # who is named in the records as having acted

    def __post_init__(self) -> None:
        """Read the records once; what people wrote inside them in quotes is none."""
        lines = [_QUOTED.sub(" ", line) for text in self.records for line in text.splitlines()]
        texts = [part for line in lines for part in NEXT_THING.split(line) if part.strip()]
        object.__setattr__(self, "lines", tuple(RecordLine.read(text) for text in texts))
        object.__setattr__(self, "people", frozenset(name.lower() for text in texts for name in PEOPLE.findall(text)))


class RecordLine(NamedTuple):
    """A line that a tool recorded: its text in lower case, what it is about, the kinds of acts it shows, its content words."""

    text: str
    about: frozenset[str]
    shows: frozenset[str]
    words: frozenset[str]
    waits: bool  # a proposal that is not in force

    @classmethod
    def read(cls, text: str) -> "RecordLine":
        """The line of a record."""
        shows = frozenset(name for name, found in RECORD.items() if found.search(text))
        waits = re.search(r"(?i)\b(?:pending|rejected|expired|superseded)\b", text) is not None
        return cls(text.lower(), subjects_of(text) | things_of(text) | figures_of(text), shows, words_of(text), waits)


@lru_cache(maxsize=64)
def subjects_of(text: str) -> frozenset[str]:
    """What a sentence is about: ids, names of sleeves and instruments, coins; in lower case."""
    found = {part.lower() for part in _SUBJECT.findall(text) if part.lower() not in STANDING}
    return frozenset(found | {coin for part in found if (coin := part.partition("-")[0]) in _COINS})


def figures_of(text: str) -> frozenset[str]:
    """The figures of a text that are like no other: of four digits and more, without commas and trailing zeros."""
    found = (number.replace(",", "") for number in re.findall(r"(?<![\w.-])\d[\d,]{2,15}(?:\.\d{1,8})?(?![\w-])", text))
    return frozenset(n.rstrip("0").rstrip(".") if "." in n else n for n in found if len(n) >= 4)


def things_of(text: str) -> frozenset[str]:
    """The kinds of things a sentence speaks of, when it names none of them: order, alert, stop."""
    low = re.sub(r"(?i)\b(?:kill switch|latch|emergency stop)\b", "halt", text)
    return frozenset("halt" if word.lower() == "halted" else word.lower().removesuffix("s") for word in _THING.findall(low))


def did(family: str, sentence: str, receipts: Receipts) -> bool:
    """Did this turn, or, for a proposal named by its id, an earlier one, do that?"""
    own = FAMILIES[family].own if family != OTHER else ""
    if own == "propose" and any(known in sentence for known in receipts.earlier):
        return True
    return bool(own) and own in receipts.own


def recorded(act: Act, clause: str, sentence: str, receipts: Receipts) -> bool:
    """Does a record of this turn, or an act of it, say the same?"""
    family = act.family
    about = subjects_of(clause) or subjects_of(sentence)
    if family in (OTHER, OVER, TURNED):
        return _state_recorded(act, clause, sentence, receipts)
    if family == "halting":
        return receipts.halted is not False
    if family == "pending" and not about:
        return any("pending" in line.text for line in receipts.lines)
    if family == "unresolved":
        return any("resolve" not in line.shows for line in receipts.lines if not about or about & line.about)
    if family == "calm":
        return not any("al-" in line.text and "resolve" not in line.shows for line in receipts.lines)
    if family == "settled":
        return not any("pending" in line.text for line in receipts.lines)
    if family == "done":
        return bool(receipts.own) and (not receipts.refused or RUN_DONE.search(sentence) is not None)
    if family == "note":
        return "note" in receipts.own
    if family == "propose" and (not about or family in receipts.own or any(known in sentence for known in receipts.earlier)):
        return family in receipts.own or any(known in sentence for known in receipts.earlier)
    if family in TRADES and "run" in receipts.own and SIMULATED.search(sentence):
        return True
    if family in ("release", "halt") and (latch := _of_latch(family, clause, receipts, state=act.word == STATE)) is not None:
        return latch
    if family in ("flat", "long", "short") and not about:
        return _of_book(family, clause, sentence, receipts)
    if _WHOLE.search(clause) and family in (*TRADES[:3], "cancel", "release"):
        return False
    fresh = FRESH_ALWAYS.search(clause) or (_FRESH.search(clause) and not _PAST_TIME.search(clause))
    about = about or figures_of(sentence)
    things = frozenset[str]() if about or _PARTITIVE.search(clause) else things_of(clause) or things_of(sentence)
    of_latch = family in ("release", "halt") and not about
    things = things or (frozenset({"halt"}) if of_latch else things)
    if not about and ((fresh and not of_latch) or not things) and not _PARTITIVE.search(clause):
        return False  # of nothing that is named: no record can be matched to it
    lines = [line for line in receipts.lines if family in line.shows]
    lines = [line for line in lines if (about & line.about if about else not things or things & line.about)]
    amounts = _QUANTITY.findall(clause) if family in (*TRADES, "long", "short") else []
    if by := [name.lower() for name in PEOPLE.findall(clause)]:
        lines = [line for line in lines if all(f"by {name}" in line.text for name in by)]
    if not about and _MANY.search(clause) and len(lines) < 2:
        return False
    if any(all(re.search(rf"(?<![\d.]){re.escape(n)}(?![\d.]*\d)", line.text) for n in amounts) for line in lines):
        return True
    if family in TRADES and not fresh and not amounts and _TRIPS.search(clause):
        return any((not about or about & line.about) and _TRIPS.search(line.text) for line in receipts.lines)
    return False


def _of_book(family: str, clause: str, sentence: str, receipts: Receipts) -> bool:
    """`We are flat` needs a book with nothing open; `one sleeve is flat` any line that shows one."""
    flat, held = (any(name in line.shows for line in receipts.lines) for name in ("flat", "long"))
    if re.search(r"(?i)\b(?:just|now)\b", clause) and family != "flat":
        return False
    some = re.search(r"(?i)\b(?:one|other|sleeve|another)\b", clause if " " in clause.strip(" .")[8:] else sentence)
    return (flat if family == "flat" else held) if some or family != "flat" else flat and not held


def _state_recorded(act: Act, clause: str, sentence: str, receipts: Receipts) -> bool:
    """Is a change of no kind in the table, or a state that began or ended, shown by a record of the same subject?"""
    about = subjects_of(clause) or subjects_of(sentence)
    near = [line for line in receipts.lines if not about or about & line.about]
    if act.family == OTHER and act.word == "\0":  # of a proposal or an alert: something was decided about it
        return any(not re.search(r"\bpending\b", line.text) for line in near)
    if act.family == OTHER:
        things = things_of(clause) if not about else frozenset[str]()
        if not about and not things:
            things = frozenset({"halt"} if re.search(r"(?i)\b(?:desk|trading)\b", clause) else ())
        if not about and not things:
            return False
        return any(act.word in line.text and (not things or things & line.about) for line in near)
    if re.search(r"(?i)\bhalt", clause):
        latch = _of_latch("release" if act.family == OVER else "halt", clause, receipts)
        return latch if latch is not None else True
    if act.family == OVER:
        record = next((text for thing, text in ENDED if thing.search(clause)), "$^")
        return any(re.search(record, line.text) for line in near) and not re.search(r"(?i)no longer pending", clause)
    if act.word == "again" and receipts.halted and DESK.search(clause):
        return False
    finite = FINITE.search(clause)
    said = words_of(clause[finite.end() :] if finite else clause, about)
    figures = figures_of(clause)
    return any(said & line.words or figures & line.about for line in near if not line.waits)


def _of_latch(family: str, clause: str, receipts: Receipts, *, state: bool = True) -> bool | None:
    """What the latch alone decides about `the desk is halted` and `the halt is lifted`; None where it does not."""
    if family == "halt":
        by = {
            name.lower()
            for name in [*PEOPLE.findall(clause), *re.findall(r"(?i)^\W*(\w+) (?:\w+ )?(?:halted|stopped)\b", clause)]
        }
        if by & {"me", "us", "you"}:
            return False
        if by := by & (receipts.people | {name.lower() for name in PEOPLE.findall(clause)}):
            named = [line for line in receipts.lines if "halt" in line.about and PEOPLE.search(line.text)]
            if named:  # who it was is on record
                return any(all(f"by {name}" in line.text for name in by) for line in named)
        if receipts.halted is False and not _PAST_TIME.search(clause):
            return False
        return True if receipts.halted and re.search(r"(?i)\bhalt(?:ed)?\b", clause) else None
    if receipts.halted is False and state:
        return True
    if receipts.halted and not _PAST_TIME.search(clause) and not re.search(r"(?i)\bpause", clause):
        return False
    return None


def sets_value(text: str, receipts: Receipts) -> bool:
    """Does it give a live setting a value that no decided change gave it?"""
    if (arrow := _ARROW.match(text)) and not any(
        arrow[1].lower() in line.text and re.search(rf"(?:->|to) {re.escape(arrow[2])}(?![\d.]*\d)", line.text)
        for line in receipts.lines
    ):
        return True
    found = _RUNS_WITH.search(text) or (_LIVE_VALUE.search(text) if _LIVE_MARK.search(text) else None)
    if not found or SIMULATED.search(text) or OPEN.search(text[: found.end()]) or re.search(r"(?i)\bnot\b", text):
        return False
    key, value, about = found[1].lower(), found[found.re.groups], subjects_of(text)
    settled = [line for line in receipts.lines if not line.waits and (not about or about & line.about)]
    return not any(re.search(rf"{re.escape(key)}\S* .*(?<![\d.]){re.escape(value)}(?![\d.]*\d)", line.text) for line in settled)
