"""A sentence as clauses of atoms: names, ids, times, numbers, words, each of which must be proven. Called by agents/proofs.py.

Every character belongs to an atom, to a separator or to harmless punctuation; what belongs to none is one that nothing proves.
"""

import re
from collections.abc import Callable, Collection, Iterator
from datetime import date
from typing import NamedTuple

from agents.claims import NumberClaim, claims
from agents.concepts import FREE, PHRASES, concepts_of
from agents.mentions import ID, days_of, minutes_of
from agents.number_words import word_claims

COINS = {"btc": "btc", "bitcoin": "btc", "eth": "eth", "ether": "eth", "ethereum": "eth", "sol": "sol", "solana": "sol"}
COINS |= {"xrp": "xrp", "bnb": "bnb"}
MARKS = ("\ue000", "\uf8ff")  # characters that stand for references
_CONTRACTIONS = (
    (r"[\u2018\u2019\u02bc`\u00b4]", "'"),
    (r"\bcan't\b|\bcannot\b", "can not"),
    (r"\bwon't\b", "will not"),
    (r"n't\b", " not"),
    (r"\b(?:went|gone) ahead and ", ""),
    (r"(?<=\w)'ve\b", " have"),
    (r"(?<=\w)'m\b", " am"),
    (r"(?<=\w)'re\b", " are"),
    (r"(?<=\w)'ll\b", " will"),
    (r"\b(it|that|he|she|what|here|there|this|who)'s\b", r"\1 is"),
    (r"(?<=\w)'s\b", " "),
    (r"(?<=s)'(?=\s|$)", " "),
    (r"\bun(?=(?:touched|changed|filled|applied|approved)\b)", "not "),
)
CONTRACTIONS = tuple((re.compile(pattern), said) for pattern, said in _CONTRACTIONS)
_LINK = re.compile(r"\[([^\]\n]{0,500})\]\s?\((?:run|event|proposal|config|page|job|thread|alert):([\w.-]{1,80})\)")
_MARKUP = re.compile(r"[*#>`\"]+|(?<![\w])_+|_+(?!\w)")
_LIST_MARK = re.compile(r"^\s*(?:(?:[-+*\u2022]|\(?\d{1,3}[.)])\s+)+")
_NUMBERED = (
    (re.compile(r"\b(?:proposal|card) (?:no\.? |number |# ?)?(\d{1,9})\b(?![.,]\d)(?! ?%)"), "prop"),
    (re.compile(r"\balert (?:no\.? |number |# ?)?(\d{1,9})\b(?![.,]\d)(?! ?%)"), "al"),
    (re.compile(r"\b(?:event|fill) (?:no\.? |number |# ?)?(\d{2,9})\b(?![.,]\d)(?! ?%)"), "d"),
)
_SECONDS = re.compile(r":\d{2}:(?!00)\d{2}")
_UNIT_BEHIND = re.compile(r"([\ue000-\uf8ff])\s?(?:%|bps\b|usdt?\b|bars\b)")  # typed after a reference, which has it already
_ROLE = re.compile(r"\b(since|until|till)\s(?:the\s)?$")
_NAME = re.compile(r"(?<![\w-])[a-z]{2,}\d?(?:-[a-z0-9]+)+(?![\w-])|(?<![\w-])[a-z]{1,40}(?:_[a-z0-9]+)+(?!\w)")
_VALUED = re.compile(r"(?<![\w-])[a-z_]{2,40} \d[\d.]{0,20}(?<!\.)(?![\w.]*\d)")  # `stop_atr 3`, `trip 3`: may name a run
_HANDLE = re.compile(r"(?<![\w.-])[a-z]\d{1,3}(?![\w%.-]*\w)")
_WORD = re.compile(r"[a-z]+(?:-[a-z]+)*")
_BREAK = re.compile(r"[,;]|\.(?=\s)|[()\[\]|]|\s[-\u2013\u2014]+\s|\u2014|\.{3}|\u2026")
_HARMLESS = re.compile(r"[\s.!'\"/=:{}~\u2705\u26a0\ufe0f]+")
# words between clauses; a sentence may be read either way
BREAKING = (frozenset({"and", "but", "while", "whereas", "with"}), frozenset({"and", "but", "while", "whereas"}))


