"""Which sentences claim an act that nothing stands behind. Called by agents/grounding.py.

A model acts by its calls alone: it may propose, note, and have things computed. A clause (clauses.py) that asserts an act as done
or under way, or a state of the desk that only an act could have made, is an Act (act_words.py has the kinds). The model's own
(own_acts.py) needs a call of this turn; what is said of anybody needs a record of this turn (act_records.py). A clause with a
modal, a condition, a negation, an instruction or a rule before its verb asserts nothing, nor does a question.
"""

import re
from collections.abc import Iterator

from agents.act_records import (
    DESK,
    FINITE,
    OTHER,
    OVER,
    STATE,
    TURNED,
    Act,
    Receipts,
    did,
    figures_of,
    recorded,
    sets_value,
    subjects_of,
)
from agents.act_words import (
    ACTED_ON,
    ANY_BASE,
    ANY_DONE,
    ANY_ING,
    DESCRIBING,
    DONE_FILL,
    DONE_WORDS,
    FORMS,
    MACHINES,
    NOUN_DONE,
    NOUNS,
    PASSIVE,
    PERSON_ACTS,
    SETTING,
    STANDING,
    STATES,
    SUBJECT_ACTS,
)
from agents.clauses import CONDITION, GENERAL, GIVEN, OPEN, PERFECT, QUESTION, RULE, TICK, clauses, labelled, normal
from agents.own_acts import I_BEFORE, NOTHING, OBJECT, bare_act, is_setting, own_act

__all__ = ["WHY", "Receipts", "unsupported"]

WHY = "no act of this turn and no record it read stands behind this"
_SOURCE = re.compile(r"(?i)\b(?:d|p|al|prop|r)-\w*\d|\b[a-z]{3,}-[a-z]{3,}|\bby (?:the|its|a|your?|[A-Z]\w+)\b|^\W*\d")
_DONE_CELL = re.compile(rf"(?i)\b(?:done|completed?|ok|success(?:ful)?|yes|executed)\W*$|{TICK}")
_TOOL_ACT = re.compile(r"(?i)\b(?:release|place|close|cancel|approve|apply|set|sell|buy|send|pause|reject)_[a-z_]{2,30}")
_ORDERED = re.compile(rf"(?i)(?:\W|(?:please|now|step \d+)\s)*{ANY_BASE.pattern[4:]}(?! (?:is|are|was|has)\b)")
STANDING_VALUE = re.compile(
    rf"(?i)(?:(?:now|already|successfully|fully|been|is)\s+)*(?:{'|'.join(sorted(STANDING, key=len, reverse=True))}"
    rf"|no (?:open )?positions?|{TICK}|(?:{ANY_DONE.pattern[4:]}))(?![\w-])"
)
_BEFORE = frozenset(
    """
    the a an any no each every all of by with for per its this that these those from only most latest last first newly recently
    previously partly fully average total count number in on at than between under over after before his her their our your one
    """.split()  # noqa: SIM905 - words, not a list of strings
)
_PRICE = re.compile(
    r"(?i)\b(?:bars?|candles?|markets?|days?|weeks?|months?|prices?|hours?|tests?|runs?|backtests?|(?:btc|eth|sol)(?= *$)"
    r"|journal|files?|window|span|(?<!-)trend|feed)\s+"
    r"(?:(?:has|have|is|are|was|were|that|just)\s+)*$"
)
_BY_PASSIVE = re.compile(r"(?i)\b(?:is|are|was|were|been|got|being)\s*(?:\w+ly\s*|now\s*)?$")
_IS_NOTE = re.compile(r"(?i)\b(?:notes?|memory|reminder|it|this|preference|inbox|feedback)\b")
_NOTES = re.compile(r"(?i)\s+(?:it|this|that(?! )|in (?:memory|the inbox)|your?|for|to)\b")
_TURNED = re.compile(
    r"(?i)\b(?:once again|again|no longer|any ?more|any longer|once more|from now on|back|gone|history|as of (?:now"
    r"|this (?:bar|moment|minute))|no more|anew)\b"
)
_ENDED = re.compile(r"(?i)\b(?:no longer|any ?more|any longer|gone|history|no more)\b")
_ANY_MORE = re.compile(r"(?i)\bany (?:more|longer)\b|\banymore\b|\bno more\b")
_NOW_IS = re.compile(
    r"(?i)\bnow\s+(?!(?:waits|needs|awaits|depends|remains|means|looks|seems|appears)\b)(?:(?:[a-z]{2,14}s|have|own|hold"
    r"|are)\b|the\b|on\b|in\b)|\b(?:is|are|has|have|runs?"
    r"|trades?|uses?|sits?) now\b|\bhas become\b|\b(?:is|are) [\w ]{1,20} now\W*$|since (?:a moment|just now|this morning)"
    r"|as of this bar"
)


