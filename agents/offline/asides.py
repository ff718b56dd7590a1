"""What a short sentence asks beside the answer above: who did it, what a word of it means, whether it is a lot. Called by
above_kinds.py.
"""

import re

from agents.offline.carry import EVER, LEAD, Carried, with_lead
from agents.offline.read_back import PlannedCall
from agents.offline.slots import Slots
from agents.offline.steps import PlannedAnswer, window
from agents.offline.turn_above import TurnAbove, of_above, short, word_of
from agents.offline.ways import ways

_WHO = re.compile(
    LEAD + r"(?:who (?:did|made|asked|approved|changed|set|halted|paused|filed|requested|proposed|released|was|is|"
    r"has)\b|by whom|whose)"
)
_PEOPLE = ("config", "proposal", "halt")


def who(read: Slots, above: TurnAbove) -> Carried | None:
    """`who did it`: the card of a proposal; of a change or a halt the actions of people."""
    last = above.last
    if last is None or last.status != "ok" or not _WHO.match(read.text) or not short(read, 7):
        return None
    listed = {i for i in last.evidence if i.startswith("prop-")}
    if last.name.startswith("propos") and last.name != "propose_watch" and len(listed) == 1:
        return PlannedCall("proposals", {"proposal_id": listed.pop()})
    if last.name == "pauses":
        return None  # a column of its table
    if last.name == "journal_search" and set(last.args.get("kinds") or ()) & set(_PEOPLE):
        return PlannedCall("journal_search", {**last.args, "kinds": list(_PEOPLE), "since": last.args.get("since", EVER)})
    return None


_MEANS = re.compile(
    LEAD + r"(?:(?:but )?what does (?:it|that|this) (?:even )?mean|what is (?:that|it|this)(?: (?:exactly|then|"
    r"anyway))?[?. ]*$|"
    r"explain (?:it|that|this)(?: (?:please|to me|simply|again))?[?. ]*$|meaning[?. ]*$|what do you mean)"
)


def meaning(read: Slots, above: TurnAbove) -> Carried | None:
    """`what does that mean`, of a figure that was asked by its name."""
    last, word = above.last, word_of(above)
    figure = last is not None and last.name in ("trips", "performance", "pnl", "attribution")
    return f"what does {word} mean" if figure and word and _MEANS.match(read.text) and short(read, 8) else None


_LOT = re.compile(
    LEAD + r"(?:is|was|are|would you call) (?:it|that|this|they|those) (?:really |actually |considered |too )?"
    r"(?:a lot|much|little|bad|good|normal|ok|okay|fine|serious|high|low|big|small|acceptable|healthy|terrible|worrying)\b"
)
_PERCENT = re.compile(
    LEAD + r"(?:how much is (?:it|that|this) |what is (?:it|that|this) )?(?:in|as) (?:a )?(?:percent\w*|%|pct|"
    r"per cent)[?. ]*$"
)


def in_proportion(read: Slots, above: TurnAbove) -> Carried | None:
    """`is that a lot`, `in percent`, of the desk's money: its return, with its interval and drawdowns. It is not judged."""
    last = above.last
    if (
        last is None
        or last.name not in ("pnl", "attribution", "desk", "performance")
        or last.args.get("sleeve")
        or not short(read, 8)
    ):
        return None
    if last.name == "performance" and (_LOT.match(read.text) or str(last.args.get("subject", "desk")).startswith("r-")):
        return None
    if read.places.keys() & {"by", "side", "outcome"} or not (_LOT.match(read.text) or _PERCENT.match(read.text)):
        return None
    return with_lead("In proportion, since the start: whether it is a lot is for you to judge.", [PlannedCall("performance", {})])


_WHICH_SLEEVE = re.compile(
    LEAD + r"(?:(?:on|by|of|in|from) )?(?:which|what) (?:sleeves?|bots?|coins?|symbols?|markets?|"
    r"instruments?)(?: (?:was|is|were|did|caused|lost|made|paid|had|got) "
    r"(?:it|that|this|them|those))?(?: mostly)?[?. ]*$"
)


