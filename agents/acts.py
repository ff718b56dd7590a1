"""Which sentences claim an act, and whether a receipt stands behind it. Called by agents/grounding.py.

A model acts by its calls alone: it may propose, note, and have something computed. A clause that asserts an act as done or under
way is an Act (act_words.py has the table of kinds). The model's own needs a call of this turn; one told of anybody needs a
record of this turn: a line of a tool's result with the same act and the same subject. A clause with a modal, a condition, a
negation, an instruction or a rule before its verb asserts nothing, nor does a question.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from agents.act_words import (
    ACTED_ON,
    ANY_BASE,
    ANY_DONE,
    ANY_ING,
    CLAUSE_END,
    DESCRIBING,
    FAMILIES,
    NOUN_DONE,
    NOUNS,
    OWN_VERB,
    PASSIVE,
    READING,
    RECORD,
    SETTING,
    STATES,
)

OTHER = "other"  # an act of no kind in the table
WHY = "no act of this turn and no record it read stands behind this"
TRADES = ("buy", "sell", "close", "open")


class Act(NamedTuple):
    """An act that a clause asserts: its kind, whether the model claims it for itself, and the word when no kind has it."""

    family: str
    own: bool = False
    word: str = ""


# ---- person: the model itself, and the words that may stand between it and its verb
_FIRST = re.compile(
    r"(?i)\b(?:i|we|nightdesk|the (?:assistant|operator|developer|advisor|agent))(?:\s*['\u2019](?:ve|m|re|ll|d))?"
    r"((?:\s+(?:have|had|am|are|was|just|now|also|then|went|gone|going|ahead|and|to|will|shall|did|do|hereby|been|managed"
    r"|able|(?:took|taken) the liberty of|has|since|once|again|in fact|thus|right away|[a-z]{2,12}ly|already)\b){0,8})\s+"
)
_ASK = re.compile(
    r"(?i)(?:shall|should|can|could|may|might|would|must|do|did|have|has|will|if|when|whether|unless|until|that)\s+$"
)
_PROMISE = re.compile(r"(?i)\b(?:will|shall|going|managed|able|did)\b|['\u2019]ll\b")
_UNDER_WAY = re.compile(r"(?i)\b(?:going|liberty|am|are)\b|['\u2019](?:m|re)\b")
_ANNOUNCED = re.compile(r"(?i)\b(?:while i|let me|allow me to)\s+")
_BY_ANOTHER = re.compile(r"(?i)\b(?:i|we)(?: have|['\u2019]ve)? (?:had|got|made)\s+(?:the\s+)?(?!to\b)[a-z-]+\s+(?:to\s+)?")
_NOTHING = re.compile(r"(?i)\s+(?:nothing|no|none|neither|not|nobody)\b")
_IDLE = re.compile(
    r"(?i)\s+(?:(?:the|this|these|that|an?|no|my|its?|their|both|two|some)\s+)?(?:\w+\s+)?(?:results?|figures?|answers?"
    r"|data|numbers?"
    r"|errors?|look|account|note|care|time|mistakes?|assumptions?|comparisons?|sure|use|sense|through|over|back to|table"
    r"|list|summary"
    r"|point|as given)\b"
)
# ---- mood and polarity: words before a verb after which nothing is asserted
_OPEN_END = re.compile(
    r"(?i)\b(?:can|could|may|might|must|should|would|will|shall|if|when|whenever|unless|until|till|once|before|after"
    r"|whether|not|never"
    r"|nothing|nobody|no one|none|no|neither|nor|cannot|without|how|why|who|please|let|need|needs|wait|waits|waiting"
    r"|unable|yet|only"
    r"|failed|refuses?|refused|rather than|instead of|hardly|cancel|where|say|says|asked|requested|expects?|want|wants|suggest"
    r"|suggests|recommend|recommends|plan|plans|consider|propose|proposes|you asked)\b|n['\u2019]t\b"
    r"|\bto\s+(?:be\s+|have\s+|get\s+)?(?:\w+ly\s+)?$"
)
_RULE = re.compile(
    r"(?i)\b(?:is|are|be|gets?)\s+\w+\s+(?:only\s+)?by\s+(?:a|an|any|one|people|the)\b"
    r"|\b(?:by hand|yourself|by a person only|only by|never by|at the earliest|each time|every time|usually|always)\b"
)
_CONDITION = re.compile(r"(?i)(?:if|once|when|whenever|unless|until|as soon as|after a|each time)\b")
_GIVEN = re.compile(
    r"(?i)\b(?:is|are|gets?)\s+(?:only\s+)?\w+\s+(?:only\s+)?(?:if|once|when|whenever|unless|until|after (?!you))\b"
)
_PERFECT = re.compile(r"(?i)\b(?:has|have|was|were|been|now|just)\b|['\u2019](?:s|ve)\b")
_SIMULATED = re.compile(
    r"(?i)\W*(?:in )?(?:the |both |each )?(?:back-?tests?|simulations?|(?:the|both|each) (?:\w+ )?(?:runs?|variants?"
    r"|strateg(?:y|ies)))\b"
)
# ---- object class: what makes a common word an act of the desk
_BEFORE = frozenset(
    """
    the a an any no each every all of by with for per its this that these those from only most latest last first newly recently
    previously partly fully average total count number in on at than between under over after before his her their our your
    """.split()  # noqa: SIM905 - words, not a list of strings
)
_OBJECT = re.compile(
    r"(?i)\s+(?:the|a|an|your|its|all|both|every|everything|my|our|that|this|it|them|out|you|him|to|at|by|for|with|from"
    r"|as|on|in|now"
    r"|trading|successfully|already|\$?[-+]?\d|[a-z]+-[a-z0-9]|[a-z]{1,40}_\w|[A-Z]{3,5}\b|BTC|ETH|SOL|half|one|two|three)"
)
_PRICE = re.compile(
    r"(?i)\b(?:bars?|candles?|markets?|days?|weeks?|months?|prices?|hours?|btc|eth|sol|journal|files?|window|span)\s+"
    r"(?:(?:has|have|is|are|was|were|that|just)\s+)*$"
)
_AUXILIARY = re.compile(r"(?i)(?:\b(?:is|are|was|were|been|now|got)|['\u2019]s)\s*(?:\w+ly\s*)?$")
_HEAD = re.compile(
    r"(?i)(?:^|\s)(?:stop|limit|leverage|config(?:uration)?|threshold|target|guardrail|setting|position)s?\s*(?:(?:is|are"
    r"|was|were|has been|have been)\s*)?$"
)
# ---- subject and tense: which record may show it
_SUBJECT = re.compile(
    r"(?i)\b[a-z]+-\d[\w-]*|\b(?:prop|al|d|p|r|v)-?\d+\b|\b[a-z]{2,}(?:-[a-z0-9]+)+\b|\b(?:btc|eth|sol|xrp|bnb)\b"
)
_SOURCE = re.compile(r"(?i)\b(?:d|p|al|prop|r)-\w*\d|\b[a-z]{3,}-[a-z]{3,}|\bby (?:the|its|a|your?|[A-Z]\w+)\b|^\W*\d")
_PAST_TIME = re.compile(r"(?i)\b(?:was|were|had been)\b")
_FRESH = re.compile(r"(?i)\b(?:has|have|is|are|now|just|took effect)\b|['\u2019](?:s|re|ve|m)\b|^\W*(?:\w+\s+){0,3}\w+\W*$")
_FRESH_ALWAYS = re.compile(r"(?i)\b(?:successfully|new|newly|immediately|instantly|for you|as requested|on your behalf|today)\b")
_THING = re.compile(
    r"(?i)(?<![a-z])(?:orders?|alerts?|positions?|notes?|proposals?|stops?|workers?|breakers?|configurations?|entry"
    r"|entries|limits?"
    r"|leverage|sleeves?|halts?|versions?|teams?|pages?|exposure)(?![a-z_-])|\b\w{1,40}_\w+"
)
_WHOLE = re.compile(r"(?i)\b(?:all|every|everything|both|any|entire|whole)\b")
_GENERAL = re.compile(r"(?i)\b(?:trades?|trips?|fills?)\b")
_OF_NOW = re.compile(r"(?i)\b(?:positions?|orders?|everything|all|now|just|proposals?|your?)\b")
_QUOTED = re.compile(r"\"[^\"\n]{0,2000}\"|(?<=HALTED )\([^)\n]{0,400}\)")
_MARKUP = re.compile(r"[*`#>~]|(?<!\w)_|_(?!\w)|^\s*(?:[-+]|\d{1,3}[.)])\s+")
_DONE_CELL = re.compile(r"(?i)(?:done|completed?|ok|success(?:ful)?)\W*$")
_NOW = re.compile(r"(?i)\b(?:now|as we speak|for you|right away)\W*$")
_HYPOTHETICAL = re.compile(r"(?i)\b(?:would|could|may|might|is|has|was)\b")
_IS_NOTE = re.compile(r"(?i)\b(?:notes?|memory|reminder|it|this|preference|inbox|feedback)\b")
_NOTES = re.compile(r"(?i)\s+(?:it|this|that(?! )|in (?:memory|the inbox)|your?|for)\b")


@dataclass(frozen=True, slots=True)
class Receipts:
    """What can support a claimed act: acts of this turn (propose, note, run), lines that tools recorded, the latch now."""

    own: frozenset[str] = frozenset()
    records: Sequence[str] = ()
    halted: bool | None = None
    earlier: Sequence[str] = ()  # ids of proposals that earlier turns of the thread made
    refused: bool = False  # some call of this turn was refused or failed
    shown: dict[str, tuple[frozenset[str], ...]] = field(init=False)  # family -> the subjects of each line that shows it
    general: tuple[frozenset[str], ...] = field(init=False)

    def __post_init__(self) -> None:
        """Read the records once; what people wrote inside them in quotes is none."""
        lines = [_QUOTED.sub(" ", line) for text in self.records for line in text.splitlines()]
        subjects = [(line, subjects_of(line) | things_of(line)) for line in lines if line.strip()]
        shown = {name: tuple(s for line, s in subjects if found.search(line)) for name, found in RECORD.items()}
        object.__setattr__(self, "shown", shown)
        object.__setattr__(self, "general", tuple(s for line, s in subjects if _GENERAL.search(line)))


def subjects_of(text: str) -> frozenset[str]:
    """What a sentence is about: ids, names of sleeves and instruments, coins; in lower case."""
    found = {part.lower() for part in _SUBJECT.findall(text)}
    return frozenset(found | {coin for part in found if (coin := part.partition("-")[0]) in ("btc", "eth", "sol", "xrp", "bnb")})


def things_of(text: str) -> frozenset[str]:
    """The kinds of things a sentence speaks of, when it names none of them: order, alert, stop."""
    return frozenset(word.lower().removesuffix("s") for word in _THING.findall(text))


def unsupported(sentence: str, receipts: Receipts) -> bool:
    """Does the sentence claim an act that nothing stands behind?"""
    plain = _MARKUP.sub(" ", sentence).strip()
    asking, conditional, sourced = plain.endswith("?"), _CONDITION.match(plain), _SOURCE.search(plain)
    if _DONE_CELL.search(plain) and (base := ANY_BASE.search(plain)) and not _OPEN_END.search(plain):
        return not _did(str(base.lastgroup), plain, receipts)
    for clause, elided in _clauses(plain):
        for act in _asserted(clause, bare=not (sourced or elided)):
            if act.own and not _did(act.family, plain, receipts):
                return True
            general = asking or ((conditional or _GIVEN.search(clause)) and not _PERFECT.search(clause))
            if not act.own and not general and not _recorded(act, clause, plain, receipts):
                return True
    return False


def _clauses(text: str) -> Iterator[tuple[str, bool]]:
    """Each clause, and whether `and` or the like joins it to the one before, whose subject it may share."""
    start, joined = 0, False
    for found in CLAUSE_END.finditer(text):
        if text[start : found.start()].strip():
            yield text[start : found.start()].strip(), joined
        start, joined = found.end(), found[0].strip().isalpha()
    if text[start:].strip():
        yield text[start:].strip(), joined


def _asserted(clause: str, *, bare: bool) -> Iterator[Act]:
    """The acts that a clause asserts as done or under way: the model's own first, then those of anybody."""
    own = _own_act(clause) or (_bare_act(clause) if bare else "")
    if own:
        yield Act(own, own=True)
    for family, state in STATES:
        found = state.search(clause)
        if found and not _OPEN_END.search(clause[: found.start()]):
            yield Act(family)
    for found in NOUN_DONE.finditer(clause):
        if not _OPEN_END.search(clause[: found.start()]):
            yield Act(NOUNS[found[1].lower()])
    if _RULE.search(clause):
        return
    for found in PASSIVE.finditer(clause):
        before, word = clause[: found.start()], found[1].lower()
        if word in DESCRIBING or ANY_DONE.match(clause, found.start(1)) or _OPEN_END.search(before):
            continue
        if ACTED_ON.search(before):
            yield Act(OTHER, word=word)
    for found in ANY_DONE.finditer(clause):
        family, before, after = str(found.lastgroup), clause[: found.start()], clause[found.end() :]
        if not _OPEN_END.search(before) and _is_of_the_desk(family, before, after):
            yield Act(family)


