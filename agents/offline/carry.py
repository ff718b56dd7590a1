"""A short sentence about what the turn above was about: `has it ever fired`, `what took it out`, `since when`. Called by
above_kinds.py.

Where the turn above found nothing that is said; nothing else is put in its place.
"""

import re
from collections.abc import Sequence
from functools import partial
from typing import Any

from agents.offline.above import again, why
from agents.offline.drafts import drafted
from agents.offline.read_back import PlannedCall
from agents.offline.steps import CallResult, Plan, PlannedAnswer, PlanOf, Question
from agents.offline.turn_above import ANY, Kinds, ShortSentence, of_above, rule_named, rule_of, word_of
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
