"""The desk's vocabulary, and a question in tidy words. Built by agents/prompt.py for each turn, read by the offline model.

`Words` says which strategies, parameters, sleeves and symbols there are; `tidy` lowers a question's case, unifies its
signs and corrects typing errors towards known words, so that `bactest trned` reads as `backtest trend`.
"""

import difflib
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple


class Param(NamedTuple):
    """One parameter of a strategy."""

    key: str
    unit: str  # atr | bars | frac | count ...; "" when none is declared
    default: Any
    low: float | None
    high: float | None
    choices: tuple[str, ...] = ()  # the words it may be; empty: a number


class SleeveName(NamedTuple):
    """A sleeve of the live configuration, as a question can name it."""

    name: str
    strategy: str
    symbol: str
    timeframe: str
    venue: str
    params: Mapping[str, Any]


@dataclass(frozen=True)
class Words:
    """Everything a question may name. `desk_ms` is the desk's time, None before its first bar."""

    strategies: Mapping[str, tuple[Param, ...]] = field(default_factory=dict)
    sleeves: Sequence[SleeveName] = ()
    symbols: Sequence[str] = ()
    venues: Sequence[str] = ()
    desk_ms: int | None = None

    @cached_property
    def params(self) -> dict[str, Param]:
        """Every parameter of any strategy by key."""
        return {param.key: param for listed in self.strategies.values() for param in listed}

    @cached_property
    def vocabulary(self) -> frozenset[str]:
        """Every word with a meaning here; typing errors are corrected towards them."""
        words = set(_MEANT) | {name for name in COINS if " " not in name}
        names = [*self.strategies, *self.params, *self.symbols, *self.venues]
        names += [sleeve.name for sleeve in self.sleeves]
        for name in names:
            words.update(part for part in re.split(r"[^a-z]+", name.lower()) if len(part) > 2)
        return frozenset(words)


COINS = {
    "bitcoin": "BTC",
    "ethereum": "ETH",
    "ether": "ETH",
    "solana": "SOL",
    "ripple": "XRP",
    "binance coin": "BNB",
    "dogecoin": "DOGE",
    "cardano": "ADA",
    "litecoin": "LTC",
}

_FOLDER = Path(__file__).parent
_LISTS = tomllib.loads((_FOLDER / "words.toml").read_text(encoding="utf-8"))
_MEANT = frozenset(_LISTS["meant"].split())
# ordinary words, and every word that an intent looks for: none of them is corrected
_COMMON = frozenset(_LISTS["common"].split()) | frozenset(
    re.findall(r"[a-z]{4,}", (_FOLDER / "intents.toml").read_text(encoding="utf-8").lower())
)
NOT_STRATEGIES = frozenset(_LISTS["not_strategies"].split())


def tidy(text: str, words: Words) -> str:
    """The question lower-cased, dashes and quotes unified, typing errors corrected; word order kept."""
    low = text.lower().translate(_SIGNS)
    low = re.sub(r"\s+", " ", low).strip()
    return re.sub(r"(?<![\w.=/-])[a-z]{4,}(?![\w=/-])", lambda found: _corrected(found[0], words), low)


_SIGNS = str.maketrans(
    {"\u2019": "'", "\u2018": "'", "\u201c": '"', "\u201d": '"', "\u2013": "-", "\u2014": "-", "\u2212": "-", "\u00d7": "x"}
)


def _corrected(word: str, words: Words) -> str:
    """`word`, or the known word it is a typo of: at least five letters, about one error in five."""
    if len(word) < 5 or word in _COMMON or word in words.vocabulary or _stem(word) in words.vocabulary or _stem(word) in _COMMON:
        return word

    def begins_alike(other: str) -> bool:
        return other[0] == word[0] or sorted(other[:2]) == sorted(word[:2])

    near = difflib.get_close_matches(word, sorted(filter(begins_alike, words.vocabulary)), n=1, cutoff=0.8)
    return near[0] if near else word


def is_common(word: str, words: Words) -> bool:
    """Is it an ordinary word or one with a meaning here, rather than an invented name?"""
    return word in _COMMON or word in words.vocabulary or _stem(word) in words.vocabulary or _stem(word) in _COMMON


def _stem(word: str) -> str:
    for ending in ("ing", "ed", "es", "s", "ly"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word
