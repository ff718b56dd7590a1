"""What can support the numbers of an answer, and whether it does. Called by agents/grounding.py with a number and its sentence.

A number stands when it is a fact's value in that unit and the sentence names its metric or its subject, when it is an argument
the turn used, named with its word, when the person typed it first, or when it counts the rows of a table of this turn.
"""

import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

from agents.acts import Receipts
from agents.claims import NumberClaim, claims
from agents.mentions import KnownMentions, known_mentions
from agents.number_words import word_claims
from tools.common import render
from tools.common.contract import Fact

CROWD = 8  # a metric with more facts than this in a thread needs its subject named too
DEPTH_MAX = 20  # of arguments that are read
KEY_MAX, NUMBER_MAX = 64, 40  # characters of a `key=value` in them

# dimension and factor of a fact's unit; instants and words are never typed numbers
_FACT_UNITS = {
    "frac": ("frac", 1.0),
    "bps": ("frac", 1e-4),
    "usd": ("usd", 1.0),
    "price": ("usd", 1.0),
    "ratio": ("ratio", 1.0),
    "bars": ("count", 1.0),
    "count": ("count", 1.0),
    "base": ("base", 1.0),
    "days": ("time", 86_400_000.0),
    "duration_ms": ("time", 1.0),
}
_UNIT_WORDS = {"rate", "ratio", "frac", "bps", "usd", "usdt", "ms", "max", "min", "count", "total", "bars", "price", "annual"}
# how people say a metric: a word of the metric's name -> what also names it
_SAID: Mapping[str, str] = {
    "return": r"returns?|returned|made|gain(?:ed|s)?|lost|earned|up|down|performance|result",
    "pnl": r"p\s?&\s?l|pnl|profits?|loss(?:es)?|lost|made|earned|gain(?:ed|s)?|result|net",
    "drawdown": r"draw-?downs?|dd|peak[- ]to[- ]trough|worst fall",
    "win": r"win(?:s|ning|ners?)?|won|hit rate",
    "trades": r"trades?|round[- ]trips?|trips",
    "trips": r"trades?|round[- ]trips?|trips",
    "fees": r"fees?|commissions?|costs?",
    "fee": r"fees?|commissions?|costs?",
    "cost": r"costs?|fees?",
    "costs": r"costs?|fees?",
    "funding": r"funding",
    "slippage": r"slippage|slip",
    "gross": r"gross|exposure|exposed",
    "exposure": r"exposure|exposed|in the market|invested",
    "equity": r"equity|worth|account|value",
    "change": r"chang(?:e|ed|es)|difference|moved",
    "difference": r"differ(?:s|ence|ences)?|gap|delta|more|less|better|worse",
    "sharpe": r"sharpe",
    "leverage": r"leverage|levered",
    "quantity": r"quantity|quantities|sizes?|sold|bought|long|short|position",
    "price": r"prices?|priced|sold|bought|fill(?:ed|s)?|entered|exited|entry|exit",
    "size": r"sizes?|quantity|lots",
    "lots": r"lots|size|quantity",
    "halted": r"halt(?:ed)?",
    "turnover": r"turnover|turned over",
}
_LOSING = re.compile(
    r"(?i)\b(lost|los(?:s|ses|ing|es)|down|fell|drop(?:s|ped)?|negative|minus|draw-?downs?|paid|pays?|costs?|fees?"
    r"|under water|worse|less|lower|below)\b"
)
_REPEATING = re.compile(r"(?i)\b(you (?:asked|said|typed|wrote|named|gave|want)|(?:i )?understood|asked for)\b")
_SENTENCE_END = re.compile(r"(?<=[.!?;])\s+(?=[A-Z0-9*_`{(\[~\ue000-\uf8ff])")
_SET = re.compile(rf"(?<!\w)(\w{{1,{KEY_MAX}}})\s{{0,4}}=\s{{0,4}}([-+]?\d{{1,{NUMBER_MAX}}}(?:\.\d{{1,{NUMBER_MAX}}})?)")
# a change of a setting as a card or the list of proposals shows it: `stop_atr 2 -> 2.5`
_CHANGED = re.compile(
    rf"(?<!\w)([a-z]\w{{1,{KEY_MAX}}}) (-?\d{{1,{NUMBER_MAX}}}(?:\.\d{{1,{NUMBER_MAX}}})?)"
    rf" -> (-?\d{{1,{NUMBER_MAX}}}(?:\.\d{{1,{NUMBER_MAX}}})?)"
)


