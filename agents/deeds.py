"""What a clause says that the model itself did, does or will do; and whether the turn bears it out. Called by agents/proofs.py.

A model acts by its calls alone: it proposes, notes and has things computed. So `I proposed prop-3` is proven by a call of this
turn, `I cannot release the halt` and `I changed nothing` by what no role can do, and `I released the halt` is contradicted.
"""

import re

from agents.atoms import Clause
from agents.concepts import FREE
from agents.support import Ground
from agents.verb_forms import ing_forms, past_forms
from agents.verdicts import OPEN, PROVEN, Verdict, against

# what no role can do, by what it is done to
_DOING = {
    "desk": """release lift unhalt resume unpause unblock reopen restart reboot halt stop pause suspend freeze reset reconnect
        restore reactivate clear enable disable""",
    "decision": "approve reject apply deploy enact activate implement adopt authorise authorize accept decline veto ratify",
    "trade": """buy sell purchase close flatten liquidate hedge trim cover unwind exit enter place submit execute cancel open
        reduce""",
    "setting": """tighten loosen raise lower increase decrease widen adjust change set update modify move remove delete override
        revert edit""",
    "people": "notify page email message ping alert inform contact phone",
    "page": "acknowledge resolve mute silence snooze",
}
_VERBS: dict[str, tuple[str, str]] = {}  # form: (kind, past | ing | base)
for _kind, _lemmas in _DOING.items():
    for _lemma in _lemmas.split():
        _VERBS |= dict.fromkeys(past_forms(_lemma), (_kind, "past")) | dict.fromkeys(ing_forms(_lemma), (_kind, "ing"))
        _VERBS.setdefault(_lemma, (_kind, "base"))
_BASES = {lemma for lemmas in _DOING.values() for lemma in lemmas.split()}
_THINGS = {
    "desk": frozenset(
        {"halt", "desk", "trading", "latch", "breaker", "breakers", "pause", "worker", "sleeve", "sleeves", "feed", "entries"}
    ),
    "decision": frozenset({"proposal", "proposals", "change", "changes", "configuration", "card"}),
    "trade": frozenset(
        {"position", "positions", "order", "orders", "long", "short", "trade", "trades", "stop", "stops", "exposure", "entry"}
    ),
    "setting": frozenset(
        {
            "stop",
            "stops",
            "limit",
            "limits",
            "leverage",
            "risk",
            "configuration",
            "settings",
            "setting",
            "parameter",
            "parameters",
            "guardrails",
        }
    ),
    "people": frozenset({"team", "lead", "trader", "owner", "support", "venue", "exchange", "risk"}),
    "page": frozenset({"alert", "alerts", "page", "pages", "warning", "alarm", "alarms"}),
}
_ALL = frozenset().union(*_THINGS.values())
_REST = (
    FREE
    | _ALL
    | frozenset(
        [
            "anything",
            "any",
            "nothing",
            "either",
            "it",
            "myself",
            "own",
            "directly",
            "turn",
            "new",
            "these",
            "me",
            "by",
            "else",
            "one",
            "both",
            "all",
            "itself",
            "role",
            "person",
        ]
    )
)
_I = re.compile(
    r"\bi\s+((?:(?:have|had|just|also|now|already|then|went ahead and|immediately|am|will|hereby|\w{1,20}ly)\s+){0,6})([a-z-]+)\b"
)
_OPENED = re.compile(
    r"\b(?:if|when|unless|until|after|before|should|whether|had|once|that|what|how|did|do|could|would|can|may|shall|suppose|not|never"
    r"|nothing|why|where|who|which|have)\b[^.]*$"
)
_SIMULATED = re.compile(r"\b(?:back-?tests?|simulat\w*|compar\w*|variants?|tests?|runs?|strateg\w+|hypothe\w+|assum\w+)\b")
_NEVER = re.compile(
    r"^i (?:(?:can|may|must|will|do|did|have|could|am) not(?: able to| allowed to)?|am unable to|never|could not)"
    r"(?: \w+ly)? ([a-z-]+)\b(.*)$"
)
_DONE = "(changed|touched|applied|approved|sold|bought|closed|released|moved|proposed|noted)"
_NOTHING = re.compile(
    rf"^(?:i (?:have )?{_DONE} nothing|nothing (?:was|has been|is|got) {_DONE}(?: by me)?)"
    r"(?: (?:in this turn|here|on the desk|yet))?$"
)
_ANY = "|".join(sorted(_BASES, key=len, reverse=True))
_LAW = re.compile(
    rf"^only (?:a |an? )?(?:person|people|humans?) (?:can|may) (?:{_ANY})(?: (?!that\b|which\b|who\b|because\b)[a-z_-]+){{0,4}}$"
)
_UNABLE = re.compile(
    rf"^(?:unfortunately |sadly |sorry |however )?(?:i can not|i am (?:unable|not able|not allowed) to|no tool of mine can"
    rf"|i have no way to) (?:{_ANY})(?: (?!that\b|which\b|who\b|because\b|since\b)[\w.-]+){{0,5}}$"
)
_OWN = {
    "propose": re.compile(
        r"^i (?:have )?(?:just |also |now )?(?:proposed|filed|drafted|submitted|raised|created|made|put forward)\b(.*)$"
    ),
    "run": re.compile(r"^i (?:have )?(?:just |also |now )?(?:ran|run|compared|backtested|tested|simulated|made|did)\b(.*)$"),
    "note": re.compile(r"^i (?:have )?(?:just |also |now )?(?:left|wrote|written|noted|saved|made|added|took)\b(.*)$"),
}
_OBJECT = {
    "propose": frozenset({"proposal", "prop", "change"}),
    "run": frozenset({"comparison", "run", "runs", "backtest", "backtests", "both", "variants", "two", "bars"}),
    "note": frozenset({"note", "it", "down", "inbox", "this", "that"}),
}


