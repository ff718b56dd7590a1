"""Which sentences claim an act that nothing stands behind. Called by agents/grounding.py.

A model acts by its calls alone: it may propose, note, and have things computed. A clause (clauses.py) that asserts an act as done
or under way, or a state of the desk that only an act could have made, is an Act (act_words.py has the kinds). The model's own
(own_acts.py) needs a call of this turn; what is said of anybody needs a record of this turn (act_records.py). A clause with a
modal, a condition, a negation, an instruction or a rule before its verb asserts nothing, nor does a question.
"""

import re
from collections.abc import Iterator, Sequence

from agents import act_words as words
from agents.act_records import (
    DESK,
    FINITE,
    OTHER,
    OVER,
    SIMULATED,
    STATE,
    TURNED,
    Act,
    Receipts,
    did,
    figures_of,
    recorded,
    subjects_of,
)
from agents.act_words import ACTED_ON, ANY_BASE, ANY_DONE, FUNCTION, NOUNS, PAST, SETTING
from agents.clauses import CONDITION, GENERAL, GIVEN, MODAL, OPEN, PERFECT, QUESTION, RULE, TICK, clauses, labelled, normal
from agents.number_words import in_digits
from agents.own_acts import I_BEFORE, NOTHING, OBJECT, bare_act, is_setting, own_act
from agents.standing import is_so, sets_value, standings

__all__ = ["WHY", "Receipts", "unsupported"]

