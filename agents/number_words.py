"""Numbers said in words: `three open positions`, `both sleeves`, `forty-one percent`. Called by agents/atoms.py.

Each is held to what a digit is held to. Fractions, multiples and ordinals are left as words, which nothing proves.
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
_VALUES |= {"couple": 2.0, "pair": 2.0, "trio": 3.0}
_SCALES = {"hundred": 100.0, "thousand": 1e3, "million": 1e6, "billion": 1e9, "dozen": 12.0, "grand": 1e3}
_WORD = "|".join(sorted((*_VALUES, *_SCALES), key=len, reverse=True))
_DIGIT = "|".join(_ONES)
_SPELLED = re.compile(
    rf"(?i)(?<![\w-])(?:(?:an?|half an?|minus|negative)\s+(?={_WORD}))?(?:{_WORD})\b"
    rf"(?:(?:[\s-]|\s+and\s+){{1,2}}(?:{_WORD})\b){{0,12}}(?:\s+point(?:\s+(?:{_DIGIT})\b){{1,8}}"
    rf"|\s+and\s+a\s+half)?(?!-(?:sided|way|off|time|liner))"
)
_QUANTIFIER = re.compile(r"(?i)(?<![\w-])(both|neither|none of|all)\b")


def word_claims(line: str) -> Iterator[NumberClaim]:
    """The numbers of a line that are said in words."""
    for found in _SPELLED.finditer(line):
        text = found[0].strip()
        value = _value(text)
        after = line[found.end() : found.end() + 1]
        unit = UNIT.match(line, found.end() + 1) if after in (" ", "-") else None
        if unit and len(unit[0]) >= 2:
            _, dimension, factor = UNITS[int(str(unit.lastgroup)[1:])]
            yield _claim(found.start(), line[found.start() : unit.end()], value, 1 if value < 10 else 2, dimension, factor)
        else:
            part = len(text.lower().partition(" point ")[2].split())
            claim = _claim(found.start(), text, value, part + (1 if value < 10 else 2))
            yield claim._replace(step=10.0**-part) if part else claim
    for found in _QUANTIFIER.finditer(line):
        yield _claim(found.start(), found[0], {"both": 2.0}.get(found[1].lower(), 0.0), 0, found[1].lower(), 1.0)


def _claim(start: int, text: str, value: float, digits: int, dimension: str = "", factor: float = 1.0) -> NumberClaim:
    return NumberClaim(start, start + len(text), text, value, 1.0, digits, dimension, factor)


def _value(text: str) -> float:
    """What a spelled number says."""
    text, _, more = text.partition(" and a half")
    extra = 0.5 if _ or more else 0.0
    half = text.lower().startswith("half")
    words = [word for word in re.split(r"[\s-]+", text.lower()) if word not in ("and", "a", "an", "half")]
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
    return sign * (total + group + extra + (float(f"0.{digits}") if digits else 0.0)) * (0.5 if half else 1.0)