class Atom(NamedTuple):
    """A piece of a clause. `kind`: name, time, number, mark, word or junk; `value`: what it is, in lower case for words."""

    kind: str
    text: str
    value: object = None
    before: str = ""  # the word before it
    after: str = ""  # the word behind it


class When(NamedTuple):
    """A time of a clause: minutes of the day that may be meant, days that may be meant; either may be missing."""

    minutes: frozenset[int]
    days: frozenset[date]
    month_day: tuple[int, int] | None
    role: str  # since, until, or nothing


class Clause(NamedTuple):
    """A stretch of a sentence that claims one thing."""

    atoms: tuple[Atom, ...]
    text: str

    def of(self, kind: str) -> list[Atom]:
        """Its atoms of a kind."""
        return [atom for atom in self.atoms if atom.kind == kind]

    @property
    def words(self) -> list[str]:
        """Its words that are not free, in order."""
        return [atom.text for atom in self.atoms if atom.kind == "word" and atom.text not in FREE]


def plain_text(text: str) -> str:
    """A sentence in lower case without markup, contractions and list marks; an own link as its words and its id."""
    text = _LINK.sub(r"\1", text) if "](" in text or "] (" in text else text
    text = _UNIT_BEHIND.sub(r"\1", _LIST_MARK.sub("", text.lower()))
    for pattern, said in CONTRACTIONS:
        text = pattern.sub(said, text)
    for pattern, prefix in _NUMBERED:
        text = pattern.sub(rf"{prefix}-\1", text)
    return re.sub(
        r"\s+", " ", _MARKUP.sub(" ", text).replace("\u2192", "->").replace("@", " at ").replace("\u2248", " about ")
    ).strip()


def in_phrases(text: str) -> str:
    """The text with what is said in several words said in one."""
    for pattern, said in PHRASES:
        text = pattern.sub(said, text)
    return text


def clauses_of(text: str, name_end: Callable[[str, int], int], names: Collection[str], breaks: Collection[str]) -> list[Clause]:
    """The clauses of a sentence that `plain_text` made. `name_end`: where a literal name that begins somewhere ends; `breaks`:
    the words between clauses. What only names, or only has a figure (`Sharpe (1.23), on r1`), belongs to the clause before it."""
    found: list[Clause] = []
    for clause in _split(text, name_end, names, breaks):
        figures = {"number", "mark"} & {atom.kind for atom in clause.atoms}
        bare = not clause.words and not clause.of("time") and not clause.of("junk")
        if found and bare and not (figures and (clause.of("name") or {"number", "mark"} & {a.kind for a in found[-1].atoms})):
            last = found[-1]
            found[-1] = Clause((*last.atoms, *clause.atoms), f"{last.text} {clause.text}")
        else:
            found.append(clause)
    return found


def _split(text: str, name_end: Callable[[str, int], int], names: Collection[str], breaks: Collection[str]) -> Iterator[Clause]:
    """The clauses between separators."""
    text = in_phrases(text)
    found = sorted(_spans(text, name_end, names), key=lambda item: (item[0], -item[1]))
    atoms: list[Atom] = []
    start = at = 0
    for low, high, atom in [*found, (len(text), len(text), None)]:
        if low < at:
            continue
        for low_word, high_word, word in _words(text, at, low, breaks):
            if word is None:
                if atoms:
                    yield _clause(atoms, text[start:low_word])
                atoms, start = [], high_word
            else:
                atoms.append(word)
        if atom:
            atoms.append(atom)
        at = high
    if atoms:
        yield _clause(atoms, text[start:])


def _clause(atoms: list[Atom], text: str) -> Clause:
    """The clause, each atom with the words beside it."""
    words = ["", *(atom.text for atom in atoms), ""]
    return Clause(tuple(atom._replace(before=words[n], after=words[n + 2]) for n, atom in enumerate(atoms)), text.strip())


