"""What an entry would leave out of a sentence: what is named and its tool cannot take. Called by choose.py and understand.py.

A window, a sleeve, a number or a condition that the tool has no argument for changes what is asked: it is asked back about.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from itertools import chain
from typing import NamedTuple

from agents.offline.date_points import MONTHS
from agents.offline.entries import WORD, AskedEntry, entry_of
from agents.offline.features import senses
from agents.offline.read_back import what_of
from agents.offline.rules import fits, has_all
from agents.offline.slots import COUNTED, Slots, given, words_of
from agents.offline.words import ASKING, DATED, LISTS, MARKER, PATTERNS, STOP, TURNING, is_common, says, stem, vocabulary

# the arguments that take what a sentence names
TAKERS: Mapping[str, tuple[str, ...]] = {slot: tuple(names.split()) for slot, names in LISTS["takers"].items()}
_MORE: Mapping[str, str] = LISTS["shows"]  # what a tool's answer shows, or its plan uses, beyond its arguments
OF_IDS: Mapping[str, tuple[str, ...]] = {kind: tuple(names.split()) for kind, names in LISTS["of_ids"].items()}
_FREE = frozenset(("note", "memory", "runbook", "define", "checklist", "runbook_steps"))  # these take the sentence itself
_NOT_SHOWN: Mapping[str, str] = LISTS["not_shown"]  # of holding times `trips` shows the mean and the median
_NO_WEIGHT = ("place", "everything", "ever", "which")  # the answer's own order says which is the worst
_NAMES = ("sleeve", "symbol", "strategy", "subject")  # arguments that a name nobody knows here could have meant


class Token(NamedTuple):
    """A word of the sentence with its stem, its place and the slot that it belongs to, if any."""

    word: str
    stem: str
    start: int
    stop: int
    slot: str


def free(tool: str) -> bool:
    """Whether a tool takes the sentence itself."""
    return tool in _FREE


@lru_cache(maxsize=1024)
def tokens_of(slots: Slots) -> tuple[Token, ...]:
    """The words of a sentence."""
    where = [(start, stop, name) for name, places in slots.places.items() for start, stop in places]
    return tuple(
        Token(m[0], stem(m[0]), *m.span(), next((name for a, b, name in where if a < m.end() and m.start() < b), ""))
        for m in WORD.finditer(slots.text)
    )


def words_left(slots: Slots) -> list[str]:
    """The words of a sentence that carry something and belong to no slot."""
    return [t.word for t in tokens_of(slots) if not t.slot and t.word not in STOP and t.word not in MARKER]


def strange_words(slots: Slots) -> list[str]:
    """The words of a sentence that are in no sentence for training and no everyday words: perhaps a name."""
    left = [w for w in words_left(slots) if w.isalpha() and len(w) > 2 and w not in COUNTED]
    return [w for w in left if _is_strange(w)]


def _is_strange(word: str) -> bool:
    return stem(word) not in _stems_of_vocabulary() and not is_common(word)


def unanswered(slots: Slots, answer: str, asked: str = "") -> tuple[str, ...]:
    """The words of a sentence that carry something and whose meaning neither a slot nor the answer has: by stem, or by sense.

    asked: as it was typed; a word that is not in it was put there by a reading.
    """
    left = [t for t in tokens_of(slots) if not t.slot and len(t.word) > 2 and t.word.isalpha() and t.stem not in DATED]
    left = [
        t for t in left if not {t.word, t.stem} & _NO_CONTENT and t.word not in COUNTED and t.word in (asked.lower() or t.word)
    ]
    if not left:
        return ()
    said = {stem(word) for word in re.findall(r"[a-z&]+", answer.lower())}
    meant = {sense for word in said if len(of := meanings(word)) <= SENSES_MAX for sense in of}
    return tuple(dict.fromkeys(t.word for t in left if t.stem not in said and not meant.intersection(meanings(t.stem))))


def unused(entry: AskedEntry, slots: Slots, answer: str, asked: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(words that the answer does not have and that may have made it another one; those that may not, of which the tool says
    nothing of itself either)."""
    missed = unanswered(slots, answer, asked)
    plain = set(unanswered(slots, f"{answer} {about(entry)}", asked))
    both = {
        word for pair in PATTERNS["account.either"].findall(asked.lower()) for word in pair
    }  # `better or worse` leaves it open
    missed = tuple(w for w in missed if w not in both)
    return tuple(w for w in missed if weighs(w)), tuple(w for w in missed if w in plain and not weighs(w))


