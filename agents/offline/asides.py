"""What a short sentence asks beside the answer above: who did it, what a word of it means, whether it is a lot. Called by
above_kinds.py.
"""

from typing import Any

from agents.offline.above import row_span
from agents.offline.carry import EVER
from agents.offline.read_back import PlannedCall
from agents.offline.steps import PlannedAnswer, asks_back, window
from agents.offline.turn_above import ANY, Kinds, ShortSentence
from agents.offline.ways import ways

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


@KINDS(of=("journal_search",))
def how_many(heard: ShortSentence) -> PlannedAnswer:
    """`how many`, of events that were listed: the tool's own count, as a row may be several of them."""
    return PlannedAnswer(heard.last.text, read_as="the answer above, its counts")


@KINDS(of=("pnl", "attribution"), ok=False)
def how_many_trades(heard: ShortSentence) -> PlannedCall:
    """`how many trades was that`, after a P&L: the round trips of its window and sleeve."""
    kept = {name: value for name, value in heard.kept("sleeve").items() if value}
    return PlannedCall("trips", {**kept, **_window(heard)})


@KINDS(most=7, of=ANY)
def who(heard: ShortSentence) -> PlannedCall | None:
    """`who did it`: the card of a proposal; of a change or a halt the actions of people."""
    last, listed = heard.last, set(heard.last.ids("prop-"))
    if last.name.startswith("propos") and last.name != "propose_watch" and len(listed) == 1:
        return PlannedCall("proposals", {"proposal_id": listed.pop()})
    if last.name == "journal_search" and set(last.args.get("kinds") or ()) & set(_PEOPLE):
        return PlannedCall("journal_search", {**last.args, "kinds": list(_PEOPLE), "since": last.args.get("since", EVER)})
    return None


@KINDS(of=("journal_search",))
def more_rows(heard: ShortSentence) -> PlannedCall:
    """`show me more`, `all of them`, of events that were listed in part."""
    return PlannedCall("journal_search", {**heard.last.args, "limit": ROWS_MAX})


@KINDS(of=("define", "sleeves"))
def value_of_it(heard: ShortSentence) -> Any:
    """`and what is it now`, `can I make it 10`, of a parameter that was explained: what the sleeves have, how it is changed."""
    keys = heard.above.older.slots.keys if heard.above.older is not None else ()
    word = str(heard.last.args.get("word", next(iter(keys), "")))
    if "_" not in word:
        return None
    if heard.found["now"]:
        return f"what is {word} of all sleeves"
    return asks_back(
        f"Within its bounds (`limits of {word}`) a person may approve it, of one sleeve at a time. The developer proposes it: "
        f"`set {word}={heard.found['n']} for {next((s.name for s in heard.above.words.sleeves), 'SLEEVE')}`."
    )


@KINDS(most=9, of=ANY, ok=False, back=True)
def changing(heard: ShortSentence) -> Any:
    """`can I change that`, of a limit: not by a chat; of a sleeve's setting: the sentence that proposes it."""
    last, name = heard.last, heard.last.args.get("sleeve")
    if heard.above.of_limits or (last.name in ("desk", "define") and "limit" in heard.above.question):
        return ways()["limits"]
    if last.name != "sleeves" or not name:
        return None
    return PlannedAnswer(
        "A chat proposes it and a person approves: name the parameter and the value, such as "
        f"`propose stop_atr=1.5 for {name}`, by the developer, or by the operator where it tightens."
    )