class CountedRows(NamedTuple):
    """The rows of a table of this turn, by what its first column names: `sleeve`, 3."""

    noun: str
    count: int


@dataclass(frozen=True, slots=True)
class Ground:
    """What can support an answer: the thread's facts by reference, what the person typed, the calls' arguments, its receipts."""

    facts: Mapping[str, Fact]
    asked: Sequence[str] = ()
    arguments: Sequence[Mapping[str, Any]] = ()
    names: Sequence[str] = ()  # ids and names of the thread: digits inside them are not claims
    quotes: Sequence[str] = ()  # tool texts of this turn: a sentence or row repeated verbatim needs no fact
    seen: Sequence[str] = ()  # further texts of the thread in which ids and times stand: earlier results, the stamp
    receipts: Receipts | None = None  # of acts; None: acts are not judged
    rows: Sequence[CountedRows] = ()
    by_code: bool = False  # the draft is code's own: only its references are rendered
    typed: tuple[NumberClaim, ...] = field(init=False)
    settings: tuple[tuple[str, float], ...] = field(init=False)
    changed: frozenset[tuple[str, float]] = field(init=False)  # settings with the values that a proposal names
    quoted: frozenset[str] = field(init=False)
    mentions: KnownMentions = field(init=False)
    index: "FactIndex" = field(init=False)

    def __post_init__(self) -> None:
        """Read the person's numbers, the arguments, and what the thread has seen once."""
        lines = [line for text in self.asked for line in text.splitlines()]
        typed = [claim for line in lines for read in (claims, word_claims) for claim in read(line)]
        object.__setattr__(self, "typed", tuple(typed))
        object.__setattr__(self, "settings", tuple(dict.fromkeys(settings_of(self.arguments))))
        found = [change for text in self.quotes for change in _CHANGED.finditer(text)]
        object.__setattr__(self, "changed", frozenset((change[1], float(change[n])) for change in found for n in (2, 3)))
        known = {fact.evidence.id for fact in self.facts.values()}
        said = [render.safe(text, known) for text in self.quotes]
        object.__setattr__(self, "quoted", frozenset(part for text in said for part in whole_parts(text)))
        texts = [*self.quotes, *self.seen, *self.asked, *map(str, strings_of(self.arguments))]
        object.__setattr__(self, "mentions", known_mentions(self.facts.values(), texts, self.names))
        object.__setattr__(self, "index", FactIndex(self.facts.values()))


class FactIndex:
    """The numeric facts of a thread, found by value: no number of an answer is held against all of them."""

    def __init__(self, facts: Iterable[Fact]) -> None:
        kept = [fact for fact in facts if fact.unit in _FACT_UNITS and _numeric(fact)]
        self.facts = kept
        self.metrics = Counter(fact.metric for fact in kept)
        self.subjects = {fact.subject.lower() for fact in kept}
        self._sorted = sorted(((abs(_base_value(fact)), n) for n, fact in enumerate(kept)))
        self._values = [value for value, _ in self._sorted]

    def near(self, claim: NumberClaim) -> list[Fact]:
        """The facts whose value, sign aside, may round to the claim in one of the units it may have."""
        factors = {claim.factor} if claim.dimension else {factor for _, factor in _FACT_UNITS.values()}
        found: set[int] = set()
        for factor in factors:
            value, step = abs(claim.value) * factor, claim.step * factor
            slack = step / 2 + 2e-9 * value
            low, high = bisect_left(self._values, value - slack), bisect_right(self._values, value + slack)
            found |= {n for _, n in self._sorted[low:high]}
        return [self.facts[n] for n in sorted(found)]


