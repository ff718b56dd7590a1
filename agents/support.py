"""What can support the numbers of an answer, and whether it does. Called by agents/grounding.py with a number and its sentence.

A number stands when it is a fact's value in that unit and the sentence names its metric or its subject, when it is an argument
the turn used, named with its word, when the person typed it first, or when it counts the rows of a table of this turn.
"""

import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from agents.act_records import Receipts
from agents.claims import OF_THE_TEXT, OWN_COUNT_MAX, NumberClaim, claims
from agents.clauses import words_of
from agents.mentions import KnownMentions, known_mentions
from agents.metric_words import CROWD, names_it, names_metric, names_one
from agents.number_words import word_claims
from agents.tool_lines import ToolLines
from tools.common import render
from tools.common.contract import Fact

FEW = 60  # facts among which a figure of three digits with its unit is like no other
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
_LOSING = re.compile(
    r"(?i)\b(lost|los(?:s|ses|ing|es)|down|fell|drop(?:s|ped)?|negative|minus|draw-?downs?|paid|pays?|costs?|fees?"
    r"|under water|worse|less|lower|below)\b"
)
_LEAD = re.compile(
    r"(?i)(?:(?P<about>\b(?:about|roughly|around|approximately|nearly|almost|circa|some|near|close to)|~|\u2248|(?<=a bit over))"
    r"|\b(?P<bound>more than|over|above|at least|north of|under|below|less than|fewer than|at most|up to))\s?$"
)
# `every 15 minutes`, `wait two bars`: a rhythm or a wait, no figure of what was
_SPAN_AHEAD = re.compile(
    r"(?i)\b(?:every|wait(?:ing)?(?: for)?|give (?:it|me|them)|(?:back|again) in|the (?:next|last|first)|within"
    r"|after)\s(?:\w+ or )?$"
)
_LOST = re.compile(r"(?i)\b(?:lost|loses|a loss of|down)\b(?! from)")
_REPEATING = re.compile(
    r"(?i)\b(?:you (?:asked|said|typed|wrote|named|gave|want|wanted|mention(?:ed)?)|(?:i )?understood|asked for|your (?:line"
    r"|limit|question|number"
    r"|figure|idea|wish)|would|could|should)\b|\?\W*$|^\W*an? (?:\d|[a-z]+ (?:percent|%)|[\w ]{3,24} of \d)"
)
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
    number: int


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
    shown: ToolLines = field(init=False)
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
        object.__setattr__(self, "shown", ToolLines(self.quotes))
        texts = [*self.quotes, *self.seen, *self.asked, *map(str, strings_of(self.arguments))]
        object.__setattr__(self, "mentions", known_mentions(self.facts.values(), texts, self.names))
        object.__setattr__(self, "index", FactIndex(self.facts.values()))


class FactIndex:
    """The numeric facts of a thread, found by value: no number of an answer is held against all of them. Those of a long table
    are left out: there a typed number meets one by chance, so that only references stand."""

    def __init__(self, facts: Iterable[Fact]) -> None:
        kept = [fact for fact in facts if fact.unit in _FACT_UNITS and _numeric(fact) and not fact.listed]
        self.facts = kept
        self.metrics = Counter(fact.metric for fact in kept)
        self.subjects = {fact.subject.lower() for fact in kept}
        self._by_metric: dict[str, list[Fact]] = {}
        for fact in kept:
            self._by_metric.setdefault(fact.metric, []).append(fact)
        self._sorted = sorted(((abs(_base_value(fact)), n) for n, fact in enumerate(kept)))
        self._values = [value for value, _ in self._sorted]

    def named(self, metric: str) -> list[Fact]:
        """The facts of a metric, the first few: of more than that each needs its subject named anyway."""
        return self._by_metric.get(metric, [])[:CROWD]

    def near(self, claim: NumberClaim, *, wide: bool = False) -> list[Fact]:
        """The facts whose value, sign aside, may be said as the claim in one of the units it may have: rounded, or as a bound."""
        factors = {claim.factor} if claim.dimension else {factor for _, factor in _FACT_UNITS.values()}
        found: set[int] = set()
        for factor in factors:
            value, step = abs(claim.value) * factor, claim.step * factor
            slack = value / 2 if wide else step / 2 + 2e-9 * value
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
    if claim.dimension in ("time", "count") and (_SPAN_AHEAD.search(claim.before) or after.startswith(" a day")):
        return True
    if not claim.dimension and 0 < claim.value <= OWN_COUNT_MAX and OF_THE_TEXT.match(after):
        return True
    if _is_setting(claim, sentence, stand) or _is_fact(claim, sentence, stand) or _is_echo(claim, sentence, stand):
        return True
    if _is_shown(claim, sentence, after, stand):
        return True
    if claim.dimension == "place":
        return any(rows.number >= claim.value and _counts(after, rows.noun) for rows in stand.rows) or stand.shown.counts(
            claim, sentence, after
        )
    return not claim.dimension and (
        any(rows.number == claim.value and _counts(after, rows.noun) for rows in stand.rows)
        or stand.shown.counts(claim, sentence, after)
    )


def _is_shown(claim: NumberClaim, sentence: str, after: str, stand: Ground) -> bool:
    """A tool's text of this turn has this figure, in a line about what the sentence is about."""
    if claim.dimension in ("frac", "time"):
        return False
    for figure in stand.shown.near(claim):
        signs = (1.0, -1.0) if figure.value < 0 and _LOSING.search(sentence) else (1.0,)
        same = any(_rounds_to(claim.value, claim.step, figure.value * sign, claim.digits >= 3) for sign in signs)
        if same and not (figure.gain and _LOST.search(sentence)) and stand.shown.shows(claim, figure, sentence, after):
            return True
    return False


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
    if not stand.changed:
        return False
    low = sentence.lower()
    named = re.search(r"\bprop-\d", low) is not None
    return claim.dimension in ("", "ratio") and any(
        claim.value == value and (key in low if not named else all(word in low for word in key.split("_")))
        for key, value in stand.changed
    )


