"""What can support a claimed act, and whether it does. Called by agents/acts.py with an act, its clause and its sentence.

A receipt is an act of this turn, the halt latch of now, or a line of a tool's result that shows the same kind of act of the same
subject: by its id, its name, the kind of thing, or a figure like no other.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

from agents.act_words import ENDED, FAMILIES, LIGHT, PEOPLE, RECORD, STANDING
from agents.clauses import words_of
from agents.mentions import spans_in, times_in

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
    r"(?i)(?<![a-z])(?:orders?|alerts?|warnings?|positions?|notes?|proposals?|stops?|workers?|breakers?|configurations?|entry"
    r"|entries|limits?|leverage|sleeves?|halt(?:ed|s)?|versions?|teams?|pages?|exposure)(?![a-z_-])|\b\w{1,40}_\w+"
)
_QUOTED = re.compile(r"\"[^\"\n]{0,2000}\"|(?<=HALTED )\([^)\n]{0,400}\)")
_UNDONE = re.compile(
    r"(?i)\b\w+ (?:entry |exit |order )?refused: .*|\bnot (?:acknowledged|approved|applied|in force)\b|\(0 unacknowledged\)"
    r"|\b0 (?:open|resolved|of \d+ lots filled)"
)
_AT = re.compile(
    r"(?i)\b(?:at|to|from)\s\$?(\d[\d,]{0,15}(?:\.\d{1,8})?)(?![\w:%]|[.,]\d| ?(?:%|bps|percent|am|pm|z|utc|o'clock)\b)"
)
# what says which kind of thing is meant, not which one
_PARTS = frozenset(
    """
    stop proposal alert order position halt entry page long short trade exit fill breaker pause protective open last latest loss
    """.split()  # noqa: SIM905 - words, not a list of strings
)
_FILED = ("came", "went", "in", "out", "sent")  # of a proposal
_PARTLY = re.compile(r"\b(\d{1,9}) of (?!\1\b)\d{1,9} lots filled")
_WHOLLY = re.compile(r"(?i)\b(?:completely|fully|entirely|in full|all|whole)\b")
_NOW_STANDS = (
    "long",
    "short",
    "flat",
    "pause",
    "allow",
    "pending",
    "release",
    "halt",
    "halting",
    "apply",
)  # also states, not events alone
NEXT_THING = re.compile(r"(?<=[a-z])\. (?=[a-z]{1,5}-\d)")
# ---- how a sentence speaks of what it claims: tense, number, quantity
_PAST_TIME = re.compile(r"(?i)\b(?:was|were|had been)\b")
_FRESH = re.compile(r"(?i)\b(?:has|have|is|are|now|just|took effect|went|came|got)\b|^\W*(?:\w+\s+){0,3}\w+\W*$")
FRESH_ALWAYS = re.compile(r"(?i)\b(?:successfully|new|newly|immediately|instantly|for you|as ordered|on your behalf)\b")
_WHOLE = re.compile(r"(?i)\b(?:all|every|everything|both|any|entire|whole)\b")
_PARTITIVE = re.compile(r"(?i)^(?:and )?(?:the )?(?:one|other|another|former|latter)\b")
_MANY = re.compile(r"(?i)\b(?:orders|positions|proposals|alerts|pages|entries|stops)\b")
_QUANTITY = re.compile(r"(?i)(?<![\w.,-])(\d{1,12}(?:\.\d{1,12})?)\s?(?:btc|eth|sol|xrp|bnb|lots?|coins?|contracts?)\b")
FINITE = re.compile(
    r"(?i)\b(?:is|are|am|has|have|had|was|were|got|went|came|trades?|runs?|sits?|stands?|holds?|hold|works?|accepts?|enters?"
    r"|flows?|uses?"
    r"|moves?|moved|no longer|gone|exists?|owns?|own|history|become)\b|\bnow [a-z]{2,14}s\b"
)
DESK = re.compile(
    r"(?i)\b(?:we|you|your|desk|data|trading|system|everything|book|entries|kill switch|latch|bars|feed|venue|exchange|broker"
    r"|engine|worker)\b"
)
SIMULATED = re.compile(
    r"(?i)\b(?:back-?tests?|simulat\w+|r\d|(?:the|both|each|two|this|a) (?:\w+ )?runs?|variants?|strateg(?:y|ies)|tests?"
    r"|sharpe|over the year)\b"
)
RUN_DONE = re.compile(r"(?i)\b(?:comparisons?|back-?tests?|simulations?|runs?|variants?|tests?|checks?|analys[ei]s)\b")


class Act(NamedTuple):
    """An act that a clause asserts: its kind, whether the model claims it for itself, and the word when no kind has it."""

    family: str
    own: bool = False
    word: str = ""
    who: str = ""  # the person it is said of
    subject: str = ""  # the words before its verb
    standing: Any = None  # of agents/standing.py: how a thing is said to stand


@dataclass(frozen=True, slots=True)
class Receipts:
    """What can support a claimed act: acts of this turn (propose, note, run), lines that tools recorded, the latch now."""

    own: frozenset[str] = frozenset()
    records: Sequence[str] = ()
    halted: bool | None = None
    earlier: Sequence[str] = ()  # ids of proposals that earlier turns of the thread made
    refused: bool = False  # some call of this turn was refused or failed
    lines: tuple["RecordLine", ...] = field(init=False)
    names: frozenset[str] = field(init=False)  # of sleeves and the like, in the records
    people: frozenset[str] = field(init=False)  # who is named in the records as having acted

    def __post_init__(self) -> None:
        """Read the records once; what people wrote inside them in quotes is none."""
        lines = [_QUOTED.sub(" ", line) for text in self.records for line in text.splitlines()]
        texts = [part for line in lines for part in NEXT_THING.split(line) if part.strip()]
        object.__setattr__(self, "lines", tuple(RecordLine.read(text) for text in texts))
        object.__setattr__(self, "names", frozenset[str]().union(*(line.about for line in self.lines)))
        object.__setattr__(self, "people", frozenset(name.lower() for text in texts for name in PEOPLE.findall(text)))


class RecordLine(NamedTuple):
    """A line that a tool recorded: its text in lower case, what it is about, the kinds of acts it shows, its content words."""

    text: str
    about: frozenset[str]
    shows: frozenset[str]
    words: frozenset[str]
    waits: bool  # a proposal that is not in force
    minutes: frozenset[int]  # of the day, that it names

    @classmethod
    def read(cls, text: str) -> "RecordLine":
        """The line of a record. What was refused, not acknowledged or filled with nothing was not done."""
        done = _UNDONE.sub(" ", text)
        shows = frozenset(name for name, found in RECORD.items() if found.search(done))
        waits = re.search(r"(?i)\b(?:pending|rejected|expired|superseded)\b", text) is not None
        kinds = {"alert"} if "al-" in text else {"proposal"} if "prop-" in text else set()
        about = subjects_of(text) | things_of(text) | figures_of(text) | kinds
        return cls(
            text.lower(),
            about,
            shows,
            words_of(text) | words_of(text.replace("_", " ")),
            waits,
            frozenset[int]().union(*times_in(text)),
        )


@lru_cache(maxsize=64)
def subjects_of(text: str) -> frozenset[str]:
    """What a sentence is about: ids, names of sleeves and instruments, coins; in lower case."""
    found = {part.lower() for part in _SUBJECT.findall(text) if part.lower() not in STANDING}
    return frozenset(found | {coin for part in found if (coin := part.partition("-")[0]) in _COINS})


def about_of(text: str, receipts: Receipts) -> frozenset[str]:
    """What a sentence is about; a word with a hyphen only when a record has it: `stop-loss` is no sleeve."""
    return frozenset(one for one in subjects_of(text) if "-" not in one or re.search(r"\d", one) or one in receipts.names)


def figures_of(text: str) -> frozenset[str]:
    """The figures of a text that are like no other: of four digits and more, without commas and trailing zeros."""
    found = (number.replace(",", "") for number in re.findall(r"(?<![\w.-])\d[\d,]{2,15}(?:\.\d{1,8})?(?![\w-])", text))
    parts = re.findall(r"\b\d{1,9} of \d{1,9}\b(?= lots| were| filled)", text.replace("its ", ""))
    return frozenset(n.rstrip("0").rstrip(".") if "." in n else n for n in found if len(n) >= 4) | frozenset(parts)


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
    about = about_of(clause, receipts) or about_of(sentence, receipts)
    if family in (OTHER, OVER, TURNED):
        return _state_recorded(act, clause, sentence, receipts)
    if family == "done":
        return bool(receipts.own) and (not receipts.refused or RUN_DONE.search(sentence) is not None)
    made = any(known in sentence for known in receipts.earlier)
    if family == "note" or (family == "propose" and (not about or family in receipts.own or made)):
        return family in receipts.own or (made and family == "propose")
    if family in TRADES and "run" in receipts.own and SIMULATED.search(sentence):
        return True
    if family in ("release", "halt") and not (about and family == "halt" and not re.search(r"(?i)\b(?:desk|trading)\b", clause)):
        latch = _of_latch(family, clause, receipts, state=act.word == STATE, who=act.who)
        if latch is not None:
            return latch
    if family in ("flat", "long", "short") and not about:
        return _of_book(family, clause, sentence, receipts)
    if _WHOLE.search(clause) and family in (*TRADES[:3], "cancel", "release"):
        return False
    told = {word for word in words_of(act.subject) - _PARTS if any(word in line.words for line in receipts.lines)}
    found = _matched(act, clause, sentence, receipts, about, known=bool(told))
    lines = found and _narrowed(act, clause, found, receipts, about, told)
    if not lines or not _same_time(clause, lines, receipts, state=act.word == STATE or family in _NOW_STANDS):
        return False
    return bool(about or len(lines) > 1 or not _MANY.search(clause) or re.search(r"\d", clause))


def _matched(act: Act, clause: str, sentence: str, receipts: Receipts, about: frozenset[str], *, known: bool) -> list[RecordLine]:
    """The lines that show such an act of what the clause is about: an id or a name, a figure, a time, a person, a kind of "
    "thing."""
    family, whole = act.family, _PARTITIVE.search(clause) is None
    anchored = bool(times_in(clause)) or (known and family in ("resolve", "acknowledge"))  # one event of the records
    fresh = FRESH_ALWAYS.search(clause) or (_FRESH.search(clause) and not _PAST_TIME.search(clause))
    by_person = bool(act.who or PEOPLE.search(clause))
    about = about or figures_of(sentence)
    if family == "change":
        about = about or frozenset(word.lower() for word in re.findall(r"\b[a-z]{1,40}_\w{1,40}", clause))
    lines = [line for line in receipts.lines if family in line.shows]
    if about:
        return [line for line in lines if about & line.about]
    bare = not whole or (by_person and not things_of(clause))
    things = frozenset[str]() if bare else things_of(clause) or things_of(sentence)
    of_latch = family in ("release", "halt")
    things = things or (frozenset({"halt"}) if of_latch else things)
    if whole and not (anchored or by_person) and ((fresh and not of_latch) or not things):
        return []  # of nothing that is named: no record can be matched to it
    alike = things - {"stop", "limit"}
    return [line for line in lines if anchored or not things or things & line.about or alike & line.words]


