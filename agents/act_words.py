"""The words in which an act is claimed, told as a state, or recorded. Read by agents/acts.py; data, no logic."""

import re
from typing import NamedTuple


class ActFamily(NamedTuple):
    """One kind of act: how a sentence claims it as done, its base forms, and the words by which a record shows it."""

    done: str  # past forms and participles
    base: str  # infinitives; their -ing forms are made of them
    record: str
    own: str = ""  # the receipt that makes it true of the model itself


FAMILIES: dict[str, ActFamily] = {
    "release": ActFamily(
        r"released|lifted|cleared|unhalted|un-halted|unlatched|resumed|reactivated|re-?enabled|restored|unpaused"
        r"|unblocked|unfrozen"
        r"|reinstated|resurrected|revived",
        r"release|lift|clear|unhalt|resume|reactivate|re-?enable|restore|unpause|unblock|reinstate",
        r"releas(?:ed|e by)|lifted|resumed|cleared",
    ),
    "approve": ActFamily(
        r"approved|authori[sz]ed|green-?lit|signed off|accepted|okayed|ratified|confirmed the proposal",
        r"approve|authori[sz]e|accept|sign off",
        r"approved|applied|accepted",
    ),
    "reject": ActFamily(r"rejected|declined|dismissed|vetoed", r"reject|decline|dismiss|veto", r"reject"),
    "apply": ActFamily(
        r"applied|adopted|deployed|rolled out|rolled back|reverted|enacted|implemented|installed|activated"
        r"|put in place|overridden"
        r"|overrode|reconfigured|committed|rolled over|switched",
        r"apply|adopt|deploy|roll out|roll back|revert|enact|implement|activate|override|reconfigure|switch",
        r"applied|adopted|rolled back|in force|active",
    ),
    "change": ActFamily(
        r"changed|updated|set|adjusted|modified|raised|lowered|increased|decreased|reduced|tightened|loosened|widened"
        r"|moved|tuned"
        r"|altered|edited|doubled|halved|cut|added|dropped|rewritten|rewrote|patched|amended",
        r"change|update|set|adjust|modify|raise|lower|increase|decrease|reduce|tighten|loosen|widen|move|tune|alter"
        r"|edit|configure"
        r"|double|halve|cut|add|drop|rewrite|patch|amend",
        r"changed|updated|raised|lowered|tightened|amended|moved|trailed",
    ),
    "buy": ActFamily(
        r"bought|purchased|longed|went long|gone long|acquired", r"buy|purchase|go long|acquire", r"buy|bought|long\b"
    ),
    "sell": ActFamily(
        r"sold|shorted|went short|gone short|dumped|offloaded", r"sell|short|go short|dump|offload", r"sell|sold|short\b"
    ),
    "close": ActFamily(
        r"closed|closed out|exited|flattened|liquidated|unwound|squared|covered|taken off|took off|wound down"
        r"|stopped out|exits? done",
        r"close|exit|flatten|liquidate|unwind|cover|square|wind down",
        r"closed|close |exit|flat\b|flatten|by stop|by target|stopped|liquidat",
    ),
    "open": ActFamily(
        r"opened|entered|placed|submitted|sent|executed|filled|routed|hedged|rebalanced|scaled (?:in|out)|traded|worked|queued",
        r"open|enter|place|submit|send|execute|fill|route|hedge|rebalance|trade|queue",
        r"open(?:ed|s)\b|enter|placed|submitted|sent\b|executed|filled|fill\b|working|long\b|short\b",
    ),
    "halt": ActFamily(
        r"halted|stopped|suspended|shut down|switched off|turned off|disabled|froze|frozen|killed|locked|deactivated",
        r"halt|stop|suspend|shut down|switch off|turn off|disable|freeze|kill|lock|deactivate",
        r"halt|stopped|suspended|disabled|tripped",
    ),
    "pause": ActFamily(r"paused|retired|benched", r"pause|retire|bench", r"paused|retired"),
    "cancel": ActFamily(
        r"cancell?ed|withdrawn|withdrew|voided|revoked|aborted|scrapped|pulled|deleted|removed|erased",
        r"cancel|withdraw|void|revoke|abort|scrap|pull|delete|remove|erase",
        r"cancell?ed|withdrawn|superseded|stale",
    ),
    "propose": ActFamily(
        r"proposed|filed|drafted|put forward|tabled|raised a proposal|opened a proposal|submitted a proposal"
        r"|created a proposal",
        r"propose|file|draft|table",
        r"propos|prop-\d|pending",
        "propose",
    ),
    "note": ActFamily(
        r"noted|recorded|logged|saved|stored|remembered|written down|wrote down|jotted down|memori[sz]ed|documented"
        r"|(?:left|made|took|taken) a note|(?:made|kept) a record|bookmarked",
        r"note|record|log|save|store|remember|write down|jot down|memori[sz]e|document",
        r"noted|recorded|inbox/",
        "note",
    ),
    "tell": ActFamily(
        r"notified|alerted|informed|messaged|emailed|e-mailed|paged|contacted|escalated|phoned|called|posted to"
        r"|pinged|reported to"
        r"|acknowledged|silenced|muted|snoozed|resolved",
        r"notify|alert|inform|message|email|page|contact|escalate|phone|ping|acknowledge|silence|mute|snooze|resolve",
        r"notified|sent|deliver|acknowledged|resolved|escalat|unanswered",
    ),
    "repair": ActFamily(
        r"restarted|rebooted|reconnected|fixed|repaired|resolved|rebuilt|reset|recovered|redeployed|reloaded"
        r"|relaunched|scheduled|armed",
        r"restart|reboot|reconnect|fix|repair|rebuild|reset|recover|redeploy|reload|relaunch|schedule|arm",
        r"restart|recover|rebuilt|fixed|resolved|reset|scheduled|start",
    ),
    "run": ActFamily(
        r"backtested|re-?ran|simulated|ran (?:a|the|an|another|two|both) (?:backtests?|comparison|probe|simulation"
        r"|check|test)s?",
        r"backtest|rerun|simulate",
        r".",
        "run",
    ),
}
SETTING = re.compile(
    r"(?i)\b(?:stops?|limits?|leverage|param(?:eter)?s?|config(?:uration)?s?|settings?|risk|sizes?|target|version"
    r"|sleeves?|thresholds?"
    r"|guardrails?|desk\.toml|rules?|\w+_\w+)\b"
)
# what is done already, said without a verb of the families
_SAID_STATES: tuple[tuple[str, str], ...] = (
    ("release", r"no longer (?:halted|paused|latched|blocked)|out of (?:the |its )?halt|(?:trading|live|running"
        r"|active|operational|up"
     r"|online) again|back (?:online|up|live|in business|to trading|to normal|on line|to work)|halt (?:is|was|has) (?:over"
     r"|now over|now off|off|gone|ended|now gone)"
     r"|free to trade|trading (?:normally|as normal|as usual)|ended the halt|halt (?:has )?ended|without (?:a|any) halt"),
    ("apply", r"(?:is|are|now|went|gone|goes) (?:now )?(?:live|in force|in effect|effective)(?: now)?\W*$|took effect"
        r"|taken effect|went through"
     r"|gone through|change is in\b|is (?:now )?the (?:new|active|live) (?:version|configuration)|(?:runs|running) on the new"),
    ("close", r"position is gone|out of the (?:position|trade|market)|(?:are|am|['\u2019]re|['\u2019]m) (?:now )?out of\b"
     r"|no exposure (?:left|remains)|(?:fully|completely|all) (?:out|flat)\b|got (?:you|us) out"),
    ("flat", r"\b(?:you|we|desk|book|everything)\b.{0,12}\b(?:is|are|'re) (?:\w+ )?flat"),
    ("apply", r"\b(?:new|changed|updated)\b.{0,40}\b(?:is|are) (?:now )?(?:active|running|current)\b"),
    ("apply", r"\blive money|\breal money|(?:in|to) live mode|live trading"),
    ("buy", r"(?:you|we|desk) (?:are|is) now long|now long\b"),
    ("sell", r"(?:you|we|desk) (?:are|is) now short|now short\b"),
    ("open", r"order is (?:in|live|away|working|at the venue)|trade is (?:on|done)|position is on\b"),
    ("done", r"^(?:ok(?:ay)?|sure|yes|alright|great|all)?\W*(?:all )?(?:done|set|completed?|finished|sorted"
        r"|taken care of|handled|it is done"
     r"|it's done|that's done|consider it done|as requested|as you asked|mission accomplished|success(?:ful(?:ly)?)?)\W*$"),
    ("done", r"\b(?:i|we)(?: have|'ve)? (?:did|done) (?:it|so|that|this|as you (?:asked|said)|what you asked)\b"
        r"|\b(?:i|we) took care of"
     r"|\b(?:i|we)(?: have|'ve) (?:handled|completed|carried|executed|taken care)|(?:request|instruction|command"
     r"|action|task|operation)s? (?:was|is|has"
     r"|have|were|are)(?: been)?(?: now)? (?:carried out|complete|completed|done|executed|fulfilled|successful"
     r"|honou?red|processed|performed)"),
)  # fmt: skip
STATES = [(family, re.compile(rf"(?i){pattern}")) for family, pattern in _SAID_STATES]
ANY_DONE = re.compile("(?i)(?<![\\w-])(?:" + "|".join(f"(?P<{n}>{f.done})" for n, f in FAMILIES.items()) + ")(?![\\w-])")
BASE = re.compile("(?i)(?:" + "|".join(f"(?P<{n}>{f.base})" for n, f in FAMILIES.items()) + ")(?![\\w-])")
RECORD = {name: re.compile(rf"(?i)(?<![a-z])(?:{f.record})") for name, f in FAMILIES.items()}