def _key_words(key: str) -> list[str]:
    return [word for word in key.lower().split("_") if len(word) > 2 and word not in ("frac", "max", "min")]


def _is_fact(claim: NumberClaim, sentence: str, stand: Ground) -> bool:
    """A fact has this value in this unit, and the sentence names its metric or, where it names no metric, its subject."""
    near = stand.index.near(claim, wide=_lead(claim) != "")
    near = [fact for fact in near if not _is_anothers(fact, sentence, stand)]
    named = {metric for metric in {fact.metric for fact in near} if names_metric(sentence, metric)}
    for fact in near:
        if fact.metric in named and _same(claim, fact, sentence):
            crowd = stand.index.metrics[fact.metric] > CROWD
            if not crowd or names_one(sentence, fact, stand.index.subjects):
                return True
    elsewhere = named or any(names_metric(sentence, metric) for metric in stand.index.metrics)
    if (
        (claim.digits >= 4 or (claim.digits == 3 and claim.dimension and len(stand.index.facts) <= FEW))
        and not elsewhere
        and any(_same(claim, fact, sentence) for fact in near)
    ):
        return True  # a figure like no other
    if not claim.dimension and (named or any(names_metric(sentence, metric) for metric in stand.index.metrics)):
        return False
    others = (fact for fact in near if fact.metric not in named)
    return any(_same(claim, fact, sentence, strict=True) and names_one(sentence, fact, stand.index.subjects) for fact in others)


def _is_anothers(fact: Fact, sentence: str, stand: Ground) -> bool:
    """Does the sentence name another thing that has this metric, and not the one that this fact is about?"""
    others = [other for other in stand.index.named(fact.metric) if other.subject != fact.subject]
    if not others or names_it(sentence, fact):
        return False
    return any(names_it(sentence, other) for other in others)


def _numeric(fact: Fact) -> bool:
    return isinstance(fact.value, int | float) and not isinstance(fact.value, bool)


def _same(claim: NumberClaim, fact: Fact, sentence: str, *, strict: bool = False) -> bool:
    """Is the typed number this fact's value, rounded to the digits typed? `strict`: the unit must be typed as well."""
    assert isinstance(fact.value, int | float)  # noqa: S101 - asked for by _numeric before
    dimension, factor = _FACT_UNITS[fact.unit]
    if claim.dimension:
        counts = fact.unit in ("count", "bars") and (claim.dimension == "count" or claim.text.endswith(("times", "x")))
        share = claim.dimension == "frac" and fact.unit == "ratio" and "gross" in fact.metric
        if claim.dimension != dimension and not counts and not share:
            return False
        typed, step = claim.value * claim.factor, claim.step * claim.factor
    else:
        if strict and fact.unit not in ("count", "bars", "ratio"):
            return False
        typed, step = claim.value * factor, claim.step * factor
    value = float(fact.value) * factor
    if value > 0 and _LOST.search(sentence) and any(word in fact.metric for word in ("return", "pnl")):
        return False
    signs = (1.0, -1.0) if _sign_free(fact, sentence) else (1.0,)
    lead = _lead(claim)
    if lead not in ("", "about"):
        return any(_is_bound(typed, value * sign, lead) for sign in signs)
    if lead and claim.value and claim.value == int(claim.value):  # `about 10,400` is rounded to hundreds
        zeros = 10.0 ** (len(text := str(int(abs(claim.value)))) - len(text.rstrip("0")))
        step = max(step, min(step * zeros, abs(typed) / 10))
    exact = claim.digits >= 2 or claim.step <= 0.01 or bool(lead)  # one digit alone is too little to round to
    return any(_rounds_to(typed, step, value * sign, exact) for sign in signs)


def _lead(claim: NumberClaim) -> str:
    """`about`, a word that makes it a bound, or nothing, before the number."""
    found = _LEAD.search(claim.before)
    return "" if found is None else found["bound"] or "about"


def _is_bound(typed: float, value: float, word: str) -> bool:
    """`Over 140`, `less than 2 %`: on that side of it, and not far away."""
    above = re.match(r"(?i)more|over|above|at least|north", word) is not None
    return typed <= value <= 1.25 * typed if above else typed / 1.25 <= value <= typed


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


def _is_echo(claim: NumberClaim, sentence: str, stand: Ground) -> bool:
    """The person typed it first. Said of a metric that has facts it is a statement, unless it says who said it."""
    typed = any(
        (claim.value == other.value and claim.dimension in ("", other.dimension)) or _equal(claim, other) for other in stand.typed
    )
    if not typed:
        return False
    if _REPEATING.search(sentence):
        return True
    if not claim.dimension and not any(words_of(text) & words_of(sentence) for text in stand.asked):
        return False
    return not any(names_metric(sentence, metric) for metric in stand.index.metrics)


def _equal(claim: NumberClaim, other: NumberClaim) -> bool:
    """The same quantity in another unit of the same dimension: 2 % and 200 bps."""
    if not claim.dimension or claim.dimension != other.dimension:
        return False
    return abs(claim.value * claim.factor - other.value * other.factor) <= 1e-9 * abs(claim.value * claim.factor)
