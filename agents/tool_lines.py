"""What the tools of this turn wrote: figures with the words beside them, how many things of a kind. Called by agents/support.py.

A figure of a tool's text stands in an answer that speaks of the same thing; a short one (`40 lots`) with the word beside it, too.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from agents.act_records import NEXT_THING, subjects_of
from agents.claims import NumberClaim
from agents.clauses import words_of

LINE_MAX, IDS_MAX, NEAR_MAX = 1000, 500, 100  # characters of a line, ids of a kind and figures of a value that are looked at
_FIGURE = re.compile(
    r"(?:\b([A-Za-z_]{1,40})\s)?(?<![\w.:-])([-+]?\d{1,3}(?:,\d{3}){1,4}(?:\.\d{1,8})?|[-+]?\d{1,12}(?:\.\d{1,8})?)(?![\w:-])"
    r"(?:\s(?=([A-Za-z]{1,40}\b)))?"
)
_TRADED = {"sell": r"\bs(?:old|ells?|hort)\b", "buy": r"\b(?:bought|buys?|long)\b", "long": r"\blong\b", "short": r"\bshort\b"}
_RUN_ID = r"r-\w+-\w+"
_KINDS = {
    "proposal": r"prop-\d+",
    "card": r"prop-\d+",
    "alert": r"al-\d+",
    "event": r"d-\d+",
    "run": _RUN_ID,
    "variant": _RUN_ID,
    "backtest": _RUN_ID,
}
_STATE = re.compile(r"(?i)\b(pending|wait|open|appl|reject|resolv|acknowledg|expired|decid)\w*")
_STATE_IN_RECORDS = {"wait": "pending", "open": "pending|page", "decid": "appl|reject"}
_LISTED = re.compile(rf"(?i)\s+(?:[a-z-]{{1,20}}\s+){{0,2}}?({'|'.join(_KINDS)})s?\b")


class ToolFigure(NamedTuple):
    """A number of a tool's text: the words beside it, and what its line is about."""

    value: float
    gain: bool  # written with a plus
    before: str
    behind: str
    about: frozenset[str]


class ToolLines:
    """The figures and ids of the tools' texts, found by value and by kind."""

    def __init__(self, texts: Iterable[str]) -> None:
        lines = [part[:LINE_MAX] for text in texts for line in text.splitlines() for part in NEXT_THING.split(line)]
        figures = [figure for line in lines for figure in _figures_of(line)]
        self._figures = sorted(figures, key=lambda figure: abs(figure.value))
        self._values = [abs(figure.value) for figure in self._figures]
        self._ids: dict[str, dict[str, str]] = {pattern: {} for pattern in _KINDS.values()}
        for pattern, found in self._ids.items():
            for line in lines:
                if len(found) < IDS_MAX:
                    found.update(dict.fromkeys(re.findall(rf"\b{pattern}\b", line.lower()), line.lower()))

    def near(self, claim: NumberClaim) -> list[ToolFigure]:
        """The figures that the claim may be rounded from, sign aside."""
        slack = claim.step / 2 + 2e-9 * abs(claim.value)
        low, high = (cut(self._values, abs(claim.value) + way * slack) for cut, way in ((bisect_left, -1), (bisect_right, 1)))
        return self._figures[low : min(high, low + NEAR_MAX)]

    def shows(self, claim: NumberClaim, figure: ToolFigure, sentence: str, after: str) -> bool:
        """Is the sentence about what this figure's line is about? A short figure needs the word beside it as well."""
        named = subjects_of(sentence)
        if not (claim.digits >= 5 and not named) and not (named or words_of(sentence)) & figure.about:
            return False
        if claim.digits >= 3 or (claim.dimension == "base" and claim.digits >= 2 and abs(claim.value) == abs(figure.value)):
            return True
        beside = re.match(r"\s*(?:the\s)?([a-z]{3,40})", after.lower())
        if figure.before in _TRADED:
            return re.search(_TRADED[figure.before], sentence.lower()) is not None
        same = bool(figure.behind) and beside is not None and beside[1] == figure.behind
        return same or (len(figure.before) > 3 and figure.before in sentence.lower())

    def counts(self, claim: NumberClaim, sentence: str, after: str) -> bool:
        """Is it how many things of a kind were shown, in the state that the sentence names? A place is within that many."""
        found = _LISTED.match(after)
        if found is None:
            return False
        ids = self._ids[_KINDS[found[1].lower()]]
        if claim.dimension == "place":
            return claim.value <= len(ids)
        states = {word.lower() for word in _STATE.findall(sentence)}
        inside = [line for line in ids.values() if all(re.search(_STATE_IN_RECORDS.get(word, word), line) for word in states)]
        return bool(ids) and (claim.value == (len(inside) if states and inside else len(ids)) or claim.value == 1)


def _figures_of(line: str) -> Iterator[ToolFigure]:
    about = subjects_of(line) | words_of(line)
    for found in _FIGURE.finditer(line):
        yield ToolFigure(
            float(found[2].replace(",", "")), found[2][0] == "+", (found[1] or "").lower(), (found[3] or "").lower(), about
        )
