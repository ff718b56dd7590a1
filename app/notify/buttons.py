"""A person's click on a card or an alert, from Slack or Telegram: which act it is, and what came of it.

Called by app.slack.actions and app.telegram.actions, which have verified who clicked. Only what code computed to be a tightening
can be approved by a button; app.people.approvals compares the person's role. No model reads any of this.
"""

import re

from app.home.home import Home
from app.notify import deliveries
from app.people import approvals
from app.people.identity import Actor
from engine.control.proposals import expire_due, get
from engine.errors import Refused
from engine.watch.following import VERSION, carried_out

ALERT = re.compile(r"al-\d{1,9}")
NOT_OURS = "this button does not belong to this desk"


def acknowledged(home: Home, alert: str, actor: Actor, now_ms: int) -> str:
    """Acknowledge an alert; what is answered. Raises DeskError."""
    if not ALERT.fullmatch(alert):
        raise Refused(NOT_OURS, "decide on the proposals page")
    row = deliveries.acknowledge(home, alert, actor, now_ms)
    return f"{row.id} acknowledged by {actor.name}: it will not be sent again."


def decided(home: Home, action: str, proposal: str, sha256: str, actor: Actor, place: str, page_url: str, now_ms: int) -> str:
    """Approve or reject a proposal whose card carried this diff; what is answered. Raises DeskError."""
    if action not in ("approve", "reject"):
        raise Refused(NOT_OURS, "decide on the proposals page")
    expire_due(home.engine, now_ms)
    row = get(home.engine, proposal)
    if row.diff_sha256 != sha256:
        raise Refused(f"this card is out of date: {proposal} has another diff", "see the proposals page")
    if action == "reject":
        done = approvals.reject(home, proposal, actor, f"rejected in {place}", now_ms)
    else:
        if row.direction != "tightens":
            where = f"{page_url}?tab=proposals&proposal={proposal}"
            raise Refused(f"{proposal} is not a tightening ({row.direction}): it cannot be approved in {place}", where)
        done = approvals.approve(home, proposal, sha256, actor, now_ms)
    version = f" as version {done.version}. {carried_out(home.path, now_ms, VERSION)}" if done.version else "."
    return f"{proposal} {done.state}{version} Journal {done.journal_id}."
