"""A short sentence about what the turn above was about: `has it ever fired`, `what took it out`, `for which reason`. Called by
understand.py.

An answer is a sentence that names the subject itself (it is read as a first one), a call, a fixed text, or None: the sentence is
none of these kinds. Where the turn above found nothing that is said; nothing else is put in its place.
"""

import re
from collections.abc import Callable, Sequence

from agents.offline import trip_ends
from agents.offline.above import again, why
from agents.offline.read_back import PlannedCall
from agents.offline.slots import Slots
from agents.offline.steps import Plan, PlannedAnswer, PlanOf, Question, asks_back, drafted, result_text
from agents.offline.turn_above import OWN_NAMES, TurnAbove, exit_of, of_above, pair_of, rule_named, rule_of, short, word_of
from agents.offline.ways import Way, ways
from agents.offline.words import PATTERNS

Carried = str | Way | PlannedCall | PlannedAnswer | PlanOf
Kind = Callable[[Slots, TurnAbove], Carried | None]

EVER = "2009-01-01"
LEAD = r"^(?:(?:and|so|but|ok|okay|then|well|please|now|can you|could you|also)[ ,]+)*"
_RULE = r"(?:rules?|reasons?|guardrails?|guards?|breakers?|limits?)"
_REASON = re.compile(
    r"\b(?:for|on|by|due to|because of) (?:which|what)\b(?: (?:reasons?|grounds?|causes?)|(?: " + _RULE + r"))?[?. ]*$|"
    r"\b(?:which|what) (?:was |were |is |are )?(?:the )?" + _RULE + r"(?: (?:was|is|were|are|did|stopped|refused|blocked|caught) "
    r"(?:it|that|this|them|those|they)(?: all)?)?(?: mostly)?[?. ]*$|\bwhat for[?. ]*$|^(?:and )?(?:the )?reasons?[?. ]*$"
)


def reasons(read: Slots, above: TurnAbove) -> Carried | None:
    """`for which reason`: the rules of what was counted or listed, how trips ended, the reason given with a proposal."""
    last = above.last
    if last is None or last.status != "ok" or not short(read, 8) or not _REASON.search(read.text):
        return None
    if last.name == "counts" and last.table is not None and "rule" in last.table.columns and last.table.rows:
        at, times = last.table.columns.index("rule"), last.table.columns.index("times")
        listed = ", ".join(f"{row[at]} ({row[times]})" for row in last.table.rows[:5])
        return PlannedAnswer(f"By rule, most often first: {listed}.\n\n{result_text(last)}", read_as="the answer above, by rule")
    window = {key: last.args[key] for key in ("since", "until", "sleeve") if last.args.get(key)}
    if last.name == "counts":
        return PlannedCall("counts", {**last.args, "by": "rule"})
    if last.name == "journal_search" and set(last.args.get("kinds") or ()) & {"refused", "breaker"}:
        what = "refused" if "refused" in last.args["kinds"] else "breaker"
        return PlannedCall("counts", {"what": what, "since": "yesterday", **window})
    if last.name == "trips" and last.table is not None and last.table.columns[0] not in ("trip", "exit"):
        return PlannedCall("trips", {**{k: v for k, v in last.args.items() if k not in ("by", "worst", "best")}, "by": "exit"})
    return None


_FIRED = re.compile(
    r"\b(?:has|have|had|did|does|was|were|how often|how many times|when)\b.*\b(?:fire[sd]?|firing|trip(?:ped|s)?|trigger\w*|"
    r"act(?:ed)?|kick(?:ed|s)? in|hit|bit(?:e|ten)?|breached|reached|happen(?:ed|s)?|go(?:ne)? off|went off|"
    r"struck|stopped us)\b"
)


def fired(read: Slots, above: TurnAbove) -> Carried | None:
    """`has it ever fired`: counts of the rule that the turn above was about, of trips that ended so, or the watches."""
    if not (_FIRED.search(read.text) and of_above(read)) or not short(read, 9):
        return None
    named = rule_named(read.text) if re.search(r"\b(?:one|that|this)\b", read.text) else ""
    window = {"since": read.span.start} if read.span.start else {"since": EVER}
    if above.last is not None and above.last.name in ("propose_watch", "watches"):
        return PlannedCall("watches", {})
    if rule := named or rule_of(above, read.place):
        return PlannedCall("counts", {"rule": rule, **window})
    if kind := exit_of(above):
        return PlannedCall("trips", {"exit": kind})
    limits = above.newest is not None and (
        above.newest.ask == "desk limits" or (above.newest.way and above.newest.way.key == "limits")
    )
    if limits:
        return asks_back("Which one of these? Name it: `how often did the daily loss breaker trip since the start?`")
    return None