def _own_act(clause: str) -> str:
    """The kind of an act that the clause claims for the model itself; empty for none."""
    for found in _FIRST.finditer(clause):
        at = found.end()
        if _ASK.search(clause[: found.start()]):
            continue
        done = ANY_DONE.match(clause, at)
        if done and _NOTHING.match(clause, done.end()):
            continue
        if done and not (done.lastgroup == "note" and re.match(r"(?i)noted (?:that|above|earlier|how|in)\b", clause[at:])):
            return str(done.lastgroup)
        verb = OWN_VERB.match(clause, at)
        if verb and _is_own_act(verb, clause):
            return OTHER
        if (base := ANY_BASE.match(clause, at)) and _PROMISE.search(found[0]):
            return str(base.lastgroup)
        if (ing := ANY_ING.match(clause, at)) and (_UNDER_WAY.search(found[0]) or _PROMISE.search(found[0])):
            return str(ing.lastgroup)
    another, announced = _BY_ANOTHER.search(clause), _ANNOUNCED.search(clause)
    if another and any(forms.match(clause, another.end()) for forms in (ANY_BASE, ANY_DONE)):
        return OTHER
    base = ANY_BASE.match(clause, announced.end()) if announced else None
    if base and base.lastgroup not in ("note", "tell", "propose", "run", "open", "change") and _OBJECT.match(clause, base.end()):
        return str(base.lastgroup)
    return ""


