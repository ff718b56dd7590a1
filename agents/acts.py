"""Which sentences claim an act, and whether a receipt stands behind it. Called by agents/grounding.py.

A model acts by its calls alone: it may propose, note, and have something computed. So `I released the halt` is never true,
`I proposed it` is true after a proposal of this turn, and `the position was closed` is true when a record of this turn says so:
a line of a tool's result with the same act and the same subject. Instructions, questions, conditions, negations and what a
person must do are no claims.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from agents.act_words import (
    ACTED_ON,
    ANY_DONE,
    BASE,
    CLAUSE_END,
    DESCRIBING,
    FAMILIES,
    OWN_VERB,
    PASSIVE,
    READING,
    RECORD,
    SETTING,
    STATES,
)

OTHER = "other"  # an act of no family
_NOTHING = re.compile(r"(?i)\s+(?:nothing|no|none|neither|not|nobody)\b")
_IDLE = re.compile(
    r"(?i)\s+(?:(?:the|this|these|that|an?|no|my|its?|their|both|two|some)\s+)?(?:\w+\s+)?(?:results?|figures?"
    r"|answers?|data|numbers?|errors?"
    r"|look|account|note|care|time|mistakes?|assumptions?|comparisons?|sure|use|sense|through|over|back to|table|list"
    r"|summary|point|as given)\b"
)
WHY = "no act of this turn and no record it read stands behind this"


_FIRST = re.compile(
    r"(?i)\b(?:i|we|nightdesk|the (?:assistant|operator|developer|advisor|agent))(?:\s*['\u2019](?:ve|m|re|ll|d))?"
    r"((?:\s+(?:have|had|am|are|was|just|already|now|also|then|went|gone|going|ahead|and|to|will|shall|did|do|hereby"
    r"|successfully"
    r"|immediately|duly|been|managed|able|took|taken|the|liberty|of|finally|safely|manually|quickly|has|promptly"
    r"|since|once|again"
    r"|simply|actually|in fact|temporarily|carefully|formally|accordingly|therefore|thus|right away)\b){0,8})\s+"
)
_ASK = re.compile(
    r"(?i)(?:shall|should|can|could|may|might|would|must|do|did|have|has|will|if|when|whether|unless|until|that)\s+$"
)
_WILL = re.compile(r"(?i)\b(?:will|shall|going|managed|able|did|liberty)\b|['\u2019](?:ll|m|re)\b|\bam\b|\bare\b")
_OPEN_END = re.compile(
    r"(?i)\b(?:can|could|may|might|must|should|would|will|shall|if|when|whenever|unless|until|till|once|before"
    r"|after|whether|not|never"
    r"|nothing|nobody|no one|none|no|neither|nor|cannot|without|how|why|who|please|let|need|needs|wait|waits|waiting"
    r"|unable|yet|only"
    r"|failed|refuses?|refused|rather than|instead of|hardly|cancel|where|say|says|asked|requested|expects?|want"
    r"|wants|suggest|suggests"
    r"|recommend|recommends|plan|plans|consider|propose|proposes|you asked)\b|n['\u2019]t\b|\bto\s+(?:be\s+|have\s+"
    r"|get\s+)?(?:\w+ly\s+)?$"
)
_GENERIC = re.compile(
    r"(?i)\b(?:is|are|be|gets?)\s+\w+\s+(?:only\s+)?by\s+(?:a|an|any|one|people|the)\b(?:\s+(?:named|person|human|operator))*"
)
_LATER = re.compile(
    r"(?i)\b(?:by hand|yourself|by a person only|only by|never by|at the earliest|each time|every time|usually|always)\b"
)
_BEFORE = frozenset(
    [
        "the",
        "a",
        "an",
        "any",
        "no",
        "each",
        "every",
        "all",
        "of",
        "by",
        "with",
        "for",
        "per",
        "its",
        "this",
        "that",
        "these",
        "those",
        "from",
        "only",
        "most",
        "latest",
        "last",
        "first",
        "newly",
        "recently",
        "previously",
        "partly",
        "fully",
        "average",
        "total",
        "count",
        "number",
        "in",
        "on",
        "at",
        "than",
        "between",
        "under",
        "over",
        "after",
        "before",
        "his",
        "her",
        "their",
        "our",
        "your",
    ]
)
_OBJECT = re.compile(
    r"(?i)\s+(?:the|a|an|your|its|all|both|every|everything|my|our|that|this|it|them|out|you|him|to|at|by|for|with"
    r"|from|as|on|in|now"
    r"|trading|successfully|already|\$?[-+]?\d|[a-z]+-[a-z0-9]|[A-Z]{3,5}\b|BTC|ETH|SOL|half|one|two|three)"
)
_PRICE = re.compile(
    r"(?i)\b(?:bars?|candles?|markets?|days?|weeks?|months?|prices?|hours?|btc|eth|sol|journal|files?|window|span)\s+"
    r"(?:(?:has|have|is|are|was|were|that|just)\s+)*$"
)
_PAST_TIME = re.compile(r"(?i)\b(?:was|were|had been)\b")
_AUXILIARY = re.compile(r"(?i)(?:\b(?:is|are|was|were|been|now|got)|['\u2019]s)\s*(?:\w+ly\s*)?$")
_HEAD = re.compile(r"(?i)(?:^|\s)(?:stop|limit|leverage|config(?:uration)?|threshold|target|guardrail|setting)s?\s*$")
_SUBJECT = re.compile(
    r"(?i)\b[a-z]+-\d[\w-]*|\b(?:prop|al|d|p|r|v)-?\d+\b|\b[a-z]{2,}(?:-[a-z0-9]+)+\b|\b(?:btc|eth|sol|xrp|bnb)\b"
)
_SOURCE = re.compile(r"(?i)\b(?:d|p|al|prop|r)-\w*\d|\b[a-z]{3,}-[a-z]{3,}|\bby (?:the|its|a|your?|[A-Z]\w+)\b|^\W*\d")
_FRESH = re.compile(r"(?i)\b(?:has|have|is|are|now|just|took effect)\b|['\u2019]s\b|^\W*(?:\w+\s+){0,3}\w+\W*$")
_FRESH_ALWAYS = re.compile(
    r"(?i)\b(?:successfully|new|newly|immediately|instantly|for you|as requested"
    r"|on your behalf|today)\b"
)
_CONDITION = re.compile(r"(?i)(?:if|once|when|whenever|unless|until|as soon as|after a|each time)\b")
_GIVEN = re.compile(
    r"(?i)\b(?:is|are|gets?)\s+(?:only\s+)?\w+\s+(?:only\s+)?(?:if|once|when|whenever|unless|until|after (?!you))\b"
)
_PERFECT = re.compile(r"(?i)\b(?:has|have|was|were|been|now|just)\b|['\u2019](?:s|ve)\b")
_THING = re.compile(
    r"(?i)(?<![a-z])(?:orders?|alerts?|positions?|notes?|proposals?|stops?|workers?|breakers?|configurations?|entry"
    r"|entries|limits?|leverage"
    r"|sleeves?|halts?|versions?|teams?|pages?|exposure)(?![a-z-])"
)
_WHOLE = re.compile(r"(?i)\b(?:all|every|everything|both|any|entire|whole)\b")
_GENERAL = re.compile(r"(?i)\b(?:trades?|trips?|fills?)\b")
_OF_NOW = re.compile(r"(?i)\b(?:positions?|orders?|everything|all|now|just|proposals?|your?)\b")
_QUOTED = re.compile(r"\"[^\"\n]{0,2000}\"|(?<=HALTED )\([^)\n]{0,400}\)")
_MARKUP = re.compile(r"[*_`#>~]|^\s*(?:[-+]|\d{1,3}[.)])\s+")


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
    asking, conditional = plain.endswith("?"), _CONDITION.match(plain) is not None
    for clause in _clauses(plain):
        own = _own_act(clause) or ("" if _SOURCE.search(plain) else _bare_act(clause))
        if own and not _did(own, plain, receipts):
            return True
        general = (conditional or _GIVEN.search(clause)) and not _PERFECT.search(clause)
        if not asking and not general and any(not _recorded(family, clause, plain, receipts) for family in _told_acts(clause)):
            return True
    return False


def _clauses(text: str) -> Iterable[str]:
    start = 0
    for found in CLAUSE_END.finditer(text):
        if text[start : found.start()].strip():
            yield text[start : found.start()].strip()
        start = found.end()
    if text[start:].strip():
        yield text[start:].strip()


def _own_act(clause: str) -> str:
    """The family of an act that the clause claims for the model itself; empty for none."""
    for found in _FIRST.finditer(clause):
        if _ASK.search(clause[: found.start()]):
            continue
        done = ANY_DONE.match(clause, found.end())
        if done and _NOTHING.match(clause, done.end()):
            continue
        if done and not (
            done.lastgroup == "note" and re.match(r"(?i)noted (?:that|above|earlier|how|in)\b", clause[found.end() :])
        ):
            return str(done.lastgroup)
        verb = OWN_VERB.match(clause, found.end())
        if verb and _is_own_act(verb, clause):
            return OTHER
        base = BASE.match(clause, found.end())
        if base and re.search(r"(?i)\b(?:will|shall|going|managed|able|did)\b|['\u2019]ll\b", found[0]):
            return str(base.lastgroup)
        if _WILL.search(found[0]) and (going := re.match(r"(?i)([a-z]+?)(?:ing)\b", clause[found.end() :])):
            stem = going[1]
            tries = (stem, stem + "e", stem[:-1])
            return next((str(b.lastgroup) for t in tries if (b := BASE.fullmatch(t))), "")
    return ""


def _is_own_act(verb: re.Match[str], clause: str) -> bool:
    """Is a verb in the first person more than reading, thinking or speaking, and was anything its object?"""
    word, rest = verb[1].lower(), clause[verb.end() :]
    if word in READING or _NOTHING.match(rest):
        return False
    if word in ("got", "took", "made", "put", "went", "done"):
        return _IDLE.match(rest) is None
    return True


def _bare_act(clause: str) -> str:
    """`Closed the position`: said without a subject it is the model's own."""
    found = ANY_DONE.match(clause)
    if not found or found.lastgroup in ("note", "run") or not _OBJECT.match(clause[found.end() :]):
        return ""
    if found.lastgroup == "change" and not (_is_setting("", clause[found.end() :]) and _FRESH_ALWAYS.search(clause)):
        return ""  # `set stop_atr to 3` may be an instruction
    return str(found.lastgroup)