_LEAVE = re.compile(
    r"\b(?:if|when) (?:i|we|nobody|no one|you)(?: just| simply)? (?:leave|ignore|do nothing|do not|forget|"
    r"wait|say nothing|skip|never|"
    r"sleep|miss|decides?|reacts?|answers?|does)\b|^(?:can|could|may) (?:i|we) (?:just )?(?:leave|ignore|"
    r"skip) (?:it|that|this|them)\b|"
    r"\bif (?:not|nothing happens)\b"
)


def left_alone(read: Slots, above: TurnAbove) -> Carried | None:
    """`what if I just leave it`: of a proposal that it expires, with its card; of a watch that it is never in force."""
    last = above.last
    if last is None or not short(read, 9) or not _LEAVE.search(read.text):
        return None
    if last.name in ("propose_watch", "watches"):
        return ways()["confirm"]
    if last.name == "proposals" or last.name.startswith("propose_"):
        listed = [i for i in last.evidence if i.startswith("prop-")]
        cards = [PlannedCall("proposals", {"proposal_id": listed[0]})] if len(set(listed)) == 1 else [_PENDING]
        return with_lead(
            "Nothing is applied by itself. Left alone it expires at the time below, and cannot be approved any more.", cards
        )
    alerts = [i for i in last.evidence if i.startswith("al-")]
    return (
        PlannedCall("alerts", {"alert_id": alerts[0]} if len(alerts) == 1 else {}) if last.name in ("alerts", "health") else None
    )


_PENDING = PlannedCall("proposals", {"state": "pending"})


def with_lead(lead: str, calls: Sequence[PlannedCall]) -> PlanOf:
    """The calls, with a sentence before their answers."""

    def plan(q: Question) -> Plan:  # noqa: ARG001 - a plan takes its question
        results = yield list(calls)
        draft = drafted(calls, results)
        return draft._replace(text=f"{lead}\n\n{draft.text}")

    return plan


_WHO_MAY = re.compile(
    LEAD + r"who (?:may|can|could|is allowed|has to|must|should|would|will|gets|needs|decides?|approves?|changes?|signs?)\b"
)
_WAY_OF = {"proposals": "who_decides", "alerts": "ack", "watches": "confirm", "propose_watch": "confirm"}


def who_may(read: Slots, above: TurnAbove) -> Carried | None:
    """`who may change it`: of a limit, a proposal, an alert, a watch."""
    if above.newest is None or not short(read, 8) or not (_WHO_MAY.match(read.text) and of_above(read)):
        return None
    name = above.last.name if above.last is not None else ""
    limit = (
        above.newest.ask == "desk limits" or (name in ("define", "desk") and "limit" in above.question) or bool(rule_of(above))
    )
    key = (
        "limits" if limit else "who_decides" if name.startswith("propose_") and name != "propose_watch" else _WAY_OF.get(name, "")
    )
    return ways()[key] if key else None


_SINCE = re.compile(
    LEAD + r"(?:since when|from when|for how long|how long (?:already|now|so far|ago|has|have|is|are|was)|"
    r"when did (?:it|that|this|they|he) (?:start|begin|happen|stop|die|break|go|come|occur|fail|get)|"
    r"when was (?:it|that|this))\b"
)
_UNTIL = re.compile(
    r"\b(?:until when|till when|how (?:much )?long(?:er)? (?:will|for|does|until)|when (?:does|will|is|can|"
    r"may|do|are|could|would) (?:it|that|this|they) .*"
    r"\b(?:lift(?:ed)?|ends?|over|expires?|resumes?|back|stops?|released?|again|trade|enter|free|done))\b"
)
_CAUSE = re.compile(r"\bwhat (?:triggered|caused|tripped|set off|led to|paused|stopped|blocked|brought|put)\b")


