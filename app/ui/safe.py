"""Escapes text from models and the outside; the only way it reaches the page. Called by every page of app.ui.

An allow-list, not a filter: a few known shapes (paragraph, list, table, bold, struck out, code, own link) are recognised and
rewritten, everything else is escaped character by character. So no images, HTML, formulas, emoji or colour directives, and only
links to our own ids.

`markdown` for an answer, `words` for a name or sentence in a label, `one_line` where the widget shows plain text.
"""

import html
import re
from collections.abc import Sequence

from app.ui import clocks
from app.ui.figures import MONTHS, NONE, year_of
from app.ui.links import href

JOIN = "\u2060"  # a word joiner: invisible, and no URL, e-mail or directive is recognised across it
COLON = "\ue000"  # of an instrument's name while the rest is escaped: no text has this character any more
TEXT_MAX = 20_000
WIDE = 6  # columns; a table of more, and of no more rows, is turned
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ue000-\uf8ff]")
_SPACE = re.compile(r"[^\S\u202f]+")  # all but the narrow space that keeps a unit at its number
_PUNCTUATION = re.compile(r"([\\`*_{}\[\]<>()#+\-.!|~$^&=\"'])")
_UNESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")
_INLINE = re.compile(
    r"(?P<code>`[^`\n]+`)"
    r"|(?<![\w.-])(?P<own>r-\d{8}-[0-9a-f]{6,12}(?:/t\d{1,7})?|prop-\d{1,9}|[dp]-\d{1,12})(?![\w-])"
    r"|\[(?P<said>[^\[\]\n]{1,200})\]\((?P<kind>[a-z]{2,10}):(?P<id>[\w.\-/]{1,100})\)"
    r"|\*\*(?P<bold>[^\n]+?)\*\*"
    r"|~~(?P<struck>[^\n]+?)~~"
    r"|\u27e6(?P<unchecked>[^\n\u27e6\u27e7]+)\u27e7"
    r"|(?<![\w*])\*(?P<soft>[^*\s][^*\n]*?)\*(?![\w*])"
)
OWN = {"r": "run", "prop": "proposal", "d": "event", "p": "event"}  # bare ids become links
_LIST = re.compile(r"^(\s{0,8})(?:[-*+]|(\d{1,3})[.)])\s+(.*)$")
_QUOTE = re.compile(r"^(?:>\s?)+(?=\S)(.*)$")
_HEADING = re.compile(r"^#{1,6}\s+(.*)$")
_MINUS = re.compile(
    r"\b(?:nightdesk [a-z]|kill -)[^;,(\n]*|(?:(?<=^)|(?<=[\s(\[]))-(?=[\d.,]*\d(?![\w-]))"
)  # of a number that stands alone: no id, range, date or option, and not in what is to be typed: kill -9, --units -0.1
_PERCENT = re.compile(r"(?<=\d) ?%(?!\w)")
_TIME = re.compile(r"\b(\d{4})-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01]) (\d{2}:\d{2}(?::\d{2})?Z)")
# one in a command or in quotes is to be typed
_INSTRUMENT = re.compile(
    r"\bnightdesk [a-z][^;,(\n]*|(?<![\w:'\"])([a-z][a-z0-9]{1,20}):([A-Z0-9]{1,16}-[A-Z0-9]{1,12}):(perp|spot)(?!\w|:\w)"
)
_NAME = re.compile(
    r"(?<![\w:])[a-z][a-z0-9]{1,20}:[A-Z0-9]{1,16}-[A-Z0-9]{1,12}:(?:perp|spot)(?::[\w-]{1,40})?(?![\w:])"
)  # of an instrument, of a trade
_RULE = re.compile(r"^\|?[\s:|-]+\|?$")


def typeset(text: str) -> str:
    """A minus before a number as wide as a plus, a narrow space that keeps % at its number, `BTC-USDT perp (okx)`, an arrow, and
    times as the page has them: `20 Feb 14:15Z`, the year only where it is not the desk's."""
    text = _TIME.sub(_short_time, text)
    text = _INSTRUMENT.sub(_short_instrument, text).replace(" -> ", " → ")
    return _PERCENT.sub("\u202f%", _MINUS.sub(lambda found: found[0] if len(found[0]) > 1 else "\u2212", text))


def _short_instrument(found: re.Match[str]) -> str:
    """`okx:BTC-USDT:perp` as a person reads it; a command as it is."""
    return f"{found[2]} {found[3]} ({found[1]})" if found[1] else found[0]


