"""The full account of a sentence: which entry consumes each of its words. Called by choose.py and understand.py.

A word is consumed by a slot that the tool takes, by what the entry declares, or it is one of a closed list without weight. Any
other word could change what is asked: the entry is not the answer, and the planner asks back naming it.
"""

from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import NamedTuple

from agents.offline.entries import DATED, WORD, AskedEntry, declared, words_of
from agents.offline.slots import COUNTED, Slots
from agents.offline.words import FIGURES, LOOSE, MARKER, STOP, TURNING, stem
from tools.common.contract import Effect

# the arguments that take what a sentence names
TAKERS: Mapping[str, tuple[str, ...]] = {
    "sleeves": ("sleeve", "symbol", "strategy", "symbols", "sleeves", "about", "query", "topic", "hypothesis"),
    "symbols": ("sleeve", "symbol", "symbols", "text", "query", "topic", "about", "instrument", "hypothesis"),
    "strategies": ("strategy", "sleeve", "hypothesis"),
    "span": ("since", "start", "at", "from", "until", "span"),
    "by": ("by", "unit"),
    "params": ("changes", "variants", "vary", "fixed"),
    "count": ("n", "limit", "count", "last", "worst", "best"),
    "which": ("worst", "best", "number"),
    "side": ("side",),
    "filters": ("above", "below", "level"),
    "without": ("without",),
    "unit": ("in_unit",),
    "outcome": ("outcome",),
    "keys": ("key", "word", "strategy", "vary"),
    "number": ("number", "trip"),
    "version": ("version",),
    "timeframe": ("timeframe", "series", "sleeve"),
    "venue": ("venue", "sleeve"),
    "percent": ("percent", "move_frac", "level"),
    "lasting": ("until", "ends", "end"),
    "guard": ("guard",),
    "rule": ("rule", "guard"),
    "folds": ("train",),
    "funding": ("funding",),
    "fills": ("fills", "word"),
}
# what a tool's answer shows, or its plan uses, beyond its arguments
_MORE: Mapping[str, str] = {
    "compare": "unclear params strategies symbols which filters",
    "backtest": "unclear params sleeves symbols strategies by which",
    "run": "which",
    "explain_event": "symbols span strategies",
    "attribution": "sleeves symbols strategies",
    "desk": "rule",
    "health": "which everything rule",
    "propose_config": "unclear params count strategies symbols timeframe which filters",
    "propose_tightening": "unclear params strategies symbols timeframe which filters",
    "propose_pause": "symbols strategies timeframe everything",
    "propose_watch": "unclear params span strategies symbols sleeves percent count which filters side",
    "exposure": "symbols sleeves side",
    "sleeves": "symbols strategies timeframe side",
    "leaks": "symbols sleeves",
    "list_strategies": "sleeves symbols",
    "list_data": "span",
    "round_trip": "number",
    "alerts": "span",
    "what_if": "span",
    "trips": "unit",
    "pnl": "span which count",
    "performance": "count unclear",
}
_SHOWN = {  # figures that a tool's answer shows, by the heads of its table
    **dict.fromkeys(("backtest", "run", "compare"), tuple(FIGURES)),
    "trips": ("net", "fees", "slippage", "funding", "win", "wins", "trips", "hold"),
    "attribution": ("net", "fees", "slippage", "funding"),
    "performance": ("net", "return", "drawdown", "sharpe"),
    "pnl": ("net", "fees", "slippage", "funding"),
}
_OF_IDS: Mapping[str, tuple[str, ...]] = {
    "r": ("run_id", "subject", "hypothesis", "evidence"),
    "d": ("event_id", "evidence", "about"),
    "p": ("event_id", "evidence", "about"),
    "al": ("alert_id", "about"),
}
_PERCENT = ("performance", "run", "backtest", "compare", "desk")
_FREE = frozenset(("note", "memory", "runbook", "define"))  # these take the sentence itself
_WOULD = ("what_if", "compare", "backtest", "judge", "drill", "propose_config", "propose_tightening", "health")
_HOW = {"far": ("distance", "far"), "long": ("duration", "recover", "until")}  # declared by what answers `how far`
_MEASURES = frozenset(("average", "mean", "median", "share", "fraction", "percentage"))
_BETTER = frozenset(("better", "worse", "more", "less", "best", "worst"))  # of a split: the table says which
_SIZES = frozenset(("longest", "shortest", "biggest", "largest", "smallest"))


