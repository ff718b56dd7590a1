"""What of a thread can prove a sentence: cells of tables, lines of the journal, proposals, alerts, the latch, acts of the turn.

Called by agents/support.py with the texts of the tools; read by the provers. Only lines in code's own formats are read; what a
person wrote inside them, in quotes or as the reason of a halt, is left out.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

from agents.atoms import COINS, in_phrases
from agents.concepts import CONCEPTS, EXCLUSIVE, concepts_of
from agents.mentions import ID, days_of, minutes_of

LINE_MAX, LINES_MAX = 1000, 2000  # characters of a line, and lines, that are read
NEXT_THING = re.compile(r"(?<=[a-z])\. (?=[a-z]{1,5}-\d)")
_QUOTED = re.compile(r"\"[^\"\n]{0,2000}\"|(?<=HALTED )\([^)\n]{0,400}\)")
_NAME = re.compile(r"(?<![\w-])[a-z]{2,}\d?(?:-[a-z0-9]+)+(?![\w-])|(?<![\w-])[a-z]{1,40}(?:_[a-z0-9]+)+(?!\w)")
_KEYS = re.compile(r"\b[a-z]+(?:_[a-z0-9]+)+")
_EVENT = re.compile(r"^(d-\d+) (fill|halt|order|breaker|refused|config)\b", re.IGNORECASE)
_PROPOSAL = re.compile(
    r"^(?:proposal )?(prop-\d+)\b[^(]{0,80}\((pending|applied|rejected|expired|superseded|stale)\)", re.IGNORECASE
)
_ALERT = re.compile(r"^(al-\d+) ", re.IGNORECASE)
_BY = re.compile(r"\b(\w+) by ((?!stop\b|target\b|the\b|code\b)[a-z]{2,20})\b")
# the figures of a line and what each is: sell 0.12 at 91,204.50; 25 of 40 lots; 2.2 -> 1.8; round trip -38.20
_N = r"([-+]?\d[\d,]{0,15}(?:\.\d{1,12})?)(?![\w,]*\d)"
_ROLES = (
    ("quantity", rf"\b(?:buy|sell|long|short) {_N}"),
    ("price", rf"\bat {_N}"),
    ("pnl", rf"\bround trip {_N}"),
    ("part", rf"{_N} of \d+ lots"),
    ("lots", rf"\bof {_N} lots"),
    ("before", rf"{_N} -> "),
    ("after", rf"-> {_N}"),
    ("version", rf"\bversion {_N}"),
)
_ARROW = re.compile(rf"{_N} -> {_N}")
ROLES = tuple((name, re.compile(pattern)) for name, pattern in _ROLES)
ACTS = frozenset(
    """
    approved rejected applied expired superseded acknowledged resolved halt release cancelled refused paused tripped open close
    """.split()  # noqa: SIM905 - words
)


# what happened or holds, of which a sentence about such a line says one
CORE = {
    "fill": frozenset(
        {"fill", "buy", "sell", "enter", "entry", "exit", "close", "opened", "long", "short", "trip", "loss", "gain"}
    ),
    "halt": frozenset({"halt", "release"}),
    "order": frozenset({"cancelled", "fill", "refused"}),
    "breaker": frozenset({"tripped", "breaker", "paused"}),
    "refused": frozenset({"refused"}),
    "config": frozenset({"applied"}),
    "proposal": frozenset({"pending", "applied", "rejected", "expired", "superseded", "approved", "loosen", "tighten"})
    | frozenset({"raise", "raised", "lower", "lowered", "move", "moved"}),
    "alert": frozenset({"open", "resolved", "unresolved", "acknowledged", "unacknowledged", "stale", "page", "warning"}),
}


# words of a line that say when, whether or how many: found there they prove nothing of another sentence
_NEVER_PROVEN = frozenset(
    [
        "not",
        "no",
        "none",
        "never",
        "since",
        "until",
        "before",
        "after",
        "only",
        "all",
        "any",
        "both",
        "if",
        "when",
        "than",
        "more",
        "less",
        "over",
    ]
)


class LineFigure(NamedTuple):
    """A number of a record: what it is, and its value."""

    role: str
    value: float


class Record(NamedTuple):
    """A line, or a cell of a table, that a tool of this turn wrote."""

    kind: str  # fill, halt, order, breaker, refused, config, proposal, alert, cell
    about: frozenset[str]  # ids, names, coins, keys
    means: frozenset[str]  # the concepts of its words
    core: frozenset[str]  # those of which a sentence about it has one
    figures: tuple[LineFigure, ...]
    minutes: frozenset[int]
    days: frozenset[date]
    since: frozenset[int]  # minutes that it names after `since`
    until: frozenset[int]
    persons: tuple[tuple[str, str], ...]  # (what was done, by whom)
    text: str


@dataclass(frozen=True, slots=True)
class Receipts:
    """Acts of this turn (propose, note, run), what its tools recorded, the latch now."""

    own: frozenset[str] = frozenset()
    records: Sequence[str] = ()
    halted: bool | None = None
    earlier: Sequence[str] = ()  # ids of proposals that earlier turns of the thread made
    made: Sequence[str] = ()  # ids of proposals that this turn made
    refused: bool = False  # some call of this turn was refused or failed
    lines: tuple[Record, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Read the records once."""
        object.__setattr__(self, "lines", tuple(records_of(self.records)))

    def people(self) -> frozenset[str]:
        """Who is named in the records as having acted."""
        return frozenset(who for line in self.lines for _, who in line.persons)


