"""Numbers spelled in words beside what they count or measure: `three open positions`, `forty-one percent`. Used by grounding.

A word alone is no claim (`one of them`, `on the other hand`): it must be followed by a unit or a noun that the desk counts, or
follow the name of a measure. What it says is the same as in digits.
"""

import re
from collections.abc import Iterator

from agents.claims import UNIT, UNITS, NumberClaim

_ONES = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_VALUES = {word: float(n) for n, word in enumerate(_ONES)} | {word: 10.0 * n for n, word in enumerate(_TENS, 2)}
_SCALES = {"hundred": 100.0, "thousand": 1e3, "million": 1e6, "billion": 1e9, "dozen": 12.0}
_PARTS = {"half": 0.5, "third": 1 / 3, "thirds": 1 / 3, "quarter": 0.25, "quarters": 0.25, "fifth": 0.2, "tenth": 0.1}
_WORD = "|".join(sorted((*_VALUES, *_SCALES), key=len, reverse=True))
_DIGIT = "|".join(_ONES)
_SPELLED = re.compile(
    rf"(?i)\b(?:(?:an?|minus|negative)\s+(?=hundred|thousand|million|dozen|{_WORD}))?(?:{_WORD})\b"
    rf"(?:(?:[\s-]|\s+and\s+){{1,2}}(?:{_WORD})\b){{0,12}}(?:\s+point(?:\s+(?:{_DIGIT})\b){{1,8}})?"
)
_SHARE = re.compile(
    r"(?i)\b(?:(one|two|three|an?)[\s-]+)?(half|thirds?|quarters?|fifth|tenth)\s+(?=(?:of\s+)?(?:(?:the|its|all|your?)\s+){0,2}"
    r"(?:round|trades?|trips?|entries|orders?|fills?|equity|positions?|profits?|loss(?:es)?|fees?|return|capital|account))"
)
# a multiple told of what was: `the drawdown doubled`, `double the equity`; not `would be doubled`, `double-check`
_MULTIPLE = re.compile(
    r"(?i)(?<!\bbe )(?<!\bwere )(?<!\bnot )\b(?:(doubled|twice the|double the)|(tripled|three times the|triple the)"
    r"|(quadrupled))(?![\w-])"
)
_COUNTED = re.compile(
    r"(?i)\s+(?:(?!of\b|or\b|and\b|to\b|in\b|at\b)[\w-]+\s+){0,2}?(trades?|round[\s-]trips?|trips?|entries|entry"
    r"|exits?|orders?|fills?|positions?|alerts?|pages?"
    r"|proposals?|sleeves?|breakers?|refusals?|errors?|warnings?|checks?|wins?|winners?|losses|losers?|halts?"
    r"|restarts?|events?|runs?"
    r"|jobs?|notes?|strategies|instruments?|symbols?|gaps?|sharpe|bets|liquidations?|drawdowns?)\b"
)
_MEASURE = re.compile(
    r"(?i)\b(?:sharpe|drawdown|returns?|rate|fees?|p\s?&\s?l|pnl|equity|profits?|loss|leverage|exposure|funding"
    r"|slippage|version|costs?"
    r"|factor|ratio)\b[\s\w]{0,12}?\s(?:of|is|was|at|by|to|came to|stands at|reached|about|around|roughly|nearly"
    r"|over)\s+(?:about |around |roughly |nearly )?$"
)
_REFERRED = re.compile(r"(?i)\b(?:the|these|those|both|your|other|all|which)\s+$")
_LABELS = re.compile(r"(?i)^\s+(?:\w+\s+)?(?:runs?|sleeves?|strategies|events?|checks?|instruments?|symbols?|proposals?)\b")


def word_claims(line: str) -> Iterator[NumberClaim]:
    """The spelled numbers of a line that claim something, in order."""
    for found in _SPELLED.finditer(line):
        claim = _claim_of(found, line)
        if claim is not None:
            yield claim
    for found in _SHARE.finditer(line):
        many = {"two": 2.0, "three": 3.0}.get((found[1] or "").lower(), 1.0)
        part = many * _PARTS[found[2].lower()] * 100
        yield NumberClaim(found.start(), found.end(), found[0].strip(), part, 1.0, 2, "frac", 0.01)
    for found in _MULTIPLE.finditer(line):
        if not _REFERRED.search(line[max(0, found.start() - 60) : found.start()]):
            yield NumberClaim(found.start(), found.end(), found[0], float((found.lastindex or 1) + 1), 1.0, 2, "", 1.0)


def _claim_of(found: re.Match[str], line: str) -> NumberClaim | None:
    after, before = line[found.end() : found.end() + 80], line[max(0, found.start() - 60) : found.start()]
    value, text = _value(found[0]), found[0].strip()
    start, end = found.start(), found.start() + len(text)
    unit = UNIT.match(line, found.end() + 1) if after[:1] in (" ", "-") else None
    if unit:
        _, dimension, factor = UNITS[int(str(unit.lastgroup)[1:])]
        if len(unit[0]) < 2 or (text.lower() == "one" and dimension in ("time", "ratio")):
            return None  # `one r`, `one day`
        return NumberClaim(start, unit.end(), line[start : unit.end()], value, 1.0, 2, dimension, factor)
    if _REFERRED.search(before) and _LABELS.match(after):
        return None
    if _COUNTED.match(after) or _MEASURE.search(before):
        return NumberClaim(start, end, text, value, 1.0, 2, "", 1.0)
    return None


def _value(text: str) -> float:
    """What a spelled number says."""
    words = [word for word in re.split(r"[\s-]+", text.lower()) if word not in ("and", "a", "an")]
    sign = -1.0 if words and words[0] in ("minus", "negative") else 1.0
    whole, _, part = " ".join(words).partition(" point ")
    total = group = 0.0
    for word in whole.split():
        if word in _VALUES:
            group += _VALUES[word]
        elif word in ("hundred", "dozen"):
            group = (group or 1.0) * _SCALES[word]
        elif word in _SCALES:
            total, group = total + (group or 1.0) * _SCALES[word], 0.0
    digits = "".join(str(int(_VALUES[word])) for word in part.split())
    return sign * (total + group + (float(f"0.{digits}") if digits else 0.0))
