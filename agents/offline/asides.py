"""What a short sentence asks beside the answer above: who did it, what a word of it means, whether it is a lot. Called by
above_kinds.py.
"""

from typing import Any

from agents.offline.carry import EVER, with_lead
from agents.offline.read_back import PlannedCall
from agents.offline.steps import PlannedAnswer, PlanOf, asks_back, window
from agents.offline.turn_above import ANY, LEAD, Kinds, ShortSentence, word_of
from agents.offline.ways import ways

KINDS = Kinds()
_PEOPLE = ("config", "proposal", "halt")
ROWS_MAX = 50


def _window(heard: ShortSentence) -> dict[str, Any]:
    """The window of the question above, as arguments."""
    return window(heard.above.older.slots.span) if heard.above.older is not None else {}


@KINDS(
    LEAD + r"(?:(?:on|by|of|in|from) )?(?:which|what) (?:sleeves?|bots?|coins?|symbols?|markets?|instruments?)"
    r"(?: (?:was|is|were|did|caused|lost|made|paid|had|got) (?:it|that|this|them|those))?(?: mostly)?[?. ]*$",
    0,
    ANY,
)
def which_sleeve(heard: ShortSentence) -> PlannedCall | None:
    """`which sleeve was it`, `on which coin mostly`: what was counted, listed or earned above, by sleeve."""
    last = heard.last
    if last.args.get("sleeve"):
        return None
    if last.name == "counts":
        return PlannedCall("counts", {**last.args, "by": "sleeve"})
    if "refused" in (last.args.get("kinds") or ()) or (last.name == "explain_event" and "entry refused" in last.text):
        return PlannedCall("counts", {"what": "refused", "by": "sleeve", **heard.kept("since", "until")})
    if last.name not in ("pnl", "performance", "attribution") or str(last.args.get("subject", "desk")).startswith("r-"):
        return None
    return PlannedCall("trips", {"by": "sleeve", **_window(heard)})


@KINDS(
    LEAD + r"how many(?: (?:of them|in total|altogether|in all|(?:were|was|are|is) (?:there|they|it|that|those)))?[?. ]*$",
    0,
    ("journal_search",),
)
def how_many(heard: ShortSentence) -> PlannedAnswer:
    """`how many`, of events that were listed: the tool's own count, as a row may be several of them."""
    return PlannedAnswer(heard.last.text, read_as="the answer above, its counts")


@KINDS(
    LEAD + r"(?:how many|over how many|in how many) (?:trades|trips|round trips|entries)"
    r"(?: (?:was|is|were|are|did) (?:that|it|this|those|they)(?: take| make| from)?)?[?. ]*$",
    0,
    ("pnl", "attribution"),
    ok=False,
)
def how_many_trades(heard: ShortSentence) -> PlannedCall:
    """`how many trades was that`, after a P&L: the round trips of its window and sleeve."""
    kept = {name: value for name, value in heard.kept("sleeve").items() if value}
    return PlannedCall("trips", {**kept, **_window(heard)})


@KINDS(
    LEAD + r"(?:who (?:did|made|asked|approved|changed|set|halted|paused|filed|requested|proposed|released|was|is|has)\b|by whom|"
    r"whose)",
    7,
    ANY,
)
def who(heard: ShortSentence) -> PlannedCall | None:
    """`who did it`: the card of a proposal; of a change or a halt the actions of people."""
    last, listed = heard.last, set(heard.last.ids("prop-"))
    if last.name.startswith("propos") and last.name != "propose_watch" and len(listed) == 1:
        return PlannedCall("proposals", {"proposal_id": listed.pop()})
    if last.name == "journal_search" and set(last.args.get("kinds") or ()) & set(_PEOPLE):
        return PlannedCall("journal_search", {**last.args, "kinds": list(_PEOPLE), "since": last.args.get("since", EVER)})
    return None


@KINDS(
    LEAD + r"(?:(?:but )?what does (?:it|that|this) (?:even )?mean|what is (?:that|it|this)(?: (?:exactly|then|anyway))?[?. ]*$|"
    r"explain (?:it|that|this)(?: (?:please|to me|simply|again))?[?. ]*$|meaning[?. ]*$|what do you mean)",
    8,
    ("trips", "performance", "pnl", "attribution"),
    ok=False,
)
def meaning(heard: ShortSentence) -> str | None:
    """`what does that mean`, of a figure that was asked by its name."""
    word = word_of(heard.above)
    return f"what does {word} mean" if word else None


@KINDS(
    LEAD + r"(?:(?P<lot>(?:is|was|are|would you call) (?:it|that|this|they|those) (?:really |actually |considered |too )?"
    r"(?:a lot|much|little|bad|good|normal|ok|okay|fine|serious|high|low|big|small|acceptable|healthy|terrible|worrying)\b)|"
    r"(?:how much is (?:it|that|this) |what is (?:it|that|this) )?(?:in|as) (?:a )?(?:percent\w*|%|pct|per cent)[?. ]*$)",
    8,
    ("pnl", "attribution", "desk", "performance"),
    ok=False,
)
def in_proportion(heard: ShortSentence) -> PlanOf | None:
    """`is that a lot`, `in percent`, of the desk's money: its return, with its interval and drawdowns. It is not judged."""
    last = heard.last
    if last.args.get("sleeve") or heard.read.places.keys() & {"by", "side", "outcome"}:
        return None
    if last.name == "performance" and (heard.found["lot"] or str(last.args.get("subject", "desk")).startswith("r-")):
        return None
    return with_lead("In proportion, since the start: whether it is a lot is for you to judge.", [PlannedCall("performance", {})])


@KINDS(
    LEAD + r"(?:(?:show|give|list) )?(?:me )?(?:(?:some )?more(?: (?:of (?:them|those|these)|rows|events|fills))?|"
    r"all(?: of (?:them|it|those))?|them all|the (?:rest|others|full list|whole list))(?: please)?[?.! ]*$",
    0,
    ("journal_search",),
)
def more_rows(heard: ShortSentence) -> PlannedCall:
    """`show me more`, `all of them`, of events that were listed in part."""
    return PlannedCall("journal_search", {**heard.last.args, "limit": ROWS_MAX})


@KINDS(
    LEAD + r"(?:(?P<now>(?:what|which value) (?:is|do|does|are) (?:it|that|we|they|the (?:value|setting))(?: set| have| use)?"
    r"(?: to| at)?(?: right)? (?:now|currently|live|today|at the moment|here))|"
    r"(?:can|could|may|should) (?:i|we) (?:make|set|put) (?:it|that) (?:to |at )?(?P<n>\d+(?:\.\d+)?))\b[a-z %]*[?.! ]*$",
    0,
    ("define", "sleeves"),
)
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


@KINDS(
    r"\b(?:how (?:do|can|could|would|to)|can|could|may) (?:i|we|you|one) (?:change|raise|lower|edit|adjust|set|increase|reduce|"
    r"widen|tighten) (?:it|that|this|them|those)\b",
    9,
    ANY,
    ok=False,
    back=True,
)
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