def unsupported(sentence: str, receipts: Receipts) -> bool:
    """Does the sentence claim an act that nothing stands behind?"""
    text = labelled(normal(sentence, FORMS), STANDING_VALUE)
    if re.search(r"(?i):\s*no\W*$", text):
        return False
    asking, conditional, sourced = QUESTION.match(text), CONDITION.match(text), _SOURCE.search(text)
    if _DONE_CELL.search(text) and not OPEN.search(text) and (_TOOL_ACT.search(text) or _ORDERED.match(text)):
        base = ANY_BASE.search(text.replace("_", " "))
        return base is not None and not did(str(base.lastgroup), text, receipts)
    if _is_under_way(text) or sets_value(text, receipts):
        return True
    for clause, elided in clauses(text):
        for act in _asserted(clause, receipts, bare=not (sourced or elided)):
            of_record = act.word == "bare" and (
                act.family == "halt" or figures_of(text)
            )  # `sold 0.12 at 91,204.50` tells of that fill
            if act.own and not did(act.family, text, receipts) and not (of_record and recorded(act, clause, text, receipts)):
                return True
            general = asking or ((conditional or GIVEN.search(clause)) and not PERFECT.search(clause))
            if not act.own and not general and not recorded(act, clause, text, receipts):
                return True
    return False


def _is_under_way(text: str) -> bool:
    """`Selling now`, `releasing ...`, at the end of a sentence that has no other verb for it."""
    for found in ANY_ING.finditer(text):
        lead, rest = text[: found.start()].rstrip(), text[found.end() :]
        alone = not lead or lead[-1] in ",;:.-"
        if (
            alone
            and found.lastgroup not in ("note", "run", "propose", "tell")
            and re.match(r"(?i)(?: (?:it|now|everything|all))*(?:\s*(?:\.{2,}|\u2026)|[.!]*$)", rest)
        ):
            return True
    return False


def _asserted(clause: str, receipts: Receipts, *, bare: bool) -> Iterator[Act]:
    """The acts that a clause asserts as done or under way: the model's own first, then those of anybody."""
    if own := own_act(clause, receipts.people):
        yield Act(own, own=True)
    elif bare and (own := bare_act(clause)):
        yield Act(own, own=True, word="bare")
    if RULE.search(clause) or (GENERAL.match(clause) and not PERFECT.search(clause)):
        return
    for family, state in STATES:
        found = state.search(clause)
        denied = found and family not in ("release", "flat") and re.search(r"(?i)\b(?:not|never)\b", found[0])
        if found and not denied and not OPEN.search(clause[: found.start()]):
            yield Act(family, word=STATE)
    if _all_done(clause):
        yield Act("done")
    yield from _changed_state(clause)
    for found in NOUN_DONE.finditer(clause):
        if not OPEN.search(clause[: found.start()] + " " + found[2]):
            yield Act(NOUNS[found[1].lower()])
    for found in PASSIVE.finditer(clause):
        before, word = clause[: found.start()], found[1].lower()
        if word in DESCRIBING or ANY_DONE.match(clause, found.start(1)) or OPEN.search(before):
            continue
        if ACTED_ON.search(before):
            yield Act(OTHER, word=word)
    for found in ANY_DONE.finditer(clause):
        family, before, after = str(found.lastgroup), clause[: found.start()], clause[found.end() :]
        if family in ("open", "change") and re.search(r"(?i)\bproposal\b[^.]{0,20}$", before):
            family = "propose"
        if family == "change" and re.search(r"(?i)\bhalt (?:\w+ ){1,2}$", before):
            family = "halt"  # `the halt was set`
        if family in ("release", "close") and re.search(r"(?i)\b(?:alert|al-\d+|page)\b", before):
            family = "resolve"
        if re.match(r"(?i)let\b", found[0]) or I_BEFORE.search(before) or NOTHING.match(after):
            continue  # judged as the model's own
        if not OPEN.search(before) and _is_of_the_desk(family, before, after):
            yield Act(family)
    for pattern in (SUBJECT_ACTS, PERSON_ACTS):
        for found in pattern.finditer(clause):
            word = found[2].lower()
            by = found[1].lower() if pattern is PERSON_ACTS else ""
            if by in MACHINES and re.match(
                r"(?i) (?:the|your|a|an|my) (?:\w+ )?(?:orders?|fills?|trades?|requests?|release|sale|purchase)\b",
                clause[found.end() :],
            ):
                yield Act("open")
            if by and by not in receipts.people:
                continue
            known = not by and ANY_DONE.match(clause, found.start(2))
            if word not in DESCRIBING and not known and not OPEN.search(clause[: found.start(2)]):
                yield Act(OTHER, word=by or ("\0" if "-" in found[1] else word))


