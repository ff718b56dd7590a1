"""What a question names: strategy, symbol, timeframe, window, parameters, sleeves, ids. Called by the offline model.

`read` turns a question into typed Slots. Names are looked up in the desk's vocabulary; a symbol or strategy that looks
like one but is not known is kept as typed, so that the tool can say what there is.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from agents.offline import dates, params
from agents.offline.entries import vocabulary
from agents.offline.words import BY, COINS, NOT_STRATEGIES, SleeveName, Words, is_common, tidy

BLANK = "\u00b7"  # holds the place of a name or a date that has been read
_TIMEFRAME = re.compile(
    r"(?<![\w-])(1|5|15|30|2|4|60)[\s-]?(m|min|mins|minutes?|h|hours?|hourly)\b(?:[\s-]?(?:bars?|candles?))?|\bhourly\b"
)
_SIZES = {"1m": "1m", "5m": "5m", "15m": "15m", "60m": "1h", "1h": "1h", "30m": "30m", "2h": "2h", "4h": "4h", "2m": "2m"}
_ID = re.compile(r"(?<![\w-])([a-z]{1,5}-(?=[0-9a-z-]*\d)[0-9a-z]+(?:-[0-9a-z]+)*)(?![\w-])")
_PROPOSAL = re.compile(r"\bproposal\s+(?:number\s+|no\.?\s*|#)?(\d{1,6})\b(?!\.\d)")
_NUMBER_OF = re.compile(r"(?:round[ -]?trip|trade|trip|number|no\.?)\s*(?:number|no\.?)?\s*#?(\d{1,5})\b|#(\d{1,5})\b")


@dataclass(frozen=True)
class Slots:
    """The typed content of one question; what is not named is None or empty."""

    text: str = ""  # tidy
    strategy: str | None = None
    strategies: tuple[str, ...] = ()
    symbols: tuple[str, ...] = ()
    timeframe: str | None = None
    venue: str | None = None
    span: dates.TimeSpan = dates.NO_SPAN
    lasting: str | None = None  # `for 24 hours`: how long, not when
    common: dict[str, Any] = field(default_factory=dict)
    variants: tuple[dict[str, Any], ...] = ()
    unclear: tuple[str, ...] = ()  # numbers whose parameter cannot be told
    factor: float | None = None  # halve, double
    sleeves: tuple[str, ...] = ()  # more than one: ambiguous
    ids: tuple[str, ...] = ()
    handles: tuple[str, ...] = ()  # r1, r2: runs of this thread
    number: int | None = None  # of a round trip
    version: int | None = None  # of a sleeve or the desk
    count: int | None = None  # the worst 5, the last 10
    place: int | None = None  # the second one, row 3: counted from 0, the last one -1
    by: tuple[str, ...] = ()  # exit, side, day ...
    percent: float | None = None  # a 10 % drop
    which: str | None = None  # worst | best | last
    side: str | None = None
    fills: str | None = None
    funding: str | None = None
    places: Mapping[str, tuple[tuple[int, int], ...]] = field(default_factory=dict)  # slot -> where it stands in the text

    @property
    def symbol(self) -> str | None:
        """The first symbol named."""
        return self.symbols[0] if self.symbols else None

    def over(self, older: "Slots") -> "Slots":
        """These slots, with what they leave open taken from an older question of the same thread."""
        taken = {
            name: getattr(older, name)
            for name in self.__dataclass_fields__
            if name not in ("text", "unclear", "places", "place", "which", "factor")
            and not _given(getattr(self, name))
            and _given(getattr(older, name))
        }
        if self.variants or self.common:  # new numbers replace the old ones together
            taken.pop("variants", None)
            taken["common"] = {k: v for k, v in older.common.items() if k not in _keys(self)} | self.common
        if self.symbols or self.strategy:
            taken.pop("sleeves", None)
        return replace(self, **taken)


def _given(value: object) -> bool:
    return bool(value) and value != dates.NO_SPAN


def _keys(slots: Slots) -> set[str]:
    return {key for variant in slots.variants for key in variant} | set(slots.common)


def read_slots(question: str, words: Words) -> Slots:
    """The slots of a question."""
    text = tidy(question, words, vocabulary())
    took: dict[str, list[tuple[int, int]]] = {}

    def take(name: str, found: Iterable[tuple[int, int]], rest: str) -> str:
        took.setdefault(name, []).extend(found)
        return _blank(rest, took[name])

    ids = tuple(dict.fromkeys(found[1] for found in _ID.finditer(text) if not _is_name(found[1], words)))
    rest = take("ids", [found.span(1) for found in _ID.finditer(text) if found[1] in ids], text)
    ids += tuple(f"prop-{found[1]}" for found in _PROPOSAL.finditer(rest))
    rest = take("ids", [found.span() for found in _PROPOSAL.finditer(rest)], rest)
    place, rest = _first(_PLACE, rest, take, "place")
    count, rest = _first(_COUNT, rest, take, "count")
    number = next((int(found[1] or found[2]) for found in _NUMBER_OF.finditer(rest)), None)
    if number is not None:
        rest = take("number", [found.span() for found in _NUMBER_OF.finditer(rest)], rest)
    version, rest = _first(_VERSION, rest, take, "version")
    funding, blanked = _funding(rest)
    rest = take("funding", _changed(rest, blanked), blanked)
    lasting, rest = _first(_LASTING, rest, take, "lasting")
    span, used = dates.read_span(rest, words.desk_ms)
    rest = take("span", used, rest)
    timeframe, blanked = _timeframe(rest)
    rest = take("timeframe", _changed(rest, blanked), blanked)
    named, blanked = _names(rest, words)
    rest = take("sleeves", _changed(rest, blanked), blanked)
    by, rest = _by(rest, take)
    symbols, blanked = _symbols(rest, words)
    rest = take("symbols", _changed(rest, blanked), blanked)
    strategies = _strategies(rest, words)
    handles = tuple(dict.fromkeys(re.findall(r"(?<![\w.-])r\d{1,3}\b", rest)))
    rest = take("handles", [m.span() for m in re.finditer(r"(?<![\w.-])r\d{1,3}\b", rest)], rest)
    venue = next((v for v in (*words.venues, "binance", "okx", "bybit", "synthetic") if _word(v, rest)), None)
    percent, rest = _percent(rest, take)
    reading = params.read_params(rest, _usable(words, strategies))
    factor = next((number for said, number in (("halve", 0.5), ("half", 0.5), ("double", 2.0)) if _word(said, rest)), None)
    took["strategies"] = [m.span() for name in strategies for form in _forms(name) for m in _finditer(form, rest)]
    took["venue"] = [m.span() for m in _finditer(venue or "-", rest)]
    took["params"] = list(reading.places)
    took["unclear"] = list(reading.unplaced)
    return Slots(
        text=text,
        strategy=strategies[0] if strategies else None,
        strategies=strategies,
        symbols=symbols,
        timeframe=timeframe,
        venue=venue,
        span=span,
        lasting=lasting,
        common=reading.common,
        variants=tuple(reading.variants),
        unclear=reading.unclear,
        factor=factor,
        sleeves=named or _sleeves(words, strategies, symbols, timeframe),
        ids=ids,
        handles=handles,
        number=number,
        version=None if version is None else int(version),
        count=None if count is None else _counted(count),
        place=None if place is None else _placed(place),
        by=by,
        percent=percent,
        which=_which(text),
        side=next((side for side in ("long", "short") if re.search(rf"\b{side}s?\b", rest)), None),
        fills=next((mode for mode in ("optimistic", "pessimistic") if mode in text), None),
        funding=funding,
        places={name: tuple(found) for name, found in took.items() if found},
    )


_ORDINALS = {"first": 0, "1st": 0, "former": 0, "second": 1, "2nd": 1, "third": 2, "3rd": 2, "fourth": 3, "4th": 3, "fifth": 4}
_ORDINALS |= {"last": -1, "latter": -1}
_ROW = r"(?:one|ones|row|line|variant|option|item)"
_PLACE = re.compile(
    rf"\b(?:the )?({'|'.join(_ORDINALS)}) {_ROW}\b"
    rf"|\b(?:the )?(first|second|third|fourth|fifth) (?:event|alert|proposal|entry|run)\b"
    rf"|\b(?:row|line|item|option|variant) #?(\d{{1,2}})\b|\bnumber (one|two|three)\b"
    rf"|\b(former|latter)\b|\bthe (first|second|third)\b(?=[?.! ]*$| for\b| please\b)"
)
_SMALL = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10}
_MANY = rf"(\d{{1,3}}|{'|'.join(_SMALL)})"
_COUNT = re.compile(
    rf"\b(?:worst|best|top|biggest|largest|smallest|bottom|deepest|longest|last|latest|first)(?: of the)? {_MANY}\b"
    rf"(?! ?(?:%|atr|bars?|minutes?|mins?|hours?|hrs?|h|days?|d|weeks?|w|months?|quarters?|years?|y)\b)"
    rf"|(?<![\w.-]){_MANY} (?:worst|best|biggest|largest|smallest|latest|last|deepest|longest) (?!\d)"
)
_VERSION = re.compile(r"\b(?:version|v)\.? ?(\d{1,5})\b(?!\.\d)")
_LASTING = re.compile(
    r"\bfor (?:the next )?((?:an?|\d{1,3}|two|three|four|five|six|seven|ten|twelve) ?"
    r"(?:minutes?|mins?|hours?|hrs?|h|days?|d|weeks?|w))\b"
    r"|\b(until (?:tomorrow|further notice|monday|tuesday|wednesday|thursday|friday|saturday|sunday|tonight"
    r"|the end of the \w+)(?:,? ?(?:at )?\d{1,2}:\d\d ?z?(?:utc)?)?)\b"
)
_PERCENT = re.compile(r"(?<![\w.])([-+]?\d{1,3}(?:\.\d+)?) ?(?:%|percent|per cent|pct)(?![\w])")
_MOVE = re.compile(
    r"\b(?:drops?|falls?|crash\w*|dumps?|declines?|dips?|down|lower|loses?|rises?|rally|rallies|up|jumps?|pumps?|moves?|gap\w*|shock)\b"
)
_DOWN = re.compile(r"\b(?:drops?|falls?|crash\w*|dumps?|declines?|dips?|down|lower|loses?)\b")


def _first(pattern: re.Pattern[str], text: str, take: Any, name: str) -> tuple[str | None, str]:
    """The first group that a pattern finds, its place taken."""
    found = pattern.search(text)
    if found is None:
        return None, text
    return next(group for group in found.groups() if group), take(name, [found.span()], text)


def _placed(word: str) -> int:
    return _ORDINALS[word] if word in _ORDINALS else _counted(word) - 1


def _counted(word: str) -> int:
    return int(word) if word.isdigit() else _SMALL[word]


def _changed(before: str, after: str) -> list[tuple[int, int]]:
    """Where `after` has been blanked."""
    return [m.span() for m in re.finditer(f"{BLANK}+", after) if BLANK not in before[slice(*m.span())]]


def _by(text: str, take: Any) -> tuple[tuple[str, ...], str]:
    """`by exit`, `per day`, `each month`, `longs or shorts`: what a split is asked by."""
    found_all: list[str] = []
    for name, forms in BY.items():
        said = "|".join(sorted(map(re.escape, forms), key=len, reverse=True))
        found = re.search(rf"\b(?:by|per|for each|each|every|broken down by) (?:the |its )?(?:{said})\b(?! of \w+ing)", text)
        found = found or (re.search(rf"\b(?:{'|'.join(f for f in forms if ' ' in f)})\b", text) if name == "side" else None)
        found = found or (re.search(r"\bdaily\b(?! loss| limit| return)", text) if name == "day" else None)
        if found:
            found_all.append(name)
            text = take("by", [found.span()], text)
    return tuple(found_all), text


def _percent(text: str, take: Any) -> tuple[float | None, str]:
    """A move of a price in percent, signed; a percent of a parameter is left to the parameters."""
    found, moves = _PERCENT.search(text), _MOVE.search(text)
    if not found or not moves or abs(found.start() - moves.start()) > 24:
        return None, text
    value = float(found[1]) / 100
    value = -abs(value) if _DOWN.search(text) else value
    return value, take("percent", [found.span(), moves.span()], text)


def _finditer(form: str, text: str) -> Iterable[re.Match[str]]:
    return re.finditer(rf"(?<![\w-]){re.escape(form)}(?![\w-])", text)


def _blank(text: str, spans: Sequence[tuple[int, int]]) -> str:
    for start, stop in spans:
        text = text[:start] + BLANK * (stop - start) + text[stop:]
    return text


def _word(word: str, text: str) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(word.lower())}(?![\w-])", text) is not None


def _is_name(text: str, words: Words) -> bool:
    return any(text == sleeve.name.lower() for sleeve in words.sleeves) or any(text == name.lower() for name in words.strategies)


def _funding(text: str) -> tuple[str | None, str]:
    """`without funding`, `assume 3 bps funding`; everything else is a word of the question."""
    found = re.search(r"\b(?:without|no|ignor(?:e|ing))\s+funding\b|\bfunding\s*=?\s*none\b", text)
    if found:
        return "none", _blank(text, [found.span()])
    found = re.search(r"\bassum(?:e|ing)\s*=?\s*(\d+(?:\.\d+)?)\s*(?:bps?)?(?:\s+(?:of\s+)?funding)?\b", text)
    return (f"assume={found[1]}", _blank(text, [found.span()])) if found else (None, text)


def _timeframe(text: str) -> tuple[str | None, str]:
    found = _TIMEFRAME.search(text)
    if not found:
        return None, text
    if found[1] is None:
        return "1h", _blank(text, [found.span()])
    size = f"{found[1]}{found[2][0]}"
    return _SIZES.get(size, size), _blank(text, [found.span()])


def _symbols(text: str, words: Words) -> tuple[tuple[str, ...], str]:
    """Symbols in the order they are named: BTC, btc/usdt, BTCUSDT, bitcoin; an unknown pair is kept as typed."""
    bases = {symbol.split("-")[0].lower(): symbol for symbol in reversed(words.symbols)}
    spoken = "|".join(map(re.escape, COINS))
    known = "|".join(sorted(map(re.escape, bases), key=len, reverse=True)) or "btc"
    pair = re.compile(
        rf"(?<![\w-])(?:(?P<name>{spoken})|(?P<base>{known})(?:[-/_ ]?(?:usdt|usdc|usd|perp))?(?:[-/_ ]?perp)?"
        rf"|(?P<pair>[a-z0-9]{{2,10}}[-/_](?:usdt|usdc|usd)|[a-z]{{2,6}}usdt))(?![\w-])"
    )
    found_all: list[str] = []
    spans = []
    for found in pair.finditer(text):
        if found["name"]:
            base = COINS[found["name"]]
            symbol = bases.get(base.lower(), f"{base}-USDT")
        elif found["base"]:
            symbol = bases.get(found["base"], "BTC-USDT")
        else:
            symbol = re.sub(r"[-/_]", "-", found["pair"]).upper()
            symbol = symbol if "-" in symbol else symbol.removesuffix("USDT") + "-USDT"
        spans.append(found.span())
        if symbol not in found_all:
            found_all.append(symbol)
    return tuple(found_all), _blank(text, spans)


PRAISE = frozenset(("new", "old", "best", "worst", "current", "live", "whole", "favourite", "favorite", "first", "second"))
PRAISE |= {"main", "existing", "latest", "last"}


def _forms(name: str) -> tuple[str, ...]:
    """How people say a strategy's name."""
    more = {
        "reversion": ("mean reversion", "mean-reversion", "reverting", "reversions"),
        "trend": ("trend following", "trend-following"),
    }
    return (name.lower(), name.lower().replace("_", " "), name.lower() + "s", *more.get(name, ()))


