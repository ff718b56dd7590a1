"""Plans about what is wrong and what to do: alerts and who acknowledged them, runbooks. Called by agents/offline/model.py.

Alerts use wall time, so time phrases are passed on as typed: the tool resolves them against the wall clock.
"""

import re

from agents.offline.steps import Plan, PlannedCall, Question, answer, join_parts, result_text

ACK = "To acknowledge it: `nightdesk alerts ack ID --as NAME`, the page, or the button in Slack. A chat cannot do it for you."
_WHEN = re.compile(
    r"\b(last night|overnight|yesterday|today|(?:the )?(?:last|past) \d{1,3} ?(?:hours?|h|days?|d|weeks?|minutes?))\b"
)
_ASKING = re.compile(  # words of the question that say nothing about the problem
    r"\b(?:runbooks?|playbooks?|procedure|steps|checklist|instructions?|show|give|tell|read|the|for|a|an|please|me|which|what|list|all|are|is"
    r"|there|of|on|about|i|we|one|you|do|does|should|can|could|must|would|shall|to|how|when|if|with|now|that|fix|deal|react|respond)\b"
)
_LAST = {"hour": "1h", "day": "24h", "week": "7d", "weekend": "3d", "month": "31d"}
_OVER = re.compile(r"\b(?:over|resolved|closed|past|gone|ended|finished)\b")
_OPEN = re.compile(r"\b(?:open|active|unanswered|unacknowledged|right now|now|current|currently|standing|still)\b")


def alerts(q: Question) -> Plan:
    """Alerts: the one named, those of a window, the open ones, or the open ones and those of the last day."""
    named = next((i for i in q.slots.ids if i.startswith("al-")), None)
    text = q.slots.text
    how = ACK if re.match(r"^(?:please |can you |could you |i want to |let's )?(?:acknowledge|ack)\b", text) else ""
    if named:
        (result,) = yield [PlannedCall("alerts", {"alert_id": named})]
        return answer(f"show alert {named}", result_text(result), how)
    args: dict[str, object] = {}
    since = wall_since(q)
    if since:
        args["since"] = since
    if since is None and (_OPEN.search(text) or _OVER.search(text)):
        args["state"] = "open" if _OPEN.search(text) else "resolved"
    (result,) = yield [PlannedCall("alerts", args)]
    which = f"{args['state']} alerts" if "state" in args else "alerts and who acknowledged them"
    span = f"since {since} (wall time)" if since else "" if args else "open now, and resolved in the last day"
    return answer(join_parts(f"list {which}", span), result_text(result), how)


def wall_since(q: Question) -> str | None:
    """Start of the window as a wall-time phrase; None when the question names no time."""
    text = q.slots.text
    if found := _WHEN.search(text):
        return re.sub(r"^(?:the )?(?:last|past) (?=\d)", "", found[1])
    if found := re.search(r"\b(?:this|last|past|the last|the past) (hour|day|weekend|week|month)\b", text):
        return _LAST[found[1]]
    dated = re.search(r"\d{4}-\d{2}|\b(?:19|20)\d{2}\b", text)
    return (q.slots.span.at or q.slots.span.start) if dated else None


def runbook(q: Question) -> Plan:
    """The desk's own page for what is wrong."""
    ids = [i for i in q.slots.ids if i.startswith("al-") or re.fullmatch(r"[dp]-\d+", i)]
    words = _ASKING.sub(" ", q.slots.text)
    about = ids[0] if ids else " ".join(re.findall(r"[a-z][a-z-]*", words))[:200]
    (result,) = yield [PlannedCall("runbook", {"about": about} if about else {})]
    return answer(f"show the runbook for {about}" if about else "list the runbooks", result_text(result))
