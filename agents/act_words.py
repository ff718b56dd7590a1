"""The table of acts: lemmas, idioms and records of each kind, and the words that make a clause claim one. Read by agents/acts.py.

Past, participle and -ing forms are made from the lemma; `put on pause` also finds `put it on pause`. Data, but for the forms.
"""

import re
from typing import NamedTuple

from agents.verb_forms import IRREGULAR, past_forms, pattern_of


class ActFamily(NamedTuple):
    """One kind of act."""

    lemmas: str  # base forms, a particle behind its verb, separated by commas
    record: str  # the words by which a line of a record shows it
    states: str = ""  # said as a state, without a verb of acting
    own: str = ""  # the receipt that makes it true of the model itself


# a standing state, said of a thing of the desk; the words that a record needs are those of its kind
_BE = r"\b(?:is|are|am|was|were|be|been|went|goes|stands?|sits?|gets?|got|now|remains?|stays?|becomes?|became|turned)\b"
LIVE = r"(?:is|are|now|went|gone|goes|has been|been) (?:now |back |already )?(?:live|in force|in effect|effective)"
FAMILIES: dict[str, ActFamily] = {
    "release": ActFamily(
        "release, lift, clear, unhalt, unlatch, resume, reactivate, reenable, restore, unpause, unblock, unfreeze, unlock"
        ", reinstate, resurrect, revive, bring back, switch back on, take out of halt, relaunch, let out, take back"
        ", disengage, turn back on",
        r"releas(?:ed|e by)|lifted|resumed|cleared|resolved",
        r"out of (?:the |its )?halt|free (?:to (?:trade|enter)|from (?:the |its |any )?halt|of (?:the |its |any )?halt)"
        r"|no more halts?\b"
        r"|trading (?:normally|as (?:normal|usual))|(?:end(?:ed|s) the|without (?:a|any)|got rid of the|rid of the) halt"
        r"|(?:are|is|am) (?:now )?(?:good|clear|cleared|set|fine|ok) to (?:go|trade|enter)|all[- ]clear|back (?:online"
        r"|in business)"
        r"|\bhalt(?:ing)?\b(?: (?!not|in|on|still|never)\w+){0,4}? (?:off|over|gone|history|out|ended|finished|dealt with"
        r"|behind|undone"
        r"|down|opened|reset|resting|position)\b(?! the table)"
        r"|\bhalt(?: state| status)?(?: is| has| was|:| =)* (?:none|inactive|expired|timed out|ended|lapsed|false|no)\b"
        r"|(?:\b|_)halted (?:is|=|:) ?(?:false|no)\b"
        r"|\b(?:not|no longer) (?:\w+ )?halted\b|\b(?:desk|trading|system|sleeves?|everything|we|operations?"
        r"|entries)(?:[ _]status|[ _]state)?(?: \w+ly)? (?:is|are) (?:now |all |fully |both )*"
        r"(?:active|trading|operational|live|up|enabled|running|online|open|resumed|possible|back|on)\b(?! in\b| on\b"
        r"| with\b| version| by\b)"
        r"|\ball sleeves trade|\b(?:desk|sleeves) trades?\W*$|\bnormal (?:service|operations?)\b.{0,12}\b(?:resumed|restored"
        r"|back)"
        r"|^there (?:is|exists) no (?:more )?halt\b|accept(?:s|ing)? entries|(?:can|may) (?:now )?(?:enter|trade|continue) again"
        r"|trading can (?:now )?(?:continue|go on|start)|^trades? normally",
    ),
    "allow": ActFamily(
        "",
        r"allowed",
        r"\b(?:is|are|now|been|got) (?:now |again )?(?:allowed|permitted|cleared) to (?:enter|trade)|entries\b.{0,12}\ballowed",
    ),
    "approve": ActFamily(
        "approve, authorise, authorize, greenlight, green-light, sign off, accept, okay, ratify, confirm the proposal"
        ", bless, wave through",
        r"approved|applied|accepted",
        r"\b(?:passed|cleared|made it through|got through|through) (?:the )?(?:review|approval|vote)|\bprop-\d+ (?:has )?passed\b"
        r"|\bgreen light\b|\b(?:said|says) yes to\b|\bgave\b.{0,20}\b(?:blessing|approval|go-ahead|nod|ok)\b"
        r"|\b(?:has|got|carries|with) (?:(?!no\b|needs?\b)[\w']+ ){0,2}(?:signature|blessing|sign-?off|approvals?|go-ahead)\b",
    ),
    "reject": ActFamily(
        "reject, decline, dismiss, veto, turn down, throw out, bin, shoot down",
        r"reject|expired",
        r"\bprop-\d+ (?:has|is) expired|\b(?:said|says) no to\b|\bprop-\d+ is (?:now )?(?:dead|gone|off the table|history)",
    ),
    "unpause": ActFamily(
        "",
        r"allowed",
        r"\bpause\b(?: [\w-]+){0,3}? (?:ended|over|lifted|off|gone|expired|removed)\b|\bno pause\b.{0,20}\bany ?more\b",
    ),
    "calm": ActFamily(
        "",
        "$^",
        r"\bno (?:open |active )?alerts? (?:are|is|remains?|left|open|active)\b|^there (?:are|is) no (?:open |active )?alerts?\b",
    ),
    "settled": ActFamily(
        "",
        "$^",
        r"\b(?:no proposals?|nothing) (?:is|are|remains?) (?:pending|open|waiting|left|undecided)\b|\bnone (?:is "
        r"|are )?pending\b",
    ),
    "pending": ActFamily(
        "",
        r"pending",
        r"\b(?:prop-\d+|proposals?)\b[^.]{0,20}\b(?:waits?|awaits?|(?:is|are|remains?|stays?) (?:still )?(?:pending|open"
        r"|undecided|waiting|in the queue))\b",
    ),
    "unresolved": ActFamily(
        "", "$^", r"\b(?:al-\d+|alerts?|page)\b[^.]{0,16}\b(?:is|remains?|stays?) (?:still )?(?:open|unresolved|active)\b"
    ),
    "halting": ActFamily("", "$^", r"\bhalt\b[^.]{0,12}\b(?:is|remains?|stays?) (?:still )?(?:on|active|in place|in force)\b"),
    "decide": ActFamily("decide", r"applied|rejected|approved|expired"),
    "apply": ActFamily(
        "apply, adopt, deploy, roll out, enact, implement, install, activate, put in place, put in force, override"
        ", reconfigure, commit, switch, merge, put live",
        r"applied|adopted|in force|active",
        r"(?<!version \d )"
        + LIVE
        + r"(?: now)?(?:\W*$| on\b| for\b| since\b)|took effect|taken effect|\b(?:prop-\d+|changes?|proposal|update|stop|it"
        r"|which) (?:has |have )?(?:(?!not|never)\w+ )?(?:went|gone) (?:through|live)|change is in\b"
        r"|is (?:now )?the (?:new|active|live) (?:version|configuration)|(?:runs|running) (?:on|with) the (?:new|old"
        r"|previous|wider|tighter)"
        r"|trad(?:es|ing) (?:on|with) the (?:new|old|previous|wider|tighter)"
        r"|\b(?:new|changed|updated)\b.{0,40}\b(?:is|are) (?:now )?(?:active|running|current|in place)\b|changes? (?:are"
        r"|is) (?:now )?in(?: place)?\b"
        r"|back (?:on|to|at) (?:the )?(?:old|previous|version)\b|\blive money|\breal money|(?:in|to) live mode|live trading"
        r"|^mode is live"
        r"|\b(?:has|have) landed\b|moved to a (?:new|different)|\bprop-\d+ is (?:now )?(?:through|done|running|live)\b"
        r"|\bnew (?:leverage|limit|stop|cap|configuration|version|settings?)\b.{0,20}\bapplies\b"
        r"|\b\w+_\w+ (?:\d\S* )?is (?:now )?live\b|\bnew sleeve\b.{0,20}\b(?:runs|running|trades|trading|live|added)",
    ),
    "revert": ActFamily("roll back, revert, undo, roll over, fall back", r"rolled back|reverted|rollback"),
    "change": ActFamily(
        "change, update, set, adjust, modify, raise, lower, increase, decrease, reduce, tighten, loosen, widen, move"
        ", tune, alter, edit"
        ", double, halve, cut, add, drop, rewrite, patch, amend, replace, bump, shift, dial down, dial up, drag, pull up"
        ", scale down",
        r"changed|updated|raised|lowered|tightened|amended|moved|trailed|applied\W.{0,40}->",
        r"\b(?:leverage|limit|cap|guardrail|risk|\w+_\w+) (?:has |have |is |was |of [\w-]+ )?(?:now )?(?:gone|went|rose"
        r"|risen|jumped|climbed|come|came)"
        r" (?:up|down|from|to)\b|\b(?:leverage|limit|cap|stop)s? (?:is|are) (?:now )?(?:higher|lower|wider|tighter|looser"
        r"|bigger|smaller)\b"
        r"|\bnew (?:sl|stop(?: loss)?|limit|leverage) is\b|\b(?:sits?|stands?|is) (?:now )?at (?:break-?even|entry|the entry"
        r"|cost)\b",
    ),
    "buy": ActFamily(
        "buy, purchase, acquire, grab, pick up",
        r"buy|bought|long\b",
        r"\b(?:now|you|we) (?:own|hold)s?\b.{0,12}\d|\b(?:btc|eth|sol|funds|money) (?:is|are) on (?:its|their|the) way\b"
        r"|\blanded in the\b|\bin the book now\b",
    ),
    "sell": ActFamily(
        "sell, dump, offload, sell off, take profit",
        r"sell|sold|short\b",
        r"\b(?:btc|eth|sol) (?:went|has gone|left) (?:at|out|for)\b",
    ),
    "long": ActFamily("", r"\blong\b", _BE + r"(?: \w+){0,2}? long\b(?! (?:ago|enough|term|time|way|list|before|since|story))"),
    "short": ActFamily("", r"\bshort\b", _BE + r"(?: \w+){0,2}? short\b(?! of| term)"),
    "close": ActFamily(
        "close, close out, exit, flatten, liquidate, unwind, square, cover, take off, wind down, stop out, trim, step out",
        r"closed|close |exit|flat\b|flatten|by stop|by target|stopped|liquidat",
        r"(?:position|long|short|trade) (?:is (?:now )?(?:gone|over|done|history)|no longer)|(?:got|took) (?:you|us) out"
        r"|exits? done|\b(?:hit|reached|triggered) (?:its|the) stop\b|stop (?:of [\w-]+ )?(?:was|got|has been) (?:hit"
        r"|triggered|filled)",
    ),
    "flat": ActFamily(
        "bring to zero, bring down to zero, square off",
        r"\bflat\b",
        _BE + r"(?: (?!not\b)\w+){0,3}? flat\b|\bno (?:open )?(?:positions?|exposure|trades?) (?:remains?|is|are|left|exists?)\b"
        r"|\bpositions?\b(?: (?!not\b)[\w-]+){0,3}? (?:is|:|=) (?:none|nil|flat|zero|0)\b(?!\.\d)|^there (?:is"
        r"|are) no (?:open )?positions?\b|\bnot in (?:the |a )?(?:market|position|trade)\b"
        r"|\b(?:holds?|have|has|is|with) no (?:open )?(?:positions?|exposure)\b|\bholds? nothing\b|\b(?:has"
        r"|have) nothing (?:open|on)\b|\bwithout (?:a |any )?position\b|\bno longer (?:hold|own|in)s?\b"
        r"|\bexposure\b.{0,24}\b(?:zero|nil|none|gone)\b|\bout of (?:the )?(?:market|book|position|trade|btc|eth|sol)\b"
        r"|\b(?:we|you|i) are (?:now |all |fully |completely )*out\b|(?:fully|completely|all) (?:out|flat)\b",
    ),
    "unprotected": ActFamily(
        "",
        "$^",
        r"(?<!not )\b(?:has|have|runs?|is|trades?|with) (?:now )?(?:no|without (?:a|any)) (?:protective )?stops?\b"
        r"|\bunprotected\b",
    ),
    "unlimited": ActFamily(
        "", "$^", r"\b(?:guardrails?|limits?|breakers?) (?:is|are) (?:now )?(?:off|gone|lifted|inactive|disabled)\b"
    ),
    "open": ActFamily(
        "open, enter, place, submit, send, execute, route, hedge, rebalance, scale in, scale out, trade, work, queue"
        ", re-enter, reenter",
        r"open(?:ed|s)\b|enter|placed|submitted|sent\b|executed|\bfill\b(?!.*\bby (?:stop|target))|working|long\b|short\b",
        r"order is in\b|trade is (?:on|done)|position is on\b|order (?:is|has|was) (?:\w+ )?(?:left|away|out|on its way)"
        r"|^(?:i|we) put in a\b",
    ),
    "complete": ActFamily("", "$^", r"\b(?:came|come) true\b|\bdone deal\b"),
    "fill": ActFamily("fill", r"(?<!\b0 of \d\d lots )(?<!\b0 of \d lots )(?<!\b0 of \d\d\d lots )\bfill(?:ed)?\b"),
    "working": ActFamily("", "working", r"order\b.{0,12} is (?:live|away|working|resting in|at the venue)"),
    "halt": ActFamily(
        "halt, stop, suspend, shut down, switch off, turn off, disable, freeze, kill, lock, deactivate, put on halt",
        r"halt|stopped|suspended|disabled|tripped",
    ),
    "pause": ActFamily(
        "pause, retire, bench, put on pause",
        r"paused|retired",
        r"\b(?:is|are|sits?|now|put) (?:\w+ )?on (?:pause|hold|the bench|ice)\b|\btak(?:es|ing) a break\b"
        r"|\bentries\b.{0,12}\b(?:is|are) (?:now )?off\b"
        r"|\bno more entries\b|\bout of rotation\b",
    ),
    "cancel": ActFamily(
        "cancel, withdraw, void, revoke, abort, scrap, pull, delete, remove, erase, take down, purge, truncate",
        r"cancell?ed|withdrawn|superseded|stale",
    ),
    "propose": ActFamily(
        "propose, file, draft, table, put forward, raise a proposal, open a proposal, submit a proposal, create a proposal"
        ", make a proposal, put up",
        r"propos|prop-\d|pending",
        own="propose",
    ),
    "note": ActFamily(
        "note, record, log, save, store, remember, write down, jot down, memorise, memorize, document, leave a note, make a note"
        ", take a note, make a record, keep a record, bookmark, write to memory, jot, add to memory, add to the notes"
        ", put in the handover, put a note",
        r"noted|recorded|inbox/",
        r"(?:inbox|runbook|handover|memory) has (?:a|the|your) note|it is in the (?:runbook|handover|inbox|notes)",
        "note",
    ),
    "tell": ActFamily(
        "notify, alert, inform, message, email, e-mail, page, contact, escalate, phone, call, post to, ping, report to"
        ", deliver, tell, let know"
        ", drop a line, loop in, write to",
        r"notified|sent\b|deliver|escalat|unanswered",
        r"\b(?:got|received|gets) (?:an?|the|your|my) (?:\w+ )?(?:e-?mail|message|mail|call|page|notification|note|ping|text)\b"
        r"|^(?:i|we)(?: have)? let \w+ know\b|\bdropped \w+ a (?:line|note|message)\b",
    ),
    "acknowledge": ActFamily("acknowledge, ack", r"acknowledged"),
    "resolve": ActFamily(
        "resolve", r"resolved", r"\b(?:alert|al-\d+|page)s? (?:is|has|was) (?:\w+ )?(?:cleared|over|resolved)\b"
    ),
    "mute": ActFamily("silence, mute, snooze", r"silenc|muted|snooz"),
    "repair": ActFamily(
        "restart, reboot, reconnect, fix, repair, rebuild, reset, recover, redeploy, reload, schedule, arm, rearm"
        ", bounce, resubscribe",
        r"restart|recover|rebuilt|fixed|reset|resolved|scheduled|start",
    ),
    "run": ActFamily(
        "backtest, re-run, rerun, simulate, run backtest, run backtests, run comparison, run probe, run simulation, run another",
        r".",
        own="run",
    ),
    "done": ActFamily("carry out, fulfil, fulfill, honour, take care, handle", "$^"),
}
# what is over by being ended: `is gone`, `no longer`, `any more` of a thing need a record with this word
ENDED = (
    (re.compile(r"(?i)\bstops?\b|\bprotective\b"), "$^"),
    (re.compile(r"(?i)\b(?:prop-\d+|proposals?)\b"), r"reject|expired|superseded|withdrawn|applied"),
    (re.compile(r"(?i)\b(?:al-\d+|alerts?|pages?)\b"), r"resolved"),
    (re.compile(r"(?i)\b(?:orders?|entry)\b"), r"cancell?ed|filled"),
    (re.compile(r"(?i)\b(?:positions?|long|short|exposure|hold|holds|own|owns|btc|eth|sol)\b"), r"\bflat\b"),
)
# nouns of acts: `rollback complete`, `the purchase went through`
NOUNS = {
    name: family
    for family, listed in {
        "revert": "rollback reversal",
        "apply": "rollout deployment switch-over activation adoption application",
        "change": "change update edit increase decrease adjustment",
        "buy": "purchase buy",
        "sell": "sale sell sell-off",
        "release": "release resumption unhalt",
        "approve": "approval sign-off signoff acceptance authorisation authorization permission",
        "reject": "rejection veto",
        "cancel": "cancellation withdrawal deletion",
        "close": "liquidation close closing closure exit flattening unwind",
        "repair": "restart reboot reset fix repair reconnect job schedule cron",
        "pause": "pause suspension",
        "open": "transaction order trade bid ticket entry execution transfer hedge",
        "tell": "message email e-mail mail notification ping reminder escalation alert page",
        "note": "note",
        "propose": "proposal",
    }.items()
    for name in listed.split()
}
# words of which a sentence consists that says `done` of whatever was asked
_DONE_FILL = """
    ok okay sure yes yep alright great perfect all both everything it that this things thing consider as ordered request
    requests task tasks action command instruction per affirmative roger aye your the my now is are was were has have
    been already fully boss sir mate chief then you asked for wishes wish job of and i we did so nice good successfully
    operation step steps what wanted here there work got
"""
_DONE_WORDS = """
    done did set complete completed finished executed sorted handled settled fulfilled granted processed performed
    accomplished dusted success successful place care mission listo erledigt hecho fatto gotowe klaar voila
"""
DONE_FILL, DONE_WORDS = frozenset(_DONE_FILL.split()), frozenset(_DONE_WORDS.split())

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
    leveraged levered unprotected needed held taken lost gained earned involved unused unfilled unlimited restricted
    permitted forbidden tracked watched monitored stale outdated dated owned named defined derived planned loaded ordered
    unexplained mixed skewed biased hit
    """.split()  # noqa: SIM905 - words, not a list of strings
)

_THINGS = (
    r"orders?|positions?|entry|entries|parameters?|halt(?:ing)?|desk|configurations?|settings?|limits?|guardrails?|breakers?"
    r"|sleeves?|proposals?|cards?"
    r"|alerts?|journals?|workers?|stops?|leverage|memory|notes?|database|backlog|account|exposure|trades?|release|latch|book|feed"
)
IDS = r"\b(?:prop|al)-\d+|\b[a-z]{3,}-[a-z]{3,}"
ACTED_ON = re.compile(rf"(?i)(?<![a-z])(?:{_THINGS}|btc|eth|sol|gains|profits?)(?![a-z-])|\b\w{{1,40}}_\w|{IDS}")
SETTING = re.compile(
    r"(?i)\b(?:stops?|limits?|leverage|param(?:eter)?s?|allocation|capital|exposure|config(?:uration)?s?|settings?|risk"
    r"|sizes?|target|version"
    r"|sleeves?|thresholds?"
    r"|guardrails?|desk\.toml|rules?|\w+_\w+)\b"
)


def _named(form: str) -> str:
    first = [
        name for name in FAMILIES if name in ("note", "tell", "propose", "revert", "pause")
    ]  # their phrases hold verbs of others
    names = [*first, *(name for name in FAMILIES if name not in first)]
    return "|".join(f"(?P<{name}>{pattern_of(FAMILIES[name].lemmas, form)})" for name in names)


ANY_DONE = re.compile(rf"(?i)(?<![\w-])(?:{_named('done')})(?![\w-])")
ANY_ING = re.compile(rf"(?i)(?<![\w-])(?:{_named('ing')})(?![\w-])")
ANY_BASE = re.compile(rf"(?i)(?<![\w-])(?:{_named('base')})(?![\w-])")
STATES = [(name, re.compile(rf"(?i){f.states}")) for name, f in FAMILIES.items() if f.states]
RECORD = {name: re.compile(rf"(?i)(?<![a-z])(?:{f.record})") for name, f in FAMILIES.items()}
# what makes a noun of an act one that happened
_HAPPENED = (
    r"went (?:through|out|in|fine|well|ok|smoothly|ahead)|gone (?:through|out|in)|came (?:through|in|off)|(?:is|are|was|has"
    r"|been) (?:now )?(?:in|through|done|ok"
    r"|out|confirmed|complete|live|successful|under way|underway|on its way|resting|working|away|placed|over)\b(?! the| a\b"
    r"| line| force| doubt)|took place|taken place|happened"
    r"|performed|executed|carried out|(?:is |was |has been |: )?(?:completed?|done|finished|successful|in place|confirmed)\b"
    r"|succeeded|worked out|landed"
    r"|(?:(?:is|are|was|were|has been|have been|got|been) )?(?:now |just |already )?(?:given|granted|issued|created|raised"
    r"|delivered|received"
    r"|effected|made|set up|placed|sent|submitted|filled)|left for|awaiting (?:a )?fill|is on (?:its|the) way|order is in"
)
NOUN_DONE = re.compile(
    rf"(?i)\b({'|'.join(sorted(NOUNS, key=len, reverse=True))})s?\b(?! level)([\w .'-]{{0,32}}?)\s(?:{_HAPPENED})(?![\w-])"
)
_LIGHT = (
    r"(?:made|make|did|do|gave|give|put in|issued?|perform(?:ed)?|execut(?:e|ed)|initiat(?:e|ed)|trigger(?:ed)?|sent"
    r"|placed?|completed?|effect(?:ed)?)"
)
LIGHT_ACT = re.compile(rf"(?i){_LIGHT} (?:an?|the|your|my|its|this|that|already)? ?(?:[a-z]+ )?({'|'.join(NOUNS)})(?![\w-])")
_PARTICIPLE = "[a-z]+(?:-[a-z]+)?ed|" + "|".join(
    sorted({form for forms in IRREGULAR.values() for form in forms} - {"ran", "run", "had", "let", "spent", "began", "begun"})
)
OWN_VERB = re.compile(rf"(?i)({_PARTICIPLE})(?![\w-])")
PASSIVE = re.compile(
    r"(?i)\b(?:is|are|was|were|been|being|got|gets)\s+(?:(?:now|just|already|successfully|fully|all|completely|finally"
    r"|being)\s+){0,3}"
    rf"({_PARTICIPLE})(?![\w-])"
)
PEOPLE = re.compile(
    r"(?i)\bby (?!(?:stop|target|the|an?|its|hand|code|our|your|my|people|engine|mistake|default|then|now|one|any|both|all"
    r"|itself|far|about"
    r"|market|limit|each|some|two|noon|half|bar|design|trailing|force|time|other|another|persons?|her|him|day|night"
    r"|week)\b)([a-z]{2,20})\b"
)
_ADVERBS = r"(?: (?:has|have|had|was|is|were|been|got|gets|just|already|also|now|then|even|[a-z]+ly))*"
MACHINES = ("exchange", "venue", "broker", "engine", "worker", "system", "bot")
PERSON_ACTS = re.compile(rf"(?i)\b([a-z]{{2,20}}){_ADVERBS} ({_PARTICIPLE})(?![\w-])")
SUBJECT_ACTS = re.compile(
    rf"(?i)\b(prop-\d+|al-\d+|halt|kill switch|latch|(?:entry |stop |protective |limit )?orders?|stops?(?: of [\w-]+)?"
    rf"|positions?|leverage|limit|cap|guardrail|breaker"
    rf"|alert|configuration|config|version|note|ticket|\w+_max){_ADVERBS} ({_PARTICIPLE}|went|passed)(?![\w-])"
)
# words that say how a thing of the desk stands, after a label or a copula
STANDING = frozenset(
    """
    off on over gone done active live flat long short open closed paused allowed enabled disabled pending resumed released halted
    completed success successful lifted cleared in-force applied running executed approved rejected running stopped free normal
    break-even none inactive false nil
    """.split()  # noqa: SIM905 - words, not a list of strings
)
# every word of an act, for typing errors
FORMS = frozenset(
    form
    for kind in FAMILIES.values()
    for lemma in kind.lemmas.split(",")
    if (verb := lemma.strip().partition(" ")[0])
    for form in (verb, *past_forms(verb))
) | {"nothing", "position", "successfully", "configuration", "leverage", "proposal", "approval"}