def settings_of(value: Any, key: str = "", depth: int = 0) -> Iterator[tuple[str, float]]:
    """Every number among the arguments with its key; `{"key": k, "value": v}` counts as k. Deeper than DEPTH_MAX is not read."""
    if depth > DEPTH_MAX:
        return
    if isinstance(value, Mapping):
        named = value["key"] if isinstance(value.get("key"), str) and "value" in value else key
        for name, part in value.items():
            yield from settings_of(part, named if name == "value" else str(name), depth + 1)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from settings_of(part, key, depth + 1)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        if abs(value) <= 1e300:
            yield key, float(value)
    elif isinstance(value, str):
        for found in _SET.finditer(value):
            yield found[1], float(found[2])


def strings_of(value: Any, depth: int = 0) -> Iterator[str]:
    """Every string among the arguments."""
    if isinstance(value, str):
        yield value
    elif depth <= DEPTH_MAX and isinstance(value, Mapping | list | tuple):
        for part in value.values() if isinstance(value, Mapping) else value:
            yield from strings_of(part, depth + 1)


def whole_parts(text: str) -> Iterator[str]:
    """The lines and sentences of a tool's text, for recognising verbatim repeats."""
    for line in text.splitlines():
        yield line.strip()
        for start, end, _ in sentences(line):
            yield line[start:end].strip()


def sentences(line: str) -> list[tuple[int, int, str]]:
    """(from, to, what it says) of each sentence of a line."""
    parts, start = [], 0
    for found in _SENTENCE_END.finditer(line):
        parts.append((start, found.start(), line[start : found.start()]))
        start = found.end()
    return [*parts, (start, len(line), line[start:])]


def stands(claim: NumberClaim, sentence: str, after: str, stand: Ground) -> bool:
    """Whether something of the thread stands behind a number of `sentence`; `after`: the words that follow it."""
    if _is_setting(claim, sentence, stand) or _is_fact(claim, sentence, stand) or _is_echo(claim, sentence, stand):
        return True
    return not claim.dimension and any(rows.count == claim.value and _counts(after, rows.noun) for rows in stand.rows)


def _counts(after: str, noun: str) -> bool:
    """Do the words after a number name what the rows are: `3 sleeves`, `two open alerts`?"""
    return re.match(rf"(?i)\s+(?:[a-z-]{{1,20}}\s+){{0,2}}{re.escape(noun)}", after) is not None


def _base_value(fact: Fact) -> float:
    assert isinstance(fact.value, int | float)  # noqa: S101 - asked for by _numeric before
    return float(fact.value) * _FACT_UNITS[fact.unit][1]


def _is_setting(claim: NumberClaim, sentence: str, stand: Ground) -> bool:
    """An argument of this thread's calls, said with a word of its key: `stop_atr=2`, "a 2 ATR stop", "fast 20"; or a value that a
    proposal this turn read gives the setting, which the sentence names in full."""
    for key, value in stand.settings:
        same = claim.value == value or (claim.dimension == "frac" and abs(claim.value * claim.factor - value) < 1e-12)
        if same and any(re.search(rf"(?i)(?<![a-z]){re.escape(word)}", sentence) for word in _key_words(key)):
            return True
    return not claim.dimension and any(claim.value == value and key in sentence for key, value in stand.changed)


def _key_words(key: str) -> list[str]:
    return [word for word in key.lower().split("_") if len(word) > 2 and word not in ("frac", "max", "min")]


def _is_fact(claim: NumberClaim, sentence: str, stand: Ground) -> bool:
    """A fact has this value in this unit, and the sentence names its metric or, where it names no metric, its subject."""
    near = stand.index.near(claim)
    named = {metric for metric in {fact.metric for fact in near} if names_metric(sentence, metric)}
    for fact in near:
        if fact.metric in named and _same(claim, fact, sentence):
            crowd = stand.index.metrics[fact.metric] > CROWD
            if not crowd or names_one(sentence, fact, stand.index.subjects):
                return True
    if not claim.dimension and (named or any(names_metric(sentence, metric) for metric in stand.index.metrics)):
        return False
    others = (fact for fact in near if fact.metric not in named)
    return any(_same(claim, fact, sentence, strict=True) and names_one(sentence, fact, stand.index.subjects) for fact in others)


def _numeric(fact: Fact) -> bool:
    return isinstance(fact.value, int | float) and not isinstance(fact.value, bool)