class Token(NamedTuple):
    """A word of the sentence with its stem, its place and the slot that it belongs to, if any."""

    word: str
    stem: str
    start: int
    stop: int
    slot: str


class WordAccount(NamedTuple):
    """What an entry makes of a sentence."""

    used: frozenset[int]  # words of the phrases that the entry declares
    longest: int  # words of the longest of them
    noun: bool  # one of its nouns is there, which says more than `day` or `report`
    left: tuple[str, ...]  # what it leaves out, in pieces


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
    """The words of a sentence that nothing here declares."""
    known = declared() | DATED
    return [w for w in words_left(slots) if stem(w) not in known and w not in COUNTED and w not in TURNING]


def takes(entry: AskedEntry, name: str, slots: Slots) -> bool:
    """Whether the entry's tool can use what a slot of the sentence holds."""
    tool = entry.tool.name
    more = name in _MORE.get(tool, "").split()
    if name == "by":
        return entry.splits(slots.by) or tool == "backtest"
    if name == "unit":
        return more or slots.unit == "usdt" or (slots.unit in ("percent", "pct", "%") and tool in _PERCENT)
    if name == "which" and entry.asked.want in ("split", "rank"):
        return True
    if name == "count":
        ranks = slots.which in ("worst", "best")
        return any(map(entry.takes, ("worst", "best") if ranks else ("n", "limit", "last"))) or more
    if name in ("symbols", "strategies") and not slots.sleeves:  # of which no sleeve is: the tool must read the name itself
        return any(map(entry.takes, ("symbol" if name == "symbols" else "strategy", "query"))) or (more and tool != "sleeves")
    return more or name in ("place", "everything", "ever") or any(map(entry.takes, TAKERS.get(name, ())))


def takes_id(entry: AskedEntry, identity: str, slots: Slots) -> bool:
    """Whether the entry's tool reads a thing by this id."""
    kind = "r" if identity in slots.handles else identity.split("-", maxsplit=1)[0]
    side_by_side = kind == "r" and entry.tool.name == "compare"
    return side_by_side or any(map(entry.takes, _OF_IDS.get(kind, ("proposal_id",))))


def account_of(entry: AskedEntry, slots: Slots, tokens: Sequence[Token]) -> WordAccount:
    """Each word of the sentence: of a slot, declared, without weight, or left out."""
    used, longest, noun = _phrases(entry, tokens)
    if free(entry.tool.name):
        return WordAccount(used, longest, noun, ())
    taken = {name for name in slots.places if takes(entry, name, slots)} - {"ids", "handles"}
    if all(takes_id(entry, identity, slots) for identity in (*slots.ids, *slots.handles)):
        taken |= {"ids", "handles"}
    known = words_of(entry.tool.name, entry.asked.about) | _shown(entry.tool.name)
    left = [
        _with_next(tokens, i) if token.word in TURNING else token
        for i, token in enumerate(tokens)
        if not _consumed(entry, tokens, i, taken, declared=i in used or token.stem in known, used=i in used)
    ]
    return WordAccount(used, longest, noun, _pieces(slots.text, left))


def _consumed(entry: AskedEntry, tokens: Sequence[Token], i: int, taken: set[str], *, declared: bool, used: bool) -> bool:
    token = tokens[i]
    if token.slot:
        return token.slot in taken or (token.slot in ("which", "outcome") and used)
    if token.word in TURNING:
        return (
            used
            or (token.word == "if" and entry.takes("beyond"))
            or (declared and token.word in ("until", "propose", "submit", "pause", "note"))
        )
    if token.stem in DATED:
        return False
    if entry.tool.effect is Effect.READ and _asks_more(entry, tokens, i, declared=declared, used=used):
        return False
    run = entry.takes("subject") and token.word in ("run", "backtest", "simulation")
    run = run or (token.stem in ("sleev", "bot") and bool({"sleeves", "symbols", "strategies"} & taken))  # `the sol sleeve`
    run = run or (token.word in _BETTER and "by" in taken) or ("params" in taken and token.word == "rsi")
    return declared or run or token.word in STOP or token.word in MARKER or token.word in LOOSE or token.word in COUNTED