def _narrowed(
    act: Act, clause: str, lines: list[RecordLine], receipts: Receipts, about: frozenset[str], told: set[str]
) -> list[RecordLine]:
    """Of the lines those that have all that the clause names: ids, settings, persons, amounts, prices; none when one is "
    "missing."""
    named = [one for one in about_of(clause, receipts) if "-" in one] + re.findall(r"\b[a-z]{1,40}_\w{1,40}", clause.lower())
    if not all(any(one in line.text for line in lines) for one in named):
        return []
    if re.search(r"(?i)\b(?:and|both|,)\b", clause) is None:
        lines = [line for line in lines if all(one in line.text for one in named)]
    lines = [line for line in lines if told <= line.words]
    if re.search(r"(?i)\b(?:stops?|protective)\b", act.subject):
        lines = [line for line in lines if "stop" in line.text]
    near = [line for line in receipts.lines if about & line.about] if act.word == STATE else []
    if not _same_levels(clause, [*lines, *near]):
        return []
    agents = [one.lower() for one in re.findall(r"(?i)\bby (?:the|an?|its|their) (?:\w+ )?([a-z]{3,})\b", clause)]
    said = [one for one in agents if one not in ("person", "human", "hand")]
    said += [rf"by {name}" for name in [*map(str.lower, PEOPLE.findall(clause)), act.who] if name]
    if re.search(r"(?i)^\W*(?:some(?:one|body)|a person)\b", clause):
        lines = [line for line in lines if PEOPLE.search(line.text)]
    if act.family in ("open", "fill") and _WHOLLY.search(clause) and any(_PARTLY.search(line.text) for line in lines + near):
        return []
    if act.family in (*TRADES, "long", "short"):
        said += [rf"(?<![\d.]){re.escape(amount)}(?![\d.]*\d)" for amount in _QUANTITY.findall(clause)]
    return [line for line in lines if all(re.search(one, line.text) for one in said)]


