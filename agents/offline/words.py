"""The desk's vocabulary, and a question in tidy words. Built by agents/prompt.py for each turn, read by the offline model.

`Words` says which strategies, parameters, sleeves and symbols there are; `tidy` lowers a question's case, unifies its
signs and mends typing errors towards known words, so that `bactest trned` reads as `backtest trend`.
"""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple


class Param(NamedTuple):
    """One parameter of a strategy."""

    key: str
    unit: str  # atr | bars | frac | count ...; "" when none is declared
    default: Any
    low: float | None
    high: float | None


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
    def known(self) -> frozenset[str]:
        """Every single word that has a meaning here; typing errors are mended towards them."""
        words = set(_MEANT)
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

# words the intents and slots know; inflected forms are listed where they differ by more than an ending
_MEANT = frozenset(
    """
    backtest backtests backtested backtesting simulate simulation compare compared comparing comparison versus against
    between better best worse worst strategy strategies parameter parameters param params setting settings leak leaks
    leakage lookahead peek propose proposal proposals proposed suggest suggestion recommend submit change changes raise
    lower tighten tighter loosen wider widen reduce increase pause stop stops stopped target targets trail trailing
    fast slow entry entries exit exits position positions holding exposure leverage limit limits breaker breakers
    drawdown halt halted release flatten emergency runbook health healthy wrong broken problem problems trouble alert
    alerts happened happen happening yesterday today since overnight night morning week month year refuse refused
    refusal reject rejected blocked explain event events trade trades traded trading round trip fill fills order orders
    bought sold signal attribution attribute profit profits loss losses earned money come comes contribute contribution
    costs cost fees fee slippage commission funding sleeve sleeves performance performing performed pending waiting
    approve approval approved approvals rollback data bars candles recorded history available list show last latest
    recent result results metrics sharpe return returns journal search note remember memory recall know status equity
    cash balance capital risk attention watch review summary report help correlation configuration config version
    january february march april june july august september october november december monday tuesday wednesday
    thursday friday saturday sunday bitcoin ethereum solana days hours weeks months years minutes quarter half
    variant variants minute hour percent take level levels size sizing kelly volatility
    """.split()
)

# common words that must not be bent towards a known one
_COMMON = frozenset(
    """
    about above after average averages again all also always another any anyone anything around away back been before being below both
    bring call came cannot careful case check close closed closes closer coming could currently desk different does
    doing done down each either else enough even ever every everything fact find fine first found four from gave
    general gets give given gives goes going gone good great have having here high higher highest hold however idea
    instead into just keep kept kind large later least leave left less like likely little live local long look looked
    looking made make makes making many mark market maybe mean means might mine more most much must name near need
    needs never next none nothing number often once only open opened other others over paper part past perhaps place
    please point points possible price prices put question quite rather read ready real really right same second see
    seems seen sense sent several shall share shares short should side simple small some someone something soon spot
    start started state still such sure take taken takes tell test tested testing than thank thanks that their them
    then there these they thing things think third this those though three through time times told took total toward
    towards trend tried true truth turn twice under understand until upon used useful uses using value values very
    want wanted wants well went were what whatever when where whether which while whole whom whose will with within
    without word work worker worked working works would write wrote young your yours
    """.split()
)


def tidy(text: str, words: Words) -> str:
    """The question lower-cased, dashes and quotes unified, typing errors mended; same order of words."""
    low = text.lower().translate(_SIGNS)
    low = re.sub(r"\s+", " ", low).strip()
    return re.sub(r"(?<![\w.=/-])[a-z]{4,}(?![\w=/-])", lambda found: _mended(found[0], words), low)


_SIGNS = str.maketrans({"\u2019": "'", "\u2018": "'", "\u201c": '"', "\u201d": '"', "\u2013": "-", "\u2014": "-", "\u2212": "-", "\u00d7": "x"})


def _mended(word: str, words: Words) -> str:
    """`word`, or the one known word that it is a slip of: at least five letters, about one slip in five letters."""
    if len(word) < 5 or word in _COMMON or word in words.known or _stem(word) in words.known or _stem(word) in _COMMON:
        return word
    def begins_alike(other: str) -> bool:
        return other[0] == word[0] or sorted(other[:2]) == sorted(word[:2])

    near = difflib.get_close_matches(word, sorted(filter(begins_alike, words.known)), n=1, cutoff=0.8)
    return near[0] if near else word


def is_common(word: str, words: Words) -> bool:
    """Is it an ordinary word or one with a meaning here, rather than a name somebody made up?"""
    return word in _COMMON or word in words.known or _stem(word) in words.known or _stem(word) in _COMMON


def _stem(word: str) -> str:
    for ending in ("ing", "ed", "es", "s", "ly"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word
