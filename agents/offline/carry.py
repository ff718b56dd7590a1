"""A short sentence about what the turn above was about: `has it ever fired`, `what took it out`, `since when`. Called by
above_kinds.py.

Where the turn above found nothing that is said; nothing else is put in its place.
"""

import re
from collections.abc import Sequence
from functools import partial
from typing import Any

from agents.offline.above import again, picked_span, trip_meant, why
from agents.offline.drafts import asks_back, drafted, window
from agents.offline.page_plans import rule_story
from agents.offline.read_back import PlannedCall
from agents.offline.slots import Slots
from agents.offline.steps import CallResult, Plan, PlannedAnswer, PlanOf, Question
from agents.offline.turn_above import ANY, Kinds, ShortSentence, exit_of, of_above, pair_of, rule_named, rule_of, word_of
from agents.offline.ways import SAY, ways
from agents.offline.words import PATTERNS, says

KINDS = Kinds()
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
        return again(heard.read, above.past, above.facts)
    of_rule = last.name == "counts" and (_THAT_RULE.search(heard.text) or says("carry.rule_says", heard.text))
    return why(heard.read, above.older, above.newest, above.past, above.facts) if of_rule else None


@KINDS(most=10)
def rule_for(heard: ShortSentence) -> PlanOf | None:
    """`what does that rule protect us from`: the rule of the answer above, or of the one before it."""
    last, rule = heard.above.last, rule_of(heard.above)
    return rule_story(rule, last) if rule and last is not None else None


def _is_trips(result: CallResult) -> bool:
    return result.name == "trips" and result.table is not None and result.table.columns[0] == "trip" and bool(result.table.rows)


@KINDS(most=9, back=True)
def reached(heard: ShortSentence) -> PlannedAnswer | None:  # noqa: ARG001 - a kind takes its sentence
    """`mae of that one`: no tool gives the excursions of one trip alone."""
    return asks_back(SAY["of_one_trip"])


_SUMS = ("pnl", "attribution", "performance")
_SHOWN = ("trips", "journal_search", "explain_event", "round_trip")
_STAYS = re.compile(r"\bround trip\b")


@KINDS(most=9, back=True)
def ended(heard: ShortSentence) -> Any:
    """`what took it out`, `how did that end`: the exit of the trip that the turn above showed; said where it showed none."""
    last = heard.above.last
    if "recover" in heard.text:  # of a drawdown: its row says when, or that it has not
        return None
    sums = last is not None and (last.name in _SUMS or (last.name == "trips" and not _is_trips(last)))
    if sums and says("carry.out", heard.text):
        return asks_back(SAY["of_a_sum"])
    if last is None or last.status != "ok" or last.name not in _SHOWN or last.table is None:
        return None
    if last.name == "trips":
        return trip_meant(heard.read, last, heard.above.facts)
    return _of_list(heard.read, last) if last.name == "journal_search" else None


def _of_list(read: Slots, last: CallResult) -> PlannedCall | None:
    """Of fills that were listed: the one meant by its place, the only one, or the newest exit; None for an entry."""
    rows = [row for row in last.rows() if row.get("kind") == "fill"]
    if not rows:
        return None
    row = rows[0] if len(rows) == 1 else next((row for row in reversed(rows) if _STAYS.search(row["what"])), rows[-1])
    if read.place is not None and -len(rows) <= read.place < len(rows):
        row = rows[read.place]
    return PlannedCall("explain_event", {"event_id": row["event"]}) if _STAYS.search(row["what"]) else None


def opened(last: CallResult) -> PlanOf | None:
    """Since when the positions that were shown are held: the last entry of each sleeve that holds one."""
    held_by = [row["sleeve"] for row in last.rows() if not re.fullmatch(r"flat|-|", row.get("position", "")) and "sleeve" in row]
    return partial(_opened, held_by) if held_by else None


def _opened(held_by: list[str], q: Question) -> Plan:  # noqa: ARG001 - a plan takes its question
    search = {"kinds": ["fill"], "since": "30d", "limit": 3}
    results = yield [PlannedCall("journal_search", {**search, "sleeve": one}) for one in held_by[:3]]
    rows = [next((row for row in reversed(r.rows()) if "to enter" in row.get("what", "")), None) for r in results]
    none = "no entry is among its last fills"
    said = [f"{row['desk time']}, {row['what']} ({row['event']})" if row else none for row in rows]
    lines = [f"- {one}: {text}" for one, text in zip(held_by, said, strict=False)]
    return PlannedAnswer("Held since the last entry:\n\n" + "\n".join(lines), read_as="the entries of the positions above")


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
        return PlannedCall("counts", {"rule": rule, "since": heard.read.span.start or EVER})
    if ended := exit_of(above):
        return PlannedCall("trips", {"exit": ended})
    return None


