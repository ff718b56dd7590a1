"""A sentence while it is read, and the names in it: ids, symbols, strategies, sleeves, timeframes, how funding is meant.
Called by slots.py.

Names are looked up in the desk's vocabulary; a symbol or strategy that looks like one but is not known is kept as typed, so that
the tool can say what there is. Each reader takes what it names, the rest is left to the next.
"""

import re
from collections.abc import Iterable, Sequence

from agents.offline.words import COINS, LISTS, NOT_STRATEGIES, PATTERNS, SleeveName, Words, is_common, says, vocabulary

BLANK = "\u00b7"  # holds the place of what has been read
Places = Sequence[tuple[int, int]]


class Sentence:
    """A tidy text, what is left of it to be read, and where each slot stands in it."""

    def __init__(self, text: str) -> None:
        self.text = self.rest = text
        self.places: dict[str, list[tuple[int, int]]] = {}

    def take(self, name: str, places: Iterable[tuple[int, int]]) -> None:
        """These places belong to the slot `name`, and nothing else reads them."""
        for start, stop in places:
            self.places.setdefault(name, []).append((start, stop))
            self.rest = self.rest[:start] + BLANK * (stop - start) + self.rest[stop:]

    def note(self, name: str, places: Iterable[tuple[int, int]]) -> None:
        """These places belong to the slot `name`; others may read them too."""
        self.places.setdefault(name, []).extend(places)

    def first(self, name: str) -> str | None:
        """The first group that the slot's pattern finds in the rest, taken."""
        found = says(f"slots.{name}", self.rest)
        if found is None:
            return None
        self.take(name, [found.span()])
        return next(group for group in found.groups() if group)

    def every(self, name: str) -> tuple[str, ...]:
        """All that the slot's pattern finds in the rest, taken."""
        found = list(PATTERNS[f"slots.{name}"].finditer(self.rest))
        self.take(name, [m.span() for m in found])
        return tuple(m[1] if m.groups() else m[0] for m in found)


def mentions(form: str, text: str) -> list[re.Match[str]]:
    """Where a word or a name stands by itself."""
    return list(re.finditer(rf"(?<![\w-]){re.escape(form.lower())}(?![\w-])", text))


_SIZES = {"1m": "1m", "5m": "5m", "15m": "15m", "60m": "1h", "1h": "1h", "30m": "30m", "2h": "2h", "4h": "4h", "2m": "2m"}


def ids_of(s: Sentence, words: Words) -> tuple[str, ...]:
    """Ids of runs, events, alerts and proposals; `proposal 3`."""
    named = {sleeve.name.lower() for sleeve in words.sleeves} | {name.lower() for name in words.strategies}
    found = [m for m in PATTERNS["slots.id"].finditer(s.rest) if m[1] not in named]
    s.take("ids", [m.span(1) for m in found])
    proposals = list(PATTERNS["slots.proposal"].finditer(s.rest))
    s.take("ids", [m.span() for m in proposals])
    return (*dict.fromkeys(m[1] for m in found), *(f"prop-{m[1]}" for m in proposals))


def funding_of(s: Sentence) -> str | None:
    """`without funding`, `assume 3 bps funding`; everything else is a word of the question."""
    for mode, pattern in (
        ("none", r"\b(?:without|no|ignor(?:e|ing))\s+funding\b|\bfunding\s*=?\s*none\b"),
        ("recorded", r"^(?:and |now |but |again )*with (?:the )?(?:recorded )?funding\b"),
        ("assume", r"\bassum(?:e|ing)\s*=?\s*(\d+(?:\.\d+)?)\s*(?:bps?)?(?:\s+(?:of\s+)?funding)?\b"),
    ):
        if found := re.search(pattern, s.rest):
            s.take("funding", [found.span()])
            return f"assume={found[1]}" if mode == "assume" else mode
    return None


def timeframes_of(s: Sentence) -> tuple[str, ...]:
    """`15m`, `5 min bars`, `hourly`; several where they are set beside each other."""
    found = list(PATTERNS["names.timeframe"].finditer(s.rest))
    found = found if re.search(r"\b(?:and|vs|versus|or|against|with|to|than)\b", s.rest) else found[:1]
    s.take("timeframe", [m.span() for m in found])
    sizes = [f"{m[1]}{m[2][0]}" if m[1] else "1h" for m in found]
    return tuple(dict.fromkeys(_SIZES.get(size, size) for size in sizes))


