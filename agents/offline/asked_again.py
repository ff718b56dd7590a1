"""A short sentence about what stands above, asked anew with the names that it leaves out: rules of words.toml. Called by
above_kinds.py.

A rule has its words, the tools it is of, and the question that it stands for, with names in braces: the row picked, the window,
the sleeve, the card. A name that the thread does not have leaves the rule out.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from agents.offline.above import run_shown
from agents.offline.account import words_left
from agents.offline.drafts import asks_back
from agents.offline.read_back import PlannedCall
from agents.offline.slots import ORDINALS, words_of
from agents.offline.steps import PlannedAnswer
from agents.offline.tables import extreme_row, handle_of, number_of
from agents.offline.talk import tables_above
from agents.offline.turn_above import ANY, LEAD, OWN_NAMES, Kind, Rest, ShortSentence, rule_of, window_of
from agents.offline.ways import ways
from agents.offline.words import LISTS, PATTERNS, says


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
    name, table = _picked(heard), heard.table
    if not name and says("asked_again.blames", heard.above.question):  # of a loss the worst, of a gain the best
        net = number_of(f"{{{handle_of(heard.last, 'net')}.net}}", heard.above.facts) or 0.0
        at = extreme_row(table, heard.above.facts, "net", "worst" if net < 0 else "best")
        name = "" if at is None else str(table.rows[at][0])
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
    changes = changes or [(row["parameter"], row["proposed"]) for row in heard.last.rows() if "proposed" in row]
    return " and ".join(
        f"{key}={value}" for key, value in changes or PATTERNS["asked_again.change"].findall(_cell(heard, "change"))
    )


def _one(found: Sequence[str]) -> str:
    return found[0] if len(set(found)) == 1 else ""


def _of_a_limit(heard: ShortSentence) -> str:
    """A blank where the turn above was about the desk's limits, or explained one."""
    last = heard.above.last
    explained = last is not None and last.name in ("define", "desk") and "limit" in heard.above.question
    return " " if heard.above.of_limits or explained else ""


def _key(heard: ShortSentence) -> str:
    """The parameter that was explained, or asked about."""
    older = heard.above.older
    word = str(heard.last.args.get("word") or next(iter(older.slots.keys if older is not None else ()), ""))
    return word if "_" in word else ""


_OTHERS, _TIMES = OWN_NAMES - {"span"}, {"place", "ever"}
_NAMES: Mapping[str, Callable[[ShortSentence], str]] = {
    "picked_sleeve": _picked_sleeve,
    "window": lambda heard: window_of(heard) or " ",
    "day": _day,
    "when": lambda heard: words_of("span", heard.read.span) or " ",
    "values": _values,
    "filed_sleeve": lambda heard: (
        _cell(heard, "sleeve") or _one([s.name for s in heard.above.words.sleeves if f" for {s.name} " in heard.last.text])
    ),
    "n": lambda _: " ",
    "card": lambda heard: _one(heard.last.ids("prop-")),
    "subject": lambda heard: _one(heard.read.symbols) or _cell(heard, "subject"),
    "sleeve": lambda heard: _one(heard.read.sleeves),
    "sleeve_said": lambda heard: str(heard.last.args.get("sleeve") or " "),
    "key": _key,
    "filed_strategy": lambda heard: _one([s.strategy for s in heard.above.words.sleeves if s.name == _cell(heard, "sleeve")]),
    "other_side": lambda heard: {"long": "shorts", "short": "longs"}.get(
        str(heard.above.older and heard.above.older.slots.side), ""
    ),
    "sleeve_of": lambda heard: str(heard.last.args.get("sleeve") or "all sleeves"),
    "any_sleeve": lambda heard: next((s.name for s in heard.above.words.sleeves), "SLEEVE"),
    "of_a_limit": _of_a_limit,
    "text_above": lambda heard: heard.last.text,
    "run": lambda heard: run_shown(heard.last) or "",
    "fallen_run": lambda heard: (says("measured.fall", heard.above.question) and run_shown(heard.last)) or "",
    "of_desk": lambda heard: "" if heard.read.places.keys() & _OTHERS or run_shown(heard.last) else " ",
    "alone": lambda heard: " " if not words_left(heard.read) and heard.read.places.keys() - _TIMES == {"span"} else "",
    "of_limits": lambda heard: " " if heard.above.of_limits else "",
    "of_a_rule": lambda heard: _of_a_limit(heard) or rule_of(heard.above),
}


def _kind(name: str, rule: Mapping[str, Any]) -> Kind:
    """A rule as a kind: a question with its names (after a `=` the rest of a sentence), a fixed text, one that asks back, a way,
    or a tool called again; None where the thread lacks a name."""
    text = " ".join(str(rule.get(of, "")) for of in ("to", "say", "back", "needs"))

    def finds(heard: ShortSentence) -> Any:
        said = heard.found.groupdict()
        wanted = re.findall(r"\{(\w+)\}", text)
        names = {one: said.get(one) or (_NAMES[one](heard) if one in _NAMES else "") for one in wanted}
        if not all(names.values()):
            return None
        if "call" in rule:
            needed = heard.last.args.get(rule.get("needs", ""), True)
            return PlannedCall(rule["call"], {**heard.last.args, **rule.get("args", {})}) if needed else None
        if "way" in rule:
            return ways()[rule["way"]]
        if "to" not in rule:
            shown = rule.get("say", rule.get("back", "")).format_map(names)
            return PlannedAnswer(shown, read_as="the answer above") if "say" in rule else asks_back(shown)
        question = " ".join(rule["to"].lstrip("=").format_map(names).split())
        return Rest(question) if rule["to"].startswith("=") else question

    finds.__name__, finds.__doc__ = name, f"`{rule['example']}`"
    of = ANY if rule.get("of") == "any" else tuple(rule.get("of", "").split())
    form = re.compile(rule["form"].replace("{LEAD}", LEAD))
    return Kind(form, finds, rule.get("most", 9), of, rule.get("ok", True), bool(rule.get("table")), rule.get("it", False))


KINDS = [_kind(name, rule) for name, rule in LISTS["asked_again"].items()]
