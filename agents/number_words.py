"""Numbers said in words: `three open positions`, `both sleeves`, `forty-one percent`, `twice the trades`. Used by grounding.

Every number word is a claim, held to what a digit is held to, unless grammar says that it counts nothing of the desk: a pronoun
(`one of them`), a count of the text itself (`two reasons`), a span of time said at large (`half a day`), a mood (`would double`).
"""

import re
from collections.abc import Iterator

from agents.claims import OF_THE_TEXT, UNIT, UNITS, NumberClaim

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
_PARTS = {"half": 0.5, "third": 1 / 3, "quarter": 0.25, "fifth": 0.2, "sixth": 1 / 6, "eighth": 0.125, "tenth": 0.1}
_TIMES = {"doubl": 2.0, "tripl": 3.0, "quadrupl": 4.0, "halv": 0.5}
_ORDINALS = ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"]
_WORD = "|".join(sorted((*_VALUES, *_SCALES), key=len, reverse=True))
_DIGIT = "|".join(_ONES)
_SPELLED = re.compile(
    rf"(?i)(?<![\w-])(?:(?:an?|half an?|minus|negative)\s+(?={_WORD}))?(?:{_WORD})\b"
    rf"(?:(?:[\s-]|\s+and\s+){{1,2}}(?:{_WORD})\b){{0,12}}(?:\s+point(?:\s+(?:{_DIGIT})\b){{1,8}}"
    rf"|\s+and\s+a\s+half)?(?!-(?:sided|way|off|time|liner))"
)
_SHARE = re.compile(
    rf"(?i)(?<![\w-])(?:(one|two|three|four|an?)[\s-]+)?({'|'.join(_PARTS)})s?\b(?=\s+(?:of\b|the\b|its\b|your\b|that\b"
    rf"|as (?:many|much)\b|fewer\b|more\b|less\b|higher\b|lower\b)(?!\s+(?:the|of the|that|your|its) (?:story|battle|time|way"
    rf"|night|job|picture|reason|point|work|answer))"
    rf"|\W*$)|\b(?:down|up|by|of)\s(?:(?:about|nearly|almost|over|under)\s)?(?:(an?|one|two|three)\s)?({'|'.join(_PARTS)})s?\b(?!\s+(?:past|to)\b)"
)
_OUT_OF = re.compile(rf"(?i)\b({_WORD})\s(?:in|out of)(?: every)?\s({_WORD})\b")
_MULTIPLE = re.compile(
    rf"(?i)(?<![\w-])(?:({'|'.join(_TIMES)})(?:e|ed|es|ing)?\b(?![- ]?check)|({_WORD})[- ]?fold\b|({_WORD}) times (?=as|the|its"
    rf"|more|that)|(twice) (?=as|the|its|that|what|your|our|more))"
)
_QUANTIFIER = re.compile(r"(?i)(?<![\w-])(both|neither|none of|all)\b")
_ORDINAL = re.compile(rf"(?i)\b(?:the|its|his|her|their|your|my) ({'|'.join(_ORDINALS)})\b(?= [a-z])")
_VAGUE_MANY = re.compile(r"(?i)\b(?:dozens|hundreds|thousands|millions|scores) of (?=[a-z]+\b(?<!reasons)(?<!ways)(?<!things))")
_LOOSE = re.compile(r"(?i)\b(?:would|could|might|(?-i:may)|can|if|should|to|not|than|every|each time)\b[^.]{0,60}$")
_AGE = re.compile(r"(?i)\s+(?:old|long|late|later|earlier|before|after)\b")
_WOULD = re.compile(r"(?i)[^.,;]{0,60}\b(?:would|could|might|(?-i:may)|will)\b")
MEASURE = re.compile(
    r"(?i)\b(?:sharpe|drawdown|returns?|rate|fees?|p\s?&\s?l|pnl|equity|profits?|loss|leverage|exposure|funding"
    r"|slippage|version|costs?|factor|ratio)\b[\s\w]{0,12}?\s(?:of|is|was|at|by|to|came to|stands at|reached|about|around|roughly"
    r"|nearly|near|almost|over|under)\s+(?:about |around |roughly |nearly )?$"
)
_NOT_ONE = re.compile(
    r"(?i)(?:\b(?:no|the|this|that|which|other|another|any|each|every|some|only|last|first|next|or|by|a|an)[\s-])$"
)
_ONE_THING = re.compile(
    r"(?i)\s+(?:(?:open|active|pending|single|long|short|new|losing|winning|rejected|applied)\s+){0,2}(?:trades?|positions?"
    r"|alerts?"
    r"|breakers?|sleeves?|proposals?|fills?|orders?|runs?|pages?|warnings?|loss|trip|entry|exit)\b"
)