def _stem(word: str) -> str:
    """A verb without its ending, as far as five letters are left."""
    short = re.sub(r"(?:ing|ed|es|s|d)$", "", word)
    return short if len(short) >= 5 else word


def _same_levels(clause: str, lines: Sequence[RecordLine]) -> bool:
    """Are the prices and values that something was done at, to or from those of the lines?"""
    for low, high in spans_in(clause):
        clause = clause[:low] + " " * (high - low) + clause[high:]
    for said in _AT.findall(clause):
        value = float(said.replace(",", ""))
        shown = [float(n.replace(",", "")) for line in lines for n in re.findall(r"(?<![\w.-])\d[\d,]*(?:\.\d+)?", line.text)]
        if not any(abs(value - one) <= max(0.001 * abs(one), 1e-9) for one in shown):
            return False
    return True


def _same_time(clause: str, lines: Sequence[RecordLine], receipts: Receipts, *, state: bool) -> bool:
    """Are the times that the clause names those of the lines that support it? A state may be told with any time of its "
    "subject."""
    said = times_in(clause)
    if not said or not lines:
        return True
    about = frozenset[str]().union(*(line.about for line in lines))
    near = [line for line in receipts.lines if state and (about & line.about or "desk time" in line.text)]
    shown = frozenset[int]().union(*(line.minutes for line in [*lines, *near]))
    return all(one & shown for one in said)