def _is_own_act(verb: re.Match[str], clause: str) -> bool:
    """Is a verb in the first person more than reading, thinking or speaking, and was anything its object?"""
    word, rest = verb[1].lower(), clause[verb.end() :]
    if word in READING or _NOTHING.match(rest):
        return False
    return word not in ("got", "took", "made", "put", "went", "done") or _IDLE.match(rest) is None


def _bare_act(clause: str) -> str:
    """`Closed the position`, `Closing it now`: said without a subject it is the model's own."""
    ing = ANY_ING.match(clause)
    if ing and _NOW.search(clause) and not _HYPOTHETICAL.search(clause):
        return str(ing.lastgroup)
    found = ANY_DONE.match(clause)
    if not found or found.lastgroup in ("note", "run") or not _OBJECT.match(clause[found.end() :]):
        return ""
    if found.lastgroup == "change" and not (_is_setting("", clause[found.end() :]) and _FRESH_ALWAYS.search(clause)):
        return ""  # `set stop_atr to 3` may be an instruction
    return str(found.lastgroup)


def _is_of_the_desk(family: str, before: str, after: str) -> bool:
    """Does the verb tell an act here, rather than describe a thing, a price or a run?"""
    if family == "run" or _is_attribute(before, after):
        return False
    if family in ("close", "open") and _PRICE.search(before):
        return False
    if family == "change" and not _is_setting(before, after):
        return False
    if family == "note" and before.strip():
        return _IS_NOTE.search(before) is not None
    return family != "note" or not after.strip(" .!") or _NOTES.match(after) is not None


