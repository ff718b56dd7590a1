"""A short sentence about what stands above, asked anew with the names that it leaves out: rules of words.toml. Called by
above_kinds.py.

A rule has its words, the tools it is of, and the question that it stands for, with names in braces: the row picked, the window,
the sleeve, the card; or the way that answers it. A name that the thread does not have leaves the rule out.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from agents.offline.slots import words_of
from agents.offline.talk import tables_above
from agents.offline.turn_above import ANY, LEAD, Kind, ShortSentence, rule_of, window_of
from agents.offline.ways import ways
from agents.offline.words import LISTS, PATTERNS


def _picked(heard: ShortSentence) -> str:
    """The name of the row that was picked."""
    above = next(iter(tables_above(heard.above.past, heard.above.facts, heard.above.words)), None)
    at = above.picked if above is not None else None
    return str(above.table.rows[at][0]) if above is not None and at is not None and at < len(above.table.rows) else ""


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
    changes = changes or [(row["parameter"], row["proposed"]) for row in heard.last.rows() if "proposed" in row]
    return " and ".join(
        f"{key}={value}" for key, value in changes or PATTERNS["asked_again.change"].findall(_cell(heard, "change"))
    )


def _one(found: Sequence[str]) -> str:
    return found[0] if len(set(found)) == 1 else ""


_NAMES: Mapping[str, Callable[[ShortSentence], str]] = {
    "picked_sleeve": lambda heard: _one([s.name for s in heard.above.words.sleeves if s.name in _picked(heard)]),
    "window": lambda heard: window_of(heard) or " ",
    "day": _day,
    "when": lambda heard: words_of("span", heard.read.span) or " ",
    "values": _values,
    "filed_sleeve": lambda heard: (
        _cell(heard, "sleeve") or _one([s.name for s in heard.above.words.sleeves if f" for {s.name} " in heard.last.text])
    ),
    "card": lambda heard: _one(heard.last.ids("prop-")),
    "subject": lambda heard: _one(heard.read.symbols) or _cell(heard, "subject"),
    "of_a_rule": lambda heard: rule_of(heard.above),
}


def _kind(name: str, rule: Mapping[str, Any]) -> Kind:
    """A rule as a kind: a question with its names, or a way; None where the thread lacks a name."""

    def finds(heard: ShortSentence) -> Any:
        said = heard.found.groupdict()
        wanted = re.findall(r"\{(\w+)\}", rule.get("to", rule.get("needs", "")))
        names = {one: said.get(one) or (_NAMES[one](heard) if one in _NAMES else "") for one in wanted}
        if not all(names.values()):
            return None
        return ways()[rule["way"]] if "way" in rule else " ".join(rule["to"].format_map(names).split())

    finds.__name__, finds.__doc__ = name, f"`{rule['example']}`"
    of = ANY if rule.get("of") == "any" else tuple(rule.get("of", "").split())
    form = re.compile(rule["form"].replace("{LEAD}", LEAD))
    return Kind(form, finds, rule.get("most", 9), of, rule.get("ok", True), bool(rule.get("table")), rule.get("it", False))


KINDS = [_kind(name, rule) for name, rule in LISTS["asked_again"].items()]
