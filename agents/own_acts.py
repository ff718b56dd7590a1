"""The acts that a clause claims for the model itself, with or without `I`. Called by agents/acts.py.

A model reads, compares, thinks, speaks; any other verb in the first person is an act, and so is one announced (`let me close
it`), one left to another (`I had the worker sell it`), and one without a subject (`Sold everything`).
"""

import re

from agents.act_records import FRESH_ALWAYS, OTHER, RUN_DONE, subjects_of
from agents.act_words import ACTED_ON, ANY_BASE, ANY_DONE, ANY_ING, LIGHT_ACT, NOUNS, OWN_VERB, READING, SETTING

_FIRST = re.compile(
    r"(?i)\b(?:i|we|nightdesk|the (?:assistant|operator|developer|advisor|agent))"
    r"((?:\s+(?:have|had|am|are|was|just|now|also|then|went|gone|going|ahead|and|to|will|shall|did|do|hereby|been|managed"
    r"|able|(?:took|taken) the liberty of|has|since|once|again|in fact|thus|right away|[a-z]{2,12}ly|already|got"
    r"|gotten)\b){0,8})\s+"
)
_ASK = re.compile(
    r"(?i)(?:shall|should|can|could|may|might|would|must|do|did|have|has|will|if|when|whether|unless|until|that)\s+$"
)
_UNSURE = re.compile(
    r"(?i)\b(?:if|whether|unless)\b[^,]{0,60}$|\b(?:should|could|would|did|do|have|has|had|can|nothing|what|shall|may)\s+$"
)  # `after I closed it` tells of a close
_PROMISE = re.compile(r"(?i)\b(?:will|shall|going|managed|able|did)\b")
_UNDER_WAY = re.compile(r"(?i)\b(?:going|liberty|am|are)\b")
_ANNOUNCED = re.compile(r"(?i)(?:\b(?:while i|let me|allow me to)(?: \w+ly| just| now)?|^(?:going|about|off) to)\s+")
_CLEFT = re.compile(r"(?i)\b(?:(?:i|we) did (?:was|is)(?: to)?|(?:me|myself|i|us) who)\s+")
_BY_ANOTHER = re.compile(r"(?i)\b(?:i|we)(?: have)? (?:had|got|made|gotten)\s+(?:the\s+)?(?!to\b)[\w-]+\s+(?:to\s+)?")
_PROPOSAL = re.compile(r"(?i)(?: \w+){0,3}? (?:proposal|prop-\d)")
_WHATEVER = re.compile(r"(?i) (?:it|them|this|that|everything|all|both)\b")
_PASSIVE_FIRST = re.compile(r"(?i)\b(?:am|are|was|been|being)(?: \w+ly| now| also| just)?\s*$")
I_BEFORE = re.compile(r"(?i)\b(?:i|we)(?:\s+(?:have|had|just|also|already|then|now|did|\w+ly))*\s*$")
_SPOKE = re.compile(
    r"(?i)\b(?:i|we)(?: have)?(?: just| also)? (?:flagged|gave|given|had|cc'?d|passed|wrote|spoke|reached|put|got|handed"
    r"|forwarded|relayed)"
    r"((?: (?!that\b|what\b|by\b|how\b)[\w'-]+){1,7})"
)
_GOT_GOING = re.compile(
    r"(?i)\b(?:i|we) (?:have )?(?:got (?:the )?[\w-]+ (?:going|working|running|fixed)|sorted (?:it|this|that|out))\b"
)
NOTHING = re.compile(r"(?i)\s+(?:nothing|no|none|neither|not|nobody)\b")
_IDLE = re.compile(
    r"(?i)\s+(?:up\s+)?(?:(?:the|this|these|that|an?|no|my|its?|their|both|two|some|all"
    r"|your)\s+)?(?:[\w-]+\s+){0,2}?(?:results?|figures?|answers?"
    r"|data|numbers?|errors?|look|account|note|care|time|mistakes?|assumptions?|comparisons?|sure|use|sense|through|over"
    r"|back to|table"
    r"|list|summary|point|as given|journals?|runs?|side by side|logs?|reports?|overview|alone|as it was|untouched|question"
    r"|refusal|eye|tools?|wall|snag|conclusion|options)\b"
)
_LIGHT_VERBS = frozenset(
    "got took made put went done called hit set pulled opened brought laid drew kept turned came".split()  # noqa: SIM905 - words
)
_WEAK = ("open", "change", "cancel", "tell", "apply", "close", "release")  # of these a model speaks when it reads, too
OBJECT = re.compile(
    r"(?i)\s+(?:the|a|an|your|its|all|both|every|everything|my|our|that|this|it|them|out|you|him|to|at|by|for|with|from"
    r"|as|on|in|now|trading|successfully|already|\$?[-+]?\d|[a-z]+-[a-z0-9]|[a-z]{1,40}_\w|(?-i:[A-Z]{3,5})\b|half|one|two"
    r"|three|off|up|down)"
)
_NOW = re.compile(r"(?i)\b(?:now|as we speak|for you|right away)\W*$")
_HYPOTHETICAL = re.compile(r"(?i)\b(?:would|could|may|might|is|has|was|makes?|means?|needs?|will|requires?|leaves?)\b")
_HEAD = re.compile(
    r"(?i)(?:^|\s)(?:stop|sl|limit|cap|leverage|config(?:uration)?|threshold|target|guardrail|setting|position|risk"
    r"|allocation|capital|size|\w+_\w+)s?\s*"
    r"(?:(?:is|are|was|were|has been|have been|has|have|got)\s*)?(?:now |already )?$"
)
_AUXILIARY = re.compile(r"(?i)(?:\b(?:is|are|was|were|been|now|got|gets|have|has|being))\s*(?:\w+ly\s*)?$")


