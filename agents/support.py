"""What can support an answer: the thread's facts, what its tools wrote, acts of the turn. For grounding and provers."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

from agents.concepts import concepts_of
from agents.mentions import KnownMentions, known_mentions
from agents.records import Receipts, Record, meanings_of, named_in
from tools.common import render
from tools.common.contract import Fact

SENTENCE_MAX = 600  # characters that are read as one sentence
DEPTH_MAX = 20  # of arguments that are read
RECORDS_TRIED = 200  # of those that name what a clause names
_SENTENCE_END = re.compile(r"(?<=[.!?;])\s+(?=[A-Z0-9*_`{(\[~\ue000-\uf8ff])")
# dimension and factor of a fact's unit; instants and words are never typed numbers
FACT_UNITS = {
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
_UNIT_WORDS = frozenset({"frac", "bps", "usd", "usdt", "ms", "price"})
# what else a word of a metric is called: concept -> concepts that also name it
_ALSO: Mapping[str, tuple[str, ...]] = {
    "return": ("gain", "loss"),
    "pnl": ("gain", "loss", "trade"),
    "change": ("gain", "loss", "pnl"),
    "trades": ("trip", "made"),
    "trip": ("trades", "made"),
    "fees": ("paid", "costs"),
    "funding": ("paid", "costs"),
    "gross": ("exposure", "leverage", "equity"),
    "exposure": ("time",),
    "win": ("trades", "time", "rate"),
    "drawdown": ("loss", "peak"),
    "sharpe": ("ratio",),
    "sortino": ("ratio",),
    "quantity": ("position",),
    "protective": ("stop",),
    "version": ("configuration", "run", "live"),
    "open": ("position",),
    "held": ("bars", "trade"),
}
_WEAK = frozenset(
    {"total", "max", "annual", "time", "ratio", "equity", "bars", "trade", "position", "open", "paid", "rate", "factor", "made"}
)


_VARIANT = re.compile(r"[a-z_]+_[a-z_]+ [\d.]*\d|^[a-z]{2,40} \d+$")


class CountedRows(NamedTuple):
    """The rows of a table of this turn, by what its first column names: `sleeve`, 3."""

    noun: str
    number: int


class FactRecord(NamedTuple):
    """A fact as the provers read it."""

    fact: Fact
    value: float  # in the base unit of its dimension
    dimension: str
    subject: str
    names: frozenset[str]  # the concepts of its metric's own words
    about: frozenset[str]  # names, handle, id and coins of its subject
    means: frozenset[str]  # concepts that a sentence about it may have
    heads: frozenset[str]  # those of which it has one
    of: frozenset[str]  # the concepts of its subject's words
    losing: bool  # a figure that is a loss when it is below zero


@dataclass(frozen=True, slots=True)
class Ground:
    """What can support an answer: the thread's facts by reference, what the person typed, its receipts."""

    facts: Mapping[str, Fact]
    asked: Sequence[str] = ()
    arguments: Sequence[Mapping[str, Any]] = ()
    names: Sequence[str] = ()  # ids and names of the thread: digits inside them are not claims
    quotes: Sequence[str] = ()  # tool texts of this turn: a sentence or row repeated verbatim needs no fact
    seen: Sequence[str] = ()  # further texts of the thread in which ids and times are found: earlier results, the stamp
    receipts: Receipts | None = None  # of acts; None: acts are not judged
    rows: Sequence[CountedRows] = ()
    by_code: bool = False  # the draft is code's own: only its references are rendered
    quoted: frozenset[str] = field(init=False)
    mentions: KnownMentions = field(init=False)
    figures: "Figures" = field(init=False)
    lines: "Lines" = field(init=False)
    people: frozenset[str] = field(init=False)
    names_lower: frozenset[str] = field(init=False)
    metrics: frozenset[str] = field(init=False)  # names of metrics in several words
    aliases: Mapping[str, str] = field(init=False)  # what a table calls a run -> its id

    def __post_init__(self) -> None:
        """Read what the thread has seen once; nothing of it for code's own draft."""
        if self.by_code:
            return
        known = {fact.evidence.id for fact in self.facts.values()}
        said = [render.safe(text, known) for text in self.quotes]
        object.__setattr__(self, "quoted", frozenset(part for text in said for part in whole_parts(text)))
        texts = [*self.quotes, *self.seen, *self.asked, *map(str, strings_of(self.arguments))]
        object.__setattr__(self, "mentions", known_mentions(self.facts.values(), texts, self.names))
        object.__setattr__(self, "figures", Figures(self.facts))
        receipts = self.receipts or Receipts(records=self.quotes)
        object.__setattr__(self, "lines", Lines(receipts.lines))
        object.__setattr__(self, "people", receipts.people())
        variants = {part for fact in self.facts.values() for part in _VARIANT.findall(fact.subject.lower())}
        named = frozenset[str]().union(
            *(line.about for line in receipts.lines), *(fact_record(f).about for f in self.facts.values())
        )
        object.__setattr__(self, "names_lower", frozenset(name.lower() for name in self.names) | variants | named)
        object.__setattr__(self, "metrics", frozenset(fact.metric for fact in self.facts.values() if "_" in fact.metric))
        object.__setattr__(self, "aliases", aliases_of(receipts.lines))


