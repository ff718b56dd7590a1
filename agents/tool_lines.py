"""What the tools of this turn wrote: figures with the words beside them, how many things of a kind. Called by agents/support.py.

A figure of a tool's text stands in an answer that speaks of the same thing; a short one (`40 lots`) with the word beside it, too.
A count (`two of the three sleeves are paused`, `both positions`) is held against the lines that show such things so.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

from agents.act_records import NEXT_THING, subjects_of
from agents.claims import NumberClaim
from agents.clauses import CLAUSE_END, words_of
from agents.mentions import times_in
from agents.number_words import MEASURE

LINE_MAX, IDS_MAX, NEAR_MAX = 1000, 500, 100  # characters of a line, things of a kind and figures of a value that are looked at
_FIGURE = re.compile(
    r"(?:\b([A-Za-z_]{1,40})\s)?(?<![\w.:-])([-+]?\d{1,3}(?:,\d{3}){1,4}(?:\.\d{1,8})?|[-+]?\d{1,12}(?:\.\d{1,8})?)(?![\w:-])"
    r"(?:\s(?=([A-Za-z]{1,40}\b)))?"
)
_WINDOW = re.compile(
    r"(\d{4}-[01]\d-[0-2]\d(?:[ T][0-2]\d:[0-5]\d)?)Z? (?:to|until|-) (\d{4}-[01]\d-[0-2]\d(?:[ T][0-2]\d:[0-5]\d)?)"
)
_TRADED = {"sell": r"\bs(?:old|ells?|hort)\b", "buy": r"\b(?:bought|buys?|long)\b", "long": r"\blong\b", "short": r"\bshort\b"}
_ROW = r"^\|?\s*(?!prop-|al-)[a-z]{2}\w*(?:-\w+)+ \|"  # a row that a sleeve begins
# what is counted: the words for it, the line of one, what names it in the line
_COUNTED = {
    r"sleeves?": (_ROW, r"[a-z]\w*(?:-\w+)+"),
    r"(?:open )?positions?|holdings": (_ROW + r".*\b(?:long|short) [\d{.]", r"[a-z]\w*(?:-\w+)+"),
    r"proposals?|cards?": (r"\bprop-\d+\b.*\(", r"prop-\d+"),
    r"alerts?|alarms?": (r"\bal-\d+\b", r"al-\d+"),
    r"pages?": (r"\bal-\d+ page\b", r"al-\d+"),
    r"warnings?": (r"\bal-\d+ warning\b", r"al-\d+"),
    r"runs?|variants?|backtests?|tests?|simulations?": (r"\br-\w+-\w+", r"r-\w+-\w+"),
    r"fills?|trades?": (r"\bd-\d+ fill\b", r"d-\d+"),
    r"entries|entry|buys": (r"\bd-\d+ fill\b.* to enter", r"d-\d+"),
    r"exits?|(?:round )?trips?": (r"\bround trip [-+]", r"d-\d+"),
    r"loss(?:es)?|losers?": (r"\bround trip -", r"d-\d+"),
    r"wins?|winners?": (r"\bround trip \+", r"d-\d+"),
    r"stops?": (r"\bby stop\b|\(stop\)", r"d-\d+|[a-z]\w*(?:-\w+)+"),
    r"(?:entry )?orders?": (r"\border\b.*\blots\b", r"d-\d+"),
    r"events?": (r"\bd-\d+\b", r"d-\d+"),
    r"refusals?|refused entries": (r"\brefused\b", r"d-\d+"),
    r"breakers?": (r"\btripped\b", r"d-\d+"),
}
_NOUN = re.compile(
    r"(?i)\s+(?:of\s+)?(?:(?:the|our|your|its|these|those|all|my|both|last|next|other|more)\s+)*(?:(?:\w+(?<!s)"
    r"|\w+-\w+)\s+){0,2}?(" + "|".join(_COUNTED) + r")\b"
)
# states that a sentence may name, and how a line shows them
_STATES = (
    (r"flat|no positions?|nothing|out of the market", r"\bflat\b"),
    (
        r"holds?|holding|in (?:an? |the )?(?:positions?|market|trades?)|invested|exposed|open",
        r"\b(?:long|short) [\d{.]|\bpending\b|al-\d+(?!.*resolved)",
    ),
    (r"long", r"\blong [\d{.]"),
    (r"short", r"\bshort [\d{.]"),
    (r"paused?|on hold|benched|suspended", r"\bpaused\b"),
    (r"allowed|free|enter", r"\ballowed\b|al-\d+(?!.*resolved)"),
    (r"stops?|protected|guarded", r"\(stop\)|by stop"),
    (r"pending|wait\w*|await\w*|undecided|decision", r"\bpending\b"),
    (r"applied|in force|live|went (?:in|through)|made it|gone through", r"\bapplied\b|in force"),
    (r"approved|accepted", r"(?<!not )approved|\bapplied\b"),
    (r"rejected|turned down|declined|thrown out", r"\breject"),
    (r"expired|lapsed", r"\bexpired\b"),
    (r"resolved|cleared|over", r"\bresolved\b"),
    (r"unresolved|unanswered", r"al-\d+(?!.*resolved)"),
    (r"acknowledged|seen|acked", r"(?<!not )acknowledged"),
    (r"cancell?ed", r"cancel"),
    (r"filled", r"\b[1-9]\d* of \d+ lots|\bfill\b"),
    (r"stopped out|by stop", r"by stop"),
    (r"targets?", r"by target"),
    (r"refused", r"refused"),
    (r"losing|lost|losers?", r"round trip -"),
    (r"won|winning|profitable|winners?", r"round trip \+"),
    (r"short entries|sold", r"\bsell\b"),
)
_SAID_STATES = [(re.compile(rf"(?i)(?<![\w-])(?:{said})(?![\w-])"), re.compile(shown)) for said, shown in _STATES]
_ONLY = re.compile(r"(?i)\b(?:only|just|exactly|no more than)\s+$")
_NOTHING_SAID = re.compile(r"(?i)\b(?:not|no|never|none|n't|nothing)\b")
_MOOD = re.compile(
    r"(?i)\b(?:if|would|could|should|may|might|can(?:not)?|must|before|after|you|when|until|unless|will|whether)\b|\?\W*$"
)


class ToolFigure(NamedTuple):
    """A number of a tool's text: the words beside it, and what its line is about."""

    value: float
    gain: bool  # written with a plus
    before: str
    behind: str
    about: frozenset[str]
    level: bool  # a price of a fill or of a stop