def foreign(slots: Slots, ask: str) -> tuple[str, ...]:
    """The words that an entry says nothing like of itself; of any other label those that nothing here knows."""
    entry = entry_of(ask)
    return tuple(strange_words(slots)) if entry is None else unanswered(slots, about(entry))


@cache
def about(entry: AskedEntry) -> str:
    """What an entry says of itself: the names, the description and the examples of its tool, and what its answers are of."""
    examples = (text for of in entry.tool.asked for text in of.examples)
    return " ".join((entry.ask.replace("_", " "), entry.tool.about, what_of(entry.tool.name), *examples))


def meanings(word: str) -> tuple[str, ...]:
    """The senses of a stem, those of senses.txt and what is said in other words alone (words.toml, `covers`)."""
    return (*senses().get(word, ()), *_covers().get(word, ()))


@cache
def _covers() -> Mapping[str, tuple[str, ...]]:
    named = [(stem(word), sense) for sense, words in LISTS["covers"].items() for word in (sense, *words.split())]
    return {word: tuple(sense for of, sense in named if of == word) for word, _ in named}


def weighs(word: str) -> bool:
    """Whether an answer without this word may be another one: it compares, counts, turns or gives a direction, or nothing here
    knows it."""
    return word in _WEIGHTY or bool(says("account.most", word)) or _is_strange(word)


_WEIGHTY = frozenset(LISTS["weighty"].split())
SENSES_MAX = 3  # a word with more of them proves none
_EMPTY = (*STOP, *MARKER, *ASKING, *LISTS["empty"].split())
_NO_CONTENT = frozenset((*_EMPTY, *map(stem, _EMPTY)))


@cache
def _stems_of_vocabulary() -> frozenset[str]:
    return frozenset(map(stem, vocabulary()))


def takes(entry: AskedEntry, name: str, slots: Slots) -> bool:
    """Whether the entry's tool can use what a slot of the sentence holds."""
    tool = entry.tool.name
    more = name in _MORE.get(tool, "").split()
    for names, tools, conditions, taken in LISTS["taken"]:
        if fits(names, name) and fits(tools, tool) and has_all(conditions, slots, {}, slots.text):
            return bool(taken)
    if name == "by":
        return entry.splits(slots.by) or (more and (tool == "backtest" or tuple(slots.by) == ("day",)))
    if name == "unit":
        of_r, of_percent = slots.unit in ("r", "r multiples"), slots.unit in ("percent", "pct", "%")
        known = slots.unit == "usdt" or (slots.unit == "bps" and tool == "trips")
        return known or (of_r and more) or (of_percent and tool in LISTS["of_percent"].split())
    if name == "count":
        ranks = slots.which in ("worst", "best")
        return any(map(entry.takes, ("worst", "best") if ranks else ("n", "limit", "last"))) or more
    if name in ("without", "never"):
        return takes_out(entry, slots)
    if name == "span" and entry.takes("days"):  # of a number of days alone
        return says("account.last_days", slots.text) is not None
    if name == "timeframe" and not any(map(entry.takes, ("timeframe", "series"))):
        return bool(slots.strategies or slots.symbols) or more  # `15m`: which sleeve; of `1 hour` alone none is
    if name in ("symbols", "strategies") and not slots.sleeves:  # of which no sleeve is: the tool must read the name itself
        own = ("symbol", "symbols") if name == "symbols" else ("strategy",)
        return any(map(entry.takes, (*own, "query"))) or (more and tool != "sleeves")
    return more or name in _NO_WEIGHT or any(map(entry.takes, TAKERS.get(name, ())))


_LEAVES_OUT = (("backtest", "side"), ("propose_config", "sleeve"), ("propose_tightening", "sleeve"))  # of several: the others


def takes_out(entry: AskedEntry, slots: Slots) -> bool:
    """Whether the answer leaves out what the sentence does; where a tool is asked for with a `not` anyway, that is its own."""
    if entry.tool.name == "trips":
        out = slots.out or ("", ())  # of its figures one is before fees
        some = bool(slots.count) and slots.which in ("best", "worst")  # `without the 3 best trades`
        return some or ((out[0] in ("side", "outcome") or out[1] == ("fees",)) and not (slots.count and slots.which is None))
    if (entry.tool.name, (slots.out or ("",))[0]) in _LEAVES_OUT:
        return True
    if entry.tool.name in _LISTS.split() and slots.out is not None:
        return False
    return "without" not in slots.places and not counts_all(entry)