def _words(text: str, start: int, end: int, breaks: Collection[str]) -> Iterator[tuple[int, int, Atom | None]]:
    """Words between two atoms; None where a clause ends."""
    at = start
    while at < end:
        if found := _BREAK.match(text, at, end):
            yield at, found.end(), None
        elif text.startswith("->", at):
            found = re.compile("->").match(text, at)
            yield at, at + 2, Atom("word", "to")
        elif found := _WORD.match(text, at, end):
            word = found[0]
            yield at, found.end(), None if word in breaks else _word_atom(word)
        elif not (found := _HARMLESS.match(text, at, end)):
            found = re.compile(r"\S").match(text, at, end) or re.compile(r"(?s).").match(text, at)
            yield at, at + 1, Atom("junk", text[at])
        at = found.end() if found else at + 1


def _word_atom(word: str) -> Atom:
    return Atom("name", COINS[word], word) if word in COINS else Atom("word", word)


def _spans(text: str, name_end: Callable[[str, int], int], names: Collection[str]) -> Iterator[tuple[int, int, Atom]]:
    """Everything but words: (from, to, atom)."""
    for at, letter in enumerate(text):
        if MARKS[0] <= letter <= MARKS[1]:
            yield at, at + 1, Atom("mark", letter, ord(letter) - 0xE000)
    yield from _times(text)
    for found in _VALUED.finditer(text):
        if found[0] in names:
            yield found.start(), found.end(), Atom("name", found[0], found[0])
    for pattern in (ID, _NAME, _HANDLE):
        for found in pattern.finditer(text):
            if pattern is not _NAME or found[0] in names or "_" in found[0]:
                yield found.start(), found.end(), Atom("name", found[0], found[0])
    for claim in claims(text, name_end):
        yield claim.start, claim.end, Atom("number", claim.text.lower(), claim)
        if claim.dimension == "base" and (coin := COINS.get(claim.text.lower().split()[-1].strip("0123456789.,-"))):
            yield claim.end, claim.end, Atom("name", coin, coin)
    for claim in word_claims(text):
        yield claim.start, claim.end, Atom("number", claim.text.lower(), claim)


def _times(text: str) -> Iterator[tuple[int, int, Atom]]:
    """Each time of day with the date beside it, or alone."""
    days = list(days_of(text))
    used = set()
    for low, high, minutes in minutes_of(text):
        if _SECONDS.search(text[low:high]):  # more exact than anything that is shown
            yield low, high, Atom("junk", text[low:high])
            continue
        start, end, day = low, high, None
        for n, (a, b, one) in enumerate(days):
            if n not in used and ((0 <= low - b <= 6 and _joins(text[b:low])) or (0 <= a - high <= 8 and _joins(text[high:a]))):
                start, end, day = min(low, a), max(high, b), one
                used.add(n)
                break
        yield _lead_start(text, start), end, Atom("time", text[start:end], _when(text, start, frozenset(minutes), day))
    for n, (a, b, one) in enumerate(days):
        if n not in used:
            yield _lead_start(text, a), b, Atom("time", text[a:b], _when(text, a, frozenset(), one))


def _lead_start(text: str, start: int) -> int:
    """Where a time begins, with `since` or `until` before it."""
    lead = _ROLE.search(text[:start])
    return lead.start() if lead else start


def _joins(between: str) -> bool:
    return re.fullmatch(r"\s?(?:,|at|on|t|of|the|on the)?\s?(?:at|the)?\s?", between) is not None


def _when(text: str, start: int, minutes: frozenset[int], day: object) -> When:
    lead = _ROLE.search(text[:start])
    role = "" if lead is None else "since" if lead[1] == "since" else "until"
    if isinstance(day, date):
        return When(minutes, frozenset({day}), None, role)
    if isinstance(day, tuple) and day and isinstance(day[0], int):
        return When(minutes, frozenset(), (int(day[0]), int(day[1])), role)
    if isinstance(day, tuple):
        return When(minutes, frozenset(one for one in day if isinstance(one, date)), None, role)
    return When(minutes, frozenset(), None, role)


def meanings(clause: Clause) -> list[frozenset[str]]:
    """What each word of a clause means that is not free."""
    return [concepts_of(word) for word in clause.words]


def number_of(atom: Atom) -> NumberClaim:
    """The number of an atom of that kind."""
    assert isinstance(atom.value, NumberClaim)  # noqa: S101 - its kind says so
    return atom.value
