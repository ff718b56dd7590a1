"""Proposed changes: spelled out, or picked from the thread's last comparison. Called by plans.py; a question files nothing.

A proposal needs an explicit verb in a sentence that is no question; a value, a sleeve, and one value for each parameter.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from dateutil.relativedelta import relativedelta

from agents.offline.date_points import time_of
from agents.offline.drafts import asks_back, changes_of, drafted, name_list, several_sleeves, which_sleeve
from agents.offline.params import keys_named, value_text
from agents.offline.read_back import PlannedCall, changes_text
from agents.offline.slots import Slots
from agents.offline.steps import Plan, PlannedAnswer, Question
from agents.offline.ways import SAY
from agents.offline.words import PATTERNS, Param, says
from tools.common import render
from tools.common.time_words import ahead

BETTER = PATTERNS["changes.better"]
BY_VALUE = "Which setting, and to which value? Name it (`a stop twice as wide`), or write it as key=value, such as stop_atr=1.5."


def propose(q: Question) -> Plan:
    """A proposal of what the question asks to change."""
    picks = q.last("compare", "sweep") and re.search(r"\b(?:the|that) .*\bone\b", q.slots.text)
    spelled = (q.slots.common and not picks) or q.slots.variants or q.slots.move == "sized"
    if "propose_config" in q.tools and not spelled and BETTER.search(q.slots.text):
        return (yield from _of_compared(q))
    return (yield from _spelled_out(q))


def only_asked(q: Question) -> PlannedAnswer:
    """A question about a change, where no verb asks for one: nothing is filed."""
    sleeve, changes = q.sleeve(), changes_text(q.slots.common)
    how = f"`propose {changes} for {sleeve.name}`" if sleeve and changes else "`propose stop_atr=3 for btc-trend`"
    return asks_back(f"Nothing was proposed, because that reads as a question. To ask for it: {how}.")


def _of_compared(q: Question) -> Plan:
    """Propose the better variant of the last comparison, or the one the question picks."""
    last = q.last("compare", "sweep")
    if last is None or last.name == "sweep":  # of a search: which of its rows is no word of the sentence
        return asks_back(SAY["no_comparison"])
    compared, named = last.data.get("sleeve"), list(q.slots.sleeves)
    if not compared:
        return asks_back(f"{SAY['no_sleeve_compared']} Compare a sleeve: {which_sleeve(q)}")
    if named and compared not in named:
        other = name_list(named, "or")
        return asks_back(f"This thread's last comparison was of {compared}, not {other}. Compare that one first.")
    row = picked(q.slots, last.data)
    if row is None:
        names = [changes_text({c["key"]: c["value"] for c in r["changes"]}) for r in last.data["rows"][1:]]
        return asks_back(f"Which one? Compared were {name_list(names)}.")
    if not row["changes"] and q.slots.place is not None:
        return asks_back("That one is the live configuration itself: nothing to propose.")
    if not row["changes"]:
        return asks_back(SAY["live_is_best"].format(row["run_id"]))
    changes = {change["key"]: change["value"] for change in row["changes"]}
    apart = "" if row.get("verdict") in ("better", "worse") else "; it cannot be told apart from the live configuration"
    rationale = f"Asked by a person: {render.one_line(q.raw, 200)!r}. From the comparison with run {row['run_id']}{apart}."
    return (yield from _file(q, {str(last.data["sleeve"]): changes}, rationale, last.args))


def picked(slots: Slots, data: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The row meant: by value (`the 3 ATR one`), by place as the person listed them (`the second`), else the best. None when the
    question names one that was not compared.
    """
    rows: list[Mapping[str, Any]] = data["rows"]
    wanted = slots.common or (slots.variants[0] if slots.variants else {})
    values = [{c["key"]: c["value"] for c in r["changes"]} for r in rows]
    if wanted:
        return next((r for r, own in zip(rows[1:], values[1:], strict=True) if wanted.items() <= own.items()), None)
    unit = next((text.split()[0] for text in slots.unclear), "").rstrip(".")
    if unit:  # `the 4 ATR one`
        fits = [r for r, own in zip(rows[1:], values[1:], strict=True) if unit in map(value_text, own.values())]
        return fits[0] if len(fits) == 1 else None
    if slots.place is None:
        return rows[int(data.get("best", 0))]
    listed = data.get("listed") or list(range(1, len(rows)))  # the row of each variant, in the person's order
    return rows[listed[slots.place]] if -len(listed) <= slots.place < len(listed) else None


