"""A short sentence about what the turn above was about, or one that corrects it. Called by understand.py.

The kinds are tried in their order: rules of words.toml (a question with the names of the thread), one of a list, what the turn
above was of (`since when`, `has it ever fired`), another slot of it (correct.py).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from agents.offline import correct
from agents.offline.above import again, nothing_more, row_ids, row_of, run_shown, why
from agents.offline.date_points import time_of
from agents.offline.drafts import asks_back, drafted
from agents.offline.measured import judged
from agents.offline.page_plans import rule_story
from agents.offline.read_back import PlannedCall, read_as
from agents.offline.slots import Slots, read_slots, words_of
from agents.offline.steps import Plan, PlannedAnswer, PlanOf, Question
from agents.offline.tables import extreme_row, handle_of, number_of
from agents.offline.talk import tables_above
from agents.offline.turn_above import (
    ANY,
    LEAD,
    OWN_NAMES,
    Kind,
    Kinds,
    Rest,
    ShortSentence,
    TurnAbove,
    of_above,
    rule_named,
    rule_of,
    short,
    window_of,
    word_of,
)
from agents.offline.ways import ways
from agents.offline.words import LISTS, PATTERNS, says

KINDS = Kinds()


def _picked(heard: ShortSentence) -> str:
    """The name of the row that was picked."""
    above = next(iter(tables_above(heard.above.past, heard.above.facts, heard.above.words)), None)
    at = above.picked if above is not None else None
    return str(above.table.rows[at][0]) if above is not None and at is not None and at < len(above.table.rows) else ""


def _picked_sleeve(heard: ShortSentence) -> str:
    """The sleeve of the row that was picked."""
    name, table = _picked(heard), heard.table
    end = heard.read.which if heard.read.which in ("worst", "best") else None
    if not name and (end or says("asked_again.blames", heard.above.question)):  # of a loss the worst, of a gain the best
        net = number_of(f"{{{handle_of(heard.last, 'net')}.net}}", heard.above.facts) or 0.0
        at = extreme_row(table, heard.above.facts, "net", end or ("worst" if net < 0 else "best"))
        name = "" if at is None else str(table.rows[at][0])
    return _one([s.name for s in heard.above.words.sleeves if s.name in name or f":{s.symbol}:" in name])


def _cell(heard: ShortSentence, name: str) -> str:
    """A cell of the only row of the table above, or an argument of the call."""
    rows = heard.last.rows()
    return str(heard.last.args.get(name) or (rows[0].get(name, "") if len(rows) == 1 else ""))


def _values(heard: ShortSentence) -> str:
    """The values of the one proposal that stands above."""
    variants = list(heard.last.args.get("variants") or [])
    listed = heard.last.args.get("changes") or (variants[0]["changes"] if len(variants) == 1 else ())
    changes = [(c["key"], c["value"]) for c in listed]
    changes = changes or [(row["parameter"], row["proposed"]) for row in heard.last.rows() if "proposed" in row]
    changes = changes or PATTERNS["asked_again.change"].findall(_cell(heard, "change"))
    return " and ".join(f"{key}={value}" for key, value in changes)


def _one(found: Sequence[str]) -> str:
    return found[0] if len(set(found)) == 1 else ""


def _of_streak(heard: ShortSentence) -> str:
    """What a streak above was of, in words."""
    own = [str(heard.last.args[name]) for name in ("sleeve", "side") if heard.last.args.get(name)]
    return " ".join(("of each sleeve" if heard.last.args.get("by") == "sleeve" else "", *own, window_of(heard))).strip() or " "


_OTHER = {"long": "shorts", "short": "longs"}
_NAMES: Mapping[str, Callable[[ShortSentence], str]] = {
    "picked_sleeve": _picked_sleeve,
    "n": lambda _: " ",
    "sleeve_of": lambda heard: str(heard.last.args.get("sleeve") or "all sleeves"),
    "sleeve_said": lambda heard: str(heard.last.args.get("sleeve") or " "),
    "other_side": lambda heard: _OTHER.get(str(heard.above.older and heard.above.older.slots.side), ""),
    "window": lambda heard: window_of(heard) or " ",
    "when": lambda heard: words_of("span", heard.read.span) or " ",
    "values": _values,
    "filed_sleeve": lambda heard: (
        _cell(heard, "sleeve") or _one([s.name for s in heard.above.words.sleeves if f" for {s.name} " in heard.last.text])
    ),
    "card": lambda heard: _one(heard.last.ids("prop-")),
    "subject": lambda heard: _one(heard.read.symbols) or _cell(heard, "subject"),
    "sleeve_read": lambda heard: _one(heard.read.sleeves),
    "compared_key": lambda heard: _one([c["key"] for v in heard.last.args.get("variants", ()) for c in v["changes"]]),
    "swept_key": lambda heard: _one([pair.partition("=")[0] for pair in heard.last.args.get("vary", ())]),
    "swept": lambda heard: "{strategy} on {symbol} from {start} to {end}".format_map(heard.last.args),
    "listed_key": lambda heard: (
        str(heard.last.args.get("word") or "") or " and ".join(read_slots(heard.above.question, heard.above.words).keys)
    ),
    "every_run": lambda heard: " and ".join(i for i in row_ids(heard.last)[:6] if i.startswith("r-")),
    "of_what_if": lambda heard: " " * any(r.name == "what_if" for r in heard.above.past[-1].results),
    "asked_cost": lambda heard: found[0] if (found := says("measured.costs", heard.above.question)) else "",
    "noted_sleeve": lambda heard: _one(read_slots(str(heard.last.args.get("text", "")), heard.above.words).sleeves),
    "watch_above": lambda heard: " " * any(r.name in ("watches", "propose_watch") for t in heard.above.past for r in t.results),
    "one_end": lambda heard: heard.found["which"] or heard.found["end"] or "",
    "of_streak": lambda heard: (
        _of_streak(heard) if any(says("measured.streak", t.asked.lower()) for t in heard.above.past[-3:]) else ""
    ),
    "event_sleeve": lambda heard: (
        _cell(heard, "sleeve") or _one([r["value"] for r in heard.last.rows() if r.get("what") == "sleeve"])
    ),
    "of_desk": lambda heard: "" if heard.read.places.keys() & (OWN_NAMES - {"span"}) or run_shown(heard.last) else " ",
    "of_exits": lambda heard: (
        " " if all(re.search("stop|trail|target", str(r.args.get("word"))) for r in heard.above.past[-1].results) else ""
    ),
    "changed_key": lambda heard: _one([pair.partition("=")[0] for pair in _values(heard).split(" and ") if pair]),
    "oldest_run": lambda heard: next(
        (i for r in heard.above.past[-1].results for i in row_ids(r)[:0:-1] if i.startswith("r-")), ""
    ),
    "listed_runs": lambda heard: " and ".join(i for i in row_ids(heard.last)[:2] if i.startswith("r-")),
    "symbol_above": lambda heard: str(heard.last.args.get("symbol") or ""),
    "pause_unfiled": lambda heard: " " * (heard.above.last is None and getattr(heard.above.older, "ask", "") == "propose_pause"),
    "rest_said": lambda heard: (
        heard.above.past[-1].asked.lower() if "same" in heard.found["rest"] else heard.found["rest"] or " "
    ),
    "said_value": lambda heard: (re.findall(r"\b\d+(?:\.\d+)?\b", heard.above.question) or [""])[-1],
    "begins": lambda heard: str(heard.last.args.get("since") or heard.last.args.get("at") or ""),
    "of_a_rule": lambda heard: rule_of(heard.above),
}


def _argument(heard: ShortSentence, name: str) -> str:
    """An argument of the call above, in words."""
    return str((heard.above.last and heard.above.last.args.get(name)) or "")


def _call(rule: Mapping[str, Any], names: Mapping[str, str], heard: ShortSentence) -> PlannedCall:
    """The call of a rule, with what it keeps of the call above."""
    kept = heard.kept(*rule["keep"].split()) if "keep" in rule else {}
    args = {name: value.format_map(names) if isinstance(value, str) else value for name, value in rule["call"]["args"].items()}
    return PlannedCall(rule["call"]["name"], kept | args)


def _kind(name: str, rule: Mapping[str, Any]) -> Kind:
    """A rule as a kind: a question with its names (after a `=` the rest of one), or a way; None where the thread lacks a name."""

    def finds(heard: ShortSentence) -> Any:
        said = {name: value for name, value in heard.found.groupdict().items() if value}
        wanted = re.findall(r"\{(\w+)\}", f"{rule.get('needs')} {rule.get('to')} {rule.get('say')}")
        names = {one: said.get(one) or (_NAMES[one](heard) if one in _NAMES else _argument(heard, one)) for one in wanted}
        above = says(rule["above"], heard.above.question) if "above" in rule else True
        shown = re.search(rule["shown"], f"{heard.last.text} {heard.last.table}") if "shown" in rule else True
        if not (all(names.values()) and above and shown):
            return None
        calls = [_call(rule, names, heard)] if "call" in rule else []
        if "judge" in rule:
            return judged(heard.read, heard.above.past, heard.above.facts)
        if "back" in rule:
            return asks_back(rule["back"])
        if "say" in rule:
            lead = rule["say"].format_map(names)
            return with_lead(lead, calls) if calls else PlannedAnswer(lead, read_as="the answer above")
        if calls:
            return calls[0]
        if "way" in rule:
            way, place = ways()[rule["way"]], heard.read.place
            row = row_of(place, heard.above.past, heard.above.facts) if place is not None and rule.get("early") else None
            return with_lead(way.text, [row]) if isinstance(row, PlannedCall) else way
        question = " ".join(rule["to"].lstrip("=").format_map(names).split())
        return Rest(question) if rule["to"].startswith("=") else question

    finds.__name__, finds.__doc__ = name, f"`{rule['example']}`"
    of = ANY if rule.get("of") == "any" else tuple(rule.get("of", "").split())
    form = re.compile(rule["form"].replace("{LEAD}", LEAD))
    return Kind(form, finds, rule.get("most", 9), of, rule.get("ok", True), bool(rule.get("table")), rule.get("it", False))


EARLY = Kinds(_kind(name, rule) for name, rule in LISTS["asked_again"].items() if rule.get("early"))  # before what is pointed at
KINDS += [_kind(name, rule) for name, rule in LISTS["asked_again"].items() if not rule.get("early")]


@KINDS(of=("run", "trips", "performance", "excursions"))
def other_run(heard: ShortSentence) -> PlanOf | None:
    """`and in the other stored one`: the same of the first stored run that is of something else."""
    mine, results = run_shown(heard.last), [r for turn in heard.above.past for r in turn.results]
    rows = {row["run"]: row["about"] for r in results if r.name == "run" for row in r.rows() if {"run", "about"} <= row.keys()}
    other = next((run for run, about in rows.items() if mine in rows and about != rows[mine]), None)
    kept = {name: value for name, value in heard.last.args.items() if name not in ("since", "until")}
    call = PlannedCall(heard.last.name, {name: other if value == mine else value for name, value in kept.items()})
    return with_lead(f"The other one is {other} ({rows[other]}).", [call]) if other and other in call.args.values() else None


@KINDS(of=ANY, ok=False)
def covers(heard: ShortSentence) -> PlannedAnswer:
    """`was that btc only or everything`, `which window was that`: what the answer above was of."""
    shown = heard.above.shown
    calls = [PlannedCall(r.name, r.args) for r in (shown.results if shown else ()) if r.name != "calc"]
    return PlannedAnswer(f"That was: {read_as(calls)}.", read_as="the answer above")


EVER = "2009-01-01"
_OURS, _URGENT, _THAT_RULE = (PATTERNS[f"understand.{name}"] for name in ("ours", "urgent", "that_rule"))


def with_lead(lead: str, calls: Sequence[PlannedCall]) -> PlanOf:
    """The calls, with a sentence before their answers."""
    return partial(_led, lead, calls)


def _led(lead: str, calls: Sequence[PlannedCall], q: Question) -> Plan:  # noqa: ARG001 - a plan takes its question
    results = yield list(calls)
    return drafted(calls, results).after(lead)


@KINDS()
def as_it_was(heard: ShortSentence) -> Any:
    """`can it wait` of an alert, `what is that limit set to` of a count."""
    above, last, urgent = heard.above, heard.above.last, _URGENT.search(heard.text)
    if last is None or above.older is None:
        return None
    if last.name in ("alerts", "health") and urgent:
        return again(heard.read, above.past, above.facts) or nothing_more(heard.read, above.past)
    if says("kinds.rule_for", heard.text) and short(heard.read, 10) and (rule := rule_of(above)):
        return rule_story(rule, last)  # `what does that rule protect us from`
    of_rule = last.name == "counts" and (_THAT_RULE.search(heard.text) or says("carry.rule_says", heard.text))
    return why(heard.read, above.older, above.newest, above.past, above.facts) if of_rule else None


@KINDS(of=("sweep", "compare", "backtest"))
def halves(heard: ShortSentence) -> PlanOf | None:
    """`does it hold in both halves`: the same over each half of its window."""
    first, last = (time_of(str(heard.last.args.get(end) or "")[:10]) for end in ("start", "end"))
    if first is None or last is None or heard.read.places.keys() & (OWN_NAMES - {"span"}) or re.search(r"\d", heard.text):
        return None
    middle = f"{first + (last - first) / 2:%Y-%m-%d}"
    each = [PlannedCall(heard.last.name, {**heard.last.args, end: middle}) for end in ("end", "start")]
    return with_lead(f"Each half of the window by itself, up to {middle} and from then on:", each)


@KINDS()
def fired(heard: ShortSentence) -> Any:
    """`has it ever fired`: counts of the rule that the turn above was about, of trips that ended so, or the watches."""
    above, text = heard.above, heard.text
    if len(text.split()) > 10 or not of_above(heard.read, but="span"):
        return None
    if above.last is not None and above.last.name == "alerts":
        return PlannedCall("counts", {"what": "alert", "by": "rule", "since": EVER})
    named = rule_named(text) if re.search(r"\b(?:one|that|this)\b", text) else ""
    if rule := named or rule_of(above, heard.read.place):
        return PlannedCall("counts", {"rule": rule, "since": EVER if "before" in text else heard.read.span.start or EVER})
    word = str(above.last.args.get("word", "")) if above.last is not None and above.last.name == "define" else ""
    if ended := next((exit for exit in ("trail", "target", "stop") if exit in word), ""):  # `trailing stop` was explained
        return PlannedCall("trips", {"exit": ended})
    return None


@KINDS(most=9, of=ANY)
def times(heard: ShortSentence) -> Any:
    """`since when`, `until when`, `what triggered that`: of a state, by the tool that has the times."""
    last, above = heard.last, heard.above
    until, cause = says("carry.until", heard.text), says("carry.cause", heard.text)
    if last.name == "health" and re.search(r"\b(?:worker|alive|dead|running|up|down|process)\b", above.question) and not until:
        lead = "The alert says since when, in wall time; the desk's own state has no time."
        return with_lead(lead, [PlannedCall("alerts", {})])
    if last.name in ("health", "sleeves", "desk", "pauses"):
        one = {"sleeve": last.args["sleeve"]} if last.args.get("sleeve") else {}
        state = last.name in ("health", "pauses") or re.search(r"\bpause|\bentr", above.question)
        paused = until or cause or (state and not says("above.entry", heard.text))
        if not paused:
            fills = PlannedCall("journal_search", {"kinds": ["fill"], "since": "30d", "limit": 3, **one})
            return with_lead("Its last fills:", [fills])
        pauses = PlannedCall("pauses", one)
        if last.name == "health" and not (until or cause):
            return with_lead("Alerts are in wall time, pauses in desk time.", [PlannedCall("alerts", {}), pauses])
        breakers = PlannedCall("journal_search", {"kinds": ["breaker"], "since": "2d", **one})
        return with_lead("", [pauses, breakers]) if cause else pauses
    filed = last.name.startswith("propose_") or last.name == "proposals"
    listed = set(last.ids("prop-")) if until and filed and last.name != "propose_watch" else ()
    return PlannedCall("proposals", {"proposal_id": listed.pop()}) if len(listed) == 1 else None


@KINDS(of=ANY, ok=False)
def of_a_word(heard: ShortSentence) -> Any:
    """`and ours?`, `how much of it did we pay last week`, after a word was explained: asked with the word itself."""
    read, text, word, size = heard.read, heard.text, word_of(heard.above), len(heard.text.split())
    if not word or size > 11 or says("desk_plans.lists", text):
        return None
    explained, ours, good = heard.last.name == "define", _OURS.search(text), PATTERNS["carry.good"].match(text)
    if explained and len(read.sleeves) == 1 and size < 6 and not read.places.keys() & {"span", "by", "ids"}:
        lead = f"No tool gives the {word} of one sleeve: it is of the desk, or of a run. The desk's is below."
        of_desk = with_lead(lead, [PlannedCall("performance", {})])
        return of_desk if says("carry.of_desk", word) else f"what is the {word} of {read.sleeves[0]}"  # `and of ETH alone?`
    if (explained and good) or (ours and size < (8 if explained else 4) and not re.search(r"\b(?:it|of)\b", text)):
        return f"what is our {word}"
    goes_on = re.search(r"\b(?:we|us|our|on|for|in|of) \w+|\bhow much of it\b", text) and says("carry.pronoun", text)
    return PATTERNS["carry.pronoun"].sub(word, text, count=1) if explained and goes_on else None


KINDS += correct.KINDS


def first(read: Slots, above: TurnAbove, kinds: Sequence[Kind] = KINDS) -> Any:
    """What the first kind that fits finds: a sentence that names its subject, a part, a call, a fixed text; None for none."""
    return next((found for kind in kinds if (found := kind.of_it(read, above)) is not None), None)