def _strategies(text: str, words: Words) -> tuple[str, ...]:
    """Known strategies in the order named; else what is typed as one: `my peek strategy`, or the word after `backtest`."""
    forms = {name: _forms(name) for name in words.strategies}
    at: dict[str, int] = {}
    for name, said in forms.items():
        places = [found.start() for form in said for found in _finditer(form, text)]
        if places:
            at[name] = min(places)
    if at:
        return tuple(sorted(at, key=lambda name: at[name]))
    found = re.search(
        r"\b(?:backtest|simulate|test|try|leaks?(?: check)?|strategy(?: called| named)?|run)\s+"
        r"(?:(?:the|my|a|own|strategy|for|in|of|on)\s+)*([a-z][a-z0-9]*(?:_[a-z0-9]+)*)(?![\w-])",
        text,
    )
    owned = re.search(r"\b(?:my|our|own)\s+([a-z][a-z0-9]*(?:_[a-z0-9]+)*)\s+strategy\b", text)
    if owned is not None and owned[1] not in NOT_STRATEGIES | PRAISE:  # even an ordinary word is a name here: "my peek strategy"
        return (owned[1],)
    meant = (
        found is not None
        and found[1] not in NOT_STRATEGIES
        and not (is_common(found[1]) or found[1] in words.vocabulary | vocabulary())
    )
    return (found[1],) if found and meant else ()


