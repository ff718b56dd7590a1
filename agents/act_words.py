"""The table of acts: lemmas, idioms and records of each kind, and the words that make a clause claim one. Read by agents/acts.py.

Past, participle and -ing forms are made from the lemma; `put on pause` also finds `put it on pause`. Data, but for the forms.
"""

import re
from typing import NamedTuple


class ActFamily(NamedTuple):
    """One kind of act."""

    lemmas: str  # base forms, a particle behind its verb, separated by commas
    record: str  # the words by which a line of a record shows it
    states: str = ""  # said as a state, without a verb of acting
    own: str = ""  # the receipt that makes it true of the model itself


_IRREGULAR = """
    buy bought, sell sold, take took taken, write wrote written, put put, set set, cut cut, send sent, shut shut, go went
    gone, undo undid undone, unwind unwound, wind wound, withdraw withdrew withdrawn, freeze froze frozen, unfreeze unfroze
    unfrozen, override overrode overridden, overturn overturned, rewrite rewrote rewritten, rebuild rebuilt, reset reset,
    run ran run, rerun reran rerun, make made, leave left, keep kept, bring brought, throw threw thrown, get got gotten,
    tell told, give gave given, pay paid, hit hit, spin spun, do did done, have had, sweep swept, lay laid, draw drew drawn,
    build built, wipe wiped, pull pulled, ring rang rung, light lit lighted, let let, lock locked, strike struck, stick
    stuck, swap swapped, hold held, sign signed, steer steered, break broke broken, drive drove driven, hand handed, slide
    slid, split split, rid rid, lend lent, spend spent, begin began begun, fly flew flown, bend bent
"""
IRREGULAR = {verb: forms for verb, *forms in (part.split() for part in _IRREGULAR.split(","))}
REGULAR_DOUBLES = re.compile(r"(?:^|[^aeiou])[aeiou][bdgmnpt]$|[^aeiou]el$")
NO_DOUBLE = ("open", "enter", "exit", "adjust", "edit", "alter", "cover", "lower", "loosen", "tighten", "widen", "table")


def past_forms(verb: str) -> list[str]:
    """Past and participle of a verb."""
    if verb in IRREGULAR:
        return IRREGULAR[verb]
    if verb.endswith("e"):
        return [verb + "d"]
    if verb.endswith("y") and verb[-2] not in "aeiou":
        return [verb[:-1] + "ied"]
    doubled = [verb + verb[-1] + "ed"] if REGULAR_DOUBLES.search(verb) and verb not in NO_DOUBLE else []
    return [*doubled, verb + "ed"] if not doubled or verb.endswith("el") else doubled


def ing_forms(verb: str) -> list[str]:
    """The -ing forms of a verb."""
    if verb.endswith("e") and not verb.endswith("ee"):
        return [verb[:-1] + "ing"]
    doubles = (REGULAR_DOUBLES.search(verb) or verb in ("put", "cut", "set", "shut", "get", "hit")) and verb not in NO_DOUBLE
    return [verb + verb[-1] + "ing"] * bool(doubles) + [verb + "ing"] * (not doubles or verb.endswith("el"))


def _with_particle(heads: list[str], particle: str) -> str:
    said = "|".join(sorted(set(heads), key=len, reverse=True))
    return f"(?:{said}) (?:[\\w.-]+ ){{0,3}}?{particle}" if particle else f"(?:{said})"


def pattern_of(lemmas: str, form: str) -> str:
    """The alternatives of a list of lemmas in one form: done, ing or base."""
    made = []
    for lemma in filter(None, (part.strip() for part in lemmas.split(","))):
        verb, _, particle = lemma.partition(" ")
        heads = past_forms(verb) if form == "done" else ing_forms(verb) if form == "ing" else [verb]
        made.append((bool(particle), _with_particle([re.escape(head) for head in heads], particle)))
    return "|".join(text for _, text in sorted(made, key=lambda item: not item[0])) or "(?!)"


