"""The acts that a clause claims for the model itself, with or without `I`. Called by agents/acts.py.

What a model does by itself is a closed list: it reads, compares, thinks, speaks (act_words.HARMLESS). Any other verb in the first
person is an act, said as done, under way or promised, and so is one that is announced (`let me close it`), left to another (`I
had the worker sell it`) or said without a subject (`Sold everything`).
"""

import re

from agents.act_records import FRESH_ALWAYS, OTHER, RUN_DONE, subjects_of
from agents.act_words import ACTED_ON, ANY_BASE, ANY_DONE, ANY_ING, FUNCTION, HARMLESS, LIGHT, NOUNS, PAST, SETTING
from agents.clauses import OPEN

_FIRST = re.compile(
    r"(?i)\b(?:i|we|nightdesk|(?:the|your) (?:assistant|operator|developer|advisor|agent))"
    r"((?:\s+(?:have|had|am|are|was|just|now|also|then|even|only|(?:went|gone) (?:ahead|on) (?:and|to)|going to|will|shall|did|do"
    r"|hereby|been|managed to|able to|(?:took|taken) the liberty of|has|since|once|again|in fact|thus|right away|[a-z]{2,12}ly"
    r"|already)\b){0,8})\s+(?=([a-z][a-z-]*))"
)
_ASK = re.compile(
    r"(?i)(?:shall|should|can|could|may|might|would|must|do|did|have|has|will|if|when|whether|unless|until|that)\s+$"
)
_UNSURE = re.compile(
    r"(?i)\b(?:if|whether|unless)\b[^,]{0,60}$|\b(?:should|could|would|did|do|have|has|had|can|nothing|what|shall|may)\s+$"
)  # `after I closed it` tells of a close
_PROMISE = re.compile(r"(?i)\b(?:will|shall|going|managed|able|did)\b")
_BEING = re.compile(r"(?i)\b(?:am|are|was|were|been|being)(?: \w+ly| now| also| just| only| already| then| again)*\s*$")
_HAVING = re.compile(r"(?i)\b(?:have|had|has|got|gotten)(?: \w+ly| now| also| just| only| already| then)*\s*$")
_ANNOUNCED = re.compile(r"(?i)(?:\b(?:while i|let me|allow me to)(?: \w+ly| just| now)?|^(?:going|about|off) to)\s+")
_CLEFT = re.compile(r"(?i)\b(?:(?:i|we) did (?:was|is)(?: to)?|(?:me|myself|i|us) who)\s+")
_BY_ANOTHER = re.compile(r"(?i)\b(?:i|we)(?: have)? (?:had|got|made|gotten)\s+(?:the\s+)?(?!to\b|an?\b)[\w-]+\s+(?:to\s+)?")
_PROPOSAL = re.compile(r"(?i)(?: \w+){0,3}? (?:proposal|prop-\d)")
_WHATEVER = re.compile(r"(?i) (?:it|them|this|that|everything|all|both)\b")
I_BEFORE = re.compile(r"(?i)\b(?:i|we)(?:\s+(?:have|had|just|also|already|then|now|did|\w+ly))*\s*$")
_TESTED = re.compile(r"(?i)(?:re-?)?(?:ran|run|test|tested|simulated?|backtest(?:ed)?)\b")
_WATCHING = re.compile(r"(?i)\s+(?:(?:on|an?|the|my)\s+)*(?:monitor\w*|watch\w*|eye|track(?:ing)?|posted|you\b)")
NOTHING = re.compile(r"(?i)\s+(?:nothing|no|none|neither|not|nobody|only what)\b")
_IDLE = re.compile(
    r"(?i)\s+(?:(?:into|out of|through|over|back to|with|off on|there|here|together|everything|nothing|at|to|up with"
    r"|out(?: which| what| how| that|$)|note of)\b"
    r"|it (?:short|there|at that|simple|brief)|(?:up\s+)?(?:(?:the|this|these|that|an?|no|my|its?|their|both|two|some|all"
    r"|your)\s+)?(?:[\w-]+\s+){0,2}?(?:results?|figures?|answers?|data|numbers?|errors?|look|account|care (?:to|not)|time"
    r"|mistakes?|assumptions?|comparisons?|sure|use|sense|table|list|summary|point|as given|journals?|runs?|side by side|logs?"
    r"|reports?|overview|alone|as it was|untouched|question|refusal|eye|tools?|wall|snag|conclusion|options))\b"
)
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
    for found in _FIRST.finditer(clause):
        if act := _of_first_person(found, clause, people):
            return act
    by_me = re.search(r"(?i)\bby (?:me|us|myself)\b", clause)
    if by_me and (past := PAST.search(clause)) and not OPEN.search(clause[: past.start()]):
        return _family(clause, past.start())
    return _announced_act(clause)