def deed_of(clause: Clause, ground: Ground) -> Verdict:
    """Proven, contradicted, or no deed of the model's that can be judged."""
    receipts, text = ground.receipts, clause.text.strip(" .!")
    if receipts is None:
        return OPEN
    if found := _NOTHING.match(text):
        done = {"changed": {"propose"}, "proposed": {"propose"}, "noted": {"note"}}.get(found[1] or found[2], set())
        return OPEN if done & receipts.own else PROVEN
    if _LAW.match(text) or (_UNABLE.match(text) and not clause.of("mark")):
        return PROVEN
    if clause.of("number") or clause.of("time") or clause.of("mark"):
        return _impossible(clause, ground)
    if (found := _NEVER.match(text)) and found[1] in _BASES | set(_VERBS) and _only_things(found[2], clause):
        return PROVEN
    for own, pattern in _OWN.items():
        if own in receipts.own and (found := pattern.match(text)) and _is_own(own, found[1], clause, ground):
            return PROVEN
    return _impossible(clause, ground)


def _only_things(rest: str, clause: Clause) -> bool:
    """Nothing but the things that are acted on: no figure, no subordinate clause."""
    names = {atom.text for atom in clause.of("name")}
    words = re.findall(r"[a-z][\w-]*", rest)
    return not {"that", "which", "who"} & set(words) and all(word in _REST or word in names for word in words)


def _is_own(own: str, rest: str, clause: Clause, ground: Ground) -> bool:
    """`ran a comparison`, `left a note`, `proposed prop-3`: with its object, and nothing that the turn does not bear out."""
    names = {atom.text for atom in clause.of("name")}
    words = re.findall(r"[a-z][\w-]*", rest)
    proposals = {name for name in names if name.startswith("prop-")}
    object_said = bool(_OBJECT[own] & set(words)) or (own == "propose" and bool(proposals))
    seen = ground.receipts is not None and proposals <= {*ground.receipts.made, *ground.receipts.earlier}
    allowed = FREE | _OBJECT[own] | {"same", "turn", "side", "yet", "new"}
    return object_said and seen and names == proposals and all(word in allowed or word in names for word in words)


def _impossible(clause: Clause, ground: Ground) -> Verdict:
    """`I sold it`, `I am releasing the halt`, `I will approve prop-3`: what no role can do."""
    text = clause.text
    found = _I.search(text)
    if (
        not found
        or found[2] not in _VERBS
        or _OPENED.search(text[: found.start()])
        or _SIMULATED.search(text)
        or text.endswith("?")
    ):
        return OPEN
    kind, form = _VERBS[found[2]]
    lead, rest = found[1], text[found.end() :]
    being = re.search(r"\bam\b", lead) is not None
    if (
        (form == "ing") is not being
        or (form == "base" and "will" not in lead)
        or (form == "past" and re.search(r"\bwill\b", lead))
    ):
        return OPEN
    words = set(re.findall(r"[a-z][\w-]*", rest))
    names = {atom.text for atom in clause.of("name")}
    if kind == "people":
        hit = not words & {"you", "me", "that", "this"} and bool(words)
    else:
        sleeves = {name for name in names if not name.startswith("prop-")} if kind != "decision" else names
        hit = bool(
            words & _THINGS[kind] or sleeves or (kind in ("trade", "decision") and words & {"it", "them", "everything", "all"})
        )
        hit = hit and not (
            kind != "decision" and words & {"proposal", "proposals", "proposed", "draft", "note", "question", "point"}
        )
    if (
        not hit
        or (words & {"nothing", "no", "neither", "none"})
        or (kind == "setting" and ground.receipts and "run" in ground.receipts.own)
    ):
        return OPEN
    return against("no tool of this turn did that, and no role can")