def counts_all(entry: AskedEntry) -> bool:
    """Whether a `not` in a sentence for the entry changes what is asked: of the sentences for training hardly any has one."""
    return entry.tool.name in _FIGURES.split() and entry.asked.kind not in ("refused", "idle", "halt")


def kind_of(identity: str) -> str:
    """What an id is of: `r` of a run, `al` of an alert, `nd` of an order, `w` of an incident window."""
    return identity.split("-", maxsplit=1)[0] if "-" in identity else identity[: 2 if identity.startswith("nd") else 1]


def takes_id(entry: AskedEntry, identity: str, slots: Slots) -> bool:
    """Whether the entry's tool reads a thing by this id."""
    kind = "r" if identity in slots.handles else kind_of(identity)
    side_by_side = kind == "r" and entry.tool.name == "compare"
    return side_by_side or any(map(entry.takes, OF_IDS.get(kind, ("proposal_id",))))


def lost_of(entry: AskedEntry, slots: Slots) -> tuple[str, ...]:
    """What of the sentence the entry cannot take, in pieces: slots, a condition or an exception, and a name that nobody knows
    here where the tool takes one and none is given."""
    if free(entry.tool.name) or entry.asked.kind == "handover":
        return ()
    tokens = tokens_of(slots)
    taken = {name for name in slots.places if takes(entry, name, slots)} - {"ids", "handles"}
    if all(takes_id(entry, identity, slots) for identity in (*slots.ids, *slots.handles)):
        taken |= {"ids", "handles"}
    months = [MONTHS[int(at[5:7]) - back] for at, back in ((slots.span.start, 1), (slots.span.end, 2)) if at]
    streak = any(t.word == "streak" for t in tokens) or says("figure_plans.list_of", slots.text)
    unused = [(i, t) for i, t in enumerate(tokens) if _unused(entry, t, taken, months) and not (streak and not t.slot)]
    left = [_with_next(tokens, i) if t.word in TURNING else t for i, t in unused]
    if not (slots.sleeves or slots.symbols or slots.strategies) and any(map(entry.takes, _NAMES)):
        strange = set(strange_words(slots))
        named = {t for t in tokens if t.word in strange and not t.slot and says("account.name_place", slots.text[: t.start])}
        left = sorted({*left, *named}, key=lambda t: t.start)  # `the churn` is no name, `of wombat` may be one
    denied = (*_denied(slots), *_denials(entry, slots, taken))
    pieces = (*_pieces(slots.text, left), *denied, *_unsplit(entry, slots), *_circumstances(entry, slots))
    pieces = tuple(dict.fromkeys((*pieces, *_unsaid(entry, slots))))
    return tuple(one for one in pieces if not any(one != other and one in other for other in pieces))


def denies(entry: AskedEntry, slots: Slots) -> bool:
    """Whether a sentence denies or sets a condition, or names what nobody knows where the tool takes a name: an answer to all of
    it would be to another question."""
    strange = set(strange_words(slots)) if any(map(entry.takes, _NAMES)) else set()
    named = any(t.word in strange and says("account.a_name", slots.text[: t.start]) for t in tokens_of(slots) if not t.slot)
    named |= any(t.word in TURNING for t in tokens_of(slots))
    own = () if entry.tool.name == "orders" else (_DENIED,)  # `that were never confirmed` is of its state
    return named or any(pattern.search(slots.text) for pattern in (*own, _IF, PATTERNS["account.not_that"]))


_FIGURES: str = LISTS["without_denial"]  # of whose sentences for training hardly any has a denial
_LISTS = "alerts watches pauses list_strategies trials"  # of no round trips
_DENIED, _IF, _PER = PATTERNS["account.denied"], PATTERNS["account.if"], PATTERNS["account.per"]