@KINDS(most=9, of=ANY, ok=False)
def left_alone(heard: ShortSentence) -> Any:
    """`what if I just leave it`: of a proposal that it expires, with its card; of an alert the alert itself."""
    last = heard.last
    if last.name == "proposals" or last.name.startswith("propose_"):
        listed = last.ids("prop-")
        of = {"proposal_id": listed[0]} if len(set(listed)) == 1 else {"state": "pending"}
        text = "Nothing is applied by itself. Left alone it expires at the time below, and cannot be approved any more."
        return with_lead(text, [PlannedCall("proposals", of)])
    alerts = last.ids("al-")
    of_one = {"alert_id": alerts[0]} if len(alerts) == 1 else {}
    return PlannedCall("alerts", of_one) if last.name in ("alerts", "health") else None


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
        paused = until or cause or last.name in ("health", "pauses") or re.search(r"\bpause|\bentr", above.question)
        if not paused:
            fills = PlannedCall("journal_search", {"kinds": ["fill"], "since": "30d", "limit": 3, **one})
            return opened(last) or (with_lead("Flat since its last exit:", [fills]) if one else None)
        pauses = PlannedCall("pauses", one)
        if last.name == "health" and not (until or cause):
            return with_lead("Alerts are in wall time, pauses in desk time.", [PlannedCall("alerts", {}), pauses])
        breakers = PlannedCall("journal_search", {"kinds": ["breaker"], "since": "2d", **one})
        return with_lead("", [pauses, breakers]) if cause else pauses
    filed = last.name.startswith("propose_") or last.name == "proposals"
    listed = set(last.ids("prop-")) if until and filed and last.name != "propose_watch" else ()
    return PlannedCall("proposals", {"proposal_id": listed.pop()}) if len(listed) == 1 else None


@KINDS(most=9, of=("trips", "performance"), ok=False)
def how_come(heard: ShortSentence) -> PlanOf | None:
    """`how come it is so low`, of a ratio: what it is made of, since no tool weighs reasons."""
    if heard.last.table is not None and heard.last.table.columns[0] == "trip":
        return None
    kept = heard.kept("subject", "sleeve", "side", "since", "until")
    calls = [PlannedCall("trips", {**kept, "outcome": outcome}) for outcome in ("winners", "losers")]
    return with_lead("No tool weighs reasons. The parts: the winners, then the losers, with number, mean and costs.", calls)


@KINDS(most=9, of=("performance", "desk"))
def recovered(heard: ShortSentence) -> PlanOf | None:
    """`are we out of it yet`, after the desk's drawdown: how far below the peak it is now."""
    row = next(iter(heard.last.rows()), {})
    if heard.last.args.get("subject", "desk") != "desk" or "recovered" not in row:
        return None
    over = row["recovered"]
    lead = "No: it has not recovered." if over.startswith("not") else f"Yes: it recovered at {over}."
    return with_lead(f"{lead} The peak was at {row['peak']}, the trough at {row['trough']}.", [PlannedCall("desk", {})])


_HERE = {"halt": ("how_to_halt", "release"), "pause": ("", "resume")}


@KINDS(most=10)
def how_to(heard: ShortSentence) -> Any:
    """`how do I undo the first one`, `how can I open one`: the way of the thing that the turn above was about."""
    place, pair = heard.read.place, pair_of(heard.above)
    if not (of_above(heard.read) or place is not None):
        return None
    if pair and place is not None:
        thing = pair[place] if -len(pair) <= place < len(pair) else ""
    else:
        asked = [turn.asked.lower() for turn in reversed(heard.above.past[-4:])]
        named = [[word for word in ("halt", "pause", "incident") if word in text] for text in asked]
        thing = next((words[0] for words in named if len(words) == 1), "")
    if "incident" in thing and says("carry.opens", heard.text):
        return PlannedAnswer(SAY["incident"])
    key = next((keys for word, keys in _HERE.items() if word in thing), ("", ""))[1 if says("carry.undo", heard.text) else 0]
    return ways()[key] if key else None


@KINDS(of=ANY, ok=False)
def of_a_word(heard: ShortSentence) -> Any:
    """`and ours?`, `how much of it did we pay last week`, after a word was explained: asked with the word itself."""
    read, text, word, size = heard.read, heard.text, word_of(heard.above), len(heard.text.split())
    if not word or size > 11:
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


@KINDS(of=ANY)
def which_sleeve(heard: ShortSentence) -> PlannedCall | PlannedAnswer | None:
    """`which sleeve was it`, `on which coin mostly`: what was counted, listed or earned above, by sleeve."""
    last = heard.last
    if last.name not in ("pnl", "performance", "attribution") or str(last.args.get("subject", "desk")).startswith("r-"):
        return None
    above = heard.above
    of = above.older.slots if above.older is not None else Slots()
    span = picked_span(above.newest, above.older, above.past, above.facts) or of.span
    return PlannedCall("trips", {"by": "sleeve", **window(span)})
