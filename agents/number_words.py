"""Numbers spelled in words beside what they count or measure: `three open positions`, `forty-one percent`. Used by grounding.

A word alone is no claim (`one of them`, `on the other hand`): it must be followed by a unit or a noun that the desk counts, or
follow the name of a measure. What it says is the same as in digits.
"""

import re
from collections.abc import Iterator

from agents.claims import TEXT_NOUNS, UNIT, UNITS, NumberClaim

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
_SCALES = {"hundred": 100.0, "thousand": 1e3, "million": 1e6, "billion": 1e9, "dozen": 12.0, "grand": 1e3}
_PARTS = {"half": 0.5, "third": 1 / 3, "thirds": 1 / 3, "quarter": 0.25, "quarters": 0.25, "fifth": 0.2, "tenth": 0.1}
_WORD = "|".join(sorted((*_VALUES, *_SCALES), key=len, reverse=True))
_DIGIT = "|".join(_ONES)
_SPELLED = re.compile(
    rf"(?i)\b(?:(?:an?|minus|negative)\s+(?=hundred|thousand|million|dozen|{_WORD}))?(?:{_WORD})\b"
    rf"(?:(?:[\s-]|\s+and\s+){{1,2}}(?:{_WORD})\b){{0,12}}(?:\s+point(?:\s+(?:{_DIGIT})\b){{1,8}})?"
)
_ABOUT_ALL = (
    r"(?:round|trades?|trips?|entries|orders?|fills?|equity|positions?|profits?|loss(?:es)?|fees?|returns?|capital"
    r"|account|money|book|risk|exposure|r\d|them\b)"
)
_SHARE = re.compile(
    rf"(?i)\b(?:(one|two|three|four|an?)[\s-]+)?(half|thirds?|quarters?|fifths?|tenths?)(?=\s+(?:of\s+)?(?:(?:the|its|all"
    rf"|your?|[\w-]+'s)\s+){{0,2}}{_ABOUT_ALL})"
)
_OUT_OF = re.compile(
    rf"(?i)\b({_WORD})\s(?:[a-z]+\s)?(?:(?:out )?of(?: the)?|in|in every)\s({_WORD})(?=\s(?:{_ABOUT_ALL}|desks|won|lost"
    rf"|times|failed))"
)
_ONE_IN = re.compile(rf"(?i)\b({_WORD})\s(?:in|out of)\s({_WORD})(?=\W*$)")
_FOLD = re.compile(rf"(?i)\b({_WORD})-?fold\b")
# a multiple said of what was: `the drawdown doubled`, `twice as many trades`; not `would be doubled`, `double-check`
_MULTIPLE = re.compile(
    r"(?i)(?<!\bnot )\b(?:(doubled|twice (?:the|as)|double (?:the|what|its)|twofold|double the usual)|(tripled"
    r"|three times (?:the|as)|triple the|threefold"
    r"|at triple)|(quadrupled|four times (?:the|as)|fourfold)|(halved|cut in half|half as (?:much|many)))(?![\w-])"
)
_PAIR = re.compile(
    r"(?i)\b(?:both(?= (?:positions|proposals|alerts|orders)\b)|a pair(?= of (?:open )?(?:positions|orders|alerts|fills"
    r"|trades)\b))"
)
_LOST_PART = re.compile(
    r"(?i)\b(?:down|loss of|drawdown of|gain of|up|win rate of|fell by|rose by)\s(?:about |nearly |almost )?((?:an?|one|two"
    r"|three)\s)?(half|third|quarter|fifth|tenth)s?\b"
)
_VAGUE_MANY = re.compile(r"(?i)\b(?:dozens|hundreds|thousands|millions|scores) of (?=[a-z]+\b(?<!reasons)(?<!ways)(?<!things))")
_ORDINALS = ("third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
_ORDINAL = re.compile(
    rf"(?i)\bthe ({'|'.join(_ORDINALS)})(?= (?:sleeve|run|variant|proposal|alert|strategy|backtest|position|event|card)s?\b)"
)
_COUNTED = re.compile(
    rf"(?i)\s+(?:of (?:the|our|your|its|these|those|all) )?(?!(?:{TEXT_NOUNS})\b)(?:(?!of\b|or\b|and\b|to\b|in\b|at\b"
    rf"|{TEXT_NOUNS}\b)[\w-]+\s+){{0,2}}?(?!(?:{TEXT_NOUNS}|is|has|was|plus)\b)([a-z]+(?:s|ies)|entry|equity|sharpe"
    rf"|drawdown)\b(?<!ss)"
)
_ONE_COUNTED = re.compile(
    r"(?i)\s+(?:(?:open|active|pending|more|single|long|short)\s+){0,2}(?:trades?|positions?|alerts?|breakers?)\b"
)
_MEASURE = re.compile(
    r"(?i)\b(?:sharpe|drawdown|returns?|rate|fees?|p\s?&\s?l|pnl|equity|profits?|loss|leverage|exposure|funding"
    r"|slippage|version|costs?"
    r"|factor|ratio)\b[\s\w]{0,12}?\s(?:of|is|was|at|by|to|came to|stands at|reached|about|around|roughly|nearly|near|almost"
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
    for found in _LOST_PART.finditer(line):
        many = {"two": 2.0, "three": 3.0}.get((found[1] or "").strip().lower(), 1.0)
        yield NumberClaim(
            found.start(2),
            found.end(),
            line[found.start(2) : found.end()],
            many * _PARTS[found[2].lower()] * 100,
            1.0,
            2,
            "frac",
            0.01,
        )
    for found in _PAIR.finditer(line):
        yield NumberClaim(found.start(), found.end(), found[0], 2.0, 1.0, 1, "", 1.0)
    for found in _FOLD.finditer(line):
        yield NumberClaim(found.start(), found.end(), found[0], _value(found[1]), 1.0, 2, "", 1.0)
    for found in (*_OUT_OF.finditer(line), *_ONE_IN.finditer(line)):
        part = 100 * _value(found[1]) / max(_value(found[2]), 1.0)
        yield NumberClaim(found.start(), found.end(), found[0], part, 1.0, 2, "frac", 0.01)
    for found in _MULTIPLE.finditer(line):
        lead = line[max(0, found.start() - 60) : found.start()]
        if not _REFERRED.search(lead) and not re.search(r"(?i)\b(?:would|could|might|may|can|if|should|to)\b[^.]*$", lead):
            times = (2.0, 3.0, 4.0, 0.5)[(found.lastindex or 1) - 1]
            yield NumberClaim(found.start(), found.end(), found[0], times, 1.0, 2, "", 1.0)
    for found in _VAGUE_MANY.finditer(line):
        yield NumberClaim(found.start(), found.end(), found[0].strip(), -1e300, 1.0, 2, "", 1.0)  # nothing has that value
    for found in _ORDINAL.finditer(line):
        yield NumberClaim(found.start(1), found.end(1), found[1], _ORDINALS.index(found[1].lower()) + 3.0, 1.0, 0, "place", 1.0)


def _claim_of(found: re.Match[str], line: str) -> NumberClaim | None:
    after, before = line[found.end() : found.end() + 80], line[max(0, found.start() - 60) : found.start()]
    value, text = _value(found[0]), found[0].strip()
    start, end = found.start(), found.start() + len(text)
    unit = UNIT.match(line, found.end() + 1) if after[:1] in (" ", "-") else None
    if unit:
        _, dimension, factor = UNITS[int(str(unit.lastgroup)[1:])]
        if len(unit[0]) < 2 or (text.lower() == "one" and dimension in ("time", "ratio", "count")):
            return None  # `one r`, `one day`
        return NumberClaim(start, unit.end(), line[start : unit.end()], value, 1.0, 1 if value < 10 else 2, dimension, factor)
    if value <= 2 and _REFERRED.search(before) and _LABELS.match(after):
        return None
    if (_ONE_COUNTED if text.lower() == "one" else _COUNTED).match(after) or _MEASURE.search(before):
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