def records_of(texts: Iterable[str]) -> list[Record]:
    """The records of the tools' texts, the first LINES_MAX."""
    found: list[Record] = []
    for text in texts:
        head: list[str] = []
        for line in text.splitlines():
            if len(found) >= LINES_MAX:
                return found
            said = _QUOTED.sub(" ", line[:LINE_MAX])
            if "|" in said:
                cells = [cell.strip() for cell in said.strip().strip("|").split("|")]
                head = head if head and len(head) == len(cells) else []
                if head and (made := _as_line(head, cells)):
                    found += [record] if (record := _line(made)) else []
                else:
                    found += _cells(cells, head) if head else []
                head = head or cells
            else:
                head = []
                found += [record for part in NEXT_THING.split(said) if (record := _line(part.strip()))]
    return found


def _as_line(head: Sequence[str], cells: Sequence[str]) -> str:
    """A row of the journal, of proposals or of alerts as the line that says the same; empty for any other row."""
    row = dict(zip((name.lower() for name in head), cells, strict=True))
    if "event" in row and "kind" in row:
        return f"{row['event']} {row['kind']} {row.get('sleeve', '')} {row.get('desk time', '')}: {row.get('what', '')}"
    if "proposal" in row and "state" in row:
        state, _, by = row["state"].partition(" ")
        return f"proposal {row['proposal']} for {row.get('sleeve', '')} ({state}): {row.get('change', '')}. {by}"
    if "alert" in row and "severity" in row:
        by = row.get("acknowledged by", "").strip("- ")
        acknowledged = f"acknowledged by {by}" if by else "not acknowledged"
        return f"{row['alert']} {row['severity']} ({row.get('where', '')}): {row.get('state', '')}, {acknowledged}"
    return ""


def _cells(cells: Sequence[str], head: Sequence[str]) -> Iterator[Record]:
    """Each cell of a row as a record: what its column says of what its first cell names."""
    about = named_in(cells[0].lower())
    for column, text in zip(head[1:], cells[1:], strict=True):
        low = text.lower()
        core, column_means = (meanings_of(part) for part in (low, column.lower()))
        core |= {"holding"} if re.match(r"(?:long|short) ", low) else frozenset()
        numbers = re.findall(r"(?<![\w.:-])-?\d[\d,]*(?:\.\d+)?(?![\w:-])", low)
        figures = tuple(LineFigure(_column_role(column.lower(), low), _value(number)) for number in numbers)
        marks = tuple(LineFigure("mark", float(ord(mark) - 0xE000)) for mark in low if "\ue000" <= mark <= "\uf8ff")
        until = frozenset(minute for _, _, of_day in minutes_of(low) for minute in of_day) if "until" in low else frozenset[int]()
        days = frozenset(day for _, _, day in days_of(low) if isinstance(day, date))
        yield Record(
            "cell",
            about | named_in(low),
            core | column_means,
            core,
            figures + marks,
            frozenset(),
            days,
            frozenset(),
            until,
            (),
            f"{column}: {low}".lower(),
        )


def _column_role(column: str, cell: str) -> str:
    if re.match(r"(?:long|short) ", cell):
        return "quantity"
    return "level" if "level" in column or "(stop)" in cell else column