def _names(text: str, words: Words) -> tuple[tuple[str, ...], str]:
    """Sleeves named literally."""
    found = [s for s in words.sleeves if _word(s.name, text) and s.name.lower() not in map(str.lower, words.strategies)]
    for sleeve in found:
        text = re.sub(rf"(?<![\w-]){re.escape(sleeve.name.lower())}(?![\w-])", lambda m: BLANK * len(m[0]), text)
    return tuple(s.name for s in found), text


def _sleeves(words: Words, strategies: Sequence[str], symbols: Sequence[str], timeframe: str | None) -> tuple[str, ...]:
    """Sleeves that the named strategy, symbol and timeframe point at; none when nothing is named."""
    if not (strategies or symbols):
        return ()

    def fits(sleeve: SleeveName) -> bool:
        return (
            (not strategies or sleeve.strategy in strategies)
            and (not symbols or sleeve.symbol in symbols)
            and (timeframe is None or sleeve.timeframe == timeframe)
        )

    return tuple(sleeve.name for sleeve in words.sleeves if fits(sleeve))


def _usable(words: Words, strategies: Sequence[str]) -> dict[str, params.Param]:
    """The parameters a number may set: of the strategies named, of all where none is."""
    chosen = {p.key: p for name in strategies for p in words.strategies.get(name, ())}
    return chosen or words.params


def _which(text: str) -> str | None:
    """Which of several: the worst, the best, the last."""
    for which, pattern in (
        ("worst", r"\b(?:worst|biggest loss|largest loss|biggest loser|most expensive)\b"),
        ("best", r"\b(?:best|biggest (?:win|winner|gain)|largest (?:win|gain))\b"),
        ("last", r"\b(?:last|latest|most recent|newest)\b"),
    ):
        if re.search(pattern, text):
            return which
    return None
