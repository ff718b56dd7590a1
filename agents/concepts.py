"""The words that a sentence may prove something with, each with what it means. Read by agents/atoms.py and the provers.

A word that is in no list here means nothing to the checker, and a sentence that has one is not vouched for. So the lists name
what can be proven, never what is harmful: a word too few costs a mark, not an untruth.
"""

import re

# what is said in several words: pattern -> one word of the table below
_PHRASES = (
    (r"round[- ]trips?", "trip"),
    (r"signed off(?: on)?|signed", "approved"),
    (r"turned down|shot down|said no to", "rejected"),
    (r"in force|in effect|went live|gone live", "applied"),
    (r"out of the market|no (?:open )?positions?(?= *(?:$|[.,])| on\b)", "flat"),
    (r"(?:waits|waiting|awaits|awaiting|wait)(?: for)?(?: (?:a|your|the))?(?: (?:decision|approval|person))?", "pending"),
    (r"still to be decided|not (?:yet )?decided|undecided", "pending"),
    (r"not halted|not in (?:a )?halt", "running"),
    (r"not running", "halted"),
    (r"not paused", "allowed"),
    (r"not (?:yet )?resolved|unresolved", "unresolved"),
    (r"not (?:yet |been )*acknowledged|unacknowledged", "unacknowledged"),
    (r"(?:may|can|free to) enter|allowed to enter|entries (?:are )?allowed", "allowed"),
    (r"entries (?:are )?paused", "paused"),
    (r"stop (?:was |got |has been |were )?(?:hit|triggered|reached)", "exit stop"),
    (r"(?:is|was) the one (?:that is |which is )?", "is "),
    (
        r"(?:hold|holds|have|has|holding|with) (?:something|positions?|an? (?:open )?position|open positions?)"
        r"(?= *(?:$|[,.]|now|open\b))",
        "holding",
    ),
    (r"(?<=is )(?:still )?in (?:the market|an? (?:open )?position)|invested", "holding"),
    (r"stopped out|hit (?:its|the) stop|took (?:its|the) stop", "exit stop"),
    (r"took profit|hit (?:its|the) target", "exit target"),
    (r"stop[- ]loss", "stop"),
    (r"hit[- ]rate", "win rate"),
    (r"profit (?:and|&) loss|p ?& ?l", "pnl"),
    (r"(?:buy[- ]and[- ])?hold(?:ing)?(?= returns?\b)", "benchmark"),  # `hold` alone is a free word
    (r"at (?:its |the )?worst|at most", "max"),
    (r"(?:below|under|off|beneath|from|short of) (?:its|the|our|your) (?:peak|high|top)", "drawdown"),
    (r"(?:at|for|as of) (?:the|this|that) (?:moment|minute)|right now|at present|so far", "now"),
    (r"in (?:the )?markets?", "exposure"),
    (r"(?:we|i|you|one)(?: can)? (?:see|find)s?(?= (?:an?|\d))", "shows"),
    (r"(?:called|ordered|declared) (?:a|the) halt", "halted"),
    (r"put (?:the desk )?(?:on|in|into) (?:a )?halt", "halted"),
    (r"(?:came|comes|come) out with", "shows"),
    (r"(?:came|comes|come) (?:out|in|to)(?: at)?", "came"),
    (r"(?:nobody|no one|none of us) (?:has|have)", "has not"),
)
PHRASES = tuple((re.compile(rf"\b(?:{pattern})(?![\w-])"), said) for pattern, said in _PHRASES)