def _line(line: str) -> Record | None:
    """A line in one of code's formats; None for any other."""
    low = line.lower().rstrip(".")
    event, proposal, alert = _EVENT.match(low), _PROPOSAL.match(low), _ALERT.match(low)
    kind = event[2] if event else "proposal" if proposal else "alert" if alert else ""
    if not kind:
        return None
    means = meanings_of(in_phrases(_KEYS.sub(" ", low))) | {kind} | _implied(kind, low)
    means -= _undone(kind)
    if proposal:
        means = means - frozenset[str]().union(*EXCLUSIVE) | concepts_of(proposal[2].lower())
    if "not acknowledged" in low:
        means = (means - {"acknowledged"}) | {"unacknowledged"}
    named: dict[str, frozenset[int]] = {"since": frozenset(), "until": frozenset(), "": frozenset()}
    days = frozenset(day for _, _, day in days_of(low) if isinstance(day, date))
    for start, _, of_day in minutes_of(low):
        lead = re.search(r"(since|until) (?:[\d-]+[ t])?$", low[:start])
        named[lead[1] if lead else ""] |= frozenset(of_day)
    core = means & CORE[kind] - (frozenset({"long", "short"}) if "exit" in means else frozenset())
    figures = tuple(LineFigure(role, _value(found)) for role, pattern in ROLES for found in pattern.findall(low))
    persons = tuple((act, who) for word, who in _BY.findall(low) for act in concepts_of(word))
    about = named_in(low) | {who for _, who in persons}
    return Record(kind, about, means, core, figures, named[""], days, named["since"], named["until"], persons, low)


def _implied(kind: str, low: str) -> frozenset[str]:
    """What a line means beside its words: a sale that enters is a short that was opened."""
    means: set[str] = set()
    if kind == "fill":
        side = "long" if " buy " in low else "short"
        entered = "to enter" in low
        means |= (
            {"enter", "entry", "opened", "went", side, "position"}
            if entered
            else {"exit", "close", "short" if side == "long" else "long"}
        )
        means |= {"price"} if " at " in low else set()
        means |= {"loss"} if "round trip -" in low else {"gain", "win"} if "round trip +" in low else set()
        means |= {"trade"}
    if kind == "proposal":
        means |= {"approved"} if re.search(r"(?<!not )approved by|\(applied\)", low) else set()
        means |= {"change"} | _change(low, waits="(pending)" in low, applied="(applied)" in low)
        means |= {"rejected"} if "(rejected)" in low else set()
    if kind == "alert":
        means |= {"went"} if "stale" in low else set()
        means |= {"resolved"} if "resolved" in low else {"open", "unresolved"}
        means |= {"acknowledged"} if re.search(r"(?<!not )acknowledged by", low) else set()
    if kind == "halt":
        means |= {"release"} if "released" in low else set()
    return frozenset(means)


def _change(low: str, *, waits: bool, applied: bool) -> set[str]:
    """What a proposal does to its setting, or did: it raises, lowers, moves it."""
    ways = {float(after.replace(",", "")) > float(before.replace(",", "")) for before, after in _ARROW.findall(low)}
    said = {("raise", "raised") if up else ("lower", "lowered") for up in ways} | (
        {("move", "moved"), ("move", "went")} if ways else set()
    )
    if len(ways) > 1:
        said = {("move", "moved")}
    return {now for now, _ in said if waits or applied} | {past for _, past in said if applied}


def _undone(kind: str) -> frozenset[str]:
    """What words of a line say that did not happen."""
    return frozenset({"enter", "long", "short"}) if kind == "refused" else frozenset()


def meanings_of(low: str) -> frozenset[str]:
    """What the words of a text in lower case mean."""
    return frozenset[str]().union(*(concepts_of(word) for word in re.findall(r"[a-z]+", low) if word not in _NEVER_PROVEN))


def named_in(low: str) -> frozenset[str]:
    """Ids, names, keys and coins of a text in lower case; a name of a sleeve or market names its coin, too."""
    found = {one.lower() for one in ID.findall(low)} | set(_NAME.findall(low))
    found = {one for one in found if one not in CONCEPTS}
    coins = {COINS[part] for one in found if not re.search(r"\d", one) for part in one.split("-") if part in COINS}
    return frozenset(found | coins | {COINS[word] for word in re.findall(r"[a-z]+", low) if word in COINS})


def _value(text: str) -> float:
    return float(text.replace(",", ""))
