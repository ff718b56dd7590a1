"""Which numbers in a text are claims. Called by agents/atoms.py; turns text into claims with position, value and unit.

Not a claim, on purpose: dates, times and years in a date's position; ids, hashes, names with digits, timeframes, feature
labels such as `sma(40)`; the number of a list item, a step, a row, a layer, an ordinal. Everything else
written in digits is one, in code spans and tables too.
"""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)"
)
_NOUN = r"(?:trades?|bars?|round|trips?|entries|orders?|fills?|events?|runs?|usdt?|usd|dollars?|percent|bps|%)"
_CLOCK = r"\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:\s?(?:z|utc|am|pm)\b)?"

# looks like a number but is not a claim; the first alternative that matches wins
_NOT_CLAIMS = re.compile(
    "|".join(
        (
            rf"\b\d{{4}}-\d{{2}}(?:-\d{{2}})?(?:[T ]{_CLOCK})?(?![\d.]*\d)",  # 2025-03, 2025-03-04 05:15Z
            rf"\b{_CLOCK}",
            rf"\b\d{{1,2}}(?:st|nd|rd|th)?\s+(?:of\s+)?{_MONTH}\b(?:,?\s+\d{{4}}\b)?",  # 4 March 2025
            rf"\b{_MONTH}\s+\d{{1,2}}(?:st|nd|rd|th)?\b(?!\s*{_NOUN})(?:,?\s+\d{{4}}\b)?",  # March 4th, 2025
            rf"\b{_MONTH}\s+\d{{4}}\b",
            r"\b[qh][1-4](?:\s+(?:of\s+)?\d{4})?\b",
            rf"(?:(?<=\bin)|(?<=\bfor)|(?<=\bof)|(?<=\bsince)|(?<=\bduring)|(?<=\buntil)|(?<=\bfrom)|(?<=\bto)"
            rf"|(?<=\bthrough)|(?<=\byear)|(?<=\bearly)|(?<=\blate)|(?<=\bover)|(?<=\bcovers)|(?<=\bspans))\s+(?:19"
            rf"|20)\d{{2}}\b(?![.,-]\d)(?!\s*{_NOUN})",
            r"\b\d+(?:st|nd|rd|th)\b",
            r"(?<![\d./-])\d{1,2}([./-])\d{1,2}\1\d{4}\b|\b\d{4}/\d{2}/\d{2}\b",  # 28.11.2025, 2025/11/28
            r"\b(?:[01]\d|2[0-3])[0-5]\d\s?(?:z|utc|hrs)\b|\b\d{1,2}h(?:[0-5]\d)?\b(?=[\s,.;!?]*$|[0-5]?\d?\s(?:the|it|was"
            r"|on|in))",
            r"\b\d{1,2}\.[0-5]\d\s?(?:[ap]\.?m\b|z\b|utc\b)|\b\d{1,2}\s?(?:o'?clock|[ap]\.?m)\b",
            r"\b(?:proposal|card|alert|event|fill|order|job|run|ticket)s?\s(?:no\.?\s|number\s|nr\.?\s|id\s"
            r"|#\s?)?\d{1,9}(?:\s?(?:to|and|or|,|&|-)\s?\d{1,9}\b(?![.%]))*(?![\w%:-]|[.,]\d"
            r"|\s(?:%|bps\b|usdt?\b|atr\b|x\b|btc\b|eth\b|sol\b"
            r"|[a-z]{2,}s\b(?<!\bis)(?<!\bwas)(?<!\bhas)(?<!waits)(?<!loosens)))",
            r"\b24/7\b",
            r"\b[a-z]\w*\(\d+(?:,\s*\d+)*\)",  # sma(40)
            r"\b(?:[a-z]{1,2}|run|job|turn|note|page|prop)-[0-9a-z]+(?:-[0-9a-z]+)*\b(?!\.\d)",  # r-8f2a, d-112
            r"\b(?:[a-z_]+\d{1,3}(?!\d)|(?:iso|rfc)\d+)[a-z0-9_]*\b(?!\.\d)",  # D19, r1, sha256; equity98765 is none
            r"\b(?=[0-9a-f]*[a-f])(?=[0-9a-f]*\d)(?!\d+e\d+\b)[0-9a-f]{6,}\b(?!\.\d)",  # a hash
            r"\b(?:(?-i:1m|5m|15m)|1h)\b(?!\s*(?:usdt?|usdc|dollars?)\b)",  # timeframes; 5M is five millions, and 5m USDT too
            r"\b(?:row|step|layer|variant|option|page|line|section|part|turn|point|example|rule|table|no\."
            r"|law)\s+#?\d+\b(?!\.\d)(?:\s(?:of|/)\s\d+\b)?",
            r"(?<=#)\d+\b",
        )
    ),
    re.IGNORECASE,
)
_LETTERS = re.compile(r"[A-Za-z_]+")
_LIST_NUMBER = re.compile(r"^\s*(?:>\s*)*\(?\d{1,3}[.)]\s")