LIVE = r"(?:is|are|now|went|gone|goes) (?:now |back |already )?(?:live|in force|in effect|effective)"
FAMILIES: dict[str, ActFamily] = {
    "release": ActFamily(
        "release, lift, clear, unhalt, un-halt, unlatch, resume, reactivate, reenable, re-enable, restore, unpause,"
        " unblock, unfreeze"
        ", reinstate, resurrect, revive, bring back, switch back on, take out of halt",
        r"releas(?:ed|e by)|lifted|resumed|cleared",
        r"no longer (?:halted|paused|latched|blocked)|out of (?:the |its )?halt|(?:trading|live|running|active"
        r"|operational|up|online)"
        r" again|back (?:online|up|live|in business|to trading|to normal|on line|to work)|halt (?:is|was|has)"
        r" (?:now )?(?:over|off|gone|ended)|free to trade|trading (?:normally|as normal|as usual)|ended the halt"
        r"|halt (?:has )?ended|without (?:a|any) halt",
    ),
    "approve": ActFamily(
        "approve, authorise, authorize, green-light, sign off, accept, okay, ratify, confirm the proposal",
        r"approved|applied|accepted",
    ),
    "reject": ActFamily("reject, decline, dismiss, veto, turn down", r"reject|expired", r"\bprop-\d+ (?:has|is) expired"),
    "apply": ActFamily(
        "apply, adopt, deploy, roll out, roll back, revert, enact, implement, install, activate, put in place, put in"
        " force, override"
        ", reconfigure, commit, roll over, switch",
        r"applied|adopted|rolled back|in force|active",
        LIVE + r"(?: now)?(?:\W*$| on\b| for\b)|took effect|taken effect|went through|gone through|change is in\b"
        r"|is (?:now )?the (?:new|active|live) (?:version|configuration)|(?:runs|running) (?:on|with) the (?:new|old|previous)"
        r"|\b(?:new|changed|updated)\b.{0,40}\b(?:is|are) (?:now )?(?:active|running|current|in place)\b|changes are in place"
        r"|back (?:on|to|at) (?:the )?(?:old|previous|version)\b|\blive money|\breal money|(?:in|to) live mode|live trading"
        r"|\b\w+_\w+ (?:\d\S* )?is (?:now|live)\b",
    ),
    "change": ActFamily(
        "change, update, set, adjust, modify, raise, lower, increase, decrease, reduce, tighten, loosen, widen, move,"
        " tune, alter, edit"
        ", double, halve, cut, add, drop, rewrite, patch, amend, replace",
        r"changed|updated|raised|lowered|tightened|amended|moved|trailed|applied\W.{0,40}->",
    ),
    "buy": ActFamily(
        "buy, purchase, long, go long, acquire", r"buy|bought|long\b", r"(?:you|we|desk) (?:are|is) now long|now long\b"
    ),
    "sell": ActFamily(
        "sell, short, go short, dump, offload", r"sell|sold|short\b", r"(?:you|we|desk) (?:are|is) now short|now short\b"
    ),
    "close": ActFamily(
        "close, close out, exit, flatten, liquidate, unwind, square, cover, take off, wind down, stop out",
        r"closed|close |exit|flat\b|flatten|by stop|by target|stopped|liquidat|resolved",
        r"(?:position|long|short) is gone|out of the (?:position|trade|market)|(?:are|am|['\u2019]re|['\u2019]m) (?:now )?"
        r"out of\b|no exposure (?:left|remains)|(?:fully|completely|all) (?:out|flat)\b|got (?:you|us) out|exits? done",
    ),
    "flat": ActFamily(
        "bring to zero, bring down to zero",
        "$^",
        r"\b(?:you|we|desk|book|everything)\b.{0,12}\b(?:is|are|'re) (?:\w+ )?flat",
    ),
    "open": ActFamily(
        "open, enter, place, submit, send, execute, fill, route, hedge, rebalance, scale in, scale out, trade, work, queue",
        r"open(?:ed|s)\b|enter|placed|submitted|sent\b|executed|filled|fill\b|working|long\b|short\b",
        r"order is in\b|trade is (?:on|done)|position is on\b",
    ),
    "working": ActFamily("", "working", r"order is (?:live|away|working|at the venue)"),
    "halt": ActFamily(
        "halt, stop, suspend, shut down, switch off, turn off, disable, freeze, kill, lock, deactivate",
        r"halt|stopped|suspended|disabled|tripped",
    ),
    "pause": ActFamily("pause, retire, bench, put on pause", r"paused|retired"),
    "cancel": ActFamily(
        "cancel, withdraw, void, revoke, abort, scrap, pull, delete, remove, erase",
        r"cancell?ed|withdrawn|superseded|stale",
    ),
    "propose": ActFamily(
        "propose, file, draft, table, put forward, raise a proposal, open a proposal, submit a proposal, create a proposal"
        ", make a proposal",
        r"propos|prop-\d|pending",
        own="propose",
    ),
    "note": ActFamily(
        "note, record, log, save, store, remember, write down, jot down, memorise, memorize, document, leave a note, make a note"
        ", take a note, make a record, keep a record, bookmark, write to memory, jot",
        r"noted|recorded|inbox/",
        r"(?:inbox|runbook|handover|memory) has (?:a|the|your) note|it['\u2019]s in the (?:runbook|handover|inbox|notes)",
        "note",
    ),
    "tell": ActFamily(
        "notify, alert, inform, message, email, e-mail, page, contact, escalate, phone, call, post to, ping, report to,"
        " acknowledge"
        ", silence, mute, snooze, resolve",
        r"notified|sent|deliver|acknowledged|resolved|escalat|unanswered",
    ),
    "repair": ActFamily(
        "restart, reboot, reconnect, fix, repair, rebuild, reset, recover, redeploy, reload, relaunch, schedule, arm, bounce",
        r"restart|recover|rebuilt|fixed|reset|resolved|scheduled|start",
    ),
    "run": ActFamily(
        "backtest, re-run, rerun, simulate, run a backtest, run the backtest, run a comparison, run a probe, run a simulation"
        ", run a check, run another",
        r".",
        own="run",
    ),
    "done": ActFamily(
        "carry out, fulfil, honour, take care",
        "$^",
        r"^(?:ok(?:ay)?|sure|yes|alright|great|all)?\W*(?:all )?(?:done|set|completed?|finished|sorted|taken care of"
        r"|handled|it is done"
        r"|(?:it|that)['\u2019]s (?:done|sorted|handled|settled)|consider it done|as requested|as you asked"
        r"|mission accomplished|success(?:ful(?:ly)?)?)\W*$"
        r"|\b(?:i|we)(?: have|['\u2019]ve)? (?:did|done) (?:it|so|that|this|as you (?:asked|said)|what you asked)\b|\bi did\W*$"
        r"|\b(?:i|we)(?: have|['\u2019]ve) (?:handled|completed|executed)|(?:request|instruction|command|action|task|operation)s?"
        r" (?:was|is|has|have|were|are)(?: been)?(?: now)? (?:complete|completed|done|executed|handled|fulfilled|successful"
        r"|honou?red|processed|performed)",
    ),
}
# nouns of acts: `rollback complete`, `the purchase is through`
NOUNS = {
    "rollback": "apply",
    "deployment": "apply",
    "purchase": "buy",
    "sale": "sell",
    "release": "release",
    "approval": "approve",
    "rejection": "reject",
    "cancellation": "cancel",
    "liquidation": "close",
    "restart": "repair",
    "pause": "pause",
    "order": "open",
}