def _did(family: str, sentence: str, receipts: Receipts) -> bool:
    """Did this turn, or, for a proposal named by its id, an earlier one, do that?"""
    if family == OTHER:
        return False
    own = FAMILIES[family].own
    if own == "propose" and any(known in sentence for known in receipts.earlier):
        return True
    if family == "tell" and "note" in receipts.own:
        return False
    return bool(own) and own in receipts.own


def _told_acts(clause: str) -> Iterable[str]:
    """The families of acts that the clause tells as done, by whomever."""
    for family, state in STATES:
        found = state.search(clause)
        if found and not _OPEN_END.search(clause[: found.start()]):
            yield family
    for found in PASSIVE.finditer(clause):
        before = clause[: found.start()]
        if found[1].lower() in DESCRIBING or ANY_DONE.fullmatch(found[1]) or not ACTED_ON.search(before):
            continue
        if not (_OPEN_END.search(before) or _GENERIC.search(clause) or _LATER.search(clause)):
            yield f"{OTHER} {found[1].lower()}"
    for found in ANY_DONE.finditer(clause):
        before, after = clause[: found.start()], clause[found.end() :]
        family = str(found.lastgroup)
        if _OPEN_END.search(before) or _GENERIC.search(clause) or _LATER.search(clause) or _is_attribute(before, after):
            continue
        if family in ("close", "open") and _PRICE.search(before):
            continue
        if family == "change" and not _is_setting(before, after):
            continue
        if family == "note" and not _is_note(before, after):
            continue
        if family != "run":
            yield family