def _of_first_person(found: re.Match[str], clause: str, people: frozenset[str]) -> str:
    """`I sold it`, `we have lifted`, `I will approve`, `I release the halt`: the act, or nothing for what is harmless."""
    at, word, aux = found.end(), found[2].lower(), found[1]
    past = PAST.match(clause, at)
    if found[0].lower().startswith("nightdesk") and not past and not aux:
        return ""
    if (_UNSURE if past else _ASK).search(clause[: found.start()]):
        return ""
    ing, rest = word.endswith("ing"), clause[at + len(word) :]
    if word in FUNCTION:
        had = re.search(r"(?i)\b(?:had)\s*$", aux) and word in ("a", "an", "the") and not NOTHING.match(clause, at - 1)
        return _light_act(clause[at - 1 :]) if had and not _IDLE.match(clause[at - 1 :]) else ""
    if NOTHING.match(rest) or (_HAVING.search(aux) and not past):
        return ""
    family = _family(clause, at)
    if (
        _BEING.search(aux) and not ing
    ):  # `we are halted` is a state, `I was refused` no act of mine; `I am already close it` is one
        return family if ANY_BASE.match(clause, at) and not past and ACTED_ON.search(rest) else ""
    if (word in LIGHT or family in ("open", "change")) and _PROPOSAL.match(rest):
        return "propose"
    if (word in LIGHT or (family == OTHER and word not in HARMLESS)) and (RUN_DONE.search(rest) and not ACTED_ON.search(rest)):
        return "run"
    if _TESTED.match(word) and (past or ing or _PROMISE.search(aux)) and not re.match(r"(?i) (?:into|out of|through)\b", rest):
        return "run"
    if word in LIGHT and not (past or ing or _PROMISE.search(aux) or re.search(r"(?i)\bfor you\b|right away", rest)):
        return ""  # `we hold`, `I take it`
    if word in LIGHT:
        return "" if _IDLE.match(rest) else family if family != OTHER else _light_act(rest)
    listed = family != OTHER and (" " in _verb_at(clause, at) or ACTED_ON.search(rest) or _WHATEVER.match(rest))
    if word in HARMLESS and not listed:
        to = re.search(r"(?i)\b(?:to|with) ([a-z]+)\b", rest)
        asked = re.match(r"(?i) (?!you\b)[\w -]{2,40}? to ", rest) if word in ("asked", "requested", "urged") else None
        if asked and ANY_BASE.match(rest, asked.end()):
            return "tell"
        return "tell" if (to and to[1].lower() in people) or (word in ("keep", "kept") and _WATCHING.match(rest)) else ""
    if word in ("noted", "recorded") and re.match(r"(?i) (?:that|above|earlier|how|in)\b", rest):
        return ""
    if past or ing or _PROMISE.search(aux):
        return family
    return family if ACTED_ON.search(rest) or subjects_of(rest) or (family != OTHER and _WHATEVER.match(rest)) else ""


def _family(clause: str, at: int) -> str:
    """The kind of the verb that stands there; an unknown verb is of no kind."""
    for forms in (ANY_DONE, ANY_ING, ANY_BASE):
        if verb := forms.match(clause, at):
            return str(verb.lastgroup)
    return OTHER


def _verb_at(clause: str, at: int) -> str:
    """The words of the listed verb that stands there: `carried out`."""
    return next((found[0] for forms in (ANY_DONE, ANY_ING, ANY_BASE) if (found := forms.match(clause, at))), "")


def _light_act(rest: str) -> str:
    """`made a proposal`, `put in an order`: the kind of the noun."""
    noun = re.match(rf"(?i) (?:in )?(?:an?|the|your|my|its|this|that|already)? ?(?:[a-z]+ )?({'|'.join(NOUNS)})(?![\w-])", rest)
    return NOUNS[noun[1].lower()] if noun else OTHER


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


def bare_act(clause: str, people: frozenset[str]) -> str:
    """`Closed the position`, `Closing it now`: said without a subject it is the model's own."""
    if (called := re.match(r"(?i)(?:got|called|caught|reached) ([a-z]+)\b", clause)) and called[1].lower() in people:
        return "tell"
    ing = ANY_ING.match(clause)
    if (
        ing
        and not _HYPOTHETICAL.search(clause)
        and (_NOW.search(clause) or re.match(r"(?i)(?: (?!to\b)[\w.-]+){0,5}\W*$", clause[ing.end() :]))
    ):
        return str(ing.lastgroup)
    found = ANY_DONE.match(clause)
    if not found:
        past = PAST.match(clause)
        unknown = (
            past and past[1].lower() not in HARMLESS and past[1].lower() not in LIGHT and ACTED_ON.search(clause, past.end())
        )
        return OTHER if past and unknown and OBJECT.match(clause[past.end() :]) else ""
    if found.lastgroup in ("note", "run") or not OBJECT.match(clause[found.end() :]):
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