CLAUSE_END = re.compile(r"[,;:()\[\]|*`\"\u2013\u2014]|\s-\s|(?<!ahead)\s(?:and|but|so|then|because|which|as|since)\s")

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
IRREGULAR = (
    r"sent|got|put|took|bought|sold|told|made|wrote|shut|undid|undone|brought|built|drew|froze|hit|paid|quit"
    r"|threw|wiped|swept|spun|went|done"
)
OWN_VERB = re.compile(rf"(?i)([a-z]+(?:-[a-z]+)?ed|{IRREGULAR})(?![\w-])")
PASSIVE = re.compile(
    r"(?i)\b(?:is|are|was|were|been|being|got|gets)\s+(?:(?:now|just|already|successfully|fully|all|completely"
    r"|finally|being)\s+){0,3}"
    rf"([a-z]+(?:-[a-z]+)?ed|{IRREGULAR}|taken|given|written|thrown|frozen)(?![\w-])"
)
ACTED_ON = re.compile(
    r"(?i)(?<![a-z])(?:orders?|positions?|halt(?:ing)?|desk|configurations?|settings?|limits?|guardrails?|breakers?"
    r"|sleeves?|proposals?"
    r"|cards?|alerts?|journals?|workers?|stops?|leverage|memory|notes?|database|backlog|account|exposure|trades?"
    r"|release|latch|book)(?![a-z-])"
)