class Figures:
    """The numeric facts of a thread by what they are about and by value. Those of a long table are left out: there a typed number
    meets one by chance, so that only references stand."""

    def __init__(self, facts: Mapping[str, Fact]) -> None:
        kept = [fact_record(fact) for fact in facts.values() if not fact.listed and is_number(fact)]
        self._by_head: dict[str, list[FactRecord]] = {}
        self._by_name: dict[str, list[FactRecord]] = {}
        for record in kept:
            for head in record.heads:
                self._by_head.setdefault(head, []).append(record)
            for name in record.about:
                self._by_name.setdefault(name, []).append(record)
        self.desk_ms = frozenset(
            int(fact.value) // 60_000
            for fact in facts.values()
            if fact.metric == "desk_time" and isinstance(fact.value, int | float)
        )

    def of(self, heads: frozenset[str], names: frozenset[str]) -> list[FactRecord]:
        """The first RECORDS_TRIED whose metric is called so, of what has all the names."""
        if names:
            fewest = min((self._by_name.get(name, []) for name in sorted(names)), key=len)
            return [record for record in fewest if record.heads & heads and names <= record.about][:RECORDS_TRIED]
        found = {id(record): record for head in sorted(heads) for record in self._by_head.get(head, ())[:RECORDS_TRIED]}
        return list(found.values())

    def desk_day(self, before: int) -> date | None:
        """The desk's day, or so many days before it; None where its time is not in the thread."""
        if len(self.desk_ms) != 1:
            return None
        return datetime.fromtimestamp(min(self.desk_ms) * 60, UTC).date() - timedelta(days=before)


def is_number(fact: Fact) -> bool:
    """Has it a number that may be typed?"""
    return fact.unit in FACT_UNITS and not isinstance(fact.value, bool) and isinstance(fact.value, int | float)


def fact_record(fact: Fact) -> FactRecord:
    """A fact with the words that a sentence about it may have."""
    dimension, factor = FACT_UNITS.get(fact.unit, ("", 1.0))
    words = [word for word in re.split(r"[_\W]+", fact.metric.lower().removeprefix("round_trip_")) if word]
    words = [word for word in words if word not in _UNIT_WORDS] or words
    words = [*words[:-1], "limit"] if len(words) > 1 and words[-1] == "max" else words  # `drawdown_frac_max`: of a configuration
    words = ["benchmark", *words[1:]] if words[0] == "hold" else words  # `hold_return_frac`
    names = frozenset[str]().union(*(concepts_of(word) for word in words))
    heads = names | {also for name in names for also in _ALSO.get(name, ())}
    subject = fact.subject.lower()
    about = named_in(subject) | {fact.ref.partition(".")[0].lower(), fact.evidence.id.lower()}
    about |= frozenset(_VARIANT.findall(subject))
    of = frozenset[str]().union(*(concepts_of(word) for word in re.findall(r"[a-z]+", subject)))
    said = of | meanings_of(fact.window.lower()) | ({"variant"} if _VARIANT.search(subject) else set())
    said |= {"trip"} if fact.metric.startswith("round_trip") else frozenset()
    kind = {"run": ("run", "made"), "event": (), "config": ("parameter", "live")}.get(fact.evidence.kind, ())
    value = float(fact.value) * factor if is_number(fact) and isinstance(fact.value, int | float) else 0.0
    losing = bool(names & {"return", "pnl", "change", "difference"})
    strong = heads - _WEAK if names - _WEAK else heads
    return FactRecord(fact, value, dimension, subject, names, about, heads | said | frozenset(kind), strong, of, losing)


class Lines:
    """The records of a thread by what they are about."""

    def __init__(self, lines: Sequence[Record]) -> None:
        self.all = lines
        self._by_name: dict[str, list[Record]] = {}
        for line in lines:
            for name in line.about:
                self._by_name.setdefault(name, []).append(line)

    def about(self, names: frozenset[str]) -> list[Record]:
        """Those that are about each of the names, the first RECORDS_TRIED; all of them for no name."""
        if not names:
            return list(self.all[:RECORDS_TRIED])
        fewest = min((self._by_name.get(name, []) for name in sorted(names)), key=len)
        return [line for line in fewest if names <= line.about][:RECORDS_TRIED]


def aliases_of(lines: Sequence[Record]) -> dict[str, str]:
    """What a table of runs calls each: `live configuration`, by the run's id; a name of two runs is none."""
    found: dict[str, set[str]] = {}
    for line in lines:
        runs = [name for name in line.about if name.startswith("r-")]
        if line.kind == "cell" and len(runs) == 1 and (name := re.fullmatch(r"variant: ([a-z]+(?: [a-z]+){1,3})", line.text)):
            found.setdefault(name[1], set()).add(runs[0])
    return {name: min(runs) for name, runs in found.items() if len(runs) == 1}


def strings_of(value: Any, depth: int = 0) -> Iterator[str]:
    """Every string among the arguments. Deeper than DEPTH_MAX is not read."""
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