def _spelled_out(q: Question) -> Plan:
    """A change that the question spells out."""
    sleeve = q.sleeve()
    if says("changes.writes", q.slots.text):
        return asks_back(SAY["writes"].format(changes_text(q.slots.common) or "stop_atr=3", sleeve.name if sleeve else "SLEEVE"))
    if q.slots.unclear:
        return asks_back(SAY["whose_number"].format(name_list(list(q.slots.unclear))))
    if q.slots.variants:
        return asks_back("You named several values for one parameter; a proposal sets one. Which?")
    names = [sleeve.name] if sleeve else several_sleeves(q)
    if not names:
        return asks_back(which_sleeve(q))
    of = [(one, q.words.params_of((one.strategy,))) for one in q.words.sleeves if one.name in names]
    changes = {one.name: dict(q.slots.common) or scaled(q.slots.text, own, one.params) for one, own in of}
    if not all(changes.values()):
        near = {key: one.params[key] for one, own in of for key in keys_named(q.slots.text, own) if key in one.params}
        return asks_back(f"To which value? Now {changes_text(near)}." if near else BY_VALUE)
    last = q.last("compare")
    span = last.args if last and last.data.get("sleeve") == names[0] else {}
    return (yield from _file(q, changes, f"Asked by a person: {render.one_line(q.raw, 200)!r}.", span))


def scaled(text: str, own: Mapping[str, Param], params: Mapping[str, Any]) -> dict[str, Any]:
    """`halve the risk`, `a stop twice as wide`, `10 % tighter`, `one ATR wider`: the settings named, moved from where they are,
    within their bounds. Empty where no setting is named that has a value."""
    found = next((m for name in ("sized", "verb", "times") if (m := says(f"moves.{name}", text))), None)
    if found is None:
        return {}
    rest = text[: found.start()] + " " * len(found[0]) + text[found.end() :] if found.re is not PATTERNS["moves.verb"] else text
    own = {key: param for key, param in own.items() if not param.choices}
    at = {key: value for key in own if isinstance(value := params.get(key, own[key].default), int | float) and value}
    unit = (found.groupdict().get("unit") or "").rstrip("s")
    fits = [key for key in at if unit not in ("atr", "bar") or key.endswith(f"_{unit}" if unit == "atr" else "_bars")]
    beside = keys_named(rest, own).items()
    near = {key: min(max(a - found.end(), found.start() - b, 0) for a, b in places) for key, places in beside if key in fits}
    risk = [f"risk_{part}_frac" for part in ("start", "floor", "max")] if says("moves.of_risk", rest) else []
    keys = [key for key in risk if key in fits] or [key for key in near if near[key] == min(near.values())][:1]
    return {key: _within(_moved(at[key], found), own[key]) for key in keys}


_PARTS = {"twice": 2, "half": 0.5, "third": 1 / 3, "quarter": 0.25, "double": 2, "triple": 3, "halve": 0.5, "two": 2, "three": 3}


def times_of(found: re.Match[str]) -> float:
    """The factor that a multiple of words.toml says: `twice as wide` is 2, `three times tighter` a third."""
    word = (found["word"] or found["verb"] or found["end"] or "").split(" ")[-1]
    factor = float(found["x"]) if found["x"] else next(value for said, value in _PARTS.items() if word.startswith(said))
    return 1 / factor if PATTERNS["moves.less"].search(found["as1"] or found["as2"] or found["way"] or "") else factor


def _moved(value: float, found: re.Match[str]) -> float:
    """A value moved as a phrase says: by a factor, by a share of it, or by an amount."""
    if "times" in found.re.groupindex or "x" in found.re.groupindex:
        return value * times_of(found)
    said, unit = found["n"], found["unit"] or ""
    word = said.split(" ")[-1]
    share = unit[:1] in ("%", "p") or (not unit and word in ("third", "quarter", "half"))
    size = float(said) if said[0].isdigit() else 0.5 if said.startswith("half") else float(_PARTS.get(word, 1))
    size = size / 100 if unit[:1] in ("%", "p") else size
    sign = -1 if PATTERNS["moves.less"].search(found["way"]) else 1
    return value * (1 + sign * size) if share else value + sign * size


