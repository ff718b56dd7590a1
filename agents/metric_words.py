"""How a sentence names a metric, and the thing that a fact is about. Called by agents/support.py."""

import re
from collections.abc import Collection, Mapping
from functools import lru_cache

from tools.common.contract import Fact

CROWD = 8  # a metric with more facts than this in a thread needs its subject named too
_UNIT_WORDS = frozenset(
    """
    rate ratio frac bps usd usdt ms max min count total bars price annual round trip open compared
    """.split()  # noqa: SIM905 - words, not a list of strings
)
# how people say a metric: a word of the metric's name -> what also names it
_SAID: Mapping[str, str] = {
    "return": r"returns?|returned|made|gain(?:ed|s)?|lost|earned|up|down|performance|result",
    "pnl": r"p\s?&\s?l|pnl|profits?|loss(?:es)?|lost|made|earned|gain(?:ed|s)?|result|net|down|up|cost (?:us|you|me)",
    "low": r"low\w*|between|interval|range|from|\(-?\d",
    "high": r"high\w*|between|interval|range|to",
    "held": r"held|lasted|in (?:the )?(?:market|position)",
    "drawdown": r"draw-?downs?|dd|peak|(?:under|off|beneath|short of) (?:its|the|our)|top|the high|worst fall|under ?water"
    "|below|fell|fall|down|at (?:its )?(?:worst|most)",
    "win": r"win(?:s|ning|ners?)?|won|hit[- ]rate|winrate",
    "trades": r"trad(?:es?|ed)|round[- ]trips?|trips|bought and sold|n",
    "trips": r"trad(?:es?|ed)|round[- ]trips?|trips",
    "open": r"open|holds?|held|there is",
    "protective": r"protect\w*|stops?|sl",
    "fees": r"fees?|commissions?|costs?",
    "fee": r"fees?|commissions?|costs?",
    "cost": r"costs?|fees?",
    "costs": r"costs?|fees?",
    "funding": r"funding",
    "slippage": r"slippage|slip",
    "gross": r"gross|exposure|exposed|leverage(?! max)|levered|invested",
    "exposure": r"exposure|exposed|in the market|invested",
    "equity": r"equity|worth|account|value|balance|capital|nav|usdt in|k in",
    "change": r"chang(?:e|ed|es)|difference|moved",
    "difference": r"differ(?:s|ence|ences)?|gap|delta|more|less|better|worse",
    "sharpe": r"sharpe",
    "leverage": r"leverage|levered",
    "quantity": r"quantity|quantities|sizes?|sold|bought|long|short|position|@",
    "price": r"prices?|priced|px|sold|bought|fill(?:ed|s)?|entered|exited|entry|exit|stop|got",
    "size": r"sizes?|quantity|lots",
    "lots": r"lots|size|quantity",
    "halted": r"halt(?:ed)?",
    "turnover": r"turnover|turned over",
}


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


@lru_cache(maxsize=4096)
def names_it(sentence: str, fact: Fact, alias: frozenset[str] = frozenset()) -> bool:
    """By handle, id, the whole subject, its last part, a name in it, or a word that only its row of a table has."""
    low, subject = sentence.lower(), fact.subject.lower()
    names = (
        fact.ref.split(".", 1)[0].lower(),
        fact.evidence.id.lower(),
        subject.rsplit(", ", 1)[-1],
        *re.findall(r"[a-z]+-[a-z]+", subject),
        *alias,
    )
    return any(name and re.search(rf"(?<![\w.]){re.escape(name)}(?![\w-])", low) for name in names)
