"""What a short sentence asks beside the answer above: who did it, what a word of it means, whether it is a lot. Called by
above_kinds.py.
"""

from typing import Any

from agents.offline.above import row_span
from agents.offline.carry import EVER
from agents.offline.read_back import PlannedCall
from agents.offline.steps import PlannedAnswer, window
from agents.offline.turn_above import ANY, Kinds, ShortSentence

KINDS = Kinds()
_PEOPLE = ("config", "proposal", "halt")
ROWS_MAX = 50


def _window(heard: ShortSentence) -> dict[str, Any]:
    """The window of the question above, as arguments."""
    return window(heard.above.older.slots.span) if heard.above.older is not None else {}


@KINDS(of=ANY)
def which_sleeve(heard: ShortSentence) -> PlannedCall | PlannedAnswer | None:
    """`which sleeve was it`, `on which coin mostly`: what was counted, listed or earned above, by sleeve."""
    last = heard.last
    if last.args.get("sleeve"):
        return None
    if last.name == "counts":
        return PlannedCall("counts", {**last.args, "by": "sleeve"})
    if "refused" in (last.args.get("kinds") or ()) or (last.name == "explain_event" and "entry refused" in last.text):
        return PlannedCall("counts", {"what": "refused", "by": "sleeve", **heard.kept("since", "until")})
    if last.name in ("alerts", "joint_risk", "explain_event", "proposals", "incidents"):
        shown = (
            last.text.lower() if last.name == "joint_risk" else f"{last.text} {last.rows()}"
        )  # its rows set all beside each other
        named = [s.name for s in heard.above.words.sleeves if s.name in shown]
        said = f"It names {' and '.join(named)}." if named else "What stands above names no sleeve."
        return PlannedAnswer(said, read_as="the answer above")
    if last.name not in ("pnl", "performance", "attribution") or str(last.args.get("subject", "desk")).startswith("r-"):
        return None
    older = heard.above.older
    span = row_span(older.slots, heard.above.past, heard.above.facts) if older is not None else None
    return PlannedCall("trips", {"by": "sleeve", **(window(span) if span else _window(heard))})


@KINDS(most=7, of=ANY)
def who(heard: ShortSentence) -> PlannedCall | None:
    """`who did it`: the card of a proposal; of a change or a halt the actions of people."""
    last, listed = heard.last, set(heard.last.ids("prop-"))
    if last.name.startswith("propos") and last.name != "propose_watch" and len(listed) == 1:
        return PlannedCall("proposals", {"proposal_id": listed.pop()})
    if last.name == "journal_search" and set(last.args.get("kinds") or ()) & set(_PEOPLE):
        return PlannedCall("journal_search", {**last.args, "kinds": list(_PEOPLE), "since": last.args.get("since", EVER)})
    return None