def _is_attribute(before: str, after: str) -> bool:
    """`the closed trades`, `Closed trades: 4`, `applied version`: a participle that only describes."""
    previous = before.lower().rsplit(maxsplit=1)[-1] if before.strip() else ""
    noun = re.match(r"\s+[A-Za-z]{2,}", after)
    if previous in _BEFORE:
        return noun is not None or not after.strip()
    return not previous and noun is not None and not _OBJECT.match(after)


def _is_setting(before: str, after: str) -> bool:
    """Words as common as `changed` claim an act of a setting only, in the passive or at the start."""
    if not (SETTING.search(before) or SETTING.search(after)):
        return False
    if _HEAD.search(before):
        return True
    return not before.strip() or _AUXILIARY.search(before) is not None


def _is_note(before: str, after: str) -> bool:
    """`Noted.` and `a note was saved` claim one; `recorded bars` and `as noted above` do not."""
    if not before.strip():
        return (
            not after.strip(" .!")
            or re.match(r"(?i)\s+(?:it|this|that(?! )|in (?:memory|the inbox)|your?|for)\b", after) is not None
        )
    return re.search(r"(?i)\b(?:notes?|memory|reminder|it|this|preference|inbox|feedback)\b", before) is not None


def _recorded(family: str, clause: str, sentence: str, receipts: Receipts) -> bool:
    """Does a record of this turn, or an act of it, say the same?"""
    if family == "flat":
        return False
    if family.startswith(OTHER):
        word = family.removeprefix(OTHER).strip()
        return any(word in line.lower() for text in receipts.records for line in text.splitlines())
    if family == "done":
        return bool(receipts.own) and not receipts.refused
    if family == "note":
        return "note" in receipts.own
    if family == "propose" and (family in receipts.own or any(known in sentence for known in receipts.earlier)):
        return True
    if family in ("release", "halt") and (latch := _of_latch(family, clause, receipts)) is not None:
        return latch
    about = subjects_of(sentence)
    lines = receipts.shown[family]
    if _WHOLE.search(clause) and family in ("close", "sell", "buy", "cancel", "release"):
        return False
    fresh = _FRESH_ALWAYS.search(clause) or (_FRESH.search(clause) and not _PAST_TIME.search(clause))
    if not about and fresh:
        return False  # of nothing that is named, and as news: no record can be matched to it
    things = frozenset() if about else things_of(sentence)
    if any(about & line if about else not things or things & line for line in lines):
        return True
    if family in ("buy", "sell", "close", "open") and not fresh and not _OF_NOW.search(clause):
        return any(not about or about & line for line in receipts.general)
    return False


def _of_latch(family: str, clause: str, receipts: Receipts) -> bool | None:
    """What the latch alone decides about `the desk is halted` and `the halt is lifted`; None where it does not."""
    if family == "halt":
        return True if receipts.halted and re.search(r"(?i)\bhalted\b", clause) else None
    if receipts.halted and not _PAST_TIME.search(clause) and not re.search(r"(?i)\bpause", clause):
        return False
    return None