def word_claims(line: str) -> Iterator[NumberClaim]:
    """The numbers of a line that are said in words and claim something."""
    taken: list[tuple[int, int]] = []
    for claim in (*_parts(line), *_cardinals(line)):
        if not any(low < claim.end and claim.start < high for low, high in taken):
            taken.append((claim.start, claim.end))
            yield claim
    for found in _QUANTIFIER.finditer(line):
        if " nor " in line[found.end() : found.end() + 80]:
            continue
        if not OF_THE_TEXT.match(line, found.end()) and not _LOOSE.search(line[max(0, found.start() - 60) : found.start()]):
            yield _claim(
                found.start(), found[0], {"both": 2.0, "neither": 2.0}.get(found[1].lower(), 0.0), 0, found[1].lower(), 1.0
            )
    for found in _ORDINAL.finditer(line):
        yield _claim(found.start(1), found[1], _ORDINALS.index(found[1].lower()) + 1.0, 0, "place", 1.0)


def _claim(start: int, text: str, value: float, digits: int, dimension: str = "", factor: float = 1.0) -> NumberClaim:
    return NumberClaim(start, start + len(text), text, value, 1.0, digits, dimension, factor)


def _parts(line: str) -> Iterator[NumberClaim]:
    """Fractions, `three in ten`, multiples, `dozens of`."""
    for found in _SHARE.finditer(line):
        many = _VALUES.get((found[1] or found[3] or "a").lower(), 1.0)
        start = found.start() if found[2] else found.start(3 if found[3] else 4)
        yield _claim(
            start, line[start : found.end()].strip(), many * _PARTS[(found[2] or found[4]).lower()] * 100, 2, "frac", 0.01
        )
    for found in _OUT_OF.finditer(line):
        if _value(found[2]) > _value(found[1]) >= 1:
            yield _claim(found.start(), found[0], 100 * _value(found[1]) / _value(found[2]), 2, "frac", 0.01)
    for found in _MULTIPLE.finditer(line):
        if not _LOOSE.search(line[max(0, found.start() - 60) : found.start()]) and not _WOULD.match(line, found.end()):
            times = 2.0 if found[4] else _TIMES.get((found[1] or "").lower()) or _value(found[2] or found[3])
            yield _claim(found.start(), found[0], times, 2, "times", 1.0)
    for found in _VAGUE_MANY.finditer(line):
        yield _claim(found.start(), found[0].strip(), -1e300, 2)  # nothing has that value


def _cardinals(line: str) -> Iterator[NumberClaim]:
    for found in _SPELLED.finditer(line):
        text = found[0].strip()
        after, before = line[found.end() : found.end() + 80], line[max(0, found.start() - 60) : found.start()]
        value, one = _value(text), text.lower() == "one"
        unit = UNIT.match(line, found.end() + 1) if after[:1] in (" ", "-") else None
        if unit and len(unit[0]) >= 2:
            _, dimension, factor = UNITS[int(str(unit.lastgroup)[1:])]
            if not one or dimension not in ("time", "ratio", "count") or _AGE.match(line, unit.end()):
                whole = line[found.start() : unit.end()]
                yield _claim(found.start(), whole, value, 1 if value < 10 else 2, dimension, factor)
        elif one and (not _ONE_THING.match(after) or _NOT_ONE.search(before)) and not MEASURE.search(before):
            continue
        elif value == 0 and not re.match(r"\s+[a-z]", after):
            continue  # `includes zero`
        elif not OF_THE_TEXT.match(after) or MEASURE.search(before):
            yield _claim(found.start(), text, value, 2)


def in_digits(text: str) -> str:
    """The text with its spelled numbers, but for `one`, in digits."""
    return _SPELLED.sub(
        lambda found: found[0] if found[0].strip().lower() in ("zero", "one", "pair", "couple") else f"{_value(found[0]):g}", text
    )


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