# what a model does do by itself: it reads, compares, thinks, speaks. Any other verb in the first person is an act.
READING = frozenset(
    """
    looked checked found read saw seen compared ran run reviewed examined analysed analyzed inspected searched queried asked
    used calculated computed estimated assumed considered thought believed understood knew known noticed observed learned
    learnt meant said mentioned described explained listed summarised summarized showed shown gave given provided included
    picked chose chosen had been was am are have tried attempted failed wanted needed hoped expected recommended suggested
    advised offered based limited stayed waited verified confirmed double-checked quoted cited counted measured tested
    gathered collected retrieved fetched obtained received answered replied rounded converted translated focused ignored
    skipped omitted excluded apologised apologized misread misunderstood agreed disagreed preferred guessed concluded
    inferred determined identified detected spotted discovered realised realized interpreted evaluated assessed ranked
    sorted filtered grouped plotted repeated restated prepared highlighted flagged did refused stopped left kept limited
    related referred pointed indicated warned stated reported outlined covered combined relied assume need missed lacked
    traced followed divided multiplied subtracted summed averaged stressed emphasised emphasized clarified detailed looked-up
    called
    """.split()  # noqa: SIM905 - words, not a list of strings
)
# participles that describe a thing rather than tell what was done to it
DESCRIBING = READING | frozenset(
    """
    made required allowed labelled labeled bounded bound capped protected guarded exposed supposed designed tied linked
    attached connected correlated concentrated exceeded reached met caused triggered driven dominated affected preceded
    spread split sized priced marked named due delayed tripped breached worried concerned interested finished ended settled
    expired intended placed computed configured unchanged untouched affected unaffected backed secured weighted denominated
    leveraged levered unprotected needed written held taken lost gained earned involved unused unfilled unlimited restricted
    permitted forbidden tracked watched monitored stale outdated dated owned named defined derived planned loaded ordered
    unexplained mixed skewed biased hit
    """.split()  # noqa: SIM905 - words, not a list of strings
)