def own_act(clause: str, people: frozenset[str]) -> str:
    """The kind of an act that the clause claims for the model itself; empty for none. `people`: to whom it may have spoken."""
    if (spoken := _SPOKE.search(clause)) and any(re.search(rf"(?i)\b{name}\b", spoken[1]) for name in people):
        return "tell"
    if _GOT_GOING.search(clause):
        return OTHER
    for found in _FIRST.finditer(clause):
        at = found.end()
        done = ANY_DONE.match(clause, at)
        if (_UNSURE if done else _ASK).search(clause[: found.start()]):
            continue
        if done and (
            NOTHING.match(clause, done.end())
            or (done.lastgroup in _WEAK and done[0].partition(" ")[0].lower() in _LIGHT_VERBS and _IDLE.match(clause, done.end()))
        ):
            continue
        if done and not (done.lastgroup == "note" and re.match(r"(?i)noted (?:that|above|earlier|how|in)\b", clause[at:])):
            if (done.lastgroup == "open" or done[0].lower() == "raised") and _PROPOSAL.match(clause, done.end()):
                return "propose"
            if _PASSIVE_FIRST.search(found[1]):
                continue  # `we are halted` is a state, `I was refused` no act of mine
            rest = clause[done.end() :]
            if done.lastgroup != "halt" or ACTED_ON.search(rest) or subjects_of(rest) or _WHATEVER.match(rest):
                return str(done.lastgroup)
        verb = OWN_VERB.match(clause, at)
        if verb and _is_own_act(verb, clause):
            return "run" if RUN_DONE.search(clause, verb.end()) and not ACTED_ON.search(clause, verb.end()) else OTHER
        if light := LIGHT_ACT.match(clause, at):
            return NOUNS[light[1].lower()]
        base = ANY_BASE.match(clause, at)
        if base and (_PROMISE.search(found[0]) or (not found[0].startswith("nightdesk") and _performs(base, clause))):
            return str(base.lastgroup)
        if (ing := ANY_ING.match(clause, at)) and (_UNDER_WAY.search(found[0]) or _PROMISE.search(found[0])):
            return str(ing.lastgroup)
    return _announced_act(clause)


def _performs(base: re.Match[str], clause: str) -> bool:
    """`I release the halt`: said in the present, and of a thing, it is done by saying so."""
    return base.lastgroup in ("release", "approve", "reject", "buy", "sell", "close", "pause", "cancel", "repair") and bool(
        ACTED_ON.search(clause, base.end()) or subjects_of(clause[base.end() :])
    )


def _announced_act(clause: str) -> str:
    """`Let me close it for you`, `what I did was release it`, `I had the worker sell it`."""
    another, announced, cleft = _BY_ANOTHER.search(clause), _ANNOUNCED.search(clause), _CLEFT.search(clause)
    if another and any(forms.match(clause, another.end()) for forms in (ANY_BASE, ANY_DONE)):
        return OTHER
    for forms in (ANY_BASE, ANY_DONE):
        if cleft and (verb := forms.match(clause, cleft.end())):
            return str(verb.lastgroup)
    if re.match(
        r"(?i)consider (?:it|that|the|your)\b[\w ]{0,30}?\b(?:gone|done|sorted|handled|" + ANY_DONE.pattern[4:] + r")\W*$", clause
    ):
        return OTHER
    if re.search(r"(?i)\b(?:will|shall) (?:alert|notify|ping|page|email|message|call|text) you\b", clause):
        return "tell"
    base = ANY_BASE.match(clause, announced.end()) if announced else None
    if base and base.lastgroup not in ("note", "tell", "propose", "run", "open", "change") and OBJECT.match(clause, base.end()):
        return str(base.lastgroup)
    if base and base.lastgroup == "open" and re.search(r"(?i)\b(?:orders?|trades?|position)\b", clause[base.end() :]):
        return "open"
    return ""


def _is_own_act(verb: re.Match[str], clause: str) -> bool:
    """Is a verb in the first person more than reading, thinking or speaking, and was anything its object?"""
    word, rest = verb[1].lower(), clause[verb.end() :]
    if re.match(r"(?i) (?:out|to|off|down|on|into|with|by|over)\b", rest) and word in (
        "laid",
        "worked",
        "stuck",
        "held",
        "broke",
        "dug",
        "relied",
        "went",
    ):
        return False
    return (
        word not in READING
        and not re.match(r"(?i) (?:what|how|which|that (?:the|it|i|we|you|an?|both|no|prop|btc|eth|nothing))\b", rest)
        and NOTHING.match(rest) is None
        and not (word in _LIGHT_VERBS and _IDLE.match(rest))
    )


def bare_act(clause: str) -> str:
    """`Closed the position`, `Closing it now`: said without a subject it is the model's own."""
    ing = ANY_ING.match(clause)
    if ing and _NOW.search(clause) and not _HYPOTHETICAL.search(clause):
        return str(ing.lastgroup)
    found = ANY_DONE.match(clause)
    if not found or found.lastgroup in ("note", "run") or not OBJECT.match(clause[found.end() :]):
        return ""
    if found[0].lower() in ("let", "put", "shut", "cut") and not FRESH_ALWAYS.search(clause):
        return ""
    if found.lastgroup == "change" and not (is_setting("", clause[found.end() :]) and FRESH_ALWAYS.search(clause)):
        return ""  # `set stop_atr to 3` may be an instruction
    return str(found.lastgroup)


def is_setting(before: str, after: str) -> bool:
    """Words as common as `changed` claim an act of a setting only, in the passive or at the start."""
    if _HEAD.search(before):
        return True
    if not before.strip():
        return SETTING.search(after) is not None
    return SETTING.search(before) is not None and _AUXILIARY.search(before) is not None