def symbols_of(s: Sentence, words: Words) -> tuple[str, ...]:
    """Symbols in the order they are named: BTC, btc/usdt, BTCUSDT, bitcoin; an unknown pair is kept as typed."""
    bases = {symbol.split("-")[0].lower(): symbol for symbol in reversed(words.symbols)}
    spoken = "|".join(map(re.escape, COINS))
    known = "|".join(sorted(map(re.escape, bases), key=len, reverse=True)) or "btc"
    pair = re.compile(
        rf"(?<![\w-])(?:(?P<name>{spoken})|(?P<base>{known})(?:[-/_ ]?(?:usdt|usdc|usd|perp))?(?:[-/_ ]?perp)?"
        rf"|(?P<pair>[a-z0-9]{{2,10}}[-/_](?:usdt|usdc|usd)|[a-z]{{2,6}}usdt))(?![\w-])"
    )
    found = list(pair.finditer(s.rest))
    s.take("symbols", [m.span() for m in found])
    return tuple(dict.fromkeys(_symbol(m, bases) for m in found))


def _symbol(found: re.Match[str], bases: dict[str, str]) -> str:
    if found["pair"]:
        typed = re.sub(r"[-/_]", "-", found["pair"]).upper()
        return typed if "-" in typed else typed.removesuffix("USDT") + "-USDT"
    base = COINS[found["name"]] if found["name"] else found["base"]
    return bases.get(base.lower(), f"{base.upper()}-USDT")


PRAISE = frozenset(("new", "old", "best", "worst", "current", "live", "whole", "favourite", "favorite", "first", "second"))
PRAISE |= {"main", "existing", "latest", "last"}


def _forms(name: str) -> tuple[str, ...]:
    """How people say a strategy's name."""
    more = {
        "reversion": ("mean reversion", "mean-reversion", "reverting", "reversions", "rsi strategy", "rsi rules", "rsi one"),
        "trend": ("trend following", "trend-following", "moving average strategy", "crossover strategy", "ma strategy"),
    }
    return (name.lower(), name.lower().replace("_", " "), name.lower() + "s", *more.get(name, ()))


def strategies_of(s: Sentence, words: Words) -> tuple[str, ...]:
    """Known strategies in the order named; else what is typed as one: `my peek strategy`, or the word after `backtest`."""
    at = {name: [m.span() for form in _forms(name) for m in mentions(form, s.rest)] for name in words.strategies}
    if at.get("regime") and not says("names.regime", s.rest):  # the market's, or a model's
        at["regime"] = []
    named = sorted((name for name, places in at.items() if places), key=lambda name: min(at[name]))
    if not named and (basket := says("names.basket", s.rest)):  # elsewhere pairs is a word of any sentence
        named, at = [BASKET], {BASKET: [basket.span(1) if basket[1] else basket.span(2)]}
    if not named and (typed := _typed_strategy(s.rest, words)):
        named, at = [typed], {typed: [m.span() for m in mentions(typed, s.rest)]}
    s.note("strategies", [place for name in named for place in at[name]])
    return tuple(named)


BASKET = "pairs"  # the strategy whose symbols are the legs of one run


_KINDS = frozenset(LISTS["strategy_kinds"].split())


def _typed_strategy(text: str, words: Words) -> str:
    found = re.search(
        r"\b(?:backtest|simulate|test|try|leaks?(?: check)?|strategy(?: called| named)?|run)\s+"
        r"(?:(?:the|my|a|own|strategy|for|in|of|on)\s+)*([a-z][a-z0-9]*(?:_[a-z0-9]+)*)(?![\w-])",
        text,
    )
    owned = re.search(r"\b(?:my|our|own)\s+([a-z][a-z0-9]*(?:_[a-z0-9]+)*)\s+strategy\b", text)
    if owned is not None and owned[1] not in NOT_STRATEGIES | PRAISE:  # even an ordinary word is a name here: "my peek strategy"
        return owned[1]
    words_here = NOT_STRATEGIES | words.vocabulary | vocabulary() | words.params.keys()
    return "" if found is None or found[1] in words_here or is_common(found[1]) else found[1]