def _asks_more(entry: AskedEntry, tokens: Sequence[Token], i: int, *, declared: bool, used: bool) -> bool:
    """Whether a word asks for what only some entries have: `how far`, `would`, `longest`, `who`."""
    word, text = tokens[i].word, [t.word for t in tokens]
    before = text[i - 1] if i else ""
    if before == "how" and word in _HOW:
        return not {stem(w) for w in _HOW[word]} & words_of(entry.tool.name, entry.asked.about)
    if word == "would":
        return "you" not in text and entry.tool.name not in _WOULD
    leads = not i or before in ("and", "but", "so", "or", ",")
    if word in ("who", "whom", "why") or (word in ("when", "where") and leads):
        return tokens[i].stem not in entry.words
    return word in (_MEASURES | _SIZES) and "streak" not in text and not (used if word in _SIZES else declared)


def _phrases(entry: AskedEntry, tokens: Sequence[Token]) -> tuple[frozenset[int], int, bool]:
    """The words that the entry's phrases use, longest first, each word once; how long the longest is; whether a noun is there."""
    used, longest, noun = set[int](), 0, False
    there = {t.stem for t in tokens}
    for phrase in sorted((p for p in entry.phrases if p[0] in there), key=len, reverse=True):
        size = len(phrase)
        for i in range(len(tokens) - size + 1):
            part = range(i, i + size)
            if not used.isdisjoint(part) or any(tokens[k].stem != phrase[k - i] or tokens[k].slot in _NAMES for k in part):
                continue
            used.update(part)
            if size > 1 or tokens[i].word not in STOP | MARKER:
                longest = max(longest, size)
                weighs = any(tokens[k].word not in LOOSE | STOP | MARKER for k in part) or size > 1
                noun = noun or (weighs and (size > 1 or phrase[0] in entry.nouns))
            break
    return frozenset(used), longest, noun


_NAMES = frozenset(("sleeves", "symbols", "strategies", "span", "ids", "handles"))  # no noun of an entry: what they are is known


def _with_next(tokens: Sequence[Token], i: int) -> Token:
    """A word that denies with what it denies: `no trail`."""
    after = next((t for t in tokens[i + 1 : i + 3] if t.word not in STOP), None)
    return tokens[i] if after is None else tokens[i]._replace(stop=after.stop)


@cache
def _shown(tool: str) -> frozenset[str]:
    """Stems of the words for the figures that a tool shows."""
    return frozenset(stem(word) for name in _SHOWN.get(tool, ()) for word in (name, *FIGURES[name]))


def narrowing_of(entry: AskedEntry, own: Slots) -> tuple[str, ...]:
    """Of a sentence that goes on: what it names that the entry of the question before cannot take."""
    denied = {own.text[a:b] for name in ("without", "filters") for a, b in own.places.get(name, ())}
    tokens = [t for t in tokens_of(own) if t.slot or t.word in TURNING or t.word in _MEASURES | _SIZES]
    left = account_of(entry, own, tokens).left
    return tuple(p for p in left if WORD.findall(p)[0] not in TURNING or any(map(p.startswith, denied)))


def _pieces(text: str, tokens: Sequence[Token]) -> tuple[str, ...]:
    """Neighbouring words joined, as they stand in the sentence."""
    pieces: list[list[int]] = []
    for token in tokens:
        if pieces and not text[pieces[-1][1] : token.start].strip(" ,_"):
            pieces[-1][1] = max(token.stop, pieces[-1][1])
        else:
            pieces.append([token.start, token.stop])
    return tuple(dict.fromkeys(text[a:b] for a, b in pieces))
