"""The table of acts: lemmas, idioms and records of each kind, and the words that make a clause claim one. Read by agents/acts.py.

Past, participle and -ing forms are made from the lemma; `put on pause` also finds `put it on pause`. Data, but for the forms.
"""

import re
from typing import NamedTuple

from agents.verb_forms import IRREGULAR, ing_forms, past_forms, pattern_of


class ActFamily(NamedTuple):
    """One kind of act."""

    lemmas: str  # base forms, a particle behind its verb, separated by commas
    record: str  # the words by which a line of a record shows it
    states: str = ""  # said as a state, without a verb of acting
    own: str = ""  # the receipt that makes it true of the model itself


_BE = r"\b(?:is|are|am|was|were|be|been|went|goes|stands?|sits?|gets?|got|now|remains?|stays?|becomes?|became|turned)\b"
# name ;; lemmas ;; record ;; states ;; own; a row goes on where a line is indented further
_TABLE = r"""
    release ;; release, lift, clear, unhalt, unlatch, resume, reactivate, reenable, restore, unpause, unblock, unfreeze, unlock,
         reinstate, resurrect, revive, bring back, switch back on, take out of halt, relaunch, let out, take back, disengage,
         turn back on ;; releas(?:ed|e by)|lifted|resumed|cleared|resolved ;; out of (?:the |its )?halt|all[- ]clear
        |\bhalt(?:ing)?\b(?: (?!not|in|on|still|never)\w+){0,4}? (?:off|over|gone|history|out|ended|finished|dealt with|behind
        |undone|down|opened|reset|resting|position)\b(?! the table)|(?:\b|_)halted (?:is|=|:) ?(?:false|no)\b|free (?:to (?:trade
        |enter)|(?:from|of) (?:the |its |any )?halt)|(?:are|is|am) (?:now )?(?:good|clear|cleared|set|ok) to (?:go|trade|enter)
        |trading (?:normally|as (?:normal|usual))|(?:without|rid of) (?:the|a|any) halt ;;
    approve ;; approve, authorise, authorize, greenlight, green-light, sign off, accept, okay, ratify, confirm the proposal,
         bless, wave through ;; approved|applied|accepted ;; \bgave\b.{0,20}\b(?:blessing|approval|go-ahead|nod|ok)\b|\b(?:has|got
        |carries|with|received|obtained|gained|won|secured) (?:(?!no\b|needs?\b)[\w']+ ){0,2}(?:signature|blessing|sign-?off
        |approvals?|go-ahead)\b|\bprop-\d+ (?:has )?passed\b|\bgreen light\b|\b(?:said|says) yes to\b ;;
    reject ;; reject, decline, dismiss, veto, turn down, throw out, bin, shoot down ;; reject|expired ;; \b(?:said
        |says) no to\b ;;
    decide ;; decide ;; applied|rejected|approved|expired ;;
    apply ;; apply, adopt, deploy, roll out, enact, implement, install, activate, put in place, put in force, override,
         reconfigure, commit, switch, merge, put live ;; applied|adopted|in force|active ;; live trading|^mode is live
        |\bnew (?:leverage|limit|stop|cap|configuration|version|settings?)\b.{0,20}\bapplies\b|took effect|taken effect|\b(?:went
        |gone) live\b|real money|\b(?:prop-\d+|changes?|proposal|update|it|which) (?:has |have )?(?:went|gone) through
        |is (?:now )?the (?:new|active|live) (?:version|configuration)|(?:runs|running|trades|trading) (?:on|with) the (?:new|old
        |previous|wider|tighter)|back (?:on|to|at) (?:the )?(?:old|previous|version)\b ;;
    revert ;; roll back, revert, undo, roll over, fall back ;; rolled back|reverted|rollback ;;
    change ;; change, update, set, adjust, modify, raise, lower, increase, decrease, reduce, tighten, loosen, widen, move, tune,
         alter, edit, double, halve, cut, add, drop, rewrite, patch, amend, replace, bump, shift, dial down, dial up, drag,
         pull up, scale down ;; changed|updated|raised|lowered|tightened|amended|moved|trailed|applied\W.{0,40}-> ;; \b(?:leverage
        |limit|cap|guardrail|risk|\w+_\w+) (?:has |have |is |was |of [\w-]+ )?(?:now )?(?:gone|went|rose|risen|jumped|climbed
        |come|came) (?:up|down|from|to)\b|\bnew (?:sl|stop(?: loss)?|limit|leverage) is\b ;;
    buy ;; buy, purchase, acquire, grab, pick up ;; buy|bought|long\b ;; \b(?:btc|eth|sol|funds|money) (?:is|are) on (?:its|their
        |the) way\b
    sell ;; sell, dump, offload, sell off ;; sell|sold|short\b ;; \b(?:btc|eth|sol) (?:went|has gone|left) (?:at|out|for)\b ;;
    long ;;  ;; \blong\b ;; _BE(?: \w+){0,2}? long\b(?! (?:ago|enough|term|time|way|list|before|since|story)) ;;
    short ;;  ;; \bshort\b ;; _BE(?: \w+){0,2}? short\b(?! of| term) ;;
    close ;; close, close out, exit, take profit, flatten, liquidate, unwind, square, cover, take off, wind down, stop out,
         trim, step out ;; closed|close |exit|flatten|by stop|by target|stopped|liquidat ;; stops? (?:of [\w-]+ )?(?:(?:was|were
        |got|has been|has) )?(?:hit|triggered|filled|fired)\b|(?:got|took) (?:you|us) out ;;
    flat ;; bring to zero, bring down to zero, square off ;; \bflat\b ;; _BE(?: (?!not\b)\w+){0,3}? flat\b|\b(?:holds?|have|has
        |is|with) no (?:open )?(?:positions?|exposure)\b|\bout of (?:the )?(?:market|book|position|trade|btc|eth|sol)\b
        |\bholds? nothing\b|\bnot in (?:the |a )?(?:market|position|trade)\b|\bno longer (?:hold|own|in)s?\b
        |\bexposure\b.{0,24}\b(?:zero|nil|none|gone)\b|\b(?:has|have) nothing (?:open|on)\b|\bwithout (?:a |any )?position\b ;;
    unprotected ;;  ;; $^ ;; (?<!not )\b(?:has|have|runs?|is|trades?|with) (?:now )?(?:no|without (?:a
        |any)) (?:protective )?stops?\b ;;
    open ;; open, enter, place, submit, send, execute, route, hedge, rebalance, scale in, scale out, trade, queue, re-enter,
         reenter ;; open(?:ed|s)\b|enter|placed|submitted|sent\b|executed|\bfill\b(?!.*\bby (?:stop|target))|working|long\b
        |short\b ;;
    complete ;;  ;; $^ ;; \b(?:came|come) true\b|\bdone deal\b ;;
    fill ;; fill ;; (?<!\b0 of \d\d lots )(?<!\b0 of \d lots )(?<!\b0 of \d\d\d lots )\bfill(?:ed)?\b ;;
    halt ;; halt, stop, suspend, shut down, switch off, turn off, disable, freeze, kill, lock, deactivate, put on halt ;; halt
        |stopped|suspended|disabled|tripped ;;
    pause ;; pause, retire, bench, put on pause ;; paused|retired|tripped ;;
    cancel ;; cancel, withdraw, void, revoke, abort, scrap, pull, delete, remove, erase, take down, purge, truncate ;; cancell?ed
        |withdrawn|superseded|stale ;;
    propose ;; propose, file, draft, table, put forward, raise a proposal, open a proposal, submit a proposal,
         create a proposal, make a proposal, put up ;; propos|prop-\d|pending ;;  ;; propose
    note ;; note, record, log, save, store, remember, write down, jot down, memorise, memorize, document, leave a note,
         make a note, take a note, make a record, keep a record, bookmark, write to memory, jot, add to memory, add to the notes,
         put in the handover, put a note ;; noted|recorded|inbox/ ;; (?:inbox|runbook|handover|memory) has (?:a|the|your) note ;;
         note
    tell ;; notify, alert, inform, message, email, e-mail, page, contact, escalate, phone, call, post to, ping, deliver, tell,
         let know, loop in, write to ;; notified|sent\b|deliver|escalat|unanswered ;; \b(?:got|received|gets) (?:an?|the|your
        |my) (?:\w+ )?(?:e-?mail|message|mail|call|notification|note|ping|text)\b
    acknowledge ;; acknowledge, ack ;; acknowledged ;;
    resolve ;; resolve ;; resolved ;;
    mute ;; silence, mute, snooze ;; silenc|muted|snooz ;;
    repair ;; restart, reboot, reconnect, fix, repair, rebuild, reset, recover, redeploy, reload, schedule, arm, rearm,
         resubscribe ;; restart|recover|rebuilt|fixed|reset|resolved|scheduled|start ;;
    run ;; backtest, re-run, rerun, simulate, run backtest, run backtests, run comparison, run probe, run simulation,
         run another ;; . ;;  ;; run
    done ;; carry out, fulfil, fulfill, honour, handle ;; $^ ;;
"""
_ROWS = [row.replace("\n        ", "").strip() for row in re.split(r"\n    (?! )", _TABLE) if row.strip()]
FAMILIES: dict[str, ActFamily] = {
    name.strip(): ActFamily(*(part.strip().replace("_BE", _BE) for part in parts))
    for name, *parts in (row.split(" ;;") for row in _ROWS)
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
    requests task tasks action command instruction per affirmative roger aye your the my now is are was were has have been
    already fully boss sir mate chief then you asked for wishes wish job of and i we did so nice good successfully operation
    step steps what wanted here there work got
"""
_DONE_WORDS = """
    done did set complete completed finished executed sorted handled settled fulfilled granted processed performed
    accomplished dusted success successful place care mission listo erledigt hecho fatto gotowe klaar voila
"""
DONE_FILL, DONE_WORDS = frozenset(_DONE_FILL.split()), frozenset(_DONE_WORDS.split())

# What a model does by itself: it reads, compares, thinks, speaks. A closed list; any other verb in the first person is an act.
_HARMLESS = """
    look check find read see compare review examine analyse analyze inspect search query ask use calculate compute estimate
    assume consider think believe understand know notice observe learn mean say mention describe explain list summarise
    summarize show give provide include pick choose be try attempt fail want need hope expect recommend suggest advise offer
    base limit stay wait verify confirm double-check quote cite count measure gather collect retrieve fetch obtain receive
    answer reply round convert translate focus ignore skip omit exclude apologise apologize misread misunderstand agree
    disagree prefer guess conclude infer determine identify detect spot discover realise realize interpret evaluate assess
    rank filter group plot repeat restate prepare highlight flag refuse keep relate refer point indicate warn state report
    outline cover combine rely miss lack trace follow divide multiply subtract sum average stress emphasise emphasize clarify
    detail call relay stick dig side lean favour favor judge hear like love wish worry doubt wonder suppose mind trust remain
    walk talk speak begin start work relax welcome thank regret fear weigh avoid refrain restrict confine caution urge remind
    defer hesitate echo reiterate rephrase elaborate contrast attach share present scan skim browse consult study tally total
    glance ponder speculate own carry lose earn pay care matter help depend seem appear feel sound can could may might would
    should must cannot
"""
# verbs of little meaning: what is done is in the words after them
_LIGHT = """
    get got gotten take took taken make made put go went gone hit set pull pulled open opened bring brought lay laid draw drew
    drawn turn turned come came give gave given had do did done run ran keep kept leave left pass passed move moved hold held
    work worked deal dealt call called stop stopped
"""
LIGHT = frozenset(_LIGHT.split())
# participles that describe a thing rather than tell what was done to it
_DESCRIBING = """
    required labelled labeled bounded bound capped exposed supposed designed tied linked attached connected correlated
    concentrated exceeded reached met caused driven dominated affected preceded split sized priced marked named due delayed
    worried concerned interested finished ended settled intended computed unchanged untouched unaffected backed weighted
    denominated leveraged levered needed lost gained earned involved unused restricted stale outdated dated owned defined
    derived won missing planned unexplained mixed skewed biased happened occurred began begun based known seen shown said
    meant configured loaded expected recorded blocked forbidden permitted protected guarded secured worked behaved differed
    varied depended traded cost paid slept fell rose dropped climbed grew shrank outperformed underperformed performed
    improved worsened helped hurt suffered lagged led looked felt seemed stood sat lay remained stayed kept continued tried
    spent lasted counted touched brought appeared arose became belonged carried contained contributed crossed drifted existed
    faced followed formed generated hovered included incurred offset outweighed overlapped owed produced proved ranged
    realised realized represented resembled resulted retained saw served showed struggled summed tended totalled totaled used
    went yielded wobbled attempted wanted skipped signalled signaled idled spiked collapsed stalled dried rallied recovered
    deteriorated deepened narrowed crept accounted amounted consisted benefited profited pointed spared slowed sped dipped
    peaked bottomed swung bounced recommended advised understood read tested simulated compared
"""

_THINGS = (
    r"orders?|positions?|entry|entries|parameters?|halt(?:ing)?|desk|configurations?|settings?|limits?|guardrails?|breakers?"
    r"|sleeves?|proposals?|cards?|pauses?|allocation|handover|runbook|calendar|schedule|dashboard|cash|funds|money"
    r"|alerts?|journals?|workers?|stops?|leverage|memory|notes?|database|backlog|account|exposure|trades?|release|latch|book|feed"
)
HARMLESS = frozenset(
    form for verb in _HARMLESS.split() for form in (verb, f"{verb}s", *past_forms(verb), *ing_forms(verb))
) | frozenset({"been", "was", "were", "am", "is", "are", "has"})
DESCRIBING = HARMLESS | frozenset(_DESCRIBING.split())
# words of grammar: after `I` or a copula they claim nothing
FUNCTION = frozenset(
    """
    a an the this that these those someone it its my your our their his her one two not no never nothing none nobody
    neither nor can could may might must should would will shall many few some several zero three four five six seven eight
    nine ten what how why who which where when whether if so to in on at for with of only from about by as am is are was were
    be been do does did has have had there here also still just now then both all each every and or but than too very quite
    rather unable able afraid sorry glad happy sure aware nightdesk
    """.split()  # noqa: SIM905 - words
)
# what a thing of the desk may be said to be without a claim of an act
HARMLESS_STATES = frozenset(
    """
    safe intact steady stable calm noisy silent exposed vulnerable harmless thin thick early late slow fast hard easy easier
    harder due ahead behind apart well-protected correct incorrect valid plain obvious evident certain uncertain curious odd
    strange serious severe mild slight plausible fair honest short-lived temporary permanent recent old-fashioned small large
    big high low higher lower better worse best worst good bad fine right wrong true false possible impossible likely unlikely
    ready free idle quiet normal usual separate different same similar equal close near enough full empty new old common rare
    important relevant useful risky cheap expensive clear unclear sensible reasonable worth busy alone responsible wide wider
    tight tighter narrow modest deep deeper shallow long-only append-only read-only human manual automatic within above below
    between around against like unlike more less most least because why up-to-date part next first second last third only such
    per under until since before after during trend-following available unavailable visible capital inactive doing going
    trying unfilled unresolved bound heavy light strong weak positive negative healthy well ok okay alive nothing something
    anything yours mine ours about who that what paper
    """.split()  # noqa: SIM905 - words, not a list of strings
)
HARMLESS_PLACES = frozenset(
    """
    paper version question doubt favour line order record records journal table list mind sight range time data bars account
    page terminal hands profit loss total turn thread summary average trend day night week month year course charge case fact
    part and to the of its your our this that these which it both each them every way hold-out recorded sample all
    configuration proposal card note handover peak
    """.split()  # noqa: SIM905 - words, not a list of strings
)
IDS = r"\b(?:prop|al)-\d+|\b[a-z]{3,}-[a-z]{3,}"
ACTED_ON = re.compile(
    rf"(?i)(?<![a-z])(?:{_THINGS}|(?:the|your|our|its|my|an?|new|open|eth|btc|sol) (?:longs?|shorts?)(?! time| way| list| run"
    rf"| look| term)|btc|eth|sol|gains|profits?)(?![a-z-])|\b\w{{1,40}}_\w|{IDS}"
)
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
    r"went (?:to|through|out|in|fine|well|ok|smoothly|ahead)|gone (?:through|out|in)|came (?:through|in|off)|(?:is|are|was|has"
    r"|been) (?:now )?(?:in|through|done|ok"
    r"|out|confirmed|complete|live|successful|under way|underway|on its way|resting|working|away|placed|over)\b(?! the| a\b"
    r"| [a-z]+'s"
    r"| line| force| doubt)|took place|taken place|happened"
    r"|performed|executed|carried out|(?:is |was |has been |: )?(?:completed?|done|finished|successful|in place|confirmed)\b"
    r"|succeeded|worked out|landed"
    r"|(?:(?:is|are|was|were|has been|have been|got|been) )?(?:now |just |already )?(?:given|granted|issued|created|raised"
    r"|delivered|received"
    r"|effected|made|set(?: up)?|booked|arranged|queued|scheduled|placed|sent|submitted|filled)|left for|awaiting (?:a )?fill"
    r"|is on (?:its|the) way|order is in"
)
NOUN_DONE = re.compile(
    rf"(?i)\b({'|'.join(sorted(NOUNS, key=len, reverse=True))})s?\b(?! level)([\w .'-]{{0,32}}?)\s(?:{_HAPPENED})(?![\w-])"
)
_NO_VERBS = r"(?!(?:need|feed|speed|indeed|exceed|succeed|proceed|seed|bleed|red|hundred|shed|embed|unfilled|limited|mixed)\b)"
_PARTICIPLE = (
    _NO_VERBS + "(?:[a-z]+(?:-[a-z]+)?ed|" + "|".join(sorted({f for fs in IRREGULAR.values() for f in fs} - {"had"})) + ")"
)
PAST = re.compile(rf"(?i)(?<![\w-])({_PARTICIPLE})(?![\w-])")
PEOPLE = re.compile(
    r"(?i)\bby (?!(?:stop|target|the|an?|its|hand|code|our|your|my|people|engine|mistake|default|then|now|one|any|both|all"
    r"|itself|far|about"
    r"|market|limit|each|some|two|noon|half|bar|design|trailing|force|time|other|another|persons?|her|him|day|night"
    r"|week)\b)([a-z]{2,20})\b"
)
# words that say how a thing of the desk stands, after a label or a copula
STANDING = frozenset(
    """
    off on over gone done active live inactive operational effective current neutral silent flat long short open closed paused
    allowed enabled disabled pending resumed released halted completed success successful lifted cleared in-force applied
    running executed approved rejected stopped free normal break-even none false nil
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