def models_of(s: Sentence, words: Words) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(names of stored models, versions) in the order named: `vol-btc@1.2.0`, `vol-btc 1.2.0 and 1.3.0`. A sleeve of the same
    name is meant where no version follows."""
    versions = list(PATTERNS["names.model_version"].finditer(s.rest))
    s.take("model_versions", [m.span() for m in versions])
    sleeves = {sleeve.name.lower() for sleeve in words.sleeves}
    named = [
        (m.start(), m.end(), name)
        for name in sorted(words.models, key=len, reverse=True)
        for m in re.finditer(rf"(?<![\w-]){re.escape(name.lower())}(?![\w-])", s.rest)
        if name not in sleeves or s.rest[m.end() : m.end() + 2].strip(" @=").startswith(BLANK)
    ]
    s.take("models", [(a, b) for a, b, _ in named])
    return tuple(dict.fromkeys(name for *_, name in sorted(named))), tuple(dict.fromkeys(m[1] for m in versions))


def sleeves_named(s: Sentence, words: Words) -> tuple[str, ...]:
    """Sleeves named literally."""
    known = set(map(str.lower, words.strategies))
    found = {sleeve.name: mentions(sleeve.name, s.rest) for sleeve in words.sleeves if sleeve.name.lower() not in known}
    s.take("sleeves", [m.span() for listed in found.values() for m in listed])
    return tuple(name for name, listed in found.items() if listed)


def sleeves_meant(words: Words, strategies: Sequence[str], symbols: Sequence[str], timeframe: str | None) -> tuple[str, ...]:
    """Sleeves that the named strategy, symbol and timeframe point at; none when nothing is named."""

    def fits(sleeve: SleeveName) -> bool:
        of = not strategies or sleeve.strategy in strategies
        return of and (not symbols or sleeve.symbol in symbols) and timeframe in (None, sleeve.timeframe)

    return tuple(sleeve.name for sleeve in words.sleeves if fits(sleeve)) if strategies or symbols else ()


def move_of(s: Sentence) -> str | None:
    """Whether a setting is to be moved, `sized` by an amount (`5 lower`, `halve`) or `bare`; the amount is no value."""
    sized = next((m for name in ("sized", "verb") if (m := says(f"moves.{name}", s.rest))), None)
    times = None if sized or says("account.other_costs", s.rest) else says("moves.times", s.rest)
    s.note("move", [sized.span("way")] if sized else [])
    s.take("move", [sized.span("size")] if sized else [times.span()] if times and (times["x"] or times["word"]) else [])
    return "sized" if sized or times else "bare" if says("moves.bare", s.rest) else None


def not_here(text: str, words: Words) -> str:
    """What a sentence names as a sleeve or a venue that this desk does not have, and what it has; empty where all is here."""
    sleeves, kinds = {sleeve.name.lower() for sleeve in words.sleeves}, _KINDS | {name.lower() for name in words.strategies}
    coins = {symbol.split("-")[0].lower() for symbol in words.symbols} | {coin.lower() for coin in COINS.values()}
    named = re.finditer(
        rf"(?<![\w-])({'|'.join(sorted(map(re.escape, coins), key=len, reverse=True))})([-_ ]?)([a-z]{{2,14}})(?![\w-])", text
    )
    for coin, joint, kind in (m.groups() for m in named):
        name = f"{coin}-{kind}"
        at = says("names.of_volatility", text) if kind == "vol" else None
        if name in sleeves | words.models.keys() or kind not in kinds or at or (joint == " " and kind in words.strategies):
            continue
        if words.sleeves and not (joint != "-" and any(sleeve.startswith(name) for sleeve in sleeves)):
            have = ", ".join(sleeve.name for sleeve in words.sleeves)
            return f"This desk has no sleeve {name}; sleeves: {have}."
    if words.venues and (venue := says("names.venue", text)) and venue[0] not in words.venues:
        trades = ", ".join(dict.fromkeys(sleeve.venue for sleeve in words.sleeves))
        return (
            f"This desk has no venue {venue[0]}; the sleeves trade on {trades}, and data is stored of {', '.join(words.venues)}."
        )
    return ""