def _is_attribute(before: str, after: str) -> bool:
    """`the closed trades`, `Closed trades: 4`, `applied version`: a participle that only describes."""
    previous = before.lower().rsplit(maxsplit=1)[-1] if before.strip() else ""
    noun = re.match(r"\s+[A-Za-z]{2,}", after)
    if previous in _BEFORE:
        return noun is not None or not after.strip()
    return not previous.isalpha() and noun is not None and not _OBJECT.match(after)


def _is_setting(before: str, after: str) -> bool:
    """Words as common as `changed` claim an act of a setting only, in the passive or at the start."""
    if _HEAD.search(before):
        return True
    if not (SETTING.search(before) or SETTING.search(after)):
        return False
    return not before.strip() or _AUXILIARY.search(before) is not None


def _did(family: str, sentence: str, receipts: Receipts) -> bool:
    """Did this turn, or, for a proposal named by its id, an earlier one, do that?"""
    own = FAMILIES[family].own if family != OTHER else ""
    if own == "propose" and any(known in sentence for known in receipts.earlier):
        return True
    return bool(own) and own in receipts.own


def _recorded(act: Act, clause: str, sentence: str, receipts: Receipts) -> bool:
    """Does a record of this turn, or an act of it, say the same?"""
    family = act.family
    if family == OTHER:
        return any(act.word in line.lower() for text in receipts.records for line in text.splitlines())
    if family == "done":
        return bool(receipts.own) and not receipts.refused
    if family == "note":
        return "note" in receipts.own
    if family == "propose" and (family in receipts.own or any(known in sentence for known in receipts.earlier)):
        return True
    if family in TRADES and "run" in receipts.own and _SIMULATED.match(sentence):
        return True
    if family in ("release", "halt") and (latch := _of_latch(family, clause, receipts)) is not None:
        return latch
    about, lines = subjects_of(sentence), receipts.shown[family]
    if _WHOLE.search(clause) and family in (*TRADES[:3], "cancel", "release"):
        return False
    fresh = _FRESH_ALWAYS.search(clause) or (_FRESH.search(clause) and not _PAST_TIME.search(clause))
    if not about and fresh:
        return False  # of nothing that is named, and as news: no record can be matched to it
    things = frozenset[str]() if about else things_of(sentence)
    if any(about & line if about else not things or things & line for line in lines):
        return True
    if family in TRADES and not fresh and not _OF_NOW.search(clause):
        return any(not about or about & line for line in receipts.general)
    return False


def _of_latch(family: str, clause: str, receipts: Receipts) -> bool | None:
    """What the latch alone decides about `the desk is halted` and `the halt is lifted`; None where it does not."""
    if family == "halt":
        return True if receipts.halted and re.search(r"(?i)\bhalted\b", clause) else None
    if receipts.halted and not _PAST_TIME.search(clause) and not re.search(r"(?i)\bpause", clause):
        return False
    return None
