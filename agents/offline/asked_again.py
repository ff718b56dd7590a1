"""A short sentence about what stands above, asked anew with the names that it leaves out: rules of words.toml. Called by
above_kinds.py.

A rule has its words, the tools it is of, and the question that it stands for, with names in braces: the row picked, the window,
the sleeve, the card. A name that the thread does not have leaves the rule out.
"""

import re
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any

from agents.offline.slots import ORDINALS, words_of
from agents.offline.talk import tables_above
from agents.offline.turn_above import ANY, LEAD, Kind, Rest, ShortSentence, word_of
from agents.offline.words import LISTS

_CHANGE = re.compile(r"(\w+) \S+ -> (\S+?)(?:,|$)")


def _picked(heard: ShortSentence) -> str:
    """The name of the row that was picked, or of the one whose place is named; of the first where `the best` is."""
    for above in tables_above(heard.above.past, heard.above.facts, heard.above.words)[:1]:
        nth = heard.found.groupdict().get("nth")
        at = ORDINALS.get(nth, 0) if nth is not None else above.picked if len(above.table.rows) > 1 else 0
        return str(above.table.rows[at][0]) if at is not None and at < len(above.table.rows) else ""
    return ""


def _picked_sleeve(heard: ShortSentence) -> str:
    """The sleeve of the row that was picked."""
    name = _picked(heard)
    named = [s.name for s in heard.above.words.sleeves if s.name in name or f":{s.symbol}:" in name]
    return named[0] if len(named) == 1 else ""


def _window(heard: ShortSentence) -> str:
    """The window of the answer above, in words; a blank where it had none."""
    args = heard.last.args
    asked = " ".join(f"{word} {args[name]}" for word, name in (("since", "since"), ("up to", "until")) if args.get(name))
    older = heard.above.older
    return asked or (words_of("span", older.slots.span) if older is not None else "") or " "


def _day(heard: ShortSentence) -> str:
    """The day that was picked, as a window."""
    found = re.match(r"\d{4}-\d\d-\d\d", _picked(heard))
    return f"from {found[0]} to {date.fromisoformat(found[0]) + timedelta(days=1)}" if found else ""


def _values(heard: ShortSentence) -> str:
    """The values of the one proposal that stands above."""
    changes = {str(c["key"]): str(c["value"]) for c in heard.last.args.get("changes") or ()}
    rows = heard.last.rows() if len(heard.last.rows()) == 1 else []
    changes = changes or {found[1]: found[2] for row in rows for found in _CHANGE.finditer(row.get("change", ""))}
    return " and ".join(f"{key}={value}" for key, value in changes.items())


def _filed_sleeve(heard: ShortSentence) -> str:
    rows = heard.last.rows()
    return str(heard.last.args.get("sleeve") or (rows[0].get("sleeve", "") if len(rows) == 1 else ""))


def _side(heard: ShortSentence) -> str:
    side = heard.above.older.slots.side if heard.above.older is not None else None
    return {"long": "shorts", "short": "longs"}.get(side or "", "")


def _one(found: "tuple[str, ...] | list[str]") -> str:
    return found[0] if len(set(found)) == 1 else ""


_NAMES: Mapping[str, Callable[[ShortSentence], str]] = {
    "picked": _picked,
    "pair": lambda heard: " and ".join(one.split(":")[1] if ":" in one else one for one in _picked(heard).split()),
    "picked_sleeve": _picked_sleeve,
    "window": _window,
    "day": _day,
    "values": _values,
    "filed_sleeve": _filed_sleeve,
    "other_side": _side,
    "card": lambda heard: _one(heard.last.ids("prop-")),
    "symbol": lambda heard: _one(heard.read.symbols),
    "sleeve": lambda heard: _one(heard.read.sleeves),
    "key": lambda heard: str(heard.last.args.get("word", "")),
    "word": lambda heard: word_of(heard.above),
    "of_limits": lambda heard: " " if heard.above.of_limits else "",
}


def _asked(to: str, heard: ShortSentence) -> str | Rest | None:
    """The question with its names; None where the thread lacks one. After a `=` it is the rest of a sentence that goes on."""
    said = {name: value or "" for name, value in heard.found.groupdict().items()}
    names = {name: said[name] if name in said else _NAMES[name](heard) for name in re.findall(r"\{(\w+)\}", to)}
    if not all(names.values()):
        return None
    text = " ".join(to.lstrip("=").format_map(names).split())
    return Rest(text) if to.startswith("=") else text


def _kind(name: str, rule: Mapping[str, Any]) -> Kind:
    def finds(heard: ShortSentence) -> str | Rest | None:
        return _asked(rule["to"], heard)

    finds.__name__, finds.__doc__ = name, f"`{rule['example']}`"
    of = tuple(str(rule.get("of", "")).split())
    form = re.compile(rule["form"].replace("{LEAD}", LEAD))
    return Kind(
        form, finds, rule.get("most", 9), ANY if of == ("any",) else of, rule.get("ok", True), bool(rule.get("table")), False
    )


KINDS = [_kind(name, rule) for name, rule in LISTS["asked_again"].items()]