def _within(value: float, param: Param) -> float:
    """A value within the bounds of its parameter; a whole number where the parameter is one."""
    value = min(max(value, param.low if param.low is not None else value), param.high if param.high is not None else value)
    whole = isinstance(param.default, int) and not isinstance(param.default, bool)
    return round(value) if whole else round(value, 8)


def moved_of(q: Question) -> tuple[dict[str, Any], str]:
    """What a run's question moves, from where the sleeve or the strategy has it, and how that is said; empty where it cannot be
    told what is moved."""
    sleeve = q.sleeve()
    strategy = sleeve.strategy if sleeve else q.slots.strategy or ""
    own = q.words.params_of((strategy,))
    live = sleeve.params if sleeve else {}
    moved = scaled(q.slots.text, own, live)
    said = ", ".join(
        f"{key} {value_text(live.get(key, own[key].default))} -> {value_text(value)}" for key, value in moved.items()
    )
    return moved, f"Moved from where it is: {said}." if said else ""


def not_yet(q: Question) -> str:
    """Why a pause that is to begin later than now is not filed, and what a person does; empty for any other pause."""
    start, end, desk_ms = time_of(q.slots.span.start), time_of(q.slots.span.end), q.words.desk_ms
    if desk_ms is not None and (led := says("changes.from_ahead", q.slots.text)) and (begins := ahead(led[1], desk_ms)):
        start, end = datetime.fromtimestamp(begins / 1000, UTC), None  # `from tomorrow 18:00`
    if start is None or desk_ms is None:
        return ""
    now = datetime.fromtimestamp(desk_ms / 1000, UTC)
    if start <= now and says("changes.past", q.slots.text):  # `no eth trades since friday` tells, or asks
        return SAY["no_past_pause"]
    step = relativedelta(days=7) if says("dates.of_week", q.slots.text) else relativedelta(months=1)
    if start <= now and (end or start) <= now:  # `friday 22:00`, `the 10th`: the next one, as nothing is paused in the past
        start, end = start + step, end + step if end else None
    if (q.slots.lasting or "").startswith(("until", "till")) and (until := ahead(q.slots.lasting, desk_ms)):
        named = datetime.fromtimestamp(until / 1000, UTC)  # a clock alone is one of the day on which it ended so far
        end = named if named > start else (end or start).replace(hour=named.hour, minute=named.minute)
        end += timedelta(days=1 if end <= start else 0)
    if start <= now or (end is not None and end <= start):
        return ""
    names = "all sleeves" if q.slots.everything or not q.slots.sleeves else name_list(list(q.slots.sleeves))
    ask = f"pause {names}" + (f" until {end:%Y-%m-%d %H:%M}" if end else "")
    return SAY["pause_later"].format(f"{start:%Y-%m-%d %H:%M}", ask)


def _file(q: Question, wanted: Mapping[str, Mapping[str, Any]], rationale: str, span: Mapping[str, Any]) -> Plan:
    """Call the role's proposing tool, once for all sleeves; what it refuses as not tightening is referred to the developer."""
    (sleeve, changes), *more = wanted.items()
    args: dict[str, Any] = {"sleeve": sleeve, "changes": changes_of(changes), "rationale": rationale}
    args |= {"also": [{"sleeve": name, "changes": changes_of(of)} for name, of in more]} if more else {}
    name = "propose_config" if "propose_config" in q.tools else "propose_tightening"
    if name == "propose_config":
        args |= {key: span[key] for key in ("start", "end") if span.get(key)}
    call = PlannedCall(name, args)
    (result,) = yield [call]
    if name == "propose_tightening" and result.status == "refused" and ("tighten" in result.text or "loosen" in result.text):
        carry = f'nightdesk chat --role developer "propose {changes_text(changes)} for {sleeve}"'
        return drafted([call], [result], f"A change that does not tighten is proposed by the developer: `{carry}`")
    return drafted([call], [result])
