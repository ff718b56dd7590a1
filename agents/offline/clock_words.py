"""Lengths and clocks as people write them, in one way of writing. Called by words.py before anything is read.

`the last eighteen months` is `the last 18 months`, `an hour and a half` is `90 minutes`, `from about eleven last night till seven
this morning` is `from 23:00 last night till 07:00 this morning`. An hour takes its half of the day from what is said with it, or
from the clock it is joined to. What is no length and no clock stays as it is.
"""

import re

from agents.offline.lists import LISTS, PATTERNS

_ONES = (
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
)
ONES = {word: n for n, word in enumerate(_ONES.split(), 1)}
_TENS = {word: 10 * n for n, word in enumerate(["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"], 2)}
_NUMBER = rf"(?:(?:{'|'.join(_TENS)})(?:[ -](?:{'|'.join(list(ONES)[:9])}))?|{'|'.join(reversed(ONES))})"
_UNIT = LISTS["dates"]["unit"]
_SHORT_UNIT = "mos?|mths?|wks?|yrs?|qtrs?|times (?:as|the|our|its|[a-z]+er)|per ?cent|pct|%|atrs?|bars?"
_FRAME = re.compile(r"(?:1|5|15|30) ?m(?:in)?|[124] ?h")  # alone, a timeframe as well
_COUNTED = re.compile(
    rf"(?<!every )(?<!one or )\b(?P<led>(?:last|past) )?(?P<n>{_NUMBER})"
    rf"(?=(?P<unit>[ -](?:{_UNIT}|{_SHORT_UNIT})(?!\w)|[?.! ]*$))"
)
_LENGTHS = [(re.compile(form), plain) for form, plain in LISTS["lengths"]]
_LEADS = "and|so|now|ok|what about|how about|same|the|over|pls|please"
_ALONE = re.compile(rf"^((?:(?:{_LEADS})[ ,]+)*)(\d{{1,3}} ?(?:{_UNIT}))(?=(?: please| pls)?[?.! ]*$)")

_HOUR = rf"(?:{'|'.join(reversed(list(ONES)[:12]))}|\d{{1,2}})"
_PART = r"(?: (?:in the|at|this|last|yesterday|tomorrow) (?:morning|afternoon|evening|night)| tonight)"


def _clock(n: int) -> str:
    fuzzy = r"(?:(?:about|around|roughly|approx\w*|circa|say|like) |~ ?)?"
    past = rf"(?P<past{n}>(?:half past|half|quarter past|quarter to) )?"
    clock = rf"(?P<hour{n}>{_HOUR})(?::(?P<minute{n}>[0-5]\d))?(?![\d:%.]\d)"
    return rf"{fuzzy}{past}{clock}(?P<half{n}> ?[ap]\.?m\b\.?| o'?clock\b)?(?P<part{n}>{_PART}\b)?"


_AFTER = PATTERNS["words.no_clock"].pattern
_LEAD = r"(?P<lead>\b(?:between|from|since|after|at|by|before|until|till|around|about) )"
_TIME = re.compile(rf"(?:{_LEAD}|(?<![\w.:/-])){_clock(1)}(?:(?P<join> ?(?:and|to|until|till|-) ?){_clock(2)})?{_AFTER}")


def lengths_written(text: str) -> str:
    """A text whose lengths of time are numbers with a unit: `18 months`, `90 minutes`, `2 weeks`."""
    text = _COUNTED.sub(_number, text)
    for form, plain in _LENGTHS:
        text = form.sub(plain, text)
    text = re.sub(
        r"\b(\d+)\.5 (hour|day|week|year)s?\b", lambda m: f"{int((int(m[1]) + 0.5) * _FINER[m[2]][0])} {_FINER[m[2]][1]}", text
    )
    alone = _ALONE.match(text)
    return text if alone is None or _FRAME.fullmatch(alone[2]) else f"{alone[1]}last {text[alone.end(1) :]}"


_FINER = {"hour": (60, "minutes"), "day": (24, "hours"), "week": (14, "days")} | {"year": (12, "months")}


def _number(found: re.Match[str]) -> str:
    """The digits of a number word before a unit; `one` alone is mostly no number, `last twenty` is one without a unit."""
    bare, one = not (found["unit"] or "").strip(" ?.!"), found["n"] == "one"
    if (bare or (one and not re.match(r"[ -](?:minutes?|per|pct|%|atr)", found["unit"]))) and not found["led"]:
        return found[0]
    if bare and (one or found["led"] != "last "):
        return found[0]
    tens, _, ones = found["n"].replace("-", " ").partition(" ")
    value = _TENS[tens] + ONES.get(ones, 0) if tens in _TENS else ONES[tens]
    return f"{found['led'] or ''}{value}"


def clocks_written(text: str) -> str:
    """A text whose clocks are HH:MM."""
    at_night = PATTERNS["words.at_night"].search(text) is not None
    return _TIME.sub(lambda found: _written(found, at_night=at_night), text)


def _written(found: re.Match[str], *, at_night: bool) -> str:
    """One clock or two that are joined; unchanged where nothing says that they are clocks."""
    several = (1, 2) if found["join"] else (1,)
    hours = [ONES.get(found[f"hour{n}"]) or int(re.sub(r"\D", "", found[f"hour{n}"]) or 0) for n in several]
    says = any(found[f"{name}{n}"] for n in several for name in ("minute", "half", "part", "past"))
    typed = any(
        found[f"hour{n}"].isalpha() and not (found[f"half{n}"] or found[f"part{n}"] or found[f"past{n}"]) for n in several
    )
    if max(hours) > 24 or not (says or (found["lead"] and at_night)) or (typed and not (found["lead"] and at_night)):
        return found[0]
    halves = [None if found[f"minute{n}"] and hours[i] > 12 else _half(found, n, hours[i]) for i, n in enumerate(several)]
    if len(halves) == 2 and halves.count(None) == 1 and max(hours) <= 12 and not all(found[f"minute{n}"] for n in several):
        known = halves[0] or halves[1] or ""
        later = hours[1] % 12 > hours[0] % 12 or (halves[0] is None and hours[1] % 12 == hours[0] % 12)
        other = known if later else {"am": "pm", "pm": "am"}[known]
        halves = [half or other for half in halves]
    parts = [_one(found, n, hours[i], halves[i]) for i, n in enumerate(several)]
    return f"{found['lead'] or ''}{(' ' + (found['join'] or '').strip() + ' ').join(parts)}"


def _half(found: re.Match[str], n: int, hour: int) -> str | None:
    """Which half of the day is said with a clock: `am`, `in the evening`, `last night`."""
    said, part = (found[f"half{n}"] or "").strip(), (found[f"part{n}"] or "").rsplit(" ", 1)[-1]
    if said[:1] in ("a", "p"):
        return f"{said[0]}m"
    if not part or hour > 12:
        return None
    return "am" if part == "morning" or (part.endswith("night") and hour % 12 < 6) else "pm"


def _one(found: re.Match[str], n: int, hour: int, half: str | None) -> str:
    hour = hour % 12 + (12 if half == "pm" else 0) if half else hour
    past = (found[f"past{n}"] or "").strip()
    minute = {"": found[f"minute{n}"] or "00", "quarter past": "15", "quarter to": "45"}.get(past, "30")
    day = re.sub(r"^ (?:in the|at) \w+$", "", found[f"part{n}"] or "")
    return f"{(hour - (past == 'quarter to')) % 24:02d}:{minute}{day}"
