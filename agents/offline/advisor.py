"""Plans about money and risk: attribution, costs, funding, sleeves, limits, exposure, what to look at."""

from agents.offline.steps import CallResult, Plan, PlannedCall, Question, answer, join_parts, result_text, span_text, window


def attribution(q: Question) -> Plan:
    """Where the P&L comes from."""
    return (yield from _by_attribution(q, "attribute the P&L by sleeve, fees, funding and slippage"))


def costs(q: Question) -> Plan:
    """What costs take."""
    return (yield from _by_attribution(q, "show what fees, slippage and funding take from the P&L"))


def funding(q: Question) -> Plan:
    """Funding paid and received."""
    return (yield from _by_attribution(q, "show funding paid and received by sleeve"))


def by_sleeve(q: Question) -> Plan:
    """Performance by sleeve."""
    return (yield from _sleeves(q, "show the performance of each sleeve"))


def compare_sleeves(q: Question) -> Plan:
    """Sleeves beside each other."""
    return (yield from _sleeves(q, "compare the sleeves by P&L and costs"))


def _sleeves(q: Question, what: str) -> Plan:
    """By attribution when the role has it, else by the sleeves' current equity."""
    if "attribution" in q.tools:
        return (yield from _by_attribution(q, what))
    (result,) = yield [PlannedCall("sleeves", {})]
    return answer(what, result_text(result), "The advisor attributes their P&L over a window.")


def _by_attribution(q: Question, what: str) -> Plan:
    (result,) = yield [PlannedCall("attribution", window(q.slots))]
    return answer(join_parts(what, span_text(q.slots.span) or "since the desk's start"), result_text(result))


def desk(_q: Question) -> Plan:
    """The desk now."""
    (result,) = yield [PlannedCall("desk", {})]
    return answer("show the desk", result_text(result))


def limits(_q: Question) -> Plan:
    """How close the desk is to its limits."""
    (result,) = yield [PlannedCall("desk", {})]
    return answer("show how close the desk is to its limits", result_text(result))


def exposure(_q: Question) -> Plan:
    """Exposure and leverage."""
    results = yield [PlannedCall("desk", {}), PlannedCall("sleeves", {})]
    return answer("show exposure and leverage", *(result_text(r) for r in results))


def look_at(_q: Question) -> Plan:
    """What deserves a person's attention: what is wrong, what waits, what was refused, how close limits are."""
    results = yield [
        PlannedCall("health", {}),
        PlannedCall("proposals", {"state": "pending"}),
        PlannedCall("journal_search", {"kinds": ["refused", "breaker", "halt", "incident"], "limit": 10}),
        PlannedCall("desk", {}),
    ]
    heads = ("Health", "Waiting for a decision", "Refused or tripped since yesterday", "The desk")
    parts = [f"**{head}.** {_short(result)}" for head, result in zip(heads, results, strict=True)]
    return answer("say what to look at first", *parts)


def _short(result: CallResult) -> str:
    return result_text(result, table=result.name in ("health", "proposals", "desk"))