def _same(claim: NumberClaim, fact: Fact, sentence: str, *, strict: bool = False) -> bool:
    """Is the typed number this fact's value, rounded to the digits typed? `strict`: the unit must be typed as well."""
    assert isinstance(fact.value, int | float)  # noqa: S101 - asked for by _numeric before
    dimension, factor = _FACT_UNITS[fact.unit]
    if claim.dimension:
        counts = claim.dimension == "count" and fact.unit in ("count", "bars")
        if claim.dimension != dimension and not counts:
            return False
        typed, step = claim.value * claim.factor, claim.step * claim.factor
    else:
        if strict and fact.unit not in ("count", "bars", "ratio"):
            return False
        typed, step = claim.value * factor, claim.step * factor
    value = float(fact.value) * factor
    signs = (1.0, -1.0) if _sign_free(fact, sentence) else (1.0,)
    exact = claim.digits >= 2 or claim.step <= 0.01  # one digit alone is too little to round to
    return any(_rounds_to(typed, step, value * sign, exact) for sign in signs)


def _sign_free(fact: Fact, sentence: str) -> bool:
    """ "Lost 12" says -12; a drawdown, a fee and a cost are said with either sign."""
    assert isinstance(fact.value, int | float)  # noqa: S101 - asked for by _numeric before
    cost = any(word in fact.metric for word in ("drawdown", "fee", "slippage", "loss", "cost"))
    return cost or (fact.value < 0 and _LOSING.search(sentence) is not None)


def _rounds_to(typed: float, step: float, value: float, rounded: bool) -> bool:
    """Equal, or, if `rounded`, equal after rounding to the digits typed."""
    slack = 1e-9 * max(abs(typed), abs(value))
    if abs(typed - value) <= slack:
        return True
    return rounded and abs(typed - value) <= step / 2 + slack


@lru_cache(maxsize=4096)
def names_metric(sentence: str, metric: str) -> bool:
    """Does the sentence name the metric: each word of its name that is not a unit, or a usual way to say it?"""
    words = [word for word in re.split(r"[_\W]+", metric.lower()) if word and word not in _UNIT_WORDS]
    if not words:
        words = [word for word in metric.lower().split("_") if word]
    return all(_names_word(sentence, word) for word in words)


def _names_word(sentence: str, word: str) -> bool:
    stem = re.escape(word[:-1] if word.endswith("s") and len(word) > 3 else word)
    pattern = _SAID.get(word, rf"{stem}\w{{0,3}}")
    return re.search(rf"(?i)(?<![A-Za-z])(?:{pattern})(?![A-Za-z])", sentence.replace("_", " ")) is not None


def names_one(sentence: str, fact: Fact, subjects: Collection[str]) -> bool:
    """Does the sentence name what the fact is about: its id, its handle, the whole subject or its last part (`fast_bars 7`), or
    a word of it that few facts about other things share?"""
    handle = fact.ref.split(".", 1)[0]
    low = sentence.lower().replace("=", " ")
    subject = fact.subject.lower().replace("=", " ")
    whole = (fact.evidence.id.lower(), handle.lower(), subject, subject.rsplit(", ", 1)[-1])
    if any(word and re.search(rf"(?<!\w){re.escape(word)}(?!\w)", low) for word in whole):
        return True
    words = {
        word
        for word in re.split(r"[^\w.-]+", subject)
        if len(word) > 2 and word not in _UNIT_WORDS and re.search(rf"(?<!\w){re.escape(word)}(?!\w)", low)
    }
    return any(sum(word in other for other in subjects) <= CROWD for word in words)


def _is_echo(claim: NumberClaim, sentence: str, stand: Ground) -> bool:
    """The person typed it first. Said of a metric that has facts it is a statement, unless it says who said it."""
    typed = any(
        (claim.value == other.value and claim.dimension in ("", other.dimension)) or _equal(claim, other) for other in stand.typed
    )
    if not typed:
        return False
    if _REPEATING.search(sentence):
        return True
    return not any(names_metric(sentence, metric) for metric in stand.index.metrics)


def _equal(claim: NumberClaim, other: NumberClaim) -> bool:
    """The same quantity in another unit of the same dimension: 2 % and 200 bps."""
    if not claim.dimension or claim.dimension != other.dimension:
        return False
    return abs(claim.value * claim.factor - other.value * other.factor) <= 1e-9 * abs(claim.value * claim.factor)