UNITS: tuple[tuple[str, str, float], ...] = (
    (r"%|percent\b|per\s?cent\b|pp\b|percentage\s+points?\b", "frac", 0.01),
    (r"bps?\b|basis\s+points?\b", "frac", 1e-4),
    (r"usdt?\b|usdc\b|dollars?\b|\$", "usd", 1.0),
    (r"x\b|×|r\b|atrs?\b|times\b", "ratio", 1.0),
    (r"bars?\b|candles?\b", "count", 1.0),
    (r"days?\b|d\b", "time", 86_400_000.0),
    (r"hours?\b|hrs?\b|h\b", "time", 3_600_000.0),
    (r"minutes?\b|mins?\b", "time", 60_000.0),
    (r"seconds?\b|secs?\b|s\b", "time", 1000.0),
    (r"ms\b|milliseconds?\b", "time", 1.0),
    (r"btc\b|eth\b|sol\b|xrp\b|bnb\b|coins?\b|contracts?\b|lots?\b", "base", 1.0),
)
UNIT = re.compile("|".join(f"(?P<u{i}>{pattern})" for i, (pattern, _, _) in enumerate(UNITS)), re.IGNORECASE)
_SCALE = {"k": 1e3, "m": 1e6, "mn": 1e6, "bn": 1e9, "thousand": 1e3, "million": 1e6, "billion": 1e9}
_NUMBER = re.compile(
    r"(?P<sign>(?<![\w)\].])[-+\u2212])?(?P<money>\$\s?)?(?P<sign2>(?<=\$)[-+\u2212])?"
    r"(?P<digits>\d{1,3}(?:[,_\u00a0\u202f]\d{3})+(?!\d)|\d+)?(?P<part>\.\d+)?(?P<power>e[+-]?\d{1,3}\b)?"
    r"(?P<scale>\s?(?:k|mn|bn|M)\b|\s(?:thousand|million|billion)\b)?",
    re.IGNORECASE,
)


# `18.3 vs 11.3 %`: the unit of the second is the first's, too
_SHARED_UNIT = re.compile(
    r"(?i)\s?(?:vs\.?|versus|against|to|or|/)\s?[-+\u2212]?\d{1,9}(?:\.\d{1,9})?\s?(%|percent\b|per cent\b|bps\b|basis points\b)"
)


class NumberClaim(NamedTuple):
    """A number as typed. `value` in units of `factor` of `dimension` ('' when no unit is typed)."""

    start: int
    end: int  # after the number and its unit
    text: str
    value: float  # typed number times its scale, not times the factor
    step: float  # the size of one unit of the last typed digit
    digits: int  # significant digits
    dimension: str
    factor: float


def _claim_of(found: re.Match[str], text: str) -> NumberClaim:
    """The claim of one number, its unit read from what follows."""
    digits = re.sub(r"[^\d]", "", found["digits"] or "0")
    part = found["part"] or ""
    scale = _SCALE[found["scale"].strip().lower()] if found["scale"] else 1.0
    power = float("1" + found["power"].lower()) if found["power"] else 1.0
    size = min(scale * power, 1e300)
    value = float(digits + part) * size
    negative = "-" in (sign := (found["sign"] or "") + (found["sign2"] or "")) or "\u2212" in sign
    dimension, factor, end = ("usd", 1.0, found.end()) if found["money"] else ("", 1.0, found.end())
    after = re.compile(r"\s?").match(text, end)
    unit = UNIT.match(text, after.end()) if after else None
    if not unit and not found["money"] and (shared := _SHARED_UNIT.match(text, end)):
        dimension, factor = ("frac", 1e-4 if shared[1].lower().startswith(("b",)) else 0.01)
    if unit and not found["money"]:
        _, dimension, factor = UNITS[int(str(unit.lastgroup)[1:])]
        end = unit.end()
    meant = (digits + part[1:]).lstrip("0")
    step = size * 10.0 ** -max(len(part) - 1, 0)
    start = found.start()
    return NumberClaim(start, end, text[start:end].strip(), -value if negative else value, step, len(meant), dimension, factor)


def claims(line: str, name_end: Callable[[str, int], int] | None = None) -> Iterator[NumberClaim]:
    """The claims of one line, in order. `name_end`: where a literal id or name of the thread ends, which is never a claim."""
    numbered = _LIST_NUMBER.match(line)
    at = numbered.end() if numbered else 0
    while at < len(line):
        if name_end and (end := name_end(line, at)) > at:
            at = end
            continue
        if (other := _NOT_CLAIMS.match(line, at)) and other.end() > at:
            at = other.end()
            continue
        found = _NUMBER.match(line, at)
        if found and (found["digits"] or found["part"]):
            claim = _claim_of(found, line)
            yield claim
            at = max(claim.end, at + 1)
        else:
            at = _next(line, at)


def _next(line: str, at: int) -> int:
    """The next place to look: after the letters that begin here (a number may be glued to them), or one character on."""
    word = _LETTERS.match(line, at)
    return word.end() if word else at + 1