def times(read: Slots, above: TurnAbove) -> Carried | None:
    """`since when`, `until when`, `what triggered that`: of a state, by the tool that has the times."""
    last = above.last
    since, until, cause = bool(_SINCE.match(read.text)), bool(_UNTIL.search(read.text)), bool(_CAUSE.search(read.text))
    if last is None or last.status != "ok" or not (since or until or cause) or not short(read, 9):
        return None
    shown = above.shown.results if above.shown is not None else ()
    if until and last.name == "journal_search" and (before := next((r for r in shown if r.name == "pauses"), None)) is not None:
        return PlannedCall("pauses", dict(before.args))
    if last.name == "health" and re.search(r"\b(?:worker|alive|dead|running|up|down|process)\b", above.question) and not until:
        return with_lead(
            "The alert says since when, in wall time; the desk's own state has no time.", [PlannedCall("alerts", {})]
        )
    if last.name in ("health", "sleeves", "desk", "pauses"):
        sleeve = last.args.get("sleeve")
        of_pause = until or cause or last.name in ("health", "pauses") or re.search(r"\bpause|\bentr", above.question)
        one = {"sleeve": sleeve} if sleeve else {}
        if not of_pause:
            return trip_ends.opened(last)
        calls = [PlannedCall("pauses", one)]
        if cause:
            calls.append(PlannedCall("journal_search", {"kinds": ["breaker"], "since": "2d", **one}))
        return with_lead("", calls) if cause else calls[0]
    if (last.name.startswith("propose_") or last.name == "proposals") and last.name != "propose_watch" and until:
        listed = [i for i in last.evidence if i.startswith("prop-")]
        return PlannedCall("proposals", {"proposal_id": listed[0]}) if len(set(listed)) == 1 else None
    return None


_HOW_COME = re.compile(
    LEAD + r"(?:why|how come)\b.*\b(?:low|high|bad|poor|negative|good|small|big|much|little|few|many|large|weak|"
    r"worse|terrible|awful)\b"
)


def how_come(read: Slots, above: TurnAbove) -> Carried | None:
    """`how come it is so low`, of a ratio: what it is made of, since no tool weighs reasons."""
    last = above.last
    if last is None or last.name not in ("trips", "performance") or not short(read, 9) or not _HOW_COME.match(read.text):
        return None
    if last.table is not None and last.table.columns[0] == "trip":
        return None
    kept = {k: v for k, v in last.args.items() if k in ("subject", "sleeve", "side", "since", "until")}
    calls = [PlannedCall("trips", {**kept, "outcome": outcome}) for outcome in ("winners", "losers")]
    return with_lead("No tool weighs reasons. The parts: the winners, then the losers, with number, mean and costs.", calls)


_SURVIVES = re.compile(
    r"\b(?:left|remain\w*|surviv\w*|correct\w*|adjust\w*|deflat\w*|significan\w*|luck|still|holds? up|worth)\b"
)
_NOW = re.compile(r"\b(?:now|right now|at (?:this|the) moment|currently|at present|as of now|today)\b")
_LEVEL = re.compile(r"\b(?:peak|below|under ?water|draw-?down|dd|off the|from the (?:top|high)|high|equity|top)\b")


def one_more_call(read: Slots, above: TurnAbove) -> Carried | None:
    """What is left of a Sharpe ratio after its trials; how far below the peak the desk is now."""
    last = above.last
    if last is None or last.status != "ok":
        return None
    if last.name == "trials" and last.args.get("hypothesis") and short(read, 14) and _SURVIVES.search(read.text):
        return PlannedCall("trials", dict(last.args))
    of_desk = last.name in ("performance", "pnl", "trips", "attribution") and not str(
        last.args.get("subject", "desk")
    ).startswith("r-")
    named = read.places.keys() & (OWN_NAMES - {"span"})
    return PlannedCall("desk", {}) if of_desk and not named and _NOW.search(read.text) and _LEVEL.search(read.text) else None


_UNDO = re.compile(r"\b(?:undo|end|lift|release|get out of|stop|reverse|cancel|clear|reset|leave|remove|resume|recover from)\b")
_HOW = re.compile(LEAD + r"how (?:do|can|could|would|to|i|we|does|should)\b")
_OPENS = re.compile(r"\b(?:open|add|create|make|start|begin|set up|file|get|enter|record)\b")
_INCIDENT = (
    "A person opens an incident window: `nightdesk incidents open --cause TEXT --as NAME` (with `--sleeve NAME` for one sleeve); "
    "from then on its P&L is set apart. `nightdesk incidents close ID --cause TEXT --lesson TEXT --as NAME` ends it."
)
_HERE = {"halt": ("how_to_halt", "release"), "pause": ("", "resume")}


def _things(text: str) -> list[str]:
    return [word for word in ("halt", "pause", "incident") if word in text]