def _short_time(found: re.Match[str]) -> str:
    """`2025-02-20 14:15Z` as figures.short has it."""
    year, month, of_month, clock = found.groups()
    shown = "" if int(year) == year_of(clocks.desk_ms()) else f" {year}"
    return f"{int(of_month)} {MONTHS[int(month) - 1]}{shown} {clock}"


def one_line(text: object, length: int = 300) -> str:
    """Outside text as one plain line, for widgets that interpret nothing: options, cells, chart captions."""
    bare = _CONTROL.sub("", _SPACE.sub(" ", str("" if text is None else text)[: 4 * length]).strip())
    return bare if len(bare) <= length else bare[: length - 1] + "…"


def words(text: object, length: int = 300) -> str:
    """Outside text as one line inside a markdown label: shown as written, without effect."""
    return _escaped(one_line(text, length))


def markdown(text: str) -> str:
    """A model's answer as formatting-only markdown: no images, no HTML, own links only."""
    clean = _CONTROL.sub("", html.unescape(str(text)[:TEXT_MAX].replace("\r\n", "\n").replace("\r", "\n")))
    parts: list[str] = []
    table: list[str] = []
    for line in [*clean.split("\n"), ""]:
        if line.lstrip().startswith("|") and line.count("|") > 1:
            table.append(line)
            continue
        if table:
            parts += ["", *_table(table), ""]
            table = []
        parts.append(_line(line))
    return "\n".join(parts).strip()


def _line(line: str) -> str:
    """One line outside a table."""
    if found := _HEADING.match(line):
        return f"**{_inline(found[1].strip('#* '))}**" if found[1].strip("#* ") else ""
    if found := _QUOTE.match(line):
        return f"> {_inline(found[1])}"
    if found := _LIST.match(line):
        return f"{found[1]}{found[2] + '.' if found[2] else '-'} {_inline(found[3])}"
    return _inline(line.strip())


def _inline(text: str) -> str:
    """Known shapes rewritten, the rest escaped."""
    parts, at = [], 0
    for found in _INLINE.finditer(text):
        parts.append(_escaped(typeset(text[at : found.start()])))
        parts.append(_shape(found))
        at = found.end()
    return "".join([*parts, _escaped(typeset(text[at:]))])


def _shape(found: re.Match[str]) -> str:
    """A recognised piece of a line."""
    if found["code"]:
        return found["code"].replace(":material/", f":{JOIN}material/")  # an icon's directive is read in code, too
    if found["own"]:
        return f"[{_escaped(found[0])}]({href(OWN[found[0].partition('-')[0]], found[0])})"
    if found["kind"]:
        target = href(found["kind"], found["id"])
        return f"[{_escaped(typeset(found['said']))}]({target})" if target else _escaped(found[0])
    if found["unchecked"]:
        return f":gray[{_inline(found['unchecked'].strip())}]"
    for name, mark in (("bold", "**"), ("struck", "~~"), ("soft", "*")):
        if found[name]:
            return f"{mark}{_inline(found[name].strip())}{mark}"
    return _escaped(found[0])


def _escaped(text: str) -> str:
    """Text in which no character has a meaning in markdown."""
    bare = _UNESCAPED.sub(r"\1", text)
    bare = _NAME.sub(lambda found: found[0].replace(":", COLON), bare)  # a name is copied from the page into a terminal
    bare = re.sub(r":(?=[^\s\d])", ":" + JOIN, bare)
    bare = re.sub(r"(?i)\bwww\.", lambda found: found[0][:-1] + JOIN + ".", bare).replace("@", "@" + JOIN)
    return _PUNCTUATION.sub(r"\\\1", bare).replace(COLON, "\\:")


def turns(rows: Sequence[Sequence[str]]) -> bool:
    """Whether a table is read downwards: many columns and few rows."""
    return max(map(len, rows), default=0) > WIDE >= len(rows)


def width_of(rows: Sequence[Sequence[str]]) -> int:
    """The columns of a table as it is shown."""
    return len(rows) if turns(rows) else max(map(len, rows), default=0)


def _table(lines: list[str]) -> list[str]:
    """A markdown table; transposed when it has many columns and few rows."""
    rows = [[part.strip() for part in re.split(r"(?<!\\)\|", line.strip())[1:-1]] for line in lines if not _RULE.match(line)]
    wide = max((len(row) for row in rows), default=0)
    if not wide:
        return []
    rows = [row + [""] * (wide - len(row)) for row in rows]
    if turns(rows):
        rows = [list(column) for column in zip(*rows, strict=True)]
    lined = ["| " + " | ".join(NONE if part == "-" else _inline(part) or " " for part in row) + " |" for row in rows]
    return [lined[0], "|" + "---|" * len(rows[0]), *lined[1:]]