class ToolLines:
    """The figures and things of the tools' texts, found by value and by kind."""

    def __init__(self, texts: Iterable[str]) -> None:
        lines = [part[:LINE_MAX] for text in texts for line in text.splitlines() for part in NEXT_THING.split(line)]
        figures = [figure for line in lines for figure in _figures_of(line)]
        self._figures = sorted(figures, key=lambda figure: abs(figure.value))
        self._about = frozenset[str]().union(*(subjects_of(line) for line in lines))
        self._values = [abs(figure.value) for figure in self._figures]
        self._times = [(subjects_of(line) | words_of(line), [min(one) for one in times_in(line)]) for line in lines]
        spans = [(one[1], one[2]) for line in lines for one in _WINDOW.finditer(line)]
        self.windows = [(datetime.fromisoformat(b) - datetime.fromisoformat(a)).total_seconds() / 60 for a, b in spans]
        rows = {ids[0]: words_of(line) for line in lines if len(ids := re.findall(r"\br-\w+-\w+", line)) == 1 and "|" in line}
        self._alias = {
            one: said - frozenset[str]().union(*(other for of, other in rows.items() if of != one)) for one, said in rows.items()
        }
        self._things: dict[str, dict[str, str]] = {noun: {} for noun in _COUNTED}
        for noun, (shown, name) in _COUNTED.items():
            for line in map(str.lower, lines):
                if len(self._things[noun]) < IDS_MAX and re.search(shown, line):
                    many = re.findall(name, line) if noun.startswith(("run", "event")) else re.findall(name, line)[:1]
                    self._things[noun].update((one, line) for one in many if one not in self._things[noun])

    def named(self, sentence: str) -> frozenset[str]:
        """The subjects that a sentence names and the lines know."""
        return frozenset(one for one in subjects_of(sentence) if "-" not in one or one in self._about or re.search(r"\d", one))

    def alias(self, run: str) -> frozenset[str]:
        """The words that only this run's row of a table has."""
        return self._alias.get(run, frozenset())

    def times(self, about: frozenset[str]) -> list[int]:
        """The minutes of the day of lines that are about it, the first few."""
        return list(dict.fromkeys(minute for of, minutes in self._times if about & of for minute in minutes))[:8]

    def near(self, claim: NumberClaim) -> list[ToolFigure]:
        """The figures that the claim may be rounded from, sign aside."""
        slack = claim.step / 2 + 2e-9 * abs(claim.value)
        low, high = (cut(self._values, abs(claim.value) + way * slack) for cut, way in ((bisect_left, -1), (bisect_right, 1)))
        return self._figures[low : min(high, low + NEAR_MAX)]

    def shows(self, claim: NumberClaim, figure: ToolFigure, sentence: str, after: str) -> bool:
        """Is the sentence about what this figure's line is about? A short figure needs the word beside it as well."""
        named = self.named(sentence)
        if not (claim.digits >= 4 and not named) and not (named or words_of(sentence)) & figure.about:
            return False
        if claim.digits >= 3 or (claim.dimension == "base" and claim.digits >= 2 and abs(claim.value) == abs(figure.value)):
            return True
        beside = re.match(r"\s*(?:the\s)?([a-z]{2,40})", after.lower())
        if figure.before in _TRADED:
            return re.search(_TRADED[figure.before], sentence.lower()) is not None
        same = bool(figure.behind) and beside is not None and beside[1] == figure.behind
        said = len(figure.behind) > 4 and re.search(rf"\b{figure.behind}\b", sentence.lower()) is not None
        return same or said or (len(figure.before) > 3 and figure.before in sentence.lower())

    def counts(self, claim: NumberClaim, sentence: str, after: str) -> bool:
        """Is it how many things of a kind were shown, in the state that the sentence names? A place is within that many."""
        found = _NOUN.match(after)
        if found is None:
            return self._any_counts(claim, after)
        noun = next(noun for noun in _COUNTED if re.fullmatch(rf"(?i){noun}", found[1]))
        things = self._things[noun]
        if claim.dimension == "place":
            return claim.value <= len(things)
        clause = _clause_at(sentence, claim, after)
        said = clause.replace(found[1], " ", 1)
        states = [shown for wanted, shown in _SAID_STATES if wanted.search(said)]
        states = [shown for shown in states if any(shown.search(line) for line in things.values())] or states
        inside = [line for line in things.values() if all(shown.search(line) for shown in states)]
        if claim.dimension in ("both", "neither", "none of", "all"):
            return self._quantified(claim, clause, len(things), len(inside), bool(states))
        if not things and claim.value <= 3 and not claim.dimension and claim.text.lower() not in ("pair", "couple"):
            return claim.value == 0 or re.search(r"(?i)\b(?:the|these|those|other|your|all)\s+$", claim.before) is not None
        total = re.search(r"(?i)\b(?:of the|of|all|the|these|those|of our|of your|our|your)\s+$", claim.before) is not None
        if total and not re.match(r"(?i)\s+of\b", after):
            return claim.value == len(things)
        count = len(inside) if states else len(things)
        some = claim.value == 1 and claim.text.lower() == "one" and _ONLY.search(claim.before) is None
        return bool(things or claim.value == 0) and (claim.value == count or (some and count > 0))

    def _quantified(self, claim: NumberClaim, clause: str, total: int, inside: int, stated: bool) -> bool:
        """`Both`, `neither`, `all`: as many as there are, and the state is that of each, or of none."""
        if not total:
            return claim.dimension in ("all", "none of")
        if claim.value and claim.value != total:
            return False
        if not stated or _MOOD.search(clause):
            return True
        denied = claim.dimension in ("neither", "none of") or _NOTHING_SAID.search(clause) is not None
        return total > 0 and (inside == 0 if denied else inside == total)

    def _any_counts(self, claim: NumberClaim, after: str) -> bool:
        """`All three are flat`: without a noun it may be the number of things of any kind; of two, both are easily meant."""
        if claim.dimension in ("both", "neither", "none of", "all", "place"):
            return True
        if MEASURE.search(claim.before):
            return False
        bare = re.match(r"(?i)\s+[a-z-]{3,}s\b(?<!ss)(?<!\bis)(?<!was)(?<!has)", after) is None
        if not any(self._things.values()):
            return bare and claim.value <= 3 and claim.text.isalpha()
        return claim.value == 0 or (bare and any(len(things) == claim.value for things in self._things.values()))

    def levels(self, named: frozenset[str]) -> list[float]:
        """The prices that lines about `named` show, or all of them when none is named and they are few."""
        found = [abs(f.value) for f in self._figures if f.level and (not named or named & f.about)]
        return list(dict.fromkeys(found))[:8]

    def trips(self, named: frozenset[str]) -> list[float]:
        """What the round trips of lines about `named` made."""
        return [f.value for f in self._figures if f.before == "trip" and (not named or named & f.about)]


def _clause_at(sentence: str, claim: NumberClaim, after: str) -> str:
    """The clause of the sentence in which the claim stands."""
    start = max(0, sentence.find(claim.text + after[:20]))
    ends = [found for found in CLAUSE_END.finditer(sentence) if not found[0].strip().isalpha() or found.start() > start]
    low = max((found.end() for found in ends if found.end() <= start), default=0)
    return sentence[low : min((found.start() for found in ends if found.start() > start), default=len(sentence))]


def _figures_of(line: str) -> Iterator[ToolFigure]:
    about = subjects_of(line) | words_of(line)
    for found in _FIGURE.finditer(line):
        yield ToolFigure(
            float(found[2].replace(",", "")),
            found[2][0] == "+",
            (found[1] or "").lower(),
            (found[3] or "").lower(),
            about,
            found[1] == "at" or "(stop)" in line[found.end() : found.end() + 8],
        )
