"""A short sentence about what stands above, asked anew with the names that it leaves out: rules of words.toml. Called by
above_kinds.py.

A rule has its words, the tools it is of, and the question that it stands for, with names in braces: the row picked, the window,
the sleeve, the card. A name that the thread does not have leaves the rule out.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from agents.offline.slots import ORDINALS, words_of
from agents.offline.talk import tables_above
from agents.offline.turn_above import ANY, LEAD, Kind, Rest, ShortSentence, window_of, word_of
from agents.offline.words import LISTS

_CHANGE = re.compile(r"(\w+) \S+ -> (\S+?)(?:,|$)")


def _picked(heard: ShortSentence) -> str:
    """The name of the row that was picked, or of the one whose place is named."""
    above = next(iter(tables_above(heard.above.past, heard.above.facts, heard.above.words)), None)
    if above is None:
        return ""
    nth = heard.found.groupdict().get("nth", "")
    at = above.picked if nth == "" else ORDINALS.get(str(nth), 0)
    return str(above.table.rows[at][0]) if at is not None and at < len(above.table.rows) else ""


def _picked_sleeve(heard: ShortSentence) -> str:
    """The sleeve of the row that was picked."""
    name = _picked(heard)
    return _one([s.name for s in heard.above.words.sleeves if s.name in name or f":{s.symbol}:" in name])


def _day(heard: ShortSentence) -> str:
    """The day that was picked, as a window."""
    found = re.match(r"\d{4}-\d\d-\d\d", _picked(heard))
    return f"from {found[0]} to {date.fromisoformat(found[0]) + timedelta(days=1)}" if found else ""


def _cell(heard: ShortSentence, name: str) -> str:
    """A cell of the only row of the table above, or an argument of the call."""
    rows = heard.last.rows()
    return str(heard.last.args.get(name) or (rows[0].get(name, "") if len(rows) == 1 else ""))


def _values(heard: ShortSentence) -> str:
    """The values of the one proposal that stands above."""
    changes = [(c["key"], c["value"]) for c in heard.last.args.get("changes") or ()]
    return " and ".join(f"{key}={value}" for key, value in changes or _CHANGE.findall(_cell(heard, "change")))


def _one(found: Sequence[str]) -> str:
    return found[0] if len(set(found)) == 1 else ""


_NAMES: Mapping[str, Callable[[ShortSentence], str]] = {
    "pair": lambda heard: " and ".join(one.split(":")[1] if ":" in one else one for one in _picked(heard).split()),
    "picked_sleeve": _picked_sleeve,
    "window": lambda heard: window_of(heard) or " ",
    "day": _day,
    "when": lambda heard: words_of("span", heard.read.span) or " ",
    "values": _values,
    "filed_strategy": lambda heard: _one([s.strategy for s in heard.above.words.sleeves if s.name == _cell(heard, "sleeve")]),
    "filed_sleeve": lambda heard: _cell(heard, "sleeve"),
    "other_side": lambda heard: {"long": "shorts", "short": "longs"}.get(
        str(heard.above.older and heard.above.older.slots.side), ""
    ),
    "card": lambda heard: _one(heard.last.ids("prop-")),
    "subject": lambda heard: _one(heard.read.symbols) or _cell(heard, "subject"),
    "sleeve": lambda heard: _one(heard.read.sleeves),
    "sleeve_said": lambda heard: str(heard.last.args.get("sleeve") or " "),
    "key": lambda heard: str(heard.last.args.get("word", "")),
    "word": lambda heard: word_of(heard.above),
    "rate_said": lambda heard: heard.found["figure"] or heard.found["rate"],
    "of_limits": lambda heard: " " if heard.above.of_limits else "",
}


def _kind(name: str, rule: Mapping[str, Any]) -> Kind:
    """A rule as a kind: its question with its names, None where the thread lacks one; after a `=` the rest of a sentence."""

    def finds(heard: ShortSentence) -> str | Rest | None:
        said = heard.found.groupdict()
        names = {
            name: said.get(name) or (_NAMES[name](heard) if name in _NAMES else "")
            for name in re.findall(r"\{(\w+)\}", rule["to"])
        }
        text = " ".join(rule["to"].lstrip("=").format_map(names).split())
        return None if not all(names.values()) else Rest(text) if rule["to"].startswith("=") else text

    finds.__name__, finds.__doc__ = name, f"`{rule['example']}`"
    of = ANY if rule.get("of") == "any" else tuple(rule.get("of", "").split())
    form = re.compile(rule["form"].replace("{LEAD}", LEAD))
    return Kind(form, finds, rule.get("most", 9), of, rule.get("ok", True), bool(rule.get("table")), False)


KINDS = [_kind(name, rule) for name, rule in LISTS["asked_again"].items()]