# concept: the words for it
_TABLE = """
    sharpe: sharpe; sortino: sortino; calmar: calmar; ratio: ratio ratios; factor: factor; profit: profit profits;
    max: max maximum maximal worst deepest; drawdown: drawdown drawdowns dd; total: total overall; annual: annual
    yearly; return: return returns returned performance; gain: gained gain gains made earned up profit; loss: lost
    loss losses losing down lose; win: win wins winning winners won winrate; rate: rate; trades: trade trades traded;
    trip: trip trips; fees: fee fees commission commissions; costs: cost costs; paid: paid pays pay; funding: funding;
    slippage: slippage; equity: equity worth account balance nav value capital; exposure: exposure exposed invested;
    gross: gross; leverage: leverage levered; quantity: quantity size; price: price priced; version: version;
    configuration: configuration config; open: open; opened: opened; position: position positions; protective: stop
    stops protective level protected; pnl: pnl; change: changed change; held: held lasted; difference: difference gap;
    bars: bars bar candles; days: days day; compared: compared; losses: losses; row: row; parameter: parameter setting
    parameters settings; live: live; variant: variant variants; run: run runs backtest; long: long longs; short: short
    shorts; flat: flat; sell: sold sell sells sale; buy: bought buy buys purchase purchased; fill: fill filled fills;
    enter: enter entered enters; entry: entry entries; exit: exit exited exits; target: target; halt: halt halted
    halting halts; release: released release releases lifted resumed; running: running; trading: trading; approved:
    approved approve approves approval okayed accepted; rejected: rejected reject rejects declined; applied: applied
    active adopted; pending: pending; expired: expired lapsed; superseded: superseded; loosen: loosens loosen
    loosening looser; tighten: tightens tighten tightening; proposal: proposal proposals card cards; alert: alert
    alerts; page: page pages; warning: warning warnings; order: order orders; acknowledged: acknowledged acknowledge
    acked; resolved: resolved; unresolved: unresolved; unacknowledged: unacknowledged; cancelled: cancelled canceled
    cancel; refused: refused; tripped: tripped trip; breaker: breaker breakers; paused: paused; allowed: allowed;
    stale: stale; lots: lots lot; sleeve: sleeve sleeves; holding: holding; desk: desk; event: event; worker: worker;
    feed: feed; disk: disk; full: full; nearly: nearly; time: time; close: closed; peak: peak; raise: raises
    increases; raised: raised increased; lower: lowers reduces; lowered: lowered reduced; went: went goes; move: moves
    changes sets takes; moved: moved changed set; covers: covers cover covered spans span; comparison: comparison;
    window: window period; partly: partly partially; stopped: stopped; market: market; made: made did earns earn
    earned yields yield yielded gives gave delivers delivered reached achieved
"""
CONCEPTS: dict[str, frozenset[str]] = {}
for _entry in _TABLE.split(";"):
    _name, _, _words = _entry.partition(":")
    for _word in _words.split():
        CONCEPTS[_word] = CONCEPTS.get(_word, frozenset()) | {_name.strip()}

# words that neither make a sentence true nor false where all its other words are matched
FREE = frozenset(
    """
    a an the of at on in for with by to from is are was were be been am has have had it its your our my their this
    that these those we you there and as also which who where currently now still already exactly comes came sits sat
    shows show showed see shown reads amounts equals got get gets do does did use uses used having being please stays
    stay remains remain hold holds carry carries according us usdt usd dollars them about around roughly approximately
    nearly almost concerns concern subject stand stands stood
    """.split()  # noqa: SIM905 - words
)
# words that speak to the person, of talking itself: a sentence of these alone claims nothing of the desk
TALK = frozenset(
    """
    i me you your my us we it this that these those a an the and or but to of for in on at by with from about as if so
    is are am be do does can could may might would should will shall let know want like need wish ask asking question
    questions help helping assist assistant ai happy glad pleased hello hi hey dear thanks thank patience sure
    certainly course okay ok well please feel free welcome anything something else more further looking compare source
    full context see any other here there which what how when why who whether say says explain describe answer answers
    tell detail details understand sorry apologies apologize morning evening night day have luck forward hear hearing
    back regards summary overview below following follows above next first second finally lastly note remember mind
    worry worries don not interested prefer rather choose option options idea think thinking consider considering
    wonder look up down again chat conversation talk discuss clarify clarification request topic matter information
    info response final update short brief briefly words word simply put said speaking general hand side way case
    point points thing things yours mine very much many some few lot bit just also only
    """.split()  # noqa: SIM905 - words
) - {"up", "down", "again", "only", "back", "not", "side"}
# nouns that may head a list or a table: naming a thing says nothing of it
NOUNS = frozenset(
    """
    desk sleeve sleeves position positions order orders proposal proposals alert alerts page pages run runs fill fills
    trade trades risk status state summary overview result results metric metrics figure figures value values name
    names equity drawdown sharpe fees funding exposure comparison variant variants next steps recommendation
    recommendations question answer details journal events event time times id ids entry entries exit exits strategy
    strategies key points notes analysis performance total return returns max win rate profit factor sortino version
    """.split()  # noqa: SIM905 - words
)
# what may come before a colon and label nothing of the desk
HEADINGS = frozenset(
    [
        "status",
        "state",
        "update",
        "summary",
        "answer",
        "result",
        "results",
        "report",
        "news",
        "assistant",
        "overview",
        "fyi",
        "figures",
    ]
)
# states of which a thing has one: said otherwise, the sentence is contradicted
EXCLUSIVE = (
    frozenset({"long", "short", "flat"}),
    frozenset({"holding", "flat"}),
    frozenset({"paused", "allowed"}),
    frozenset({"pending", "applied", "rejected", "expired", "superseded"}),
    frozenset({"resolved", "open"}),
    frozenset({"acknowledged", "unacknowledged"}),
)


def stem(word: str) -> str:
    """A word of a record without its plural or verbal ending, for words that no list has."""
    short = re.sub(r"(?:ing|ed|es|s)$", "", word)
    return short if len(short) >= 4 else word


def concepts_of(word: str) -> frozenset[str]:
    """What a word means; a word of no list means itself, and nothing that a list has."""
    return CONCEPTS.get(word) or frozenset({f"={stem(word)}"})