def which_sleeve(read: Slots, above: TurnAbove) -> Carried | None:
    """`which sleeve was it`, `on which coin mostly`: what was counted, listed or earned above, by sleeve."""
    last = above.last
    if last is None or last.status != "ok" or not _WHICH_SLEEVE.match(read.text) or last.args.get("sleeve"):
        return None
    if last.name == "counts":
        return PlannedCall("counts", {**last.args, "by": "sleeve"})
    refused = "refused" in (last.args.get("kinds") or ()) or (last.name == "explain_event" and "entry refused" in last.text)
    if refused:
        kept = {k: v for k, v in last.args.items() if k in ("since", "until")}
        return PlannedCall("counts", {"what": "refused", "by": "sleeve", **kept})
    if last.name not in ("pnl", "performance", "attribution") or str(last.args.get("subject", "desk")).startswith("r-"):
        return None
    span = above.older.slots.span if above.older is not None else None
    return PlannedCall("trips", {"by": "sleeve", **(window(span) if span is not None else {})})


_HOW_MANY = re.compile(
    LEAD + r"how many(?: (?:of them|in total|altogether|in all|(?:were|was|are|is) (?:there|they|it|that|those)))?[?. ]*$"
)


def how_many(read: Slots, above: TurnAbove) -> Carried | None:
    """`how many`, of events that were listed: the tool's own count, as a row may be several of them."""
    last = above.last
    if last is None or last.name != "journal_search" or last.status != "ok" or not _HOW_MANY.match(read.text):
        return None
    return PlannedAnswer(last.text, read_as="the answer above, its counts")


_TRADES = re.compile(
    LEAD + r"(?:how many|over how many|in how many) (?:trades|trips|round trips|entries)(?: (?:was|is|were|are|"
    r"did) (?:that|it|this|those|they)(?: take| make| from)?)?[?. ]*$"
)


def how_many_trades(read: Slots, above: TurnAbove) -> Carried | None:
    """`how many trades was that`, after a P&L: the round trips of its window and sleeve."""
    last = above.last
    if last is None or last.name not in ("pnl", "attribution") or not _TRADES.match(read.text):
        return None
    span = above.older.slots.span if above.older is not None else None
    kept = {"sleeve": last.args["sleeve"]} if last.args.get("sleeve") else {}
    return PlannedCall("trips", {**kept, **(window(span) if span is not None else {})})


_ROWS = re.compile(
    LEAD + r"(?:(?:show|give|list) )?(?:me )?(?:(?:some )?more(?: (?:of (?:them|those|these)|rows|events|fills))?|"
    r"all(?: of (?:them|it|those))?|them all|"
    r"the (?:rest|others|full list|whole list))(?: please)?[?.! ]*$"
)
ROWS_MAX = 50


def more_rows(read: Slots, above: TurnAbove) -> Carried | None:
    """`show me more`, `all of them`, of events that were listed in part."""
    last = above.last
    if last is None or last.name != "journal_search" or last.status != "ok" or not _ROWS.match(read.text):
        return None
    return PlannedCall("journal_search", {**last.args, "limit": ROWS_MAX})


_CHANGES = re.compile(
    r"\b(?:how (?:do|can|could|would|to)|can|could|may) (?:i|we|you|one) (?:change|raise|lower|edit|adjust|"
    r"set|increase|reduce|widen|tighten) (?:it|that|this|them|those)\b"
)


def changing(read: Slots, above: TurnAbove) -> Carried | None:
    """`can I change that`, of a limit: not by a chat; of a sleeve's setting: the sentence that proposes it."""
    last = above.last
    if last is None or not _CHANGES.search(read.text) or not short(read, 9) or not of_above(read):
        return None
    limit = (above.newest is not None and above.newest.ask == "desk limits") or (
        last.name in ("desk", "define") and "limit" in above.question
    )
    if limit:
        return ways()["limits"]
    if last.name != "sleeves" or not last.args.get("sleeve"):
        return None
    name = last.args["sleeve"]
    return PlannedAnswer(
        f"A chat proposes it and a person approves: name the parameter and the value, such as `propose "
        f"stop_atr=1.5 for {name}`, "
        "by the developer, or by the operator where it tightens."
    )


KINDS = (which_sleeve, how_many, how_many_trades, who, meaning, in_proportion, more_rows, changing)