def _circumstances(entry: AskedEntry, slots: Slots) -> tuple[str, ...]:
    """`if it rained`, `per trade`, `at night`: what a figure or a list is not made by."""
    tool = entry.tool.name
    figures = (counts_all(entry) and tool not in ("backtest", "compare", "judge", "sweep")) or tool in _LISTS.split()
    places = list(chain.from_iterable(slots.places.values()))
    found = list(_IF.finditer(slots.text)) if figures and not says("choose.only_side", slots.text) else []
    found += [m for m in _PER.finditer(slots.text) if tool not in ("trips", "excursions")] if figures else []
    found += [m for m in PATTERNS["choose.at_times"].finditer(slots.text) if tool in LISTS["whole_day"].split()]
    found += [
        m for m in PATTERNS["account.that_time"].finditer(slots.text) if not (given(slots.span) and takes(entry, "span", slots))
    ]
    found += (
        list(PATTERNS["account.number"].finditer(slots.text)) if figures and not says("account.enough", slots.text) else []
    )  # `+1R`
    found += (
        list(PATTERNS["account.other_costs"].finditer(slots.text)) if tool in LISTS["run_tools"].split() else []
    )  # a run's are those of the model
    if tool == "propose_pause" and not (slots.lasting or slots.span.at or slots.span.end):  # `till the cows come home`
        found += list(re.finditer(r"\b(?:until|till|before|by) (?!the way)\w+(?: \w+){0,2}", slots.text))
    found += list(re.finditer(r"\bnever\b", slots.text)) if entry.asked.kind in ("refused", "breaker", "halt") else []
    return tuple(m[0].strip() for m in found if not any(a < m.end() and m.start() < b for a, b in places))


def _denials(entry: AskedEntry, slots: Slots, taken: set[str]) -> tuple[str, ...]:
    """`not filled`, `never reported`: what is denied, where the answer would be the same without it."""
    best = entry.tool.name == "trips" and slots.which in ("best", "worst") and "without" not in slots.places  # `without the best`
    if not counts_all(entry) or taken & {"never", "without"} or best:
        return ()
    places = [place for name in ("never", "without", "funding", "since_event", "params") for place in slots.places.get(name, ())]
    found = [m for m in _DENIED.finditer(slots.text) if not any(a < m.end() and m.start() < b for a, b in places)]
    return tuple(m[0].strip() for m in found)


def _denied(slots: Slots) -> tuple[str, ...]:
    """`not costs`: what the answer is not to be about."""
    return tuple(found[1] or found[2] for found in PATTERNS["account.not_that"].finditer(slots.text))


def _unsplit(entry: AskedEntry, slots: Slots) -> tuple[str, ...]:
    """`by candlestick`: a split that nothing here knows."""
    found = says("account.by_what", slots.text) if not slots.by and entry.takes("by") else None
    known = found is None or any(a < found.end(1) and found.start(1) < b for places in slots.places.values() for a, b in places)
    return () if found is None or known or is_common(found[1].split()[1]) else (found[1],)


def _unsaid(entry: AskedEntry, slots: Slots) -> tuple[str, ...]:
    """What the sentence was learned to narrow to without a word for it that is read, where the tool cannot."""
    held = [name for name in ("by", "side", "outcome") if getattr(slots, name) and name not in slots.places]
    return tuple(words_of(name, getattr(slots, name)) for name in held if not takes(entry, name, slots))


def _unused(entry: AskedEntry, token: Token, taken: set[str], months: Sequence[str]) -> bool:
    if token.slot:
        return token.slot not in taken
    if token.stem in DATED:  # `fridays vs mondays`, by weekday; `over the summer (june to august)`
        return not (("by" in taken and token.word.endswith("days")) or ("span" in taken and token.word[:3] in months))
    return token.word in TURNING or (token.word in _NOT_SHOWN.get(entry.tool.name, "").split() and not entry.asked.kind)


def _with_next(tokens: Sequence[Token], i: int) -> Token:
    """A word that excepts with what it excepts: `unless it rains`."""
    after = next((t for t in tokens[i + 1 : i + 3] if t.word not in STOP), None)
    return tokens[i] if after is None else tokens[i]._replace(stop=after.stop)


def _pieces(text: str, tokens: Sequence[Token]) -> tuple[str, ...]:
    """Neighbouring words joined, as they stand in the sentence."""
    pieces: list[list[int]] = []
    for token in tokens:
        if pieces and not text[pieces[-1][1] : token.start].strip(" ,_"):
            pieces[-1][1] = max(token.stop, pieces[-1][1])
        else:
            pieces.append([token.start, token.stop])
    return tuple(dict.fromkeys(text[a:b] for a, b in pieces))