WHY = "no act of this turn and no record it read stands behind this"
_SOURCE = re.compile(r"(?i)\b(?:d|p|al|prop|r)-\w*\d|\b[a-z]{3,}-[a-z]{3,}|\bby (?:the|its|a|your?|[A-Z]\w+)\b|^\W*\d")
# `release halt: done`, `- [x] close ETH`
_DONE_CELL = re.compile(rf"(?i)\b(?:done|completed?|ok|success(?:ful)?|yes|executed)\W*$|{TICK}")
_ORDERED = re.compile(
    rf"(?i)(?:.*\baction is |.*\baction: |\W|(?:please|now|step \d+)\s)*{ANY_BASE.pattern[4:]}(?! (?:is|are|was|has)\b)"
)
STANDING_VALUE = re.compile(
    rf"(?i)(?:(?:now|already|successfully|fully|been|is)\s+)*(?:{'|'.join(sorted(words.STANDING, key=len, reverse=True))}"
    rf"|no (?:open )?positions?|{TICK}|(?:{ANY_DONE.pattern[4:]}))(?![\w-])"
)
_BEFORE = frozenset(
    """
    the a an any no each every all of by with for per its this that these those from only most latest last first newly
    recently previously partly fully average total count number in on at than between under over after before his her their
    our your one
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
    r"|trades?|uses?|sits?) now\b|\bhas become\b|\b(?:is|are) [\w ]{1,20}(?<!right) now\W*$|since (?:a moment|just now"
    r"|this morning)"
    r"|as of this bar"
)

_ADVERBS = (
    r"(?:(?:now|still|already|just|currently|fully|all|both|again|only|yet|then|also|even|finally|completely|has|have|had|was"
    r"|were|is"
    r"|been|got|gets|[a-z]+ly)\s+)*"
)
_NAME = (
    r"(?!(?:it|he|she|they|that|this|which|who|what|there|here|one|both|all|each|none|you|we)\b)"
    r"([a-z]{2,20}(?<!s)(?<!ing)(?<!ion)(?<!ed))"
)
_PERSON = re.compile(rf"\W*{_NAME}\s+{_ADVERBS}$")
_PERSON_DOES = re.compile(
    rf"\W*{_NAME}\s+(?:now |still |also |already )?([a-z]{{3,}}s|has(?! (?:already |just |also |now |\w+ly )?(?:not|been|never"
    rf"|yet|{PAST.pattern[4:]})))\b(?<!ss)"
)
_PRONOUN = re.compile(
    r"(?i)\W*(?:it|this|that|they|he|she|some(?:one|body)|every(?:one|body|thing)|all|both|which|who|these|those)\b"
)
# what a figure, a price or a text does is no act; whether the figure is so, grounding asks
_OF_FIGURES = re.compile(
    r"(?i)\b(?:sharpe|sortino|calmar|draw-?downs?|equity|fees?|funding|slippage|returns?|rate|p\s?&\s?l|pnl|profits?"
    r"|loss(?:es)?|losers?"
    r"|winners?|ratio|factor|volatility|prices?|markets?|interval|differences?|results?|figures?|numbers?|questions?|answers?"
    r"|reasons?"
    r"|costs?|losing|winning|trips?|evidence|verdict|version \d+ (?:is|was)|page (?:is|was))\b"
)
_LABELS = re.compile(rf"(?i)(?:\w+ )?(?:{ACTED_ON.pattern[4:]}|bars|worker|feed|data|entries|mode)s?(?: status| state)?")
DENIED = "denied"
# what is decided once: denied of a thing of which a record shows it, it is untrue
_DECISIVE = ("approve", "apply", "reject", "acknowledge", "resolve")
_DENIED = re.compile(r"(?i)\b(?:prop|al)-\d+ (?:\w+ )?(?:(?:was|were|has|have|is) )?(?:not|never|yet to be)\b")
_DESCRIPTIVE = re.compile(r"(?:able|ible|ful|less|ive|ous|ic|ical|ular|ant|ary|ish|some|ward|like|sized|based|ent)$")
_COPULAS = frozenset(
    "kept held did worked came left went got gets became turned stood sat stayed remained".split()  # noqa: SIM905 - words
)
_COPULA = re.compile(
    rf"(?i)\b(?:is|are|am|was|were|been|be|being|gets?|got|goes|went|remains?|stays?|becomes?|became|sits?|stands?)\s+{_ADVERBS}"
    r"([a-z][a-z-]*)(?:\s+(?:the\s+|a\s+|its\s+|[a-z]+'s\s+)?([a-z][a-z-]*|\d))?"
)
_NOUN_BY = re.compile(
    rf"(?i)\b({'|'.join(NOUNS)})(?: (?:of|for|to) [\w-]+)? by (?!(?:the|an?|its|your?|stop|target|code)\b)([a-z]{{2,20}})\b"
)
_MACHINE = re.compile(r"(?i)\b(?:exchange|venue|broker|engine|worker|system|bot)\s+(?:has |have |had |just |already )*$")
_ACTIVE = re.compile(rf"{ACTED_ON.pattern}|{DESK.pattern[4:]}|\b(?:{'|'.join(NOUNS)})\b")
_ACT_NOUN = re.compile(rf"(?i)\b(?:{'|'.join(NOUNS)})\s*$")
_HOW = re.compile(
    r"(?i)\s+(?:(?:for |by |to |from |at |over |about |around |only |just )*[-+$]?\d|(?:much |far |a (?:bit|little) )?(?:better"
    r"|worse|well|badly|fine)\b|(?:only |just )?[-+$]?\d)"
)
_PARTICLES = frozenset("in on off out over up down back away through under behind".split())  # noqa: SIM905 - words


def unsupported(sentence: str, receipts: Receipts) -> bool:
    """Does the sentence claim an act that nothing stands behind?"""
    text = labelled(normal(in_digits(sentence), words.FORMS), STANDING_VALUE, _LABELS)
    if re.search(r"(?i):\s*no\W*$", text):
        return False
    asking, conditional, sourced = QUESTION.match(text), CONDITION.match(text), _SOURCE.search(text)
    cell = _DONE_CELL.search(text)
    if cell and not OPEN.search(text) and (ordered := _ORDERED.match(text.replace("_", " "))):
        return not did(str(ordered.lastgroup), text, receipts)
    if sets_value(text, receipts):
        return True
    lead = ""
    for clause, elided in clauses(text):
        for act in _asserted(
            clause, lead if elided else "", receipts, bare=not (sourced or elided), first=text.startswith(clause)
        ):
            of_record = act.word == "bare" and (
                act.family == "halt" or figures_of(text)
            )  # `sold 0.12 at 91,204.50` tells of that fill
            if act.own and not did(act.family, text, receipts) and not (of_record and recorded(act, clause, text, receipts)):
                return True
            scope = f"{lead} {clause}" if elided and not (subjects_of(clause) or ACTED_ON.search(clause)) else clause
            general = asking or ((conditional or GIVEN.search(clause)) and not PERFECT.search(clause))
            if not act.own and not general and not any(_is_recorded(act, part, text, receipts) for part in (clause, scope)):
                return True
        lead = clause
    return False


def _is_recorded(act: Act, clause: str, text: str, receipts: Receipts) -> bool:
    if act.word == DENIED:
        return not recorded(act._replace(word=""), clause, text, receipts)
    return is_so(act.standing, clause, text, receipts) if act.standing else recorded(act, clause, text, receipts)


def _asserted(clause: str, lead: str, receipts: Receipts, *, bare: bool, first: bool) -> Iterator[Act]:
    """The acts that a clause asserts as done or under way: the model's own first, then those of anybody. `lead`: the words before
    it whose subject it may share."""
    if own := own_act(clause, receipts.people):
        yield Act(own, own=True)
    elif bare and (own := bare_act(clause, receipts.people)):
        yield Act(own, own=True, word="bare")
    if RULE.search(clause) or (GENERAL.match(clause) and not PERFECT.search(clause)):
        return
    said = list(standings(clause, lead))
    yield from (Act("standing", standing=one) for one in said)
    spans = [one.span for one in said]
    stated = list(spans)
    for family, state in words.STATES:
        if (found := state.search(clause)) and (family in ("apply", "approve") or not _within(found, spans)):
            stated.append(found.span())
            denied = family != "flat" and re.search(r"(?i)\b(?:not|never)\b", found[0])
            if not denied and not OPEN.search(clause[: found.start()]):
                yield Act(family, word=STATE)
    if _all_done(clause):
        yield Act("done")
    if not stated:
        yield from _changed_state(clause)
    for found in words.NOUN_DONE.finditer(clause):
        if not _within(found, spans) and not OPEN.search(clause[: found.start()] + " " + found[2]):
            yield Act(NOUNS[found[1].lower()])
    for found in _NOUN_BY.finditer(clause):
        if not OPEN.search(clause[: found.start()]):
            yield Act(NOUNS[found[1].lower()], who=found[2].lower())
    yield from _past_acts(clause, lead, receipts.people, stated, first=first)
    yield from _standing(clause, lead, receipts.people, stated, first=first)


def _within(found: re.Match[str], spans: Sequence[tuple[int, int]]) -> bool:
    return any(low < found.end() and found.start() < high for low, high in spans)


def _past_acts(
    clause: str, lead: str, people: frozenset[str], stated: Sequence[tuple[int, int]], *, first: bool
) -> Iterator[Act]:
    """Every verb said in the past or passive of the desk, its parts, a person or nobody, but for the harmless ones."""
    for found in PAST.finditer(clause):
        word, before, after = found[1].lower(), clause[: found.start()], clause[found.end() :]
        known = ANY_DONE.match(clause, found.start())
        end = known.end() if known else found.end()
        if _within(found, stated):
            continue
        if known and known.lastgroup in _DECISIVE and _DENIED.search(before) and not MODAL.search(before):
            yield Act(_kind(str(known.lastgroup), before), word=DENIED)
        if (
            I_BEFORE.search(before)
            or NOTHING.match(clause[end:])
            or OPEN.search(before)
            or word == "let"
            or (word == "run" and not _BY_PASSIVE.search(before))
        ):
            continue  # judged as the model's own, or nothing is asserted
        who = _person(before or lead, people, first=first)
        if known and _is_of_the_desk(str(known.lastgroup), before, clause[end:]):
            yield Act(_kind(str(known.lastgroup), before), who=who, subject=before)
        elif not known and not _is_attribute(before, after):
            if word in words.DESCRIBING if not _MACHINE.search(before) else word in ("refused", "blocked"):
                continue
            if (
                (word in _COPULAS and not _ACT_NOUN.search(before))
                or (word in words.LIGHT and not (who or _ACTIVE.search(before)))
                or (not who and _HOW.match(after))
            ):
                continue
            if who or _is_of_the_desk_itself(before or lead, after):
                yield Act(OTHER, word=word, who=who)


def _person(before: str, people: frozenset[str], *, first: bool) -> str:
    """Who did it: a word in lower case at the start, or one of the records' people; empty for a thing."""
    if _BY_PASSIVE.search(before):
        return ""  # to whom it was done
    found = _PERSON.match(before) or re.search(rf"(?i)\b([a-z]{{2,20}})\s+{_ADVERBS}$", before)
    name = found[1] if found else ""
    is_name = name.lower() in people or (first and found is not None and found.re is _PERSON and not _is_word(name))
    return name.lower() if is_name else ""


def _is_word(name: str) -> bool:
    """Is it an English word rather than a name: of grammar, of the desk, of what is computed?"""
    listed = (FUNCTION, words.DESCRIBING, NOUNS, words.DONE_WORDS, words.DONE_FILL, words.STANDING)
    found = (ACTED_ON.search(name), DESK.search(name), SIMULATED.search(name), _OF_FIGURES.search(name), ANY_BASE.fullmatch(name))
    return any(name in of for of in listed) or any(found)


def _kind(family: str, before: str) -> str:
    """What a verb of several kinds is, by what it is said of."""
    if family in ("open", "change") and re.search(r"(?i)\bproposal\b[^.]{0,20}$", before):
        return "propose"
    if family == "change" and re.search(r"(?i)\bhalt (?:\w+ ){1,2}$", before):
        return "halt"  # `the halt was set`
    if family in ("release", "close") and re.search(r"(?i)\b(?:alert|al-\d+|page|warning)\b", before):
        return "resolve"
    return family


def _is_of_the_desk_itself(before: str, after: str) -> bool:
    """Is a verb of no kind in the table said of the desk or a part of it? Of a run, a market or a figure it claims no act."""
    if SIMULATED.search(before) or _OF_FIGURES.search(before):
        return False
    named = _ACTIVE.search(before) or subjects_of(before)
    return bool(named or (_PRONOUN.match(before) and ACTED_ON.search(after)))


def _standing(clause: str, lead: str, people: frozenset[str], stated: Sequence[tuple[int, int]], *, first: bool) -> Iterator[Act]:
    """`The worker is down`, `the short is off`, `kim knows`: what is said to be so now, unless the word is harmless."""
    if (
        (found := _PERSON_DOES.match(clause))
        and (first or found[1].lower() in people)
        and not ACTED_ON.fullmatch(found[2])
        and not _is_word(found[1])
    ):
        yield Act(OTHER, word=found[2], who=found[1])
    for found in _COPULA.finditer(clause):
        about, word, place = clause[: found.start()] or lead, found[1].lower(), (found[2] or "").lower()
        if OPEN.search(about) or SIMULATED.search(about) or _OF_FIGURES.search(about) or PAST.match(clause, found.start(1)):
            continue
        who = _person(about + " ", people, first=first)
        if not (who or ACTED_ON.search(about) or DESK.search(about) or subjects_of(about)):
            continue
        if word in _PARTICLES:
            harmless = place.isdigit() or place in words.HARMLESS_PLACES or (place and word in ("up", "down", "under", "behind"))
        else:
            described = word.endswith("ly") or (_DESCRIPTIVE.search(word) is not None and word not in words.STANDING)
            listed = (FUNCTION, words.HARMLESS_STATES, words.DESCRIBING, () if who else NOUNS)
            harmless = described or any(word in of for of in listed)
        if not harmless and not stated:
            yield Act(OTHER, word=word, who=who)


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
    said = re.findall(r"[a-z'-]+|\d", clause.lower())
    done = any(word in words.DONE_WORDS for word in said) and len(said) <= 14
    return done and all(word in words.DONE_WORDS or word in words.DONE_FILL for word in said)


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
    if (
        family == "change"
        and not (subjects_of(before) and re.match(rf"(?:\s+(?:the|its|a))?(?:\s+\w+)?\s*{SETTING.pattern[4:]}", after))
        and not is_setting(before, after)
        and not (_BY_PASSIVE.search(before) and (ACTED_ON.search(before) or re.match(r"(?i) (?:on|for|in) the desk\b", after)))
    ):
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