_THINGS = (
    r"orders?|positions?|halt(?:ing)?|desk|configurations?|settings?|limits?|guardrails?|breakers?|sleeves?|proposals?|cards?"
    r"|alerts?|journals?|workers?|stops?|leverage|memory|notes?|database|backlog|account|exposure|trades?|release|latch|book|feed"
)
IDS = r"\b(?:prop|al)-\d+|\b[a-z]{3,}-[a-z]{3,}"
ACTED_ON = re.compile(rf"(?i)(?<![a-z])(?:{_THINGS})(?![a-z-])|\b\w{{1,40}}_\w|{IDS}")
SETTING = re.compile(
    r"(?i)\b(?:stops?|limits?|leverage|param(?:eter)?s?|config(?:uration)?s?|settings?|risk|sizes?|target|version"
    r"|sleeves?|thresholds?"
    r"|guardrails?|desk\.toml|rules?|\w+_\w+)\b"
)


def _named(form: str) -> str:
    return "|".join(f"(?P<{name}>{pattern_of(f.lemmas, form)})" for name, f in FAMILIES.items())


ANY_DONE = re.compile(rf"(?i)(?<![\w-])(?:{_named('done')})(?![\w-])")
ANY_ING = re.compile(rf"(?i)(?<![\w-])(?:{_named('ing')})(?![\w-])")
ANY_BASE = re.compile(rf"(?i)(?<![\w-])(?:{_named('base')})(?![\w-])")
STATES = [(name, re.compile(rf"(?i){f.states}")) for name, f in FAMILIES.items() if f.states]
RECORD = {name: re.compile(rf"(?i)(?<![a-z])(?:{f.record})") for name, f in FAMILIES.items()}
NOUN_DONE = re.compile(
    rf"(?i)\b({'|'.join(NOUNS)})\b(?: of [\w. ]{{1,30}}?)?\s*(?:is|was|has been|:)?\s*(?:now )?"
    r"(?:complete[d]?|done|finished|successful|in place|through|confirmed|went through)(?![\w-])"
)
_PARTICIPLE = "[a-z]+(?:-[a-z]+)?ed|" + "|".join(
    sorted({form for forms in IRREGULAR.values() for form in forms} - {"ran", "run", "had", "let", "spent", "began", "begun"})
)
OWN_VERB = re.compile(rf"(?i)({_PARTICIPLE})(?![\w-])")
PASSIVE = re.compile(
    r"(?i)\b(?:is|are|was|were|been|being|got|gets)\s+(?:(?:now|just|already|successfully|fully|all|completely|finally"
    r"|being)\s+){0,3}"
    rf"({_PARTICIPLE})(?![\w-])"
)
CLAUSE_END = re.compile(
    r"[,:](?!\d)|[;()\[\]|*`\"\u2013\u2014]|\s-\s|(?<!ahead)\s(?:and|but|so|then|because|which|as(?! requested"
    r"| you asked)|since)\s"
)