def how_to(read: Slots, above: TurnAbove) -> Carried | None:
    """`how do I undo the first one`, `how can I open one`: the way of the thing that the turn above was about."""
    if not _HOW.match(read.text) or not short(read, 10) or not (of_above(read) or read.place is not None):
        return None
    pair = pair_of(above)
    if pair and read.place is not None:
        thing = pair[read.place] if -len(pair) <= read.place < len(pair) else ""
    else:
        thing = next((named[0] for turn in reversed(above.past[-4:]) if len(named := _things(turn.asked.lower())) == 1), "")
    if "incident" in thing and _OPENS.search(read.text):
        return PlannedAnswer(_INCIDENT)
    key = next((keys for word, keys in _HERE.items() if word in thing), ("", ""))[1 if _UNDO.search(read.text) else 0]
    return ways()[key] if key else None


_OURS = PATTERNS["understand.ours"]
_OF_DESK = re.compile(r"\b(?:sharpe|sortino|calmar|volatility)\b")
_GOOD = re.compile(
    LEAD + r"(?:is|are) (?:it|that|this|ours?|we|they) (?:any )?(?:good|bad|ok|okay|high|low|normal|fine|alright)[?. ]*$"
)
_PRONOUN = re.compile(r"\b(?:of it|it|ours|one|that|them|those)\b")


def of_a_word(read: Slots, above: TurnAbove) -> Carried | None:
    """`and ours?`, `how much of it did we pay last week`, after a word was explained: asked with the word itself."""
    last, word = above.last, word_of(above)
    if last is None or not word or len(read.text.split()) > 11 or read.text.startswith(("why", "how come")):
        return None
    explained = last.name == "define"
    if explained and len(read.sleeves) == 1 and len(read.text.split()) < 6 and not read.places.keys() & {"span", "by", "ids"}:
        if _OF_DESK.search(word):
            lead = f"No tool gives the {word} of one sleeve: it is of the desk, or of a run. The desk's is below."
            return with_lead(lead, [PlannedCall("performance", {})])
        return f"what is the {word} of {read.sleeves[0]}"  # `and of ETH alone?`
    if (
        explained
        and _OF_DESK.search(word)
        and (_GOOD.match(read.text) or (_OURS.search(read.text) and len(read.text.split()) < 5))
    ):
        return PlannedCall("performance", {})
    if explained and _GOOD.match(read.text):
        return f"what is our {word}"
    if (
        _OURS.search(read.text)
        and len(read.text.split()) < (8 if explained else 4)
        and not re.search(r"\b(?:it|of)\b", read.text)
    ):
        return f"what is our {word}"
    if explained and re.search(r"\b(?:we|us|our|on|for|in|of) \w+|\bhow much of it\b", read.text) and _PRONOUN.search(read.text):
        return _PRONOUN.sub(word, read.text, count=1)
    return None


_URGENT, _THAT_RULE = PATTERNS["understand.urgent"], PATTERNS["understand.that_rule"]


_RULE_SAYS = re.compile(
    r"\bwhat (?:does|do) (?:that|this|the|it) ?(?:rule|limit|guard\w*|breaker)? (?:say|mean|check|do|want)s?\b"
)


def as_it_was(read: Slots, above: TurnAbove) -> Carried | None:
    """`can it wait` of an alert, `what is that limit set to` of a count."""
    last = above.last
    if last is None and _THAT_RULE.search(read.text) and (rule := rule_of(above)):
        return f"what is the {rule} limit"
    if last is None or above.older is None:
        return None
    shown = above.shown.results if above.shown is not None else ()
    if any(result.name == "alerts" for result in shown) and last.name != "alerts" and _URGENT.search(read.text):
        alerts = list(dict.fromkeys(i for result in shown for i in result.evidence if i.startswith("al-")))
        return PlannedCall("alerts", {"alert_id": alerts[0]} if len(alerts) == 1 else {"state": "open"})
    if last.name in ("alerts", "health") and _URGENT.search(read.text):
        return again(read, above.past, above.facts)
    of_rule = last.name == "counts" and (_THAT_RULE.search(read.text) or _RULE_SAYS.search(read.text))
    return why(read, above.older, above.newest, above.past, above.facts) if of_rule else None


KINDS: tuple[Kind, ...] = (
    as_it_was,
    *trip_ends.KINDS,
    reasons,
    fired,
    left_alone,
    who_may,
    times,
    how_come,
    one_more_call,
    how_to,
    of_a_word,
)