def _of_book(family: str, clause: str, sentence: str, receipts: Receipts) -> bool:
    """`We are flat` needs a book with nothing open; `one sleeve is flat` any line that shows one."""
    flat, held = (any(name in line.shows for line in receipts.lines) for name in ("flat", "long"))
    if re.search(r"(?i)\b(?:just|now)\b", clause) and family != "flat":
        return False
    some = re.search(r"(?i)\b(?:one|other|sleeve|another)\b", clause if " " in clause.strip(" .")[8:] else sentence)
    return (flat if family == "flat" else held) if some or family != "flat" else flat and not held


def _state_recorded(act: Act, clause: str, sentence: str, receipts: Receipts) -> bool:
    """Is a change of no kind in the table, or a state that began or ended, shown by a record of the same subject?"""
    about = about_of(clause, receipts) or about_of(sentence, receipts)
    near = [line for line in receipts.lines if not about or about & line.about]
    if act.family == OTHER:
        if (times := times_in(clause)) and all(
            any(
                one & line.minutes
                and (about & line.about or words_of(clause) & line.words or (act.who and f"by {act.who}" in line.text))
                and not re.search(r"refused|cancelled", line.text)
                for line in near
            )
            for one in times
        ):
            return True  # an event of that time, in whatever words
        things = things_of(clause) if not about else frozenset[str]()
        if not about and not things:
            things = frozenset({"halt"} if re.search(r"(?i)\b(?:desk|trading)\b", clause) else ())
        if not about and not things:
            return False
        if "note" in receipts.own and re.search(r"(?i)\bnote\b", clause):
            return True
        if (level := re.search(r"(?i)\b(?:at|by|on|hit) (?:its|the) (stop|target)\b", clause)) and about:
            return any(f"by {level[1].lower()}" in line.text for line in near)
        if "propose" in receipts.own and act.word in _FILED and re.search(r"(?i)\bprop", clause):
            return True
        near = [line for line in near if not things or things & line.about]
        near = [line for line in near if not act.who or re.search(rf"\bby {act.who}\b", line.text)]
        if act.who and act.word in LIGHT and near and (about or things):
            return _same_time(clause, near, receipts, state=False)  # `mara took care of al-7`, which she acknowledged
        return any(re.search(rf"\b{re.escape(_stem(act.word))}", line.text) for line in near) and _same_time(
            clause, near, receipts, state=False
        )
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
    numbers = re.findall(r"(?<![\w.,-])\d{1,3}(?:\.\d{1,3})?(?![\w,]|\.\d)", clause)
    near = [line for line in near if all(re.search(rf"(?<![\d.]){re.escape(n)}(?![\d.]*\d)", line.text) for n in numbers)]
    return any((said and said <= line.words) or figures & line.about for line in near if not line.waits)


def _of_latch(family: str, clause: str, receipts: Receipts, *, state: bool = True, who: str = "") -> bool | None:
    """What the latch alone decides about `the desk is halted` and `the halt is lifted`; None where it does not."""
    if family == "halt":
        by = {
            name.lower()
            for name in [*PEOPLE.findall(clause), *re.findall(r"(?i)^\W*(\w+) (?:\w+ )?(?:halted|stopped)\b", clause)]
        }
        by |= {who} - {""}
        if by & {"me", "us", "you"}:
            return False
        agents = re.findall(r"(?i)\bby (?:the|an?|its) (?:\w+ )?([a-z]{4,})\b", clause)
        if any(agent.lower() not in line.text for agent in agents for line in receipts.lines if "halt" in line.shows):
            return False
        if by := by & (receipts.people | {who} | {name.lower() for name in PEOPLE.findall(clause)}):
            named = [line for line in receipts.lines if "halt" in line.about and PEOPLE.search(line.text)]
            if named:  # who it was is on record
                return any(all(f"by {name}" in line.text for name in by) for line in named)
        if receipts.halted is False and not _PAST_TIME.search(clause):
            return False
        return True if receipts.halted and re.search(r"(?i)\bhalt(?:ed)?\b", clause) else None
    if receipts.halted is False and state and not times_in(clause):
        return True
    if receipts.halted and not _PAST_TIME.search(clause) and not re.search(r"(?i)\bpause", clause):
        return False
    return None
