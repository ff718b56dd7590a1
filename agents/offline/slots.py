"""What a question names: strategy, symbol, timeframe, window, parameters, sleeves, ids. Called by the offline model.

`read` turns a question into typed Slots. Names are looked up in the desk's vocabulary; a symbol or strategy that looks
like one but is not known is kept as typed, so that the tool can say what there is.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from agents.offline import dates, params
from agents.offline.words import COINS, NOT_STRATEGIES, SleeveName, Words, is_common, tidy

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
    common: dict[str, Any] = field(default_factory=dict)
    variants: tuple[dict[str, Any], ...] = ()
    unclear: tuple[str, ...] = ()  # numbers whose parameter cannot be told
    sleeves: tuple[str, ...] = ()  # more than one: ambiguous
    ids: tuple[str, ...] = ()
    handles: tuple[str, ...] = ()  # r1, r2: runs of this thread
    number: int | None = None  # of a round trip
    which: str | None = None  # worst | best | last
    fills: str | None = None
    funding: str | None = None

    @property
    def symbol(self) -> str | None:
        """The first symbol named."""
        return self.symbols[0] if self.symbols else None

    def over(self, older: "Slots") -> "Slots":
        """These slots, with what they leave open taken from an older question of the same thread."""
        taken = {
            name: getattr(older, name)
            for name in self.__dataclass_fields__
            if name not in ("text", "unclear") and not _given(getattr(self, name)) and _given(getattr(older, name))
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
    text = tidy(question, words)
    ids = tuple(dict.fromkeys(found[1] for found in _ID.finditer(text) if not _is_name(found[1], words)))
    rest = _blank(text, [found.span(1) for found in _ID.finditer(text) if found[1] in ids])
    ids += tuple(f"prop-{found[1]}" for found in _PROPOSAL.finditer(rest))
    rest = _blank(rest, [found.span() for found in _PROPOSAL.finditer(rest)])
    number = next((int(found[1] or found[2]) for found in _NUMBER_OF.finditer(rest)), None)
    if number is not None:
        rest = _blank(rest, [found.span() for found in _NUMBER_OF.finditer(rest)])
    funding, rest = _funding(rest)
    span, used = dates.read_span(rest, words.desk_ms)
    rest = _blank(rest, used)
    timeframe, rest = _timeframe(rest)
    named, rest = _names(rest, words)
    symbols, rest = _symbols(rest, words)
    strategies = _strategies(rest, words)
    handles = tuple(dict.fromkeys(re.findall(r"(?<![\w.-])r\d{1,3}\b", rest)))
    venue = next((v for v in (*words.venues, "binance", "okx", "bybit", "synthetic") if _word(v, rest)), None)
    usable = _usable(words, strategies)
    reading = params.read_params(_blank(rest, [m.span() for m in re.finditer(r"(?<![\w.-])r\d{1,3}\b", rest)]), usable)
    return Slots(
        text=text,
        strategy=strategies[0] if strategies else None,
        strategies=strategies,
        symbols=symbols,
        timeframe=timeframe,
        venue=venue,
        span=span,
        common=reading.common,
        variants=tuple(reading.variants),
        unclear=reading.unclear,
        sleeves=named or _sleeves(words, strategies, symbols, timeframe),
        ids=ids,
        handles=handles,
        number=number,
        which=_which(rest),
        fills=next((mode for mode in ("optimistic", "pessimistic") if mode in text), None),
        funding=funding,
    )


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


def _strategies(text: str, words: Words) -> tuple[str, ...]:
    """Known strategies in the order named; else what is typed as one: `my peek strategy`, or the word after `backtest`."""
    forms = {name: (name.lower(), name.lower().replace("_", " "), name.lower() + "s") for name in words.strategies}
    if "reversion" in forms:
        forms["reversion"] += ("mean reversion", "mean-reversion", "reverting", "reversions")
    if "trend" in forms:
        forms["trend"] += ("trend following", "trend-following")
    at: dict[str, int] = {}
    for name, said in forms.items():
        places = [found.start() for form in said for found in re.finditer(rf"(?<![\w-]){re.escape(form)}(?![\w-])", text)]
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
    meant = found is not None and found[1] not in NOT_STRATEGIES and not is_common(found[1], words)
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
