"""What can support the numbers of an answer, and whether it does. Called by agents/grounding.py with a number and its sentence.

A number stands when it is a fact's value in that unit and the sentence names its metric or its subject, when it is an argument
the turn used, named with its word, when the person typed it first, or when it counts the rows of a table of this turn.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from agents.act_records import SIMULATED, Receipts
from agents.claims import OF_THE_TEXT, OWN_COUNT_MAX, NumberClaim, claims
from agents.clauses import words_of
from agents.derived import RELATION, Minutes, is_derived
from agents.fact_index import FACT_UNITS, FactIndex, lead_of
from agents.mentions import KnownMentions, known_mentions
from agents.metric_words import CROWD, names_it, names_metric, names_one
from agents.number_words import word_claims
from agents.tool_lines import ToolLines
from tools.common import render
from tools.common.contract import Fact

QUANTIFIERS = ("both", "neither", "none of", "all")
FEW = 60  # facts among which a figure of three digits with its unit is like no other
SENTENCE_MAX = 600  # characters that are read as one sentence
DEPTH_MAX = 20  # of arguments that are read
KEY_MAX, NUMBER_MAX = 64, 40  # characters of a `key=value` in them

_LOSING = re.compile(
    r"(?i)\b(lost|los(?:s|ses|ing|es)|down|fell|drop(?:s|ped)?|negative|minus|draw-?downs?|paid|pays?|costs?|fees?"
    r"|under water|worse|less|lower|below)\b"
)
# `every 15 minutes`, `wait two bars`: a rhythm or a wait, no figure of what was
_SPAN_AHEAD = re.compile(
    r"(?i)\b(?:every|wait(?:ing)?(?: for)?|give (?:it|me|them)|(?:back|again) in|the (?:next|last|first)|within"
    r"|after)\s(?:\w+ or )?$"
)
_LOST = re.compile(r"(?i)\b(?:lost|loses|a loss of|down)\b(?! from)")
_OF_DESK = re.compile(r"(?i)\b(?:we|you|desk|our|your|today|currently|right now)\b")
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
    index: FactIndex = field(init=False)
    minutes: Minutes = field(init=False)

    def __post_init__(self) -> None:
        """Read the person's numbers, the arguments, and what the thread has seen once; nothing of it for code's own draft."""
        if self.by_code:
            return
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
        instants = [f.value for f in self.facts.values() if f.unit == "ms" and isinstance(f.value, int | float)][:4]
        minutes = Minutes(self.mentions.minutes, [int(value) // 60_000 % 1440 for value in instants])
        object.__setattr__(self, "minutes", minutes)


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
        parts += pieces(line, start, found.start())
        start = found.end()
    return parts + pieces(line, start, len(line))


def pieces(line: str, start: int, end: int) -> list[tuple[int, int, str]]:
    """A stretch of a line in pieces of at most SENTENCE_MAX characters, cut at spaces: what is longer is no sentence."""
    found = []
    while end - start > SENTENCE_MAX:
        cut = line.rfind(" ", start + SENTENCE_MAX // 2, start + SENTENCE_MAX)
        cut = start + SENTENCE_MAX if cut < 0 else cut
        found.append((start, cut, line[start:cut]))
        start = cut
    return [*found, (start, end, line[start:end])]


def stands(claim: NumberClaim, sentence: str, after: str, stand: Ground) -> bool:
    """Whether something of the thread stands behind a number of `sentence`; `after`: the words that follow it."""
    if claim.dimension in ("time", "count") and (_SPAN_AHEAD.search(claim.before) or after.startswith(" a day")):
        return True
    if claim.dimension in QUANTIFIERS:
        return stand.shown.counts(claim, sentence, after)
    points = re.match(r"(?i)\s+points?\b", after) and (claim.before.endswith("by ") or RELATION.match(after[6:].strip()))
    if not claim.dimension and 0 < claim.value <= OWN_COUNT_MAX and claim.step >= 1 and OF_THE_TEXT.match(after) and not points:
        return True
    if _is_setting(claim, sentence, stand) or _is_fact(claim, sentence, stand) or _is_echo(claim, sentence, stand):
        return True
    if _is_shown(claim, sentence, after, stand) or is_derived(claim, sentence, stand.index, stand.shown, stand.minutes):
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
    if claim.dimension in ("frac", "time", "times"):
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


def _is_setting(claim: NumberClaim, sentence: str, stand: Ground) -> bool:
    """An argument of this thread's calls, said with a word of its key: `stop_atr=2`, "a 2 ATR stop", "fast 20"; or a value that a
    proposal this turn read gives the setting, which the sentence names in full."""
    for key, value in stand.settings:
        same = claim.value == value or (claim.dimension == "frac" and abs(claim.value * claim.factor - value) < 1e-12)
        if same and any(re.search(rf"(?i)(?<![a-z]){re.escape(word)}", sentence) for word in _key_words(key)):
            return True
    if not stand.changed:
        return False
    start = max(0, sentence.find(claim.before + claim.text)) + len(claim.before)
    low = (re.split(r"[,;] ", sentence[:start])[-1] + re.split(r"[,;] ", sentence[start:])[0]).lower()
    return claim.dimension in ("", "ratio") and any(
        claim.value == value
        and (
            key in low
            or (re.search(r"\bprop-\d", low) and any(word in low for word in _key_words(key)))
            or all(word in low for word in _key_words(key))
        )
        for key, value in stand.changed
    )


def _key_words(key: str) -> list[str]:
    return [word for word in key.lower().split("_") if len(word) > 2 and word not in ("frac", "max", "min")]


def _is_fact(claim: NumberClaim, sentence: str, stand: Ground) -> bool:
    """A fact has this value in this unit, and the sentence names its metric or, where it names no metric, its subject."""
    near = stand.index.near(claim, wide=lead_of(claim) != "")
    near = [fact for fact in near if not _is_anothers(claim, fact, sentence, stand)]
    named = {metric for metric in {fact.metric for fact in near} if names_metric(sentence, metric)}
    for fact in near:
        if fact.metric in named and _same(claim, fact, sentence, loose=True):
            crowd = stand.index.metrics[fact.metric] > CROWD
            if not crowd or names_one(sentence, fact, stand.index.subjects):
                return True
    kinds = {FACT_UNITS[fact.unit][0] for fact in near}
    elsewhere = named or any(
        names_metric(sentence, fact.metric) for fact in stand.index.facts if FACT_UNITS[fact.unit][0] in kinds
    )
    if (
        (claim.digits >= 4 or (claim.digits == 3 and claim.dimension and len(stand.index.facts) <= FEW))
        and not elsewhere
        and any(_same(claim, fact, sentence) for fact in near)
    ):
        return True  # a figure like no other
    if named or any(
        names_metric(sentence, fact.metric)
        for fact in stand.index.facts
        if not claim.dimension or claim.dimension == FACT_UNITS[fact.unit][0]
    ):
        return False
    others = (fact for fact in near if fact.metric not in named)
    return any(_same(claim, fact, sentence, strict=True) and names_one(sentence, fact, stand.index.subjects) for fact in others)


def _is_anothers(claim: NumberClaim, fact: Fact, sentence: str, stand: Ground) -> bool:
    """Does the sentence name another thing that has this metric, and not the one that this fact is about?"""
    if (
        fact.subject in ("desk", "whole desk")
        and claim.digits >= 5
        and not re.search(r"[a-z]-[a-z]+\W{0,3}(?:\w+ ){0,2}$", claim.before)
    ):
        return False  # the sleeves and their sum
    others = [other for other in stand.index.named(fact.metric) if other.subject != fact.subject]
    if not others or names_it(sentence, fact, stand.shown.alias(fact.evidence.id)):
        return False
    of_desk = fact.evidence.kind == "run" and _OF_DESK.search(sentence) and not SIMULATED.search(sentence)
    if of_desk and "desk" in stand.index.subjects:
        return True
    named = [other for other in others if names_it(sentence, other, stand.shown.alias(other.evidence.id))]
    figures = list(claims(sentence)) if named else []
    return any(not any(_same(figure, other, sentence) for figure in figures) or names_it(sentence, other) for other in named)


def _same(claim: NumberClaim, fact: Fact, sentence: str, *, strict: bool = False, loose: bool = False) -> bool:
    """Is the typed number this fact's value, rounded to the digits typed? `strict`: the unit must be typed too; `loose`: one
    digit alone may be rounded."""
    assert isinstance(fact.value, int | float)  # noqa: S101 - asked for by numeric before
    dimension, factor = FACT_UNITS[fact.unit]
    if claim.dimension:
        counts = fact.unit in ("count", "bars") and (claim.dimension == "count" or claim.text.endswith(("times", "x")))
        counts = counts or (claim.dimension == "time" and "day" in fact.metric and claim.factor == 86_400_000.0)
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
    lead = lead_of(claim)
    if lead not in ("", "about"):
        return any(_is_bound(typed, value * sign, lead) for sign in signs)
    if lead and claim.value and claim.value == int(claim.value):  # `about 10,400` is rounded to hundreds
        zeros = 10.0 ** (len(text := str(int(abs(claim.value)))) - len(text.rstrip("0")))
        step = max(step, min(step * zeros, abs(typed) / 10))
    loose = loose and not claim.before.endswith("by ") and claim.value != 0 and step <= 0.16 * abs(typed)
    exact = loose or claim.digits >= 2 or claim.step <= 0.01 or bool(lead)  # one digit alone is too little to round to
    return any(_rounds_to(typed, step, value * sign, exact) for sign in signs)


def _is_bound(typed: float, value: float, word: str) -> bool:
    """`Over 140`, `less than 2 %`: on that side of it, and not far away."""
    above = re.match(r"(?i)more|over|above|at least|north", word) is not None
    return typed <= value <= 1.25 * typed if above else typed / 1.25 <= value <= typed


def _sign_free(fact: Fact, sentence: str) -> bool:
    """ "Lost 12" says -12; a drawdown, a fee and a cost are said with either sign."""
    assert isinstance(fact.value, int | float)  # noqa: S101 - asked for by numeric before
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
        (
            claim.value == other.value
            and (claim.dimension == other.dimension or (not claim.dimension and claim.digits >= 2 and claim.text[-1].isdigit()))
        )
        or _equal(claim, other)
        for other in stand.typed
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