def _changed_state(clause: str) -> Iterator[Act]:
    """`trades again`, `is no longer pending`, `now has leverage 4`: a state said to be other than before."""
    turned = _TURNED.search(clause) or _NOW_IS.search(clause)
    if not turned or not FINITE.search(clause) or re.match(r"(?i)i\b", clause):
        return
    if not (subjects_of(clause) or DESK.search(clause) or ACTED_ON.search(clause)):
        return
    if re.search(r"(?i)\b(?:must|can|could|would|should|may|might|will|(?<!no longer )needs?)\b", clause) or re.match(
        r"(?i)(?:it|this|that) is (?:your|up to|for|(?:a |now )?(?:quarter|half|\d))\b", clause
    ):
        return
    before = clause[: turned.start()]
    if ended := _ENDED.search(clause):
        before = re.sub(r"(?i)\b(?:not?|there is no)\b", " ", before) if _ANY_MORE.search(clause) else before
    if not OPEN.search(before):
        yield Act(OVER if ended else TURNED, word="again" if _TURNED.search(clause) else "now")


def _all_done(clause: str) -> bool:
    """`Done`, `ok done boss`, `both things are done`: nothing but completion is said."""
    words = re.findall(r"[a-z'-]+|\d", clause.lower())
    return (
        bool(words)
        and len(words) <= 14
        and any(w in DONE_WORDS for w in words)
        and all(w in DONE_WORDS or w in DONE_FILL for w in words)
    )


def _is_of_the_desk(family: str, before: str, after: str) -> bool:
    """Does the verb tell an act here, rather than describe a thing, a price or a run?"""
    if family == "run" or _is_attribute(before, after):
        return False
    if family == "repair" and re.search(r"(?i)\bfeed\s", before):
        return True
    if (
        family in ("close", "open", "halt", "repair")
        and _PRICE.search(before)
        and not re.match(r"(?i)\s+(?:at market|out|for you|by)\b", after)
    ):
        return False
    if family == "change" and not is_setting(before, after) and not (_BY_PASSIVE.search(before) and ACTED_ON.search(before)):
        return False
    if family == "note" and before.strip():
        return _IS_NOTE.search(before) is not None or SETTING.search(before) is not None
    return family != "note" or not after.strip(" .!") or _NOTES.match(after) is not None


def _is_attribute(before: str, after: str) -> bool:
    """`the closed trades`, `Closed trades: 4`, `applied version`: a participle that only describes."""
    previous = before.lower().rsplit(maxsplit=1)[-1] if before.strip() else ""
    noun = re.match(r"\s+[A-Za-z]{2,}", after)
    if re.match(r"(?i)\s+(?:prop|al)-\d", after) or previous == "now":
        return False  # `the approved prop-3`
    if previous in _BEFORE:
        return noun is not None or not after.strip()
    return not re.match(r"[a-z][\w-]*$", previous) and noun is not None and not OBJECT.match(after)
